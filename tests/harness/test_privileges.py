"""Who compares grants with statements has to read statements right."""

import pytest
from sqlalchemy import text

from catalog import manage_products
from chassis.database.transactions import Database
from harness import seen
from harness.privileges import Privilege, listed, needed
from harness.schemas import Schema


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("SELECT a.id \nFROM a JOIN b ON a.id = b.id", {("a", "SELECT"), ("b", "SELECT")}),
        ("SELECT id FROM JSON_TABLE(:ids, '$[*]') AS t STRAIGHT_JOIN a ON a.id = t.id FOR UPDATE", {("a", "SELECT")}),
        ("INSERT INTO a (id) VALUES (1)", {("a", "INSERT")}),
        ("INSERT INTO a (id) SELECT id FROM JSON_TABLE(%(rows)s, '$[*]') AS t", {("a", "INSERT")}),
        ("INSERT INTO a (id) VALUES (1) ON DUPLICATE KEY UPDATE id = a.id", {("a", "INSERT"), ("a", "UPDATE")}),
        ("UPDATE a SET b = 1", {("a", "UPDATE")}),
        (
            "UPDATE JSON_TABLE(:ids, '$[*]') AS t STRAIGHT_JOIN a ON a.id = t.id SET b = 1",
            {("a", "UPDATE"), ("a", "SELECT")},
        ),
        ("DELETE FROM a WHERE id = 1", {("a", "DELETE"), ("a", "SELECT")}),
        ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", set()),
    ],
)
def test_a_statement_needs_these(statement: str, tables: set[tuple[str, str]]) -> None:
    assert needed(statement) == tables


def test_what_nobody_uses_is_named() -> None:
    used = listed() - {("ordering_run", "outbox", "DELETE")}

    assert seen.unused(used) == ["ordering_run may DELETE outbox"]


def test_what_a_test_sends_by_itself_is_nobodys_need(catalog_schema: Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: set[Privilege] = set()
    monkeypatch.setattr(seen, "_seen", noted)
    database = Database(catalog_schema.url, connections=1)

    database.transact(lambda connection: connection.execute(text("SELECT 1 FROM products")).close())
    assert noted == set()

    database.transact(manage_products.list_, 0, 10)
    database.close()
    assert noted == {("catalog_run", "products", "SELECT")}
