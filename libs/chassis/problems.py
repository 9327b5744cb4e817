"""Errors a caller is told about, as RFC 9457 problem documents.

Problem
├── NotFound             404
├── Conflict             409
├── PreconditionFailed   412
├── Unprocessable        422
└── Unavailable          503, with Retry-After
    └── Overloaded       503, before anything was written

An error class carries its status beside the rule it guards; `install` maps them all in one place.
"""

import logging
import re
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

log = logging.getLogger(__name__)

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


class NotFound(Problem):
    status = HTTPStatus.NOT_FOUND


class Conflict(Problem):
    status = HTTPStatus.CONFLICT


class PreconditionFailed(Problem):
    status = HTTPStatus.PRECONDITION_FAILED


class Unprocessable(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


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
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return problem_response(error.status_code, error.detail, headers)


async def _invalid_request(_request: Request, error: Exception) -> Response:
    """Says where and why, never what was sent: echoing NaN or a lone surrogate can't even be encoded."""
    assert isinstance(error, RequestValidationError)
    errors = [{"loc": [_printable(part) for part in e["loc"]], "msg": _sentence(e["msg"])} for e in error.errors()[:20]]
    where = ".".join(str(part) for part in errors[0]["loc"])
    detail = f"{where}: {errors[0]['msg']}"
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, extras={"errors": errors})


def _sentence(message: str) -> str:
    """pydantic's own, without the Python in it."""
    return re.sub(r"Decimal\('([^']*)'\)", r"\1", message.removeprefix("Value error, "))


def _printable(part: str | int) -> str | int:
    return part if isinstance(part, int) else part[:100].encode("ascii", "backslashreplace").decode()


async def _crash(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side")


def install(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(Exception, _crash)
