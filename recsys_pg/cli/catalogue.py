"""The command import."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

import typer

from recsys_pg.cli.database import connected
from recsys_pg.cli.output import AsJson, print_json, print_line, print_warning
from recsys_pg.cli.progress import progress_bars

if TYPE_CHECKING:
    from recsys_pg.importing import Dataset, ImportReport, Source

Format: TypeAlias = Literal["auto", "recbole", "grouplens", "csv", "tsv", "jsonl", "parquet"]
Content: TypeAlias = Literal["items", "users", "interactions"]

_CONTENTS: tuple[Content, ...] = get_args(Content)
_SKIPPED_SHOWN = 10
_ATTRIBUTE = "'--attribute'"


def import_(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files, folders or zip archives; the names say what they hold."),
    ] = None,
    *,
    items: Annotated[Path | None, typer.Option(metavar="FILE", help="A file of items.")] = None,
    users: Annotated[Path | None, typer.Option(metavar="FILE", help="A file of users.")] = None,
    interactions: Annotated[Path | None, typer.Option(metavar="FILE", help="A file of interactions.")] = None,
    format: Annotated[
        Format, typer.Option(help="How the files are written; auto: as their names say.")
    ] = "auto",
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="The column that fills a field; with several files, such as items.title=name.",
        ),
    ] = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute", metavar="COLUMN", help="Keep this column as an attribute; '*' keeps all others."
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="What the interactions are, where no column says so, such as purchase."
        ),
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out lines that are not valid, and say which.")
    ] = False,
    deactivate_missing: Annotated[
        bool,
        typer.Option("--deactivate-missing", help="Items that the file of items lacks become out of stock."),
    ] = False,
    missing_limit: Annotated[
        int,
        typer.Option(
            metavar="PERCENT",
            min=0,
            max=100,
            help="Of all items, how many may become so; above it, nothing is imported.",
        ),
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Load items, users and interactions from files; after an error in one of them, nothing of any.

    Reads MovieLens zips, RecBole files (also inside a wheel), CSV, TSV, JSON Lines and Parquet, also gzipped.
    Columns with usual names, such as item_id, title, price, user_id, rating, timestamp, need no --map. What
    was imported before is updated or left alone, so an import can be repeated, also after it was killed. A
    column embedding, a list of 384 numbers by the database's model, saves the worker the work.

    \b
    Examples:
      recsys-pg import ml-latest-small.zip
      recsys-pg import --items products.csv --interactions orders.csv --kind purchase
      recsys-pg import --items shop.jsonl --map title=name --attribute brand
      recsys-pg import --items feed.parquet --deactivate-missing
    """
    from recsys_pg.importing import import_dataset

    options: dict[Content, Path | None] = {"items": items, "users": users, "interactions": interactions}
    files: list[tuple[Path, Content | None]] = [(path, None) for path in paths or ()]
    files += [(path, content) for content, path in options.items() if path is not None]
    dataset = _open(files, format, mapping or (), attributes or (), kind)
    _warn(dataset)
    with connected(context) as engine, progress_bars() as progress:
        report = import_dataset(
            engine,
            dataset,
            skip_invalid=skip_invalid,
            deactivate_missing=missing_limit / 100 if deactivate_missing else None,
            progress=progress,
        )
    if as_json:
        print_json(report)
    else:
        _print(report)


def _open(
    files: Sequence[tuple[Path, Content | None]],
    format: Format,
    mapping: Sequence[str],
    attributes: Sequence[str],
    kind: str | None,
) -> "Dataset":
    """What all files hold together; a file is read later, except for its header."""
    from recsys_pg.importing import Dataset, open_dataset

    if not files:
        raise typer.BadParameter("there is no file to import.", param_hint="'PATH'")
    found: dict[str, Any] = {}
    fields = {content: dict(map(_field, _about(mapping, content, files, "'--map'"))) for _, content in files}
    columns = {content: _about(attributes, content, files, _ATTRIBUTE) for _, content in files}
    for path, content in files:
        opened = open_dataset(
            path,
            format=format,
            content=content,
            mapping=fields[content] or None,
            attributes="*" if "*" in columns[content] else columns[content] or None,
            kind=kind if content in (None, "interactions") else None,
        )
        for each in _CONTENTS:
            source = getattr(opened, each)
            if source is not None and each in found:
                raise typer.BadParameter(
                    f"{found[each].file} and {source.file} both hold {each}: import one after the other.",
                    param_hint="'PATH'",
                )
            if source is not None:
                found[each] = source
    return Dataset(**found)


