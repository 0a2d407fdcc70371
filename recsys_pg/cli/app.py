"""The commands put together, and what becomes of a run: its exit code, and one line when it fails."""

import inspect
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from recsys_pg import __version__
from recsys_pg.cli import (
    calibrate,
    catalogue,
    demo,
    doctor,
    embed_benchmark,
    errors,
    evaluate,
    indexes,
    model,
    person,
    psql,
    recommend,
    rules,
    scenarios,
    search,
    server,
    setup,
    status,
    training,
    worker,
)
from recsys_pg.cli.invocation import Invocation, remember_database_url, remember_verbose

GLOBAL_OPTIONS = "Options of every command"


class GroupWithGlobalOptions(TyperGroup):
    """Takes the global options after the name of a command as well: ``recsys-pg status --verbose``."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, with the global options added; None if there is none."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            options = [each for each in self.params if getattr(each, "rich_help_panel", "") == GLOBAL_OPTIONS]
            for each in (command, *getattr(command, "commands", {}).values()):
                each.params += [option for option in options if option not in each.params]
        return command


app = typer.Typer(
    cls=GroupWithGlobalOptions,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)


def _print_version(value: bool) -> None:
    if value:
        print(f"recsys-pg {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    database_url: Annotated[  # noqa: ARG001 - its callback keeps it
        str | None,
        typer.Option(
            metavar="URL",
            help="The database, as a URL or as libpq keywords. Left out: RECSYS_PG_DATABASE_URL; without"
            " that, the embedded PostgreSQL.",
            callback=remember_database_url,
            expose_value=False,
            rich_help_panel=GLOBAL_OPTIONS,
        ),
    ] = None,
    verbose: Annotated[  # noqa: ARG001 - its callback keeps it
        bool,
        typer.Option(
            "--verbose",
            help="Log what is done, and show the traceback of an error.",
            callback=remember_verbose,
            expose_value=False,
            rich_help_panel=GLOBAL_OPTIONS,
        ),
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback prints it
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Recommendations inside PostgreSQL: set up, fill, embed, train, ask, watch.

    \b
    A first run, without a server of your own:
      recsys-pg init
      recsys-pg import ratings.csv
      recsys-pg worker --once
      recsys-pg train
      recsys-pg recommend 42
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


def _flowing(docstring: str | None) -> str:
    """A docstring whose paragraphs are one line each, for Typer to wrap; after a backspace lines stay."""
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(text if text[:1] == "\b" else text.replace("\n", " ") for text in paragraphs)


for command in (
    setup.init,
    setup.migrate,
    catalogue.import_,
    worker.worker,
    training.train,
    recommend.similar,
    recommend.recommend,
    search.search,
    recommend.popular,
    status.status,
    doctor.doctor,
    calibrate.recall,
    calibrate.calibrate,
    evaluate.evaluate,
    worker.requeue,
    embed_benchmark.embed_benchmark,
    person.export_user,
    person.forget_user,
    search.language,
    demo.demo,
):
    app.command(command.__name__.rstrip("_").replace("_", "-"), help=_flowing(command.__doc__))(command)
# which options there are is for psql to say
_PASS_ON = {"ignore_unknown_options": True, "help_option_names": ["--help"]}
app.command("sql", context_settings=_PASS_ON, help=_flowing(psql.sql.__doc__))(psql.sql)
app.add_typer(server.server, name="server")
app.add_typer(rules.rules, name="rules")
app.add_typer(scenarios.scenarios, name="scenarios")
app.add_typer(model.model, name="model")
for subcommand in indexes.indexes.registered_commands:
    subcommand.help = _flowing(subcommand.callback.__doc__)
app.add_typer(indexes.indexes, name="indexes", help=_flowing(indexes.show.__doc__))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code: 0, 1 for a failure, 2 for a wrong argument."""
    this_run = Invocation()
    try:
        "".join(arguments).encode()
    except UnicodeEncodeError:
        _say("Error: The arguments are not valid UTF-8. Set the terminal to UTF-8.")
        return errors.USAGE
    try:
        code = typer.main.get_command(app).main(
            list(arguments), prog_name="recsys-pg", standalone_mode=False, obj=this_run
        )
        sys.stdout.flush()
    except BrokenPipeError:
        # nobody reads on: what is left must not be flushed when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return errors.FAILURE
    except Exception as error:
        signalled = errors.signal_behind(error)
        if signalled is None:
            return _failed(error, this_run)
        code = signalled
    if code == errors.INTERRUPTED:
        _say("Interrupted.")
    return code if isinstance(code, int) else 0


def _failed(error: Exception, this_run: Invocation) -> int:
    if this_run.verbose:
        traceback.print_exception(error)
    # Typer's usage errors: some versions bring their own click, so there is no one class to catch
    if callable(getattr(error, "format_message", None)):
        context = getattr(error, "ctx", None)
        hint = f" See: {context.command_path} --help." if context is not None else ""
        text = error.format_message()  # type: ignore[attr-defined]
        text = text if text.endswith((".", "?", "!")) else text + "."
        _say(f"Error: {text}{_value_behind(error, text)}{hint}")
        return getattr(error, "exit_code", errors.USAGE)
    explained = errors.explained(error)
    _say(f"Error: {explained.message} {explained.hint}")
    return errors.exit_code(explained)


def _value_behind(error: Exception, text: str) -> str:
    """What was given, where the text of a usage error does not name it."""
    import pydantic

    if not isinstance(error.__cause__, pydantic.ValidationError):
        return ""
    given = str(error.__cause__.errors()[0]["input"])
    return "" if repr(given) in text else f" It is {given!r}."


def _say(text: str) -> None:
    print(errors.one_line(text).strip(), file=sys.stderr)
