"""The MovieLens data sets as GroupLens publishes them: ml-100k, and ml-latest with its larger siblings.

Formats: the README files of https://grouplens.org/datasets/movielens/.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.importing import delimited, records
from recsys_pg.importing.fields import labels
from recsys_pg.importing.files import File
from recsys_pg.importing.source import InvalidLine, InvalidValueError, Row, Source, Table, refuse
from recsys_pg.importing.titles import natural_title, split_year
from recsys_pg.types import InteractionRecord, ItemRecord, UserRecord

_FILM_COLUMNS = ("item_id", "title", "year", "category", "tags")
_USER_TAGS = 10  # the most frequent ones tell what a film is like; the tail is noise


def ratings_100k(file: File) -> Source[InteractionRecord]:
    """The ratings of ``u.data``."""
    columns = ("user_id", "item_id", "rating", "timestamp")
    return records.interactions(delimited.table(file, delimiter="\t", quoted=False, columns=columns))


def users_100k(file: File) -> Source[UserRecord]:
    """The people of ``u.user``, with age, gender, occupation and zip_code as attributes."""
    columns = ("user_id", "age", "gender", "occupation", "zip_code")
    return records.users(delimited.table(file, delimiter="|", quoted=False, columns=columns), attributes="*")


def films_100k(file: File, genre_file: File) -> Source[ItemRecord]:
    """The films of ``u.item``; ``u.genre`` names the genres, which become tags, the first the category."""
    genre_table = delimited.table(genre_file, delimiter="|", quoted=False, columns=("genre", "number"))
    genres = [row["genre"] for _, row in genre_table.rows() if not isinstance(row, InvalidValueError)]
    columns = ("item_id", "title", "release_date", "video_release_date", "url", *genres)
    # the one file of the data sets that is not UTF-8
    table = delimited.table(file, delimiter="|", quoted=False, columns=columns, encoding="latin-1")
    known = [genre for genre in genres if genre != "unknown"]

    def rows() -> Iterator[tuple[int, Row | InvalidValueError]]:
        for line, row in table.rows():
            if isinstance(row, InvalidValueError):
                yield line, row
            else:
                found = [genre for genre in known if row[genre] == "1"]
                yield line, _film(row["item_id"], row["title"], found)

    return records.items(Table(table.file, _FILM_COLUMNS, rows), attributes=("year",))


def ratings(file: File) -> Source[InteractionRecord]:
    """The ratings of ``ratings.csv``."""
    return records.interactions(delimited.table(file))


def films(file: File, tag_file: File | None) -> Source[ItemRecord]:
    """The films of ``movies.csv``; genres become tags, the first the category.

    After them come, from ``tags.csv``, the ten most frequent tags that at least two people gave a film, in
    lower case; these are held in memory meanwhile.

    Raises:
        InvalidArgumentError: a file has other columns than GroupLens gives it.
    """
    table = _table(file, "movieId", "title", "genres")
    tag_table = _table(tag_file, "movieId", "tag") if tag_file else None

    def rows() -> Iterator[tuple[int, Row | InvalidValueError]]:
        given = _user_tags(tag_table) if tag_table else {}
        for line, row in table.rows():
            if isinstance(row, InvalidValueError):
                yield line, row
            else:
                genres = [genre for genre in labels(row["genres"], "genres") if genre != "(no genres listed)"]
                yield line, _film(row["movieId"], row["title"], genres, given.get(row["movieId"], ()))

    return records.items(Table(table.file, _FILM_COLUMNS, rows), attributes=("year",))


def _film(item_id: str, title: str, genres: Sequence[str], user_tags: Sequence[str] = ()) -> Row:
    name, year = split_year(title)
    return {
        "item_id": item_id,
        "title": natural_title(name),
        "year": year,
        "category": genres[0] if genres else None,
        "tags": [*genres, *user_tags],
    }


def _table(file: File, *columns: str) -> Table:
    table = delimited.table(file)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InvalidArgumentError(
            f"{file.name} has no column {missing[0]!r}, so it is not of GroupLens.",
            "Pass another format, such as csv, with a mapping.",
        )
    return table


def _user_tags(table: Table) -> dict[str, list[str]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line, row in table.rows():
        if isinstance(row, InvalidValueError):
            refuse(InvalidLine(table.file, line, row.message, row.hint))
        else:
            counts[row["movieId"]][row["tag"].lower()] += 1
    return {
        film: [tag for tag, people in tags.most_common(_USER_TAGS) if people > 1]
        for film, tags in counts.items()
    }
