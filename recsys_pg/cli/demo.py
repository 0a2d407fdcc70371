"""The command demo."""

import typer

from recsys_pg.cli.invocation import invocation
from recsys_pg.cli.progress import progress_bars


def demo(context: typer.Context) -> None:
    """Show everything on MovieLens 100k: import, embed, train, recommend.

    Without a database URL it uses the embedded PostgreSQL, and leaves it running, so that you can look
    around. The first run takes some minutes, most of them for embedding 1,700 films. It can be repeated.

    \b
    Example:
      recsys-pg demo
    """
    from platformdirs import user_cache_path
    from rich.console import Console

    from recsys_pg import embedded
    from recsys_pg.config import Settings
    from recsys_pg.demo import run_demo

    settings = Settings()
    # piped into a file, lines are not cut at 80 columns
    console = Console(highlight=False, width=None if Console().is_terminal else 120)
    url = invocation(context).database_url or settings.database_url
    server = None
    if not url:
        server = embedded.start(
            settings.embedded_dir, postgres_version=settings.embedded_postgres_version, on_exit="keep"
        )
        url = server.url
    run_demo(
        url,
        console,
        progress_bars=progress_bars,
        cache=user_cache_path("recsys_pg"),
        model=settings.embedding_model,
    )
    console.print()
    console.rule("[bold]Look around", align="left")
    if server:
        console.print(f"  psql:   recsys-pg sql      (or any client: {server.url})", soft_wrap=True)
        console.print("  stop:   recsys-pg server stop")
    else:
        console.print("  psql:   recsys-pg sql")
    console.print('  more:   recsys-pg similar "The Matrix"')
    console.print('          recsys-pg search "astronauts stranded in space"')
    console.print("          recsys-pg recommend 843 --external --category Drama --in-stock")
