"""Products: create, list, read, replace, delete, adjust; and what happened to a stock."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection, Row, bindparam, func, select

from catalog.decide_reservations import Shelf
from catalog.model import MAX_STOCK, MovementKind, products, stock_movements
from catalog.reserve_stock import Movement, lock, move
from chassis.problems import Conflict, NotFound, PreconditionFailed, Problem
from chassis.web.fields import Money, UtcTime
from chassis.web.paging import page_of

STALE = "The product has changed since you read it"


class InsufficientStock(Problem):
    """400: what is asked for is more than there is."""


class Product(BaseModel):
    id: int
    name: str
    price: Money
    stock: int
    max_per_customer: int | None = Field(default=None, exclude_if=lambda limit: limit is None)


class Versioned(BaseModel):
    """A product with the version that its ETag names."""

    product: Product
    version: int


class Deleted(BaseModel):
    message: str = "Product deleted"


class StockMovement(BaseModel):
    """`stock` is what the stock came to with this movement. `actor` is left out where nobody said who he is."""

    id: int
    product_id: int
    kind: MovementKind
    delta: int
    stock: int
    order_id: int | None
    reason: str | None
    actor: str | None = Field(default=None, exclude_if=lambda actor: actor is None)
    created_at: UtcTime


def create(
    connection: Connection,
    name: str,
    price: Decimal,
    stock: int,
    max_per_customer: int | None = None,
    actor: str | None = None,
) -> Versioned:
    """The first stock is a movement too, so that stock is the sum of its movements from the start."""
    row = products.insert().values(name=name, price=price, stock=0, max_per_customer=max_per_customer)
    inserted = connection.execute(row)
    assert inserted.inserted_primary_key is not None
    product_id = inserted.inserted_primary_key[0]
    first = Movement(product_id, MovementKind.INITIAL, stock, actor=actor)
    move(connection, lock(connection, [product_id]), [first])
    return _stored(connection, product_id)


def read(connection: Connection, product_ids: Sequence[int]) -> list[Versioned | NotFound]:
    """In the order asked; NotFound stands where there is none."""
    rows = {row.id: _versioned(row) for row in connection.execute(LIVING, {"ids": list(set(product_ids))})}
    return [rows.get(id_) or NotFound("Product not found") for id_ in product_ids]


LIVING = select(products).where(products.c.deleted_at.is_(None), products.c.id.in_(bindparam("ids", expanding=True)))


def list_(connection: Connection, after: int, limit: int) -> list[Product]:
    page = select(products).where(products.c.deleted_at.is_(None), products.c.id > after)
    return [_versioned(row).product for row in connection.execute(page.order_by(products.c.id).limit(limit))]


def replace(
    connection: Connection,
    product_id: int,
    version: int | None,
    name: str,
    price: Decimal,
    stock: int,
    max_per_customer: int | None = None,
    actor: str | None = None,
) -> Versioned:
    """Overwrite all fields, the stock by a movement of the difference. With `version`, only if it is still that one.

    A limit counts what is ordered from now on; another limit goes on with what was counted under the one before.
    """
    shelves = _lock_living(connection, product_id)
    shelf = shelves[product_id]
    if version is not None and shelf.version != version:
        raise PreconditionFailed(STALE)
    begins = shelf.max_per_customer is None and max_per_customer is not None
    changed = {
        "name": name,
        "price": price,
        "max_per_customer": max_per_customer,
        "limit_epoch": shelf.limit_epoch + begins,
        "version": products.c.version + 1,
    }
    connection.execute(products.update().where(products.c.id == product_id).values(changed))
    if stock != shelf.stock:
        delta = stock - shelf.stock
        move(connection, shelves, [Movement(product_id, MovementKind.ADJUSTMENT, delta, None, "replaced", actor)])
    return _stored(connection, product_id)


def delete(connection: Connection, product_id: int) -> Deleted:
    """Soft: old orders name it. What they hold can still come back to it."""
    _lock_living(connection, product_id)
    gone = products.update().where(products.c.id == product_id)
    connection.execute(gone.values(deleted_at=func.now(6), version=products.c.version + 1))
    return Deleted()


def adjust(connection: Connection, product_id: int, delta: int, reason: str, actor: str | None = None) -> StockMovement:
    """Restock or correct by a difference, so that nobody's change is overwritten."""
    shelves = _lock_living(connection, product_id)
    stock = shelves[product_id].stock
    if stock + delta < 0:
        shortage = {"product_id": product_id, "requested": -delta, "available": stock}
        raise InsufficientStock("Insufficient stock", shortages=[shortage])
    if stock + delta > MAX_STOCK:
        raise Conflict(f"A stock can't be above {MAX_STOCK}")
    move(connection, shelves, [Movement(product_id, MovementKind.ADJUSTMENT, delta, None, reason, actor)])
    return movements(connection, product_id, None, 1)[0]  # under the lock the newest is ours


def movements(connection: Connection, product_id: int, before: int | None, limit: int) -> list[StockMovement]:
    """Newest first. Those of a deleted product can still be read."""
    if connection.execute(select(products.c.id).where(products.c.id == product_id)).one_or_none() is None:
        raise NotFound("Product not found")
    of_product, id_ = stock_movements.c.product_id, stock_movements.c.id
    page = page_of(select(stock_movements), of_product, product_id, id_, after=before, newest_first=True).limit(limit)
    return [StockMovement.model_validate(row, from_attributes=True) for row in connection.execute(page)]


def _lock_living(connection: Connection, product_id: int) -> dict[int, Shelf]:
    shelves = lock(connection, [product_id])
    if product_id not in shelves or shelves[product_id].deleted:
        raise NotFound("Product not found")
    return shelves


def _stored(connection: Connection, product_id: int) -> Versioned:
    """Answers tell what the database holds, not what it was sent."""
    return _versioned(connection.execute(LIVING, {"ids": [product_id]}).one())


def _versioned(row: Row[Any]) -> Versioned:
    return Versioned(product=Product.model_validate(row, from_attributes=True), version=row.version)
