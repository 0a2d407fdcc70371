"""What there is to import: catalogue, people and interactions, found by the names of the files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.importing import delimited, grouplens, jsonl, parquet, recbole, records
from recsys_pg.importing.columns import Attributes, Content
from recsys_pg.importing.detection import Format, choose_files, contents_of
from recsys_pg.importing.files import File
from recsys_pg.importing.source import Source, Table
from recsys_pg.types import InteractionRecord, ItemRecord, UserRecord

_Found = TypeVar("_Found")

_READERS: Mapping[str, Callable[[File], Table]] = {
    "recbole": recbole.table,
    "csv": delimited.table,
    "tsv": lambda file: delimited.table(file, delimiter="\t"),
    "jsonl": jsonl.table,
    "parquet": parquet.table,
}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Sources of items, users and interactions; any of them may be missing."""

    items: Source[ItemRecord] | None = None
    users: Source[UserRecord] | None = None
    interactions: Source[InteractionRecord] | None = None


def open_dataset(
    path: Path | str,
    *,
    format: Format | Literal["auto"] = "auto",
    content: Content | None = None,
    mapping: Mapping[str, str] | None = None,
    attributes: Attributes | None = None,
    kind: str | None = None,
) -> Dataset:
    """The data set that a file, a folder or a zip archive (a wheel is one) holds; reads little but headers.

    Args:
        path: what to look at; of an archive, the one folder in it that holds a data set counts.
        format: how the files are written; told by their names unless given.
        content: what to take. Without it, all that is there: files are known by RecBole's endings or by the
            names items, users and interactions (also products, movies, customers, events, ratings).
        mapping: the column of each field, for one content: ``{"title": "name", "attributes.year":
            "released"}``. Fields that it leaves out are found by `recsys_pg.importing.columns.WELL_KNOWN`.
        attributes: columns to keep as attributes, ``"*"`` for all that no field takes. Without it,
            RecBole's files keep all and other tables none.
        kind: the kind of all interactions, where no column says it.

    Raises:
        InvalidArgumentError: the path, format, mapping or columns do not fit; the message says which.
        InvalidRecordError: a header is malformed.
        MissingDependencyError: a Parquet file, and pyarrow is not installed.
    """
    found, files = choose_files(Path(path), format)
    if found == "grouplens":
        if mapping or attributes is not None or kind is not None:
            raise InvalidArgumentError(
                f"{path} is of GroupLens, whose columns are known.", "Leave out mapping, attributes and kind."
            )
        dataset = _grouplens(files)
        return Dataset(**{content: getattr(dataset, content)}) if content else dataset
    tables = contents_of(files, found, content)
    if len(tables) > 1 and (mapping or attributes not in (None, "*")):
        raise InvalidArgumentError(
            f"{path} holds {', '.join(tables)}; a mapping or a list of attributes is for one of them.",
            "Say which with content, and import the others on their own.",
        )
    if attributes is None:
        attributes = "*" if found == "recbole" else ()
    read = _READERS[found]
    items, users, interactions = tables.get("items"), tables.get("users"), tables.get("interactions")
    return Dataset(
        items=records.items(read(items), mapping, attributes) if items else None,
        users=records.users(read(users), mapping, attributes) if users else None,
        interactions=records.interactions(read(interactions), mapping, kind) if interactions else None,
    )


def read_items(
    path: Path | str,
    *,
    format: Format | Literal["auto"] = "auto",
    mapping: Mapping[str, str] | None = None,
    attributes: Attributes | None = None,
) -> Source[ItemRecord]:
    """The items of a file, folder or archive; arguments and errors are those of `open_dataset`."""
    dataset = open_dataset(path, format=format, content="items", mapping=mapping, attributes=attributes)
    return _present(dataset.items, "items", path)


def read_users(
    path: Path | str,
    *,
    format: Format | Literal["auto"] = "auto",
    mapping: Mapping[str, str] | None = None,
    attributes: Attributes | None = None,
) -> Source[UserRecord]:
    """The users of a file, folder or archive; arguments and errors are those of `open_dataset`."""
    dataset = open_dataset(path, format=format, content="users", mapping=mapping, attributes=attributes)
    return _present(dataset.users, "users", path)


def read_interactions(
    path: Path | str,
    *,
    format: Format | Literal["auto"] = "auto",
    mapping: Mapping[str, str] | None = None,
    kind: str | None = None,
) -> Source[InteractionRecord]:
    """The interactions of a file, folder or archive; arguments and errors are those of `open_dataset`."""
    dataset = open_dataset(path, format=format, content="interactions", mapping=mapping, kind=kind)
    return _present(dataset.interactions, "interactions", path)


def _grouplens(files: Sequence[File]) -> Dataset:
    named = {file.base_name: file for file in files}
    if "u.data" in named:
        return Dataset(
            items=grouplens.films_100k(named["u.item"], named["u.genre"]),
            users=grouplens.users_100k(named["u.user"]),
            interactions=grouplens.ratings_100k(named["u.data"]),
        )
    return Dataset(
        items=grouplens.films(named["movies.csv"], named.get("tags.csv")),
        interactions=grouplens.ratings(named["ratings.csv"]),
    )


def _present(source: _Found | None, content: Content, path: Path | str) -> _Found:
    if source is None:
        raise InvalidArgumentError(f"{path} holds no {content}.", "Pass the file that holds them.")
    return source
