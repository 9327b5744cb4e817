"""A process of its own for test_serve: answers after the seconds asked for, on the socket it is given."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Query

from chassis.process import logs
from chassis.process.serve import serve
from chassis.web.access import ANYBODY, Access
from chassis.web.app import create_app
from chassis.web.routes import public_router


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    sys.stdout.write("ended\n")


def build() -> FastAPI:
    router = public_router("")

    @router.get("/slow")
    async def slow(seconds: Annotated[float, Query()] = 0) -> str:
        await asyncio.sleep(seconds)
        return "done"

    return create_app("slow", lifespan, {}, Access({"GET /slow": ANYBODY}), router)


if __name__ == "__main__":
    logs.configure("slow.api")
    serve(build(), host="127.0.0.1", port=0, fd=0)
