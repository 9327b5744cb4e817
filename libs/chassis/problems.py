"""Errors a caller is told about, as RFC 9457 problem documents.

Problem
├── Unauthenticated      401, with WWW-Authenticate
├── Forbidden            403
├── NotFound             404
├── Conflict             409
├── PreconditionFailed   412
├── Unprocessable        422
├── TooManyRequests      429, with Retry-After
└── Unavailable          503, with Retry-After
    └── Overloaded       503, before anything was written

An error class carries its status beside the rule it guards; `web/errors.py` makes answers of them.
"""

from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from fastapi.responses import Response

from chassis import request_ids

RETRY_AFTER_SECONDS = 1


class Problem(Exception):
    """`detail` is the sentence a person reads; `extras` are members for machines."""

    status: ClassVar[int] = HTTPStatus.BAD_REQUEST
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, detail: str, **extras: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extras = extras

    def response(self) -> Response:
        return problem_response(self.status, self.detail, self.headers, self.extras)


class Unauthenticated(Problem):
    """Who asks is not known: no credential came, or none that counts."""

    status = HTTPStatus.UNAUTHORIZED
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class Forbidden(Problem):
    """Who asks is known, and may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Problem):
    status = HTTPStatus.NOT_FOUND


class Conflict(Problem):
    status = HTTPStatus.CONFLICT


class PreconditionFailed(Problem):
    status = HTTPStatus.PRECONDITION_FAILED


class Unprocessable(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TooManyRequests(Problem):
    """Nothing was begun. `seconds` is when the same call may be made again."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(detail)
        self._retry_after = {"Retry-After": str(seconds)}

    def response(self) -> Response:
        return problem_response(self.status, self.detail, self._retry_after, self.extras)


class Unavailable(Problem):
    """Something this call needs is away. Nothing was decided; the same call may be made again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": str(RETRY_AFTER_SECONDS)}


class Overloaded(Unavailable):
    def __init__(self) -> None:
        super().__init__("Too many requests are waiting; try again shortly")


def problem_response(
    status: int, detail: str, headers: dict[str, str] | None = None, extras: dict[str, Any] | None = None
) -> Response:
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **(extras or {})}
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and (request_id := request_ids.current()):
        body["request_id"] = request_id  # for the user to tell, and to be found by in the logs
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")
