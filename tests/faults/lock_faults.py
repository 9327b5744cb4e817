"""Forcing MySQL's ways to refuse, from a connection outside the system: 1205, 1213, and 1040; and asking who holds what."""

import time
from collections.abc import Sequence
from contextlib import suppress

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


def deadlock(mysql: MySQL, first: int, second: int, times: int) -> None:
    """The services lock products by id: take the second, wait until somebody holds the first, then want it too."""
    assert first < second
    for _ in range(times):
        with mysql.admin() as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.executemany("INSERT INTO outsider.ballast VALUES (%s)", [(n,) for n in range(BALLAST_ROWS)])
            cursor.execute("SELECT id FROM catalog.products WHERE id = %s FOR UPDATE", [second])
            time.sleep(BLOCK_SECONDS)
            cursor.execute("SELECT id FROM catalog.products WHERE id = %s FOR UPDATE", [first])
            connection.rollback()


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
