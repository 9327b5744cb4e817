"""`python -m local.demo`: plays what the system promises against the running one. Exits with 1 if a promise fails."""

import argparse
import asyncio
import os
import sys

import httpx
from rich.console import Console

from local import credentials
from local.demo.scenes import scenes
from local.demo.shop import Shop
from local.demo.verdicts import play, table
from local.development_issuer import DevelopmentIssuer
from local.errors import LocalError, run_main


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
    url = given.url.rstrip("/")
    auth = credentials.asked_for(url, DevelopmentIssuer.of_place())
    verdicts = asyncio.run(play(scenes(given.step_seconds), Shop(url, console, auth=auth)))
    console.print(table(verdicts))
    failing = sum(not verdict.holds for verdict in verdicts)
    console.print(f"{failing} of {len(verdicts)} fail." if failing else f"All {len(verdicts)} hold.")
    sys.exit(failing > 0)


if __name__ == "__main__":
    run_main(main)
