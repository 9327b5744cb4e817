"""Forcing MySQL's ways to refuse, from a connection outside the system: 1205, 1213, and 1040; and asking who holds what."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pymysql

from local.mysql_server import MySQL

# Of two deadlocked transactions InnoDB ends the one that changed less, and that must be the service's.
BALLAST_ROWS = 500
HOLD_SECONDS = 3.0  # the services wait 2 s for a lock
BLOCK_SECONDS = 0.7


def prepare(mysql: MySQL) -> None:
    with mysql.admin() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS outsider")
        cursor.execute("CREATE TABLE IF NOT EXISTS outsider.ballast (n INT)")


def hold(mysql: MySQL, product_ids: Sequence[int], seconds: float = HOLD_SECONDS) -> None:
    """Keep the rows of these products locked, longer than anybody waits."""
    with mysql.admin() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT id FROM catalog.products WHERE id IN %s FOR UPDATE", [list(product_ids)])
        time.sleep(seconds)
        connection.rollback()


def deadlock(mysql: MySQL, times: int) -> None:
    """Fulfilments are locked by order id. Take the last of some that end together, and want the first when somebody has it."""
    for _ in range(times):
        with mysql.admin() as connection, mysql.admin() as other, connection.cursor() as cursor:
            cursor.execute(ENDING_TOGETHER)
            found = cursor.fetchone()
            if found is None:
                time.sleep(BLOCK_SECONDS)
                continue
            first, last = found
            cursor.execute("BEGIN")
            cursor.executemany("INSERT INTO outsider.ballast VALUES (%s)", [(n,) for n in range(BALLAST_ROWS)])
            cursor.execute(f"{A_FULFILMENT} FOR UPDATE", [last])
            give_up_at = time.monotonic() + HOLD_SECONDS
            while _is_free(other, first) and time.monotonic() < give_up_at:
                time.sleep(0.01)
            cursor.execute(f"{A_FULFILMENT} FOR UPDATE", [first])
            connection.rollback()


ENDING_TOGETHER = """
    SELECT MIN(order_id), MAX(order_id) FROM fulfilment.fulfilments WHERE state = 'processing'
    GROUP BY owner, taken_at HAVING COUNT(*) > 1 ORDER BY taken_at DESC LIMIT 1
"""
A_FULFILMENT = "SELECT order_id FROM fulfilment.fulfilments WHERE order_id = %s"


def _is_free(connection: "pymysql.Connection[Any]", order_id: int) -> bool:
    with connection.cursor() as cursor:
        found: int = cursor.execute(f"{A_FULFILMENT} FOR UPDATE SKIP LOCKED", [order_id])
    connection.rollback()
    return found > 0


def use_up_connections(mysql: MySQL, seconds: float) -> None:
    """Nobody new gets in, and whoever is in is cut off, as by a crowd that came first."""
    with mysql.admin() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.max_connections")
        [(usual,)] = cursor.fetchall()
        cursor.execute("SET GLOBAL max_connections = 10")
        try:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user LIKE '%\\_run'")
            for (id_,) in cursor.fetchall():
                with suppress(pymysql.Error):  # it went by itself
                    cursor.execute(f"KILL {id_}")
            time.sleep(seconds)
        finally:
            cursor.execute(f"SET GLOBAL max_connections = {usual}")


def locked_products(mysql: MySQL) -> int:
    """How many rows of products somebody has locked at this moment."""
    with mysql.admin() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM catalog.products")
        [(all_,)] = cursor.fetchall()
        cursor.execute("BEGIN")
        free = cursor.execute("SELECT id FROM catalog.products FOR UPDATE SKIP LOCKED")
        connection.rollback()
        return int(all_) - free
