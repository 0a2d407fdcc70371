"""Which files there are, how they are written, and what each holds: told by their names."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.importing.columns import Content
from recsys_pg.importing.files import File, list_files

Format: TypeAlias = Literal["grouplens", "recbole", "csv", "tsv", "jsonl", "parquet"]
"""How files are written."""

_FORMATS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".item": "recbole",
    ".user": "recbole",
    ".inter": "recbole",
}
_CONTENTS: Mapping[str, Content] = {
    ".item": "items",
    "items": "items",
    "movies": "items",
    "products": "items",
    ".user": "users",
    "users": "users",
    "customers": "users",
    ".inter": "interactions",
    "interactions": "interactions",
    "events": "interactions",
    "ratings": "interactions",
}
_GROUPLENS = ({"u.data", "u.item", "u.user", "u.genre"}, {"ratings.csv", "movies.csv"})


def detect(path: Path | str) -> Format:
    """The format of a file, or of the files in a folder or an archive.

    Raises:
        InvalidArgumentError: there is none that is known, or more than one.
    """
    return choose_files(Path(path), "auto")[0]


def choose_files(path: Path, wanted: Format | Literal["auto"]) -> tuple[Format, list[File]]:
    """The format, and the files of the one folder at or inside a path that has files of that format.

    Raises:
        InvalidArgumentError: there is no such folder, or more than one.
    """
    folders: defaultdict[str, list[File]] = defaultdict(list)
    for file in list_files(path):
        folders[file.folder].append(file)
    if wanted != "auto" and path.is_file() and len(folders) == 1 and sum(map(len, folders.values())) == 1:
        return wanted, next(iter(folders.values()))
    found = [
        (format, files)
        for files in folders.values()
        for format in _formats(files)
        if wanted in ("auto", format)
    ]
    if not found:
        what = "data set that is known" if wanted == "auto" else f"files of the format {wanted}"
        raise InvalidArgumentError(
            f"{path} holds no {what}.",
            "Known are GroupLens's zips, RecBole's .item, .user and .inter, and files that end in .csv, .tsv,"
            " .jsonl or .parquet: a single one, or some named items, users and interactions.",
        )
    if len(found) > 1:
        raise InvalidArgumentError(
            f"{path} holds more than one data set: "
            + "; ".join(f"{format} in {files[0].folder}" for format, files in found)
            + ".",
            "Pass one of the folders, or the format.",
        )
    return found[0]


def contents_of(files: Sequence[File], format: Format, only: Content | None) -> dict[Content, File]:
    """The file of each content, or of one; a lone file may hold whatever ``only`` says.

    Raises:
        InvalidArgumentError: a content is in no file, or in more than one, or nothing says what a file holds.
    """
    candidates = [file for file in files if _format(file) == format]
    if len(files) == 1:
        content = only or _content(files[0])
        if content is None:
            raise InvalidArgumentError(
                f"{files[0].name} does not say by its name what it holds.",
                "Say whether that is items, users or interactions.",
            )
        return {content: files[0]}
    found: dict[Content, File] = {}
    for file in candidates:
        content = _content(file)
        if content is None or only not in (None, content):
            continue
        if content in found:
            raise InvalidArgumentError(
                f"Both {found[content].name} and {file.name} hold {content}.", "Pass one of the two files."
            )
        found[content] = file
    if not found:
        raise InvalidArgumentError(
            f"There are no {only} among {', '.join(file.name for file in candidates)}.",
            f"Name the file {only}, or pass it alone.",
        )
    return found


def _formats(files: Sequence[File]) -> list[Format]:
    names = {file.base_name for file in files}
    if any(data_set <= names for data_set in _GROUPLENS):
        return ["grouplens"]
    known = [file for file in files if len(files) == 1 or _content(file) is not None]
    return list(dict.fromkeys(format for file in known if (format := _format(file)) is not None))


def _format(file: File) -> Format | None:
    return _FORMATS.get(os.path.splitext(file.base_name)[1])


def _content(file: File) -> Content | None:
    stem, ending = os.path.splitext(file.base_name)
    return _CONTENTS.get(ending) or _CONTENTS.get(stem)
