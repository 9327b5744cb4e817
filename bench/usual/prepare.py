"""`python -m bench.usual.prepare`: empty tables, and products that don't sell out."""

from decimal import Decimal

from bench.usual.database import Base, Product, Session, engine

PRODUCTS = 100
STOCK = 1_000_000_000


def main() -> None:
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session.begin() as session:
        session.add_all(Product(name=f"Product {n}", price=Decimal("9.99"), stock=STOCK) for n in range(PRODUCTS))


if __name__ == "__main__":
    main()
