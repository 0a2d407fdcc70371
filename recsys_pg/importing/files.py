"""Files on disk and inside zip archives (a wheel is one), plain or gzipped, read as streams."""

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path, PurePosixPath
from typing import IO

from recsys_pg.errors import InvalidArgumentError

_ARCHIVES = (".zip", ".whl")


@dataclass(frozen=True)
class File:
    """A file on disk, or the member of an archive on disk."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """Its name without folders, as messages show it."""
        return PurePosixPath(self.member).name if self.member else self.path.name

    @property
    def base_name(self) -> str:
        """Its name in lower case, without .gz."""
        return self.name.lower().removesuffix(".gz")

    @property
    def folder(self) -> str:
        """The folder that it lies in; that of a member is relative to its archive."""
        return str(PurePosixPath(self.member).parent if self.member else self.path.parent)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Its bytes, unpacked.

        Raises:
            InvalidArgumentError: it cannot be read, or is damaged.
        """
        try:
            with self._open_stored() as stored:
                if self.name.lower().endswith(".gz"):
                    with gzip.open(stored) as unpacked:
                        yield unpacked  # type: ignore[misc] # a GzipFile is an IO[bytes] in all but name
                else:
                    yield stored
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InvalidArgumentError(
                f"{self.name} cannot be read: {reason}.",
                "Check the path, the permissions and that it is whole.",
            ) from error

    @contextmanager
    def open_text(self, encoding: str = "utf-8-sig") -> Iterator[IO[str]]:
        """Its text, line ends untouched; a byte order mark is left out.

        Bytes that the encoding does not know become lone surrogates, which `fields.text` refuses: so the
        error names their line, and the lines after it can still be read.
        """
        with (
            self.open() as stream,
            TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="") as text,
        ):
            yield text

    @contextmanager
    def _open_stored(self) -> Iterator[IO[bytes]]:
        if self.member is None:
            with self.path.open("rb") as stream:
                yield stream
        else:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                yield stream


def list_files(path: Path) -> list[File]:
    """The files that a path stands for: those of a folder, those of an archive, or the file itself.

    Raises:
        InvalidArgumentError: there is nothing, or the archive is damaged.
    """
    if path.is_dir():
        files = [File(entry) for entry in sorted(path.iterdir()) if entry.is_file()]
    elif not path.exists():
        raise InvalidArgumentError(f"{path} does not exist.", "Pass a file, a folder, or a zip archive.")
    elif path.suffix.lower() not in _ARCHIVES:
        return [File(path)]
    else:
        try:
            with zipfile.ZipFile(path) as archive:
                files = [File(path, name) for name in sorted(archive.namelist()) if not name.endswith("/")]
        except (OSError, zipfile.BadZipFile) as error:
            raise InvalidArgumentError(f"{path} is no zip archive: {error}.", "Download it again.") from error
    # macOS puts a hidden ._items.csv beside every items.csv of an archive
    return [file for file in files if not file.name.startswith(".")]
