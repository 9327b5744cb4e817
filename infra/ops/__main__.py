"""`./justw ops …`: orders that need a person, dead letters, the stock proof."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from ops.client import Refused, Services, Settings
from ops.show import show

ORDER_COLUMNS = ("id", "state", "created_at", "total", "items")
LETTER_COLUMNS = ("service", "id", "stream", "entry_id", "reason", "created_at")
UNSETTLED = ("pending", "failed", "cancelling", "releasing")

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
letters = typer.Typer(help="Stream entries that could not be handled.", no_args_is_help=True)
app.add_typer(letters, name="dead-letters")

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
OrderId = Annotated[int, typer.Argument(min=1)]
LetterId = Annotated[int, typer.Argument(min=1)]


class Reader(StrEnum):
    """The services that read a stream, and so have dead letters."""

    ORDERING = "ordering"
    FULFILMENT = "fulfilment"


def services() -> Services:
    return Services(Settings())


@app.command()
def orders(
    state: Annotated[str | None, typer.Option(help="One state only.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Orders that are in doubt, failed, or on their way to be cancelled."""
    ask = services()
    states = [state] if state else UNSETTLED
    rows = [row for one in states for row in ask.pages("ordering", f"/api/v1/orders?state={one}")]
    show(rows, ORDER_COLUMNS, as_json=as_json, empty="No such orders.")


@app.command()
def timeline(order_id: OrderId, *, as_json: AsJson = False) -> None:
    """What happened to an order."""
    rows = services().get("ordering", f"/api/v1/orders/{order_id}/timeline")
    show(rows, ("at", "step", "detail"), as_json=as_json, empty="Nothing yet.")


@app.command()
def cancel(
    order_id: OrderId,
    *,
    force: Annotated[
        bool, typer.Option(help="Also one that failed and may have been shipped: find out first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask to cancel an order; fulfilment decides whether it comes in time."""
    order = services().post("ordering", f"/private/orders/{order_id}/cancel?force={str(force).lower()}")
    show([order], ORDER_COLUMNS, as_json=as_json, empty="")


@app.command()
def redrive(order_id: OrderId, *, as_json: AsJson = False) -> None:
    """Give a failed order another chance."""
    order = services().post("ordering", f"/private/orders/{order_id}/redrive")
    show([order], ORDER_COLUMNS, as_json=as_json, empty="")


@app.command()
def announce(order_id: OrderId, *, as_json: AsJson = False) -> None:
    """Announce an order to fulfilment once more; a repeat does no harm."""
    order = services().post("ordering", f"/private/orders/{order_id}/announce")
    show([order], ORDER_COLUMNS, as_json=as_json, empty="")


@app.command(name="stock-proof")
def stock_proof(*, as_json: AsJson = False) -> None:
    """Compare every stock with its movements, reservations and orders. Exits with 1 if they don't agree."""
    proof = services().get("ordering", "/private/stock-proof")
    agreed = f"The stock of {proof['products']} products agrees with its movements, reservations and orders."
    show(proof["differences"], ("about", "says"), as_json=as_json, empty=agreed)
    if proof["differences"]:
        raise typer.Exit(1)


@letters.command(name="list")
def list_letters(*, as_json: AsJson = False) -> None:
    """All dead letters, of every service."""
    ask = services()
    rows = [{"service": name, **row} for name in Reader for row in ask.pages(name, "/private/dead-letters")]
    show(rows, LETTER_COLUMNS, as_json=as_json, empty="No dead letters.")


@letters.command(name="redrive")
def redrive_letter(service: Reader, letter_id: LetterId) -> None:
    """Put the entry on its stream again, as it came."""
    typer.echo(services().post(service, f"/private/dead-letters/{letter_id}/redrive")["message"])


@letters.command(name="discard")
def discard_letter(service: Reader, letter_id: LetterId) -> None:
    """Forget a dead letter."""
    typer.echo(services().delete(service, f"/private/dead-letters/{letter_id}")["message"])


if __name__ == "__main__":
    try:
        app()
    except Refused as refused:
        sys.exit(str(refused))
