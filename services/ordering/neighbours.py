"""Whether fulfilment is up, for /health: ordering asks it nothing else over HTTP."""

import httpx

from chassis.problems import Unavailable


class FulfilmentClient:
    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=2.0)

    async def check(self) -> None:
        try:
            response = await self._http.get("/readyz")
        except httpx.HTTPError as error:
            raise Unavailable(f"no answer ({type(error).__name__})") from error
        if response.status_code != 200:
            raise Unavailable(response.json().get("detail", "not ready"))

    async def close(self) -> None:
        await self._http.aclose()
