"""A shop whose embedding model changes, and the model that it changes to."""

import pytest

from recsys_pg.embedding import Worker

TITLES = [f"film {number}" for number in range(60)]


@pytest.fixture
def other(embedder):
    """An embedder of another model: the same texts lie elsewhere."""

    class OtherEmbedder(type(embedder)):
        name = "other"

        def vector(self, text: str):
            return super().vector(f"other {text}")

    return OtherEmbedder()


@pytest.fixture
def shop(engine, catalogue, embedder):
    """Sixty films that are embedded, of two categories, and twenty people with tastes."""
    catalogue.add(*TITLES)
    catalogue.sql(
        "update recsys.items set category = case when id % 2 = 0 then 'even' else 'odd' end, price = id"
    )
    Worker(engine, embedder).run_once()
    catalogue.sql(
        "insert into recsys.users (external_id) select 'u' || n from generate_series(1, 20) n;"
        "insert into recsys.interactions (user_id, item_id, kind)"
        " select u.id, i.id, 'purchase' from recsys.users u join recsys.items i on i.id % 7 = u.id % 7;"
        "select recsys_api.refresh_tastes()"
    )
    return catalogue
