"""Whether fulfilment is up, for /health: ordering asks it nothing else over HTTP."""

from functools import cached_property

import aiohttp

from chassis.problems import Unavailable


class FulfilmentClient:
    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _http(self) -> aiohttp.ClientSession:
        """Made at the first call: it belongs to the loop that runs then."""
        return aiohttp.ClientSession(self._url, timeout=aiohttp.ClientTimeout(2.0))

    async def check(self) -> None:
        try:
            async with self._http.get("/readyz") as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"no answer ({type(error).__name__})") from error
        if response.status != 200:
            raise Unavailable(answer.get("detail", "not ready"))

    async def close(self) -> None:
        await self._http.close()
