"""The commands of text search: search and language."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from recsys_pg.cli.database import connected, connected_to_schema
from recsys_pg.cli.errors import one_line
from recsys_pg.cli.filters import FilterOptions, with_filter_options
from recsys_pg.cli.output import AsJson, print_items, print_json, print_line
from recsys_pg.cli.progress import progress_bars
from recsys_pg.cli.recommend import Number

if TYPE_CHECKING:
    from recsys_pg.embedding import TextEmbedder


@with_filter_options
def search(
    context: typer.Context,
    chosen: FilterOptions,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What the items should be about, in any words; or a code.")
    ],
    *,
    n: Number = 10,
    words_only: Annotated[
        bool,
        typer.Option("--words-only", help="Load no model: a text that is new is searched by its words only."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the items that a text asks for: by what it means, by its words, and by exact codes and titles.

    Words in quotes are a phrase, "or" between words means either, and a minus in front of a word leaves out
    what has it; put -- before a text that begins with one. The column reason says what matched. Words are
    compared in the language of the catalogue: see recsys-pg language.

    A new text is turned into a vector, which needs the extras embed and model and some seconds to load them;
    without the extras it is searched by its words. The vector is kept, so that the next time the same text is
    found by meaning at once, also in SQL: select * from recsys_api.search_text('robots that dream').

    \b
    Examples:
      recsys-pg search "robots that dream"
      recsys-pg search "a warm coat -wool" --category Clothing --max-price 80
      recsys-pg search SKU-4711 --words-only
    """
    from recsys_pg.unit_of_work import UnitOfWork

    if not text.strip():
        raise typer.BadParameter("it is empty.", param_hint="'TEXT'")
    with connected(context) as engine:
        with UnitOfWork(engine) as work:
            item_filter = chosen.item_filter(work.items)
            # what is wrong with the arguments is told before a model loads
            rows = work.recommender.search_text(text, n, filter=item_filter)
            needs_model = not work.recommender.remembers(text) and not words_only
        # no transaction is open while a model loads
        embedder = _embedder() if needs_model else None
        if embedder is not None:
            with UnitOfWork(engine) as work:
                rows = work.recommender.search_text(text, n, filter=item_filter, embedder=embedder)
    if as_json:
        print_json(rows)
    elif rows:
        print_items(rows)
    else:
        print_line(
            f"No items: none {'' if chosen == FilterOptions() else 'of those that pass the filter '}matches."
        )


def language(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="LANGUAGE", help="Such as german; simple compares words as they stand."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show or change the language that the catalogue is written in, by which text search compares words.

    In English, "trains" finds "train", and "the" is no word to look for; in German, "Züge" finds "Zug".
    Without LANGUAGE it says which one is set and which ones the database knows. A change lists all items
    anew, some 20 seconds for 100,000; searches and writes go on meanwhile, and when it is interrupted, the
    same command goes on from there.

    \b
    Examples:
      recsys-pg language
      recsys-pg language german
    """
    from recsys_pg.language import read_language, set_language

    with connected_to_schema(context) as engine:
        if name is None:
            now = read_language(engine)
            if as_json:
                print_json(now)
                return
            print_line(f"The catalogue is in {now.language}.")
            if now.previous_language is not None:
                print_line(
                    f"The change from {now.previous_language} was interrupted; to finish it, run:"
                    f" recsys-pg language {now.language}"
                )
            print_line(f"The database knows: {', '.join(now.known)}.")
            return
        with progress_bars() as progress:
            items = set_language(engine, name, progress)
    if as_json:
        print_json({"language": name, "items": items})
    elif items:
        print_line(f"Listed {items:,} items by their words in {name}.")
    else:
        print_line(f"Nothing to do: the catalogue is in {name}.")


def _embedder() -> "TextEmbedder | None":
    """The embedder of the settings; None, and a note on stderr, where its extra is not installed."""
    from recsys_pg.cli.embedder import load_embedder
    from recsys_pg.errors import MissingDependencyError

    try:
        return load_embedder()
    except MissingDependencyError as error:
        print(one_line(f"Searching by words only. {error}"), file=sys.stderr)
        return None
