"""Film titles as MovieLens writes them, and as people do."""

import re

_ARTICLES = (
    r"The|A|An|Le|La|Les|L'|Un|Une|Il|Lo|I|Gli|Uno|Una|El|Los|Las|Der|Die|Das|Ein|Eine|De|Het|Den|Det|En|Ett"
)
_TRAILING_ARTICLE = re.compile(
    rf"(?P<prefix>a\.k\.a\. )?(?P<title>.+), (?P<article>{_ARTICLES})(?P<space>\s*)"
)
_TRAILING_YEAR = re.compile(r"(?P<title>.*\S)\s*\((?P<year>\d{4})(?:[-–]\d{0,4})?\)(?:\s*\((?:V|TV)\))?\s*")


def natural_title(title: str) -> str:
    """The title with its article in front, also within parentheses.

    >>> natural_title("Godfather, The")
    'The Godfather'
    >>> natural_title("Horseman on the Roof, The (Hussard sur le toit, Le)")
    'The Horseman on the Roof (Le Hussard sur le toit)'
    >>> natural_title("Enfant, L'")
    "L'Enfant"
    """
    return re.sub(r"[^()]+", _article_first, title)


def split_year(title: str) -> tuple[str, int | None]:
    """The title without the year at its end, and the year: the first of several, or None.

    >>> split_year("Toy Story (1995)")
    ('Toy Story', 1995)
    >>> split_year("Death Note (2006–2007)")
    ('Death Note', 2006)
    >>> split_year("unknown")
    ('unknown', None)
    """
    match = _TRAILING_YEAR.fullmatch(title)
    return (match["title"], int(match["year"])) if match else (title.strip(), None)


def _article_first(part: re.Match[str]) -> str:
    match = _TRAILING_ARTICLE.fullmatch(part[0])
    if match is None:
        return part[0]
    gap = "" if match["article"].endswith("'") else " "
    return f"{match['prefix'] or ''}{match['article']}{gap}{match['title']}{match['space']}"
