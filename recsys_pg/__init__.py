"""Recommendations as plain SQL inside PostgreSQL, on pgvector.

Importing this package loads neither torch nor scipy; see `recsys_pg.embedding` and `recsys_pg.collaborative`.
"""

__version__ = "0.1.0"
