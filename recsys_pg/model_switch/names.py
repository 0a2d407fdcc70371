"""What belongs to the embedding model, and the name of its twin."""

import re

COLUMNS = {
    "items": ("embedding", "embedding_model_id", "embedding_content_hash"),
    "users": ("embedding", "embedding_model_id"),
}
"""The columns that have a twin, by table."""

COPY = "searchable_items"
"""The table that has a twin."""

FLAG, STANDBY_FLAG = "is_active", "is_standby"
"""The columns of recsys.models that tell which model is which."""

TABLES = ("items", "users", "models", COPY, f"standby_{COPY}")
"""What a switch has to keep everybody out of, for a moment."""

_LONGEST = 63
_WORD = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\b\w+\b")


def twin(name: str) -> str:
    """The name of a twin.

    >>> twin("items_embedding_idx")
    'standby_items_embedding_idx'
    """
    return f"standby_{name}".encode()[:_LONGEST].decode(errors="ignore")


def of_twins(table: str, definition: str) -> str:
    """The definition of an index on a table, by PostgreSQL, for the twins of its columns.

    >>> of_twins("items", "... using hnsw (embedding vector_cosine_ops) where category = 'embedding'")
    "... using hnsw (standby_embedding vector_cosine_ops) where category = 'embedding'"
    """

    def renamed(word: re.Match[str]) -> str:
        return twin(word.group()) if word.group() in COLUMNS[table] else word.group()

    return _WORD.sub(renamed, definition)
