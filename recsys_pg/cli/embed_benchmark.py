"""The command embed-benchmark."""

from typing import Annotated

import typer

from recsys_pg.cli.output import AsJson, Column, print_json, print_line, print_table
from recsys_pg.cli.progress import progress_bars

_MILLION = 1_000_000


def embed_benchmark(
    texts: Annotated[
        int,
        typer.Option(metavar="N", min=16, max=100_000, help="Texts to embed, a sentence or two each."),
    ] = 250,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="CPU threads. Left out: RECSYS_PG_EMBEDDING_THREADS, or as many as the container may use.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how many texts a second this machine embeds, and by which settings most.

    Needs no database. The first row is how a worker computes unless told otherwise, but for bfloat16, which
    it takes where that is faster by a fifth and keeps a cosine of .999 to float32. Needs the extras embed
    and model.

    \b
    Examples:
      recsys-pg embed-benchmark
      recsys-pg embed-benchmark --threads 4 --json
    """
    from recsys_pg.config import Settings
    from recsys_pg.demo.films import described_films
    from recsys_pg.embedding import measure_speed

    settings = Settings()
    films = [film["description"] for film in described_films()]
    sample = [films[number % len(films)] for number in range(texts)]
    with progress_bars() as progress:
        speeds = measure_speed(
            sample,
            model=settings.embedding_model,
            threads=threads or settings.embedding_threads,
            progress=progress,
        )
    if as_json:
        print_json(speeds)
        return
    print_table(
        [
            Column("precision", [speed.precision for speed in speeds]),
            Column("threads", [str(speed.threads) for speed in speeds], right=True),
            Column("tokens a pass", [f"{speed.batch_tokens:,}" for speed in speeds], right=True),
            Column("texts/s", [f"{speed.texts_per_second:.0f}" for speed in speeds], right=True),
            Column("least cosine", [f"{speed.least_cosine:.5f}" for speed in speeds], right=True),
        ]
    )
    hours = _MILLION / speeds[0].texts_per_second / 3600
    print_line()
    print_line(
        f"A million such texts take {hours:.1f} hours as in the first row. Set others with"
        " RECSYS_PG_EMBEDDING_THREADS, _PRECISION and _BATCH_TOKENS."
    )
