"""The command evaluate."""

from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import typer

from recsys_pg.cli.database import connected
from recsys_pg.cli.output import Column, print_json, print_line, print_table
from recsys_pg.cli.progress import progress_bars
from recsys_pg.types import Method

if TYPE_CHECKING:
    from recsys_pg.evaluation import Evaluation

_STDOUT = Path("-")


def evaluate(
    context: typer.Context,
    *,
    split: Annotated[
        Literal["time", "user", "live"],
        typer.Option(
            help="What is held out. time: what happened last, whoever did it; live: the same, but it is"
            " recorded in its order before each user is asked; user: the last of each user."
        ),
    ] = "time",
    test_share: Annotated[
        float, typer.Option(metavar="X", help="How much of the positive interactions is held out.")
    ] = 0.1,
    users: Annotated[
        int, typer.Option(metavar="N", help="Users that are asked at most, drawn of those that can be.")
    ] = 2000,
    ks: Annotated[
        list[int] | None,
        typer.Option(
            "-k", metavar="K", help="Length of the lists; may be repeated.", show_default="-k 10 -k 20"
        ),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="METHOD",
            help=f"One of {', '.join(get_args(Method))}; may be repeated.",
            show_default="all of them",
        ),
    ] = None,
    repeats: Annotated[
        bool, typer.Option("--repeats", help="Look also for what users consume again, and tell it apart.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Another server for the scratch database; embedded: start one for this. Left out: that of"
            " the database.",
        ),
    ] = None,
    memory_gb: Annotated[
        float, typer.Option(metavar="GB", min=0.1, help="Memory that training may use.")
    ] = 4.0,
    seed: Annotated[int, typer.Option(metavar="N", help="Of what is drawn at random.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers as JSON; - for stdout.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report with plots, in one file.")
    ] = None,
) -> None:
    """Measure on your own data how well recommendations foretell what people went on to like.

    Holds out the latest interactions, trains on the rest in a scratch database, asks recommend_for_user
    there, by every method, and looks for what was held out in the lists. Every item is ranked but those that
    the user consumed before. Your database is only read, and the scratch database is dropped at the end; the
    role needs the right to create one (alter role … createdb), or name --server. Needs the extra train.
    docs/evaluation.md says how to read the numbers.

    \b
    Examples:
      recsys-pg evaluate
      recsys-pg evaluate --html report.html --json report.json
      recsys-pg evaluate --split live
      recsys-pg evaluate --split user --test-share 0.2 -k 5 -k 20
      recsys-pg evaluate --method hybrid --method popular --users 500 --server embedded
    """
    from recsys_pg.evaluation import METHODS
    from recsys_pg.evaluation import evaluate as evaluate_database

    for option, file in (("--json", json_file), ("--html", html_file)):
        _check_place(option, file)
    with connected(context) as engine, progress_bars() as progress:
        found = evaluate_database(
            engine,
            split=split,
            test_share=test_share,
            users=users,
            ks=ks or (10, 20),
            methods=cast(list[Method], methods) or METHODS,
            repeats=repeats,
            server=server,
            memory_gb=memory_gb,
            seed=seed,
            progress=progress,
        )
    _write(found, json_file, html_file)


def _check_place(option: str, file: Path | None) -> None:
    """Refuse a file that cannot be written before the work begins, not when it is done."""
    if file is None or (file == _STDOUT and option == "--json"):
        return
    remedy = "name a file in a folder that exists and can be written"
    try:
        if file == _STDOUT or file.is_dir():
            raise typer.BadParameter(f"{file} is no file: {remedy}.", param_hint=option)
        if file.exists():
            file.open("ab").close()
        else:
            TemporaryFile(dir=file.parent).close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise typer.BadParameter(
            f"{file} cannot be written ({reason}): {remedy}.", param_hint=option
        ) from None


def _write(found: "Evaluation", json_file: Path | None, html_file: Path | None) -> None:
    from recsys_pg.evaluation import html_report

    if html_file is not None:
        html_file.write_text(html_report(found), encoding="utf-8")
    if json_file == _STDOUT:
        print_json(found)
        return
    if json_file is not None:
        with json_file.open("w", encoding="utf-8") as opened, redirect_stdout(opened):
            print_json(found)
    _print(found)
    for file in filter(None, (json_file, html_file)):
        print_line(f"Written to {file}.")


def _print(found: "Evaluation") -> None:
    from recsys_pg.evaluation import wording

    print_line(wording.setting(found))
    for note in found.notes:
        print_line(note)
    for table in (_accuracy(found), _comparison(found), _exposure(found), _segments(found)):
        if table[0].values:
            print_line()
            print_table(table)
    print_line()
    print_line(wording.summary(found))
    print_line("What the numbers mean: docs/evaluation.md, or the report that --html writes.")


def _accuracy(found: "Evaluation") -> list[Column]:
    (first, *others), rows = found.options.ks, found.methods
    at_first = [row.accuracy[0] for row in rows]
    columns = [
        Column("method", [row.method for row in rows]),
        _numbers(f"NDCG@{first}", [each.ndcg for each in at_first]),
        _numbers(f"Recall@{first}", [each.recall for each in at_first]),
        _numbers(f"MAP@{first}", [each.map for each in at_first]),
        _numbers(f"MRR@{first}", [each.mrr for each in at_first]),
        _numbers(f"hits@{first}", [each.hit_rate for each in at_first]),
    ]
    for place, k in enumerate(others, start=1):
        columns.append(_numbers(f"NDCG@{k}", [row.accuracy[place].ndcg for row in rows]))
        columns.append(_numbers(f"Recall@{k}", [row.accuracy[place].recall for row in rows]))
    return columns


def _comparison(found: "Evaluation") -> list[Column]:
    from recsys_pg.evaluation import wording

    others = [(row.method, row.difference) for row in found.methods if row.difference]
    return [
        Column(f"{found.reference} against", [method for method, _ in others]),
        Column(f"NDCG@{found.options.ks[0]}", [f"{each.mean:+.4f}" for _, each in others], right=True),
        Column("95 % interval", [f"{each.low:+.4f} to {each.high:+.4f}" for _, each in others]),
        Column("it is", [wording.verdict(each) for _, each in others]),
    ]


def _exposure(found: "Evaluation") -> list[Column]:
    shown = [row.exposure for row in found.methods]
    diversity = ["" if each.diversity is None else f"{each.diversity:.3f}" for each in shown]
    return [
        Column(f"lists of {found.options.ks[0]}", [row.method for row in found.methods]),
        Column("coverage", [f"{each.coverage:.1%}" for each in shown], right=True),
        Column("Gini", [f"{each.gini:.3f}" for each in shown], right=True),
        Column("novelty", [f"{each.novelty:.2f}" for each in shown], right=True),
        Column("diversity", diversity, right=True),
        Column("cold items", [f"{each.cold_share:.1%}" for each in shown], right=True),
        Column("ms", [f"{row.milliseconds:.1f}" for row in found.methods], right=True),
    ]


def _segments(found: "Evaluation") -> list[Column]:
    return [
        Column(f"NDCG@{found.options.ks[0]} of", [each.name for each in found.segments]),
        Column("users", [f"{each.users:,}" for each in found.segments], right=True),
        Column("targets", [f"{each.targets:,}" for each in found.segments], right=True),
        *(
            _numbers(method, [each.accuracy[method][0].ndcg for each in found.segments])
            for method in found.options.methods
        ),
    ]


def _numbers(name: str, values: Sequence[float]) -> Column:
    return Column(name, [f"{value:.4f}" for value in values], right=True)
