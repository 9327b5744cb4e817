"""The plan's "must never be": none of it is there, and each rule is seen to catch what it forbids."""

from textwrap import dedent

import pytest

from architecture import rules
from architecture.rules import EMITTED_IN, RULES, Rule
from architecture.source import Source, our_sources

CONNECTION = "from sqlalchemy import Connection\n"
PLANTED: dict[Rule, list[tuple[str, str]]] = {
    rules.commits_elsewhere: [
        ("ordering/place_orders.py", "def place(connection):\n    connection.commit()"),
        ("catalog/api.py", "with engine.begin() as connection:\n    pass"),
        ("chassis/messaging/outbox.py", "connection.execute(text('COMMIT'))"),
        ("ordering/orders.py", "engine.execution_options(isolation_level='AUTOCOMMIT')"),
    ],
    rules.touches_stock_elsewhere: [
        ("catalog/manage_products.py", "products.update().values(stock=5)"),
        ("catalog/manage_products.py", "select(products).with_for_update()"),
        ("catalog/manage_products.py", "text('SELECT 1 FROM products WHERE id = 1 FOR UPDATE')"),
        ("ordering/orders.py", "text('UPDATE catalog.products SET stock = 0')"),
    ],
    rules.waits_in_a_transaction: [
        ("ordering/orders.py", f"{CONNECTION}import time\ndef read(connection: Connection):\n    time.sleep(1)"),
        ("ordering/orders.py", f"{CONNECTION}async def read(connection: Connection): ..."),
        ("ordering/orders.py", f"{CONNECTION}def read(connection: Connection):\n    httpx.post('http://catalog')"),
        (
            "chassis/messaging/outbox.py",
            f"{CONNECTION}def add(connection: Connection, client):\n    client.xadd('ordering', {{}})",
        ),
        (
            "ordering/orders.py",
            f"{CONNECTION}def read(connection: Connection):\n    ask()\ndef ask():\n    httpx.get('http://catalog')",
        ),
    ],
    rules.builds_at_import: [
        ("catalog/api.py", "settings = Settings()"),
        ("catalog/api.py", "database = Database('mysql://')"),
        ("catalog/api.py", "def build(settings=Settings()): ..."),
        ("catalog/api.py", "class Api:\n    client = httpx.AsyncClient()"),
        ("catalog/api.py", "app = FastAPI()"),
        ("ordering/worker.py", "CLIENT = redis.Redis.from_url('redis://')"),
        ("ordering/worker.py", "URL = os.environ.get('ORDERING_REDIS_URL')"),
    ],
    rules.reads_a_process_clock: [
        ("ordering/resume_orders.py", "def is_due(at):\n    return at < time.time()"),
        ("fulfilment/take_over.py", "def now():\n    return datetime.now(UTC)"),
    ],
    rules.emits_elsewhere: [
        ("ordering/orders.py", "OrderPlaced(order_id=1, revision=1, items=[], total=0)"),
        ("ordering/place_orders.py", "events.OrderCancelled(order_id=1, revision=1)"),
        ("fulfilment/worker.py", "OrderFulfilled(order_id=1)"),
    ],
    rules.consumes_elsewhere: [
        ("ordering/orders.py", "def note(connection, events: Sequence[OrderFulfilled]): ..."),
        ("fulfilment/on_order_placed.py", "def cancel(connection, *, event: OrderCancelled): ..."),
    ],
}
CASES = [
    pytest.param(rule, path, text, id=f"{rule.__name__}-{n}")
    for rule, planted in PLANTED.items()
    for n, (path, text) in enumerate(planted)
]
INNOCENT = [
    ("chassis/database/transactions.py", "with self._engine.begin() as connection: ..."),
    ("catalog/manage_products.py", "products.insert().values(name=name, price=price, stock=0)"),
    ("catalog/manage_products.py", "products.update().values(name=name, price=price)"),
    ("catalog/manage_products.py", '"""A doc that says SELECT … FROM products FOR UPDATE."""'),
    ("catalog/reserve_stock.py", "select(products).with_for_update()\ntext('UPDATE products SET stock = 0')"),
    ("ordering/orders.py", "select(orders).with_for_update(skip_locked=True)"),
    ("ordering/resume_orders.py", f"{CONNECTION}async def resume(database):\n    await asyncio.sleep(1)"),
    ("catalog/api.py", "def build(settings=None):\n    database = Database((settings or Settings()).url)"),
    ("chassis/process/heartbeat.py", "def age(since):\n    return time.monotonic() - since"),
    ("ordering/place_orders.py", "def announcement(order) -> OrderPlaced:\n    return OrderPlaced(order_id=1)"),
    ("fulfilment/on_order_placed.py", "def take(connection, events: Sequence[OrderPlaced]): ..."),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_what_must_never_be_is_not_there(rule: Rule) -> None:
    assert [violation for source in our_sources() for violation in rule(source)] == []


@pytest.mark.parametrize(("rule", "path", "text"), CASES)
def test_a_planted_violation_is_caught(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, dedent(text)))) != []


@pytest.mark.parametrize(("path", "text"), INNOCENT)
def test_innocent_code_breaks_no_rule(path: str, text: str) -> None:
    assert [violation for rule in RULES for violation in rule(Source(path, text))] == []


def test_every_rule_has_a_planted_violation() -> None:
    assert set(PLANTED) == set(RULES)


def test_the_rules_look_at_all_services_and_both_libraries() -> None:
    assert {source.package for source in our_sources()} == {"catalog", "ordering", "fulfilment", "chassis", "contracts"}


def test_every_event_has_files_that_exist_to_emit_it() -> None:
    assert set().union(*EMITTED_IN.values()) <= {source.path for source in our_sources()}
