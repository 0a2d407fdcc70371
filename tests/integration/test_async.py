"""The documented way to use recsys_pg from asyncio: AsyncSession.run_sync."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from recsys_pg import errors
from recsys_pg.db import connection_parameters
from recsys_pg.models import Item
from recsys_pg.recommender import Recommender
from recsys_pg.repositories import InteractionRepository, ItemRepository, UserRepository
from recsys_pg.types import ItemRecord


def buy_one_of_two(session: Session) -> tuple[int, list[str]]:
    first, _ = ItemRepository(session).save_all([ItemRecord(title="bought"), ItemRecord(title="left")])
    user_id = UserRepository(session).ensure("somebody")
    InteractionRepository(session).record(user_id, first, "purchase")
    return user_id, [row.title for row in Recommender(session).for_user(user_id)]


def test_repositories_and_recommender_run_on_an_asynchronous_connection(url):
    async def run() -> tuple[list[str], list[str], str]:
        engine = create_async_engine("postgresql+psycopg://", connect_args=connection_parameters(url))
        try:
            async with AsyncSession(engine) as session, session.begin():
                user_id, before = await session.run_sync(buy_one_of_two)
            async with AsyncSession(engine) as session:
                after = await session.run_sync(lambda sync: Recommender(sync).for_user(user_id))
                item = await session.get_one(Item, after[0].item_id)
            return before, [row.title for row in after], item.title
        finally:
            await engine.dispose()

    assert asyncio.run(run()) == (["left"], ["left"], "left")


def test_refusals_are_the_same_exceptions(url):
    async def run() -> None:
        engine = create_async_engine("postgresql+psycopg://", connect_args=connection_parameters(url))
        try:
            async with AsyncSession(engine) as session:
                await session.run_sync(lambda sync: Recommender(sync).for_user(999))
        finally:
            await engine.dispose()

    with pytest.raises(errors.UnknownUserError, match="user 999 does not exist"):
        asyncio.run(run())
