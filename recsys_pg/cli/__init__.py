"""The command line `recsys-pg`. Only this package reads the arguments of the process."""

import sys
from collections.abc import Callable, Sequence


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        run = _loaded()
    except KeyboardInterrupt:  # from then on `run` tells
        sys.exit(130)
    sys.exit(run(sys.argv[1:]))


def _loaded() -> Callable[[Sequence[str]], int]:
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ModuleNotFoundError as error:
        sys.exit(f'Error: The command line needs {error.name}. Run: pip install "recsys-pg[cli]".')
    from recsys_pg.cli.app import run
    from recsys_pg.cli.process import prepare_process

    prepare_process()
    return run
