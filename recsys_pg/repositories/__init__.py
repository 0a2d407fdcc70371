"""Repositories: the catalogue, the people and what they did, through a SQLAlchemy session.

They never commit: the session's owner, for example `recsys_pg.unit_of_work.UnitOfWork`, does.
"""

from recsys_pg.repositories.bulk import copy_rows
from recsys_pg.repositories.interactions import InteractionRepository
from recsys_pg.repositories.items import ItemRepository
from recsys_pg.repositories.scenarios import ScenarioRepository
from recsys_pg.repositories.users import UserRepository

__all__ = ["InteractionRepository", "ItemRepository", "ScenarioRepository", "UserRepository", "copy_rows"]
