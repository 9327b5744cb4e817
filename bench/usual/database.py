"""Its two tables. `python -m bench.usual.database` makes them anew, with products that don't sell out."""

import os
from decimal import Decimal

from sqlalchemy import Numeric, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

PRODUCTS = 100
STOCK = 1_000_000_000
THREADS = int(os.environ["USUAL_THREADS"])


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    price: Mapped[Decimal] = mapped_column(Numeric(9, 2))
    stock: Mapped[int]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int]
    quantity: Mapped[int]
    unit_price: Mapped[Decimal] = mapped_column(Numeric(9, 2))
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[str] = mapped_column(String(32))


# One connection for every thread that may place an order: nobody waits for one.
engine = create_engine(os.environ["USUAL_DATABASE_URL"], pool_size=THREADS, max_overflow=0)
Session = sessionmaker(engine, expire_on_commit=False)

if __name__ == "__main__":
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session.begin() as new:
        new.add_all(Product(name=f"Product {n}", price=Decimal("9.99"), stock=STOCK) for n in range(PRODUCTS))
