"""UCI Online Retail, the invoices of a gift shop, as rows of the database."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from pyarrow import parquet

from recsys_pg.repositories import copy_rows

# postage, samples, fees and corrections have codes without five digits
_PRODUCT = re.compile(r"\d{5}")


@dataclass(frozen=True)
class Purchase:
    user_id: int
    code: str
    occurred_at: datetime


def read_purchases(data: Path) -> tuple[list[Purchase], Mapping[str, str]]:
    """Lines with a customer, a product and a positive quantity, oldest first, and the products' descriptions.

    A product counts once an invoice; of several descriptions it has the most frequent one.
    """
    table = parquet.read_table(data / "online-retail" / "lines.parquet").to_pylist()
    descriptions: dict[str, Counter[str]] = defaultdict(Counter)
    purchases: dict[tuple[str, str], Purchase] = {}
    for line in table:
        code = line["stock_code"]
        if not _PRODUCT.match(code) or not line["description"] or line["quantity"] <= 0:
            continue
        descriptions[code][line["description"].strip()] += 1
        if line["customer_id"] is not None:
            at = line["invoiced_at"].replace(tzinfo=UTC)
            purchases.setdefault((line["invoice_no"], code), Purchase(line["customer_id"], code, at))
    bought = sorted(purchases.values(), key=lambda purchase: purchase.occurred_at)
    names = {code: counts.most_common(1)[0][0] for code, counts in descriptions.items()}
    return bought, names


def load_shop(engine: sa.Engine, data: Path) -> None:
    """Products with their description as title, customers, and purchases."""
    bought, names = read_purchases(data)
    number = {code: place for place, code in enumerate(sorted(names), start=1)}
    with engine.connect() as connection, connection.begin():
        driver = connection.connection.driver_connection
        copy_rows(
            driver,
            "recsys.items",
            ("id", "external_id", "title"),
            ("int8", "text", "text"),
            ((number[code], code, name) for code, name in names.items()),
        )
        users = sorted({purchase.user_id for purchase in bought})
        copy_rows(driver, "recsys.users", ("id",), ("int8",), ((user,) for user in users))
        copy_rows(
            driver,
            "recsys.interactions",
            ("user_id", "item_id", "kind", "occurred_at"),
            ("int8", "int8", "text", "timestamptz"),
            (
                (purchase.user_id, number[purchase.code], "purchase", purchase.occurred_at)
                for purchase in bought
            ),
        )
