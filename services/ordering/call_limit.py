"""How many orders a customer may ask for: a token bucket for each, in Redis, so that all replicas share it.

It bounds what one customer can make us do, and no promise rests on it. So everybody comes through when Redis doesn't answer at
once: Redis is never needed to place an order.
"""

import logging
import math
import time
from collections.abc import Sequence

from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from chassis.messaging.streams import available
from chassis.problems import TooManyRequests, Unavailable
from chassis.process.gather import Gather

log = logging.getLogger(__name__)

PREFIX = "rate:"
MINUTE = 60_000_000  # in microseconds, as are all times of the script
PATIENCE_SECONDS = 0.25
DO_WITHOUT_SECONDS = 1.0  # before a Redis that did not answer is asked again: meanwhile nobody waits for it

# A bucket is kept as the moment at which it will be full again, which is a minute away when it is empty. So it fills up with
# nobody looking, and its key may expire after a minute. A moment further away than that was written before Redis's clock was
# set back.
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local minute, token = tonumber(ARGV[1]), tonumber(ARGV[1]) / tonumber(ARGV[2])
local waits = {}
for n, bucket in ipairs(KEYS) do
    local full_at = math.min(math.max(tonumber(redis.call('GET', bucket) or 0), now), now + minute)
    local wait = full_at + token - now - minute
    waits[n] = math.max(0, math.ceil(wait))
    if wait <= 0 then
        full_at = full_at + token
    end
    redis.call('SET', bucket, string.format('%.0f', full_at), 'PX', minute / 1000)
end
return waits
"""


class CallLimit:
    """At most `per_minute` calls a minute from each customer, and as many at once after a minute's rest. 0 is no limit."""

    def __init__(self, redis_url: str, per_minute: int) -> None:
        self._redis = redis.Redis.from_url(
            redis_url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
        )
        self._per_minute = per_minute
        self._ask: Gather[str, int] = Gather(self._waits)
        self._ask_again_at = -math.inf

    async def admit(self, customer: str) -> None:
        """Raises TooManyRequests. Who is nobody in particular shares no bucket, and isn't asked about."""
        if not customer or not self._per_minute:
            return
        wait = await self._ask(customer)
        if wait > 0:
            seconds = math.ceil(wait / 1_000_000)
            raise TooManyRequests(f"More than {self._per_minute} orders a minute; try again in {seconds} s", seconds)

    async def _waits(self, customers: Sequence[str]) -> list[int]:
        """Microseconds until each of these calls may be made again; 0 for one that may be made."""
        if time.monotonic() < self._ask_again_at:
            return [0] * len(customers)
        buckets = [PREFIX + customer for customer in customers]
        try:
            async with available():
                waits: list[int] = await self._redis.eval(TAKE, len(buckets), *buckets, MINUTE, self._per_minute)
        except Unavailable as error:
            log.warning("orders go on without a limit per customer: %s", error)
            self._ask_again_at = time.monotonic() + DO_WITHOUT_SECONDS
            return [0] * len(customers)
        return waits

    async def close(self) -> None:
        await self._redis.aclose()
