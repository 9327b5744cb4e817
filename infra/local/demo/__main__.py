"""`python -m local.demo`: plays what the system promises against the running one. Exits with 1 if a promise fails."""

import argparse
import asyncio
import os
import sys
from functools import partial

import httpx
from rich.console import Console

from local.demo import burst, orders, products, races
from local.demo.shop import Shop
from local.demo.verdicts import Scene, Verdict, judge, table
from local.errors import LocalError, run_main


def scenes(shop: Shop, step_seconds: float) -> list[Scene]:
    """Each stands alone, with products of its own: the system may have had other customers before."""
    step = f"{step_seconds:g}"
    return [
        Scene("The system is healthy", partial(products.healthy, shop)),
        Scene("A product is created, listed, read and replaced", partial(products.kept, shop)),
        Scene("An order is placed well under a second and takes its stock", partial(orders.placed, shop)),
        Scene(f"It is fulfilled {step}-{step_seconds + 1:g} s later", partial(orders.fulfilled, shop, step_seconds)),
        Scene("Orders are listed and read", partial(orders.listed, shop)),
        Scene("An order outlives its deleted product", partial(products.deleted, shop)),
        Scene("Five buyers, one unit: it sells once, twenty times over", partial(races.last_item, shop)),
        Scene("Fifty buyers, ten units: exactly ten sold", partial(races.flash_sale, shop)),
        Scene("Two products named in opposite orders: no deadlock shows", partial(races.opposite_orders, shop)),
        Scene("A repeated Idempotency-Key gives the same order and answer", partial(orders.repeated, shop)),
        Scene("A changed price is refused, not charged", partial(orders.price_changed, shop)),
        Scene("A stale If-Match overwrites nothing", partial(products.stale_if_match, shop)),
        Scene(f"1,000 orders at once are fulfilled within {step} s + 5 s", partial(burst.burst, shop, step_seconds)),
        Scene("Every stock is the sum of its movements", partial(products.explained, shop)),
    ]


async def play(url: str, step_seconds: float, console: Console) -> list[Verdict]:
    async with Shop(url, console) as shop:
        return [await judge(scene, console) for scene in scenes(shop, step_seconds)]


def require_running(url: str) -> None:
    try:
        httpx.get(f"{url}/health", timeout=10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        hint = "start the system with `./justw up`, or say with --url where it runs"
        raise LocalError(f"Nothing answers on {url} ({type(error).__name__}): {hint}.") from None


def main() -> None:
    parser = argparse.ArgumentParser(prog="demo", description="Plays what the system promises against the running one.")
    port = os.environ.get("GATEWAY_PORT") or "8000"
    parser.add_argument("--url", default=f"http://localhost:{port}", help="where the gateway is (%(default)s)")
    step = os.environ.get("FULFILMENT_PROCESSING_SECONDS") or "5"
    parser.add_argument("--step-seconds", type=float, default=step, help="what the processing step takes (%(default)s)")
    given = parser.parse_args()
    console = Console(highlight=False)
    require_running(given.url)
    verdicts = asyncio.run(play(given.url.rstrip("/"), given.step_seconds, console))
    console.print(table(verdicts))
    failing = sum(not verdict.holds for verdict in verdicts)
    console.print(f"{failing} of {len(verdicts)} fail." if failing else f"All {len(verdicts)} hold.")
    sys.exit(failing > 0)


if __name__ == "__main__":
    run_main(main)
