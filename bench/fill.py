"""A system with a million orders behind it, in minutes: one real, fulfilled order is multiplied by SQL."""

from collections.abc import Mapping

from bench.ours import STOCK, Ours

AT_ONCE = 100_000  # rows a statement
ORDERS_PER_PRODUCT = 10

QUICKLY = "SET SESSION foreign_key_checks = 0, unique_checks = 0, innodb_lock_wait_timeout = 50"
DIGITS = " UNION ALL ".join(f"SELECT {n} AS d" for n in range(10))
NUMBERS = f"""
    CREATE DATABASE IF NOT EXISTS bench;
    CREATE TABLE bench.numbers (i INT PRIMARY KEY);
    INSERT INTO bench.numbers
        SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d
        FROM ({DIGITS}) a, ({DIGITS}) b, ({DIGITS}) c, ({DIGITS}) e, ({DIGITS}) f
"""
COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema = '{schema}' AND table_name = '{name}' "
    "AND extra NOT LIKE '%GENERATED%' AND extra NOT LIKE '%VIRTUAL%'"
)


def fill(ours: Ours, orders: int, template: int) -> list[int]:
    """`template` is a fulfilled order of one item. Returns the ids of a hundred of the new products.

    The stock proof holds on what this makes: each product has its first stock, and a movement for each of its orders.
    """
    ours.execute(f"{QUICKLY}; {NUMBERS}")
    product = int(ours.number(f"SELECT product_id FROM catalog.stock_movements WHERE order_id = {template}"))
    first_product = int(ours.number("SELECT MAX(id) + 1 FROM catalog.products"))
    first_order = int(ours.number("SELECT MAX(id) + 1 FROM ordering.orders"))
    products = orders // ORDERS_PER_PRODUCT
    _fill_products(ours, product, first_product, products)
    _fill_orders(ours, template, product, (first_order, first_product), (orders, products))
    ours.execute("DROP DATABASE bench; SET SESSION foreign_key_checks = 1, unique_checks = 1")
    ours.execute(
        "ANALYZE TABLE catalog.products, catalog.stock_movements, catalog.reservations, ordering.orders, "
        "ordering.order_steps, fulfilment.fulfilments"
    )
    return list(range(first_product, first_product + products, max(1, products // 100)))[:100]


def _fill_products(ours: Ours, product: int, first: int, count: int) -> None:
    ids = f"{first} + n"
    stock = {"id": ids, "stock": f"{STOCK} - {ORDERS_PER_PRODUCT}", "version": f"1 + {ORDERS_PER_PRODUCT}"}
    _multiply(ours, "catalog.products", f"id = {product}", stock, count)
    initial = f"product_id = {product} AND kind = 'initial'"
    _multiply(ours, "catalog.stock_movements", initial, {"id": "NULL", "product_id": ids}, count)


def _fill_orders(ours: Ours, template: int, product: int, first: tuple[int, int], count: tuple[int, int]) -> None:
    """The n-th order is of the (n mod products)-th product, the k-th of its orders."""
    id_, product_id = f"({first[0]} + n)", f"({first[1]} + n % {count[1]})"
    row = f"order_id = {template}"

    def renamed(column: str) -> str:
        own = f"REPLACE({column}, '\"order_id\":{template},', CONCAT('\"order_id\":', {id_}, ','))"
        return f"REGEXP_REPLACE({own}, '\"product_id\": ?{product},', CONCAT('\"product_id\":', {product_id}, ','))"

    text = {"request": renamed("request"), "outcome": renamed("outcome")}
    stock = {"id": "NULL", "order_id": id_, "product_id": product_id, "stock": f"{STOCK} - 1 - n DIV {count[1]}"}
    own = {"id": id_, "request_key": f"CONCAT('bench-', {id_})", "items": renamed("items")}
    _multiply(ours, "ordering.orders", f"id = {template}", own, count[0])
    _multiply(ours, "ordering.order_steps", row, {"id": "NULL", "order_id": id_}, count[0])
    _multiply(ours, "catalog.reservations", row, {"order_id": id_, **text}, count[0])
    _multiply(ours, "catalog.stock_movements", row, stock, count[0])
    _multiply(ours, "fulfilment.fulfilments", row, {"order_id": id_, "items": renamed("items")}, count[0])


def _multiply(ours: Ours, table: str, template: str, changed: Mapping[str, str], count: int) -> None:
    """Insert `count` copies of the rows that `template` chooses, with `changed` in terms of n, from 0."""
    schema, _, name = table.partition(".")
    columns = [row[0] for row in ours.execute(COLUMNS.format(schema=schema, name=name))]
    values = ", ".join(changed.get(column, f"`{column}`") for column in columns)
    into = ", ".join(f"`{column}`" for column in columns)
    ours.execute(f"CREATE TABLE bench.{name} AS SELECT * FROM {table} WHERE {template}")
    for done in range(0, count, AT_ONCE):
        numbers = f"SELECT {done} + i AS n FROM bench.numbers WHERE i < {min(AT_ONCE, count - done)}"
        ours.execute(
            f"INSERT INTO {table} ({into}) SELECT {values} FROM ({numbers}) AS numbers JOIN bench.{name} ORDER BY n"
        )
    ours.execute(f"DROP TABLE bench.{name}")
