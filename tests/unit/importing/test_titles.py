"""Film titles of MovieLens become as people write them."""

import doctest

import pytest

from recsys_pg.importing import natural_title, titles
from recsys_pg.importing.titles import split_year


def test_the_documented_examples_hold():
    assert doctest.testmod(titles).failed == 0


@pytest.mark.parametrize(
    ("title", "natural"),
    [
        ("Matrix, The", "The Matrix"),
        ("Fish Called Wanda, A", "A Fish Called Wanda"),
        ("Good, The Bad and The Ugly, The", "The Good, The Bad and The Ugly"),
        ("Femme Nikita, La (Nikita)", "La Femme Nikita (Nikita)"),
        ("Man on the Train (Homme du train, L')", "Man on the Train (L'Homme du train)"),
        ("Macbeth (a.k.a. Tragedy of Macbeth, The)", "Macbeth (a.k.a. The Tragedy of Macbeth)"),
        ("I, Tonya", "I, Tonya"),
        ("Mrs. Brown (Her Majesty, Mrs. Brown)", "Mrs. Brown (Her Majesty, Mrs. Brown)"),
        ("Toy Story", "Toy Story"),
        ("", ""),
    ],
)
def test_an_article_at_the_end_moves_to_the_front(title, natural):
    assert natural_title(title) == natural


@pytest.mark.parametrize(
    ("title", "name", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Seven (Se7en) (1995)", "Seven (Se7en)", 1995),
        ("Land Before Time III (1995) (V)", "Land Before Time III", 1995),
        ("Death Note (2006–2007)", "Death Note", 2006),
        ("Black Mirror ", "Black Mirror", None),
        ("2001", "2001", None),
    ],
)
def test_the_year_at_the_end_is_split_off(title, name, year):
    assert split_year(title) == (name, year)
