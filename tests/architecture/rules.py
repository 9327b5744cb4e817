"""What must never be. Each rule says what breaks it in one source."""

import ast
import re
from collections.abc import Callable, Iterator

from architecture.source import Source, called, dotted, strings

Rule = Callable[[Source], Iterator[str]]

SERVICES = {"catalog", "ordering", "fulfilment"}
EMITTED_IN = {
    "OrderPlaced": {"ordering/place_orders.py"},
    "OrderCancelled": {"ordering/cancel_order.py"},
    "OrderFulfilled": {"fulfilment/fulfilments.py"},
    "FulfilmentFailed": {"fulfilment/fulfilments.py"},
    "FulfilmentCancelled": {"fulfilment/fulfilments.py"},
}
CONSUMED_IN = {
    "OrderPlaced": "on_order_placed",
    "OrderCancelled": "on_order_cancelled",
    "OrderFulfilled": "follow_fulfilment",
    "FulfilmentFailed": "follow_fulfilment",
    "FulfilmentCancelled": "follow_fulfilment",
}
SLOW = re.compile(r"(^|\.)(sleep|httpx\.\w+|redis\.\w+|requests\.\w+|urlopen|xadd|xack|xreadgroup|publish)$")
BUILT = re.compile(
    r"(^|\.)(create_engine|Database|\w*Settings|RedisBroker|Redis|from_url|AsyncClient|Client|FastAPI|connect|broker"
    r"|ThreadPoolExecutor|getenv)$|^os\.environ\."
)
CLOCK = re.compile(r"\b(time|datetime|date)\.(now|utcnow|today|time|time_ns)$")
SQL_COMMIT = re.compile(r"^\s*(COMMIT|BEGIN|START TRANSACTION)\b")
SQL_LOCK = re.compile(r"\bFOR (UPDATE|SHARE)\b|\bLOCK IN SHARE MODE\b")
SQL_PRODUCTS = re.compile(r"\b(UPDATE|INTO)\s+(catalog\.)?products\b", re.IGNORECASE)


def commits_elsewhere(source: Source) -> Iterator[str]:
    """A commit outside `chassis/database/transactions.py`."""
    if source.path == "chassis/database/transactions.py":
        return
    for call in source.calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"commit", "begin", "begin_nested"}:
            yield source.at(call, f"{call.func.attr}() is for chassis/database/transactions.py alone")
    for constant in strings(source.tree):
        if SQL_COMMIT.match(str(constant.value)):
            yield source.at(constant, "a transaction is begun or committed in SQL")
        if constant.value == "AUTOCOMMIT" and source.path != "chassis/database/migrations.py":
            yield source.at(constant, "every statement would commit")


def touches_stock_elsewhere(source: Source) -> Iterator[str]:
    """A stock written or a product row locked outside `catalog/reserve_stock.py`."""
    if source.path == "catalog/reserve_stock.py" or source.package not in SERVICES:
        return
    for call in source.calls():
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name == "with_for_update" and source.package == "catalog":
            yield source.at(call, "rows of catalog are locked in reserve_stock.py")
        if name == "values" and any(_writes_stock(keyword) for keyword in call.keywords):
            yield source.at(call, "a stock is written in reserve_stock.py")
    for constant in strings(source.tree):
        if SQL_PRODUCTS.search(str(constant.value)) or (
            source.package == "catalog" and SQL_LOCK.search(str(constant.value))
        ):
            yield source.at(constant, "product rows are locked and written in reserve_stock.py")


def _writes_stock(keyword: ast.keyword) -> bool:
    """A new product begins with 0, and its first movement does the rest."""
    from_nothing = isinstance(keyword.value, ast.Constant) and keyword.value.value == 0
    return keyword.arg == "stock" and not from_nothing


def waits_in_a_transaction(source: Source) -> Iterator[str]:
    """An HTTP call, a Redis call or a sleep in what gets a connection, or in what that calls in the same file."""
    for function in _in_transactions(source):
        if isinstance(function, ast.AsyncFunctionDef):
            yield source.at(function, f"{function.name} has a transaction open while others run")
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and SLOW.search(called(node)):
                yield source.at(node, f"{called(node)} in {function.name}, inside a transaction")


def _in_transactions(source: Source) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    functions = {function.name: function for function in source.functions()}
    found = [function for function in functions.values() if _takes_connection(function)]
    for function in found:
        for node in ast.walk(function):
            callee = functions.get(called(node).removeprefix("self.")) if isinstance(node, ast.Call) else None
            if callee is not None and callee not in found:
                found.append(callee)
    return found


def _takes_connection(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return any(
        argument.annotation is not None and dotted(argument.annotation).endswith("Connection") for argument in arguments
    )


def builds_at_import(source: Source) -> Iterator[str]:
    """An engine, a client, an app or settings made when a module is imported."""
    for call in _at_import(source.tree):
        if BUILT.search(called(call)):
            yield source.at(call, f"{called(call)} runs at import")


def _at_import(node: ast.AST) -> Iterator[ast.Call]:
    """Calls outside function bodies: defaults, decorators and class bodies count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield child
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for early in (*child.decorator_list, *child.args.defaults, *filter(None, child.args.kw_defaults)):
                yield from (part for part in ast.walk(early) if isinstance(part, ast.Call))
        elif not isinstance(child, ast.Lambda):
            yield from _at_import(child)


def emits_elsewhere(source: Source) -> Iterator[str]:
    """An event built outside its verb's file."""
    if source.package not in SERVICES:
        return
    for call in source.calls():
        event = called(call).rpartition(".")[2]
        if event in EMITTED_IN and source.path not in EMITTED_IN[event]:
            yield source.at(call, f"{event} is emitted in {' or '.join(sorted(EMITTED_IN[event]))}")


def consumes_elsewhere(source: Source) -> Iterator[str]:
    """An event taken by a function outside the one module that says what it does."""
    if source.package not in SERVICES:
        return
    for function in source.functions():
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
            for part in ast.walk(argument.annotation or ast.Pass()):
                event = dotted(part).rpartition(".")[2]
                if event in CONSUMED_IN and source.name != CONSUMED_IN[event]:
                    yield source.at(function, f"{function.name} takes {event}; {CONSUMED_IN[event]}.py does that")


def reads_a_process_clock(source: Source) -> Iterator[str]:
    """Leases, deadlines and times are the database's; `time.monotonic` only measures this process's own waiting.

    A token's times are its issuer's, who has no clock in common with us but the world's.
    """
    for call in source.calls():
        if CLOCK.search(called(call)) and source.path != "chassis/web/tokens.py":
            yield source.at(call, f"{called(call)} is this process's clock")


RULES: list[Rule] = [
    reads_a_process_clock,
    commits_elsewhere,
    touches_stock_elsewhere,
    waits_in_a_transaction,
    builds_at_import,
    emits_elsewhere,
    consumes_elsewhere,
]