def _warn(dataset: "Dataset") -> None:
    """Tell what of the files is not taken, before the import that it may be worth to stop for."""
    sources: list[Source[Any] | None] = [dataset.items, dataset.users, dataset.interactions]
    for source in sources:
        if source is not None and source.unused:
            takes = "--map takes" if source is dataset.interactions else "--map and --attribute take"
            print_warning(f"{source.file}: left out are {', '.join(source.unused)}; {takes} columns.")
    if dataset.interactions and "occurred_at" not in dataset.interactions.fields:
        print_warning(
            f"{dataset.interactions.file} has no column of times: all is taken for done at the moment of the"
            " import, so that no order is learned; and imported again, it counts again. Name the column:"
            " --map occurred_at=COLUMN."
        )


def _about(
    texts: Sequence[str], content: Content | None, files: Sequence[tuple[Path, Content | None]], option: str
) -> list[str]:
    """The values of an option for one file: those that begin with its content, or can be about no other."""
    named = [known for _, known in files if known is not None]
    about = []
    for text in texts:
        prefix, _, rest = text.partition(".")
        if prefix in _CONTENTS and prefix in named:
            if prefix == content:
                about.append(rest)
            continue
        if len(files) == 1:
            about.append(text)
            continue
        possible = [each for each in named if _has(each, text.partition("=")[0], option)]
        if len(named) < len(files) or len(possible) != 1:
            remedy = " or ".join(f"{each}.{text}" for each in possible or named or _CONTENTS)
            names = (
                ""
                if len(named) == len(files)
                else ", and name the file with --items, --users or --interactions"
            )
            raise typer.BadParameter(
                f"{text} may be about any of {len(files)} files: write {remedy}{names}.", param_hint=option
            )
        if possible == [content]:
            about.append(text)
    return about


def _has(content: Content, field: str, option: str) -> bool:
    """Whether such records have a field, or attributes."""
    from recsys_pg.importing.columns import WELL_KNOWN

    has_attributes = content != "interactions"
    return (
        has_attributes
        if option == _ATTRIBUTE or field.startswith("attributes.")
        else field in WELL_KNOWN[content]
    )


def _field(text: str) -> tuple[str, str]:
    field, separator, column = text.partition("=")
    if not (field and separator and column):
        raise typer.BadParameter(f"{text!r} is not FIELD=COLUMN.", param_hint="'--map'")
    return field, column


def _print(report: "ImportReport") -> None:
    for name, inserted, rest in (
        ("items", report.items_inserted, f"{report.items_updated:,} updated"),
        ("users", report.users_inserted, f"{report.users_updated:,} updated"),
        ("interactions", report.interactions_inserted, f"{report.duplicates:,} known before"),
    ):
        print_line(f"{name:<13}{inserted:>11,} new, {rest}")
    if report.items_deactivated:
        print_line(f"{report.items_deactivated:,} items that the file lacks are out of stock now.")
    print_line(f"In {report.seconds:.1f} s.")
    if report.items_inserted or report.items_updated:
        print_line("What is new or has changed its text is found by content after: recsys-pg worker --once.")
    if report.interactions_inserted:
        print_line("What people did is learned by: recsys-pg train.")
    if report.skipped_count:
        print_line(f"Left out {report.skipped_count:,} lines that are not valid:")
        for line in report.skipped[:_SKIPPED_SHOWN]:
            print_line(f"  {line.file}, line {line.line}: {line.message} {line.hint}")
        if report.skipped_count > _SKIPPED_SHOWN:
            print_line(
                f"  and {report.skipped_count - _SKIPPED_SHOWN:,} more; --json lists the first hundred"
            )
