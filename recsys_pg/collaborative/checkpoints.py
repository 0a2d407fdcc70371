"""What a training that is killed has learned already, kept in files until it has ended."""

import contextlib
import hashlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import scipy
from scipy.sparse import csr_array

from recsys_pg.collaborative.packing import Packing
from recsys_pg.errors import InvalidArgumentError

T = TypeVar("T")

WORTH_SECONDS = 2.0
"""Results that took less are not kept."""

LONGEST_AGE_SECONDS = 24 * 3600.0
"""From its start on; a training that was killed before that starts anew."""

_START = "recsys_pg-start.json"
_PREFIX = "recsys_pg"
_SHARE_OF_DISK = 0.5


class Checkpoints:
    """A folder of results. The name of a file tells what it is the result of, down to the code.

    So a result of other interactions, other arguments or another version is never taken for this one's; and
    a file appears under its name only when it is complete. No two trainings use a folder at the same time:
    there is one for each database, which lets one training in.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._origin = ""
        self.resumed: list[str] = []

    @classmethod
    def none(cls) -> Self:
        """Keeps nothing."""
        return cls(None)

    @property
    def are_kept(self) -> bool:
        """Whether there is a folder."""
        return self._directory is not None

    def last_id(self) -> int | None:
        """The id of the last interaction that the training before read; None if it ended or is too old."""
        if self._directory is None:
            return None
        try:
            start = json.loads((self._directory / _START).read_text())
            fresh = 0 <= time.time() - start["started_at"] <= LONGEST_AGE_SECONDS
            return int(start["last_id"]) if fresh else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def begin(self, origin: str, last_id: int) -> None:
        """Say what all results come from. Results of anything else are removed.

        Raises:
            InvalidArgumentError: the folder cannot be made.
        """
        self._origin = origin
        if self._directory is None:
            return
        self._make_directory()
        if not self.has(origin):
            self.clear()
            self._make_directory()
            text = json.dumps({"last_id": last_id, "started_at": time.time()})
            self._write(_START, lambda path: path.write_text(text))
        self._remove(f"{_PREFIX}-*.part")

    def has(self, origin: str) -> bool:
        """Whether there is any result that comes from this."""
        return self._directory is not None and any(self._directory.glob(f"{_PREFIX}-{origin}-*.npz"))

    def kept(
        self,
        stage: str,
        name: str,
        arguments: Iterable[Any],
        packing: Packing[T],
        make: Callable[[], T],
        *,
        discards: str | None = None,
    ) -> T:
        """The result of make, from its file if there is one.

        Args:
            stage: of the training.
            name: of the result, for people.
            arguments: what it depends on besides the origin.
            packing: its form as arrays.
            make: what to call if there is no file.
            discards: a stage whose results are not needed any more after this one.
        """
        if self._directory is None:
            return make()
        key = digest(stage, name, list(arguments))
        path = self._directory / f"{_PREFIX}-{self._origin}-{stage}-{key}.npz"
        with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
            # opened here, since numpy leaves a file open that is cut short
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                result = packing.unpack({key: file[key] for key in file.files})
            self.resumed.append(name)
            return result
        started = time.monotonic()
        result = make()
        if time.monotonic() - started >= WORTH_SECONDS:
            arrays = packing.pack(result)
            if sum(array.nbytes for array in arrays.values()) < self._room():
                self._write(path.name, lambda part: _save(part, arrays))
        if discards is not None and path.exists():
            self._remove(f"{_PREFIX}-{self._origin}-{discards}-*.npz")
        return result

    def clear(self) -> None:
        """Remove everything, when the training has ended."""
        if self._directory is None:
            return
        for pattern in (f"{_PREFIX}-*.npz", f"{_PREFIX}-*.part", _START):
            self._remove(pattern)
        with contextlib.suppress(OSError):
            self._directory.rmdir()

    def _make_directory(self) -> None:
        assert self._directory is not None  # noqa: S101
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InvalidArgumentError(
                f"The folder for checkpoints {self._directory} cannot be made: {error.strerror}.",
                "Pass another one: --checkpoint-dir, or the argument checkpoint_dir.",
            ) from error

    def _remove(self, pattern: str) -> None:
        assert self._directory is not None  # noqa: S101
        for file in list(self._directory.glob(pattern)):
            file.unlink(missing_ok=True)

    def _room(self) -> float:
        """Bytes that a file may take: half of what is free."""
        assert self._directory is not None  # noqa: S101
        return _SHARE_OF_DISK * shutil.disk_usage(self._directory).free

    def _write(self, name: str, write: Callable[[Path], Any]) -> None:
        """Write a file so that it is there completely or not at all; a full disk costs the file only."""
        assert self._directory is not None  # noqa: S101
        part = self._directory / f"{name}.part"
        try:
            write(part)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(self._directory / name)
        except OSError:
            part.unlink(missing_ok=True)


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


def digest(*values: Any) -> str:
    """32 hexadecimal digits that differ where the values or the code differ.

    Values are arrays, sparse matrices, dataclasses, and what JSON can hold, also in lists and tuples.
    """
    hashed = hashlib.blake2b(_code().encode(), digest_size=16)
    _add(hashed, values)
    return hashed.hexdigest()


def _add(hashed: "hashlib.blake2b", value: Any) -> None:
    if isinstance(value, np.ndarray):
        hashed.update(f"{value.dtype}{value.shape}".encode())
        hashed.update(np.ascontiguousarray(value).data)
    elif isinstance(value, csr_array):
        _add(hashed, [value.data, value.indices, value.indptr])
    elif isinstance(value, list | tuple):
        hashed.update(f"[{len(value)}".encode())
        for each in value:
            _add(hashed, each)
    else:
        plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        hashed.update(json.dumps(plain, sort_keys=True).encode() + b"\0")


@cache
def _code() -> str:
    """Of the modules that learn, and the libraries that they compute with."""
    hashed = hashlib.blake2b(f"{np.__version__} {scipy.__version__}".encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()
