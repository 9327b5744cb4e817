"""The id that the gateway gives a request. It goes with what came of the request, from service to service."""

from typing import Annotated

from pydantic import Field

WELL_FORMED = r"^[A-Za-z0-9._-]{1,64}$"

RequestId = Annotated[str, Field(pattern=WELL_FORMED)]
