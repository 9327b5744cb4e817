"""A system with a million orders behind it, in minutes: one real, fulfilled order is multiplied by SQL."""

from collections.abc import Mapping

from bench.ours import STOCK, Ours

AT_ONCE = 100_000  # rows a statement
ORDERS_PER_PRODUCT = 10
DIGITS = " UNION ALL ".join(f"SELECT {n} AS d" for n in range(10))
PREPARE = f"""
    SET SESSION foreign_key_checks = 0, unique_checks = 0;
    CREATE DATABASE bench;
    CREATE TABLE bench.numbers (i INT PRIMARY KEY);
    INSERT INTO bench.numbers SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d
        FROM ({DIGITS}) a, ({DIGITS}) b, ({DIGITS}) c, ({DIGITS}) e, ({DIGITS}) f
"""
FINISH = """
    DROP DATABASE bench;
    SET SESSION foreign_key_checks = 1, unique_checks = 1;
    ANALYZE TABLE catalog.products, catalog.stock_movements, catalog.reservations, ordering.orders, ordering.order_steps,
        fulfilment.fulfilments
"""
COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE CONCAT(table_schema, '.', table_name) = '{table}' "
    "AND extra NOT LIKE '%GENERATED%' AND extra NOT LIKE '%VIRTUAL%'"
)


def fill(ours: Ours, orders: int, template: int) -> list[int]:
    """`template` is a fulfilled order of one item. Returns the ids of a hundred of the new products.

    The stock proof holds on what this makes: each product has its first stock, and a movement for each of its orders.
    """
    products = orders // ORDERS_PER_PRODUCT
    product = int(ours.number(f"SELECT product_id FROM catalog.stock_movements WHERE order_id = {template}"))
    first = int(ours.number("SELECT MAX(id) + 1 FROM catalog.products"))
    ours.execute(PREPARE)
    _fill_products(ours, product, first, products)
    _fill_orders(ours, template, product, (first, products), orders)
    ours.execute(FINISH)
    return list(range(first, first + products, max(1, products // 100)))[:100]


def _fill_products(ours: Ours, product: int, first: int, count: int) -> None:
    ids = f"{first} + n"
    stock = {"id": ids, "stock": f"{STOCK} - {ORDERS_PER_PRODUCT}", "version": f"1 + {ORDERS_PER_PRODUCT}"}
    _multiply(ours, "catalog.products", f"id = {product}", stock, count)
    initial = f"product_id = {product} AND kind = 'initial'"
    _multiply(ours, "catalog.stock_movements", initial, {"id": "NULL", "product_id": ids}, count)


def _fill_orders(ours: Ours, template: int, product: int, products: tuple[int, int], count: int) -> None:
    """The n-th order is of the (n mod products)-th product, the k-th of its orders. `products`: the first, how many."""
    id_ = f"({int(ours.number('SELECT MAX(id) + 1 FROM ordering.orders'))} + n)"
    product_id = f"({products[0]} + n % {products[1]})"
    row = f"order_id = {template}"

    def renamed(column: str) -> str:
        own = f"REPLACE({column}, '\"order_id\":{template},', CONCAT('\"order_id\":', {id_}, ','))"
        return f"REGEXP_REPLACE({own}, '\"product_id\": ?{product},', CONCAT('\"product_id\":', {product_id}, ','))"

    text = {"request": renamed("request"), "outcome": renamed("outcome")}
    stock = {"id": "NULL", "order_id": id_, "product_id": product_id, "stock": f"{STOCK} - 1 - n DIV {products[1]}"}
    own = {"id": id_, "request_key": f"CONCAT('bench-', {id_})", "items": renamed("items")}
    _multiply(ours, "ordering.orders", f"id = {template}", own, count)
    _multiply(ours, "ordering.order_steps", row, {"id": "NULL", "order_id": id_}, count)
    _multiply(ours, "catalog.reservations", row, {"order_id": id_, **text}, count)
    _multiply(ours, "catalog.stock_movements", row, stock, count)
    _multiply(ours, "fulfilment.fulfilments", row, {"order_id": id_, "items": renamed("items")}, count)


def _multiply(ours: Ours, table: str, template: str, changed: Mapping[str, str], count: int) -> None:
    """Insert `count` copies of the rows that `template` chooses, with `changed` in terms of n, from 0."""
    columns = [f"`{row[0]}`" for row in ours.execute(COLUMNS.format(table=table))]
    values = ", ".join(changed.get(column.strip("`"), column) for column in columns)
    ours.execute(f"CREATE TABLE bench.template AS SELECT * FROM {table} WHERE {template}")
    for done in range(0, count, AT_ONCE):
        numbers = f"SELECT {done} + i AS n FROM bench.numbers WHERE i < {min(AT_ONCE, count - done)}"
        joined = f"({numbers}) AS numbers JOIN bench.template ORDER BY n"
        ours.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {joined}")
    ours.execute("DROP TABLE bench.template")
