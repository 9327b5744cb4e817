"""Whatever an endpoint raises becomes a problem document, here and nowhere else."""

import logging
import re
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from chassis.problems import Problem, problem_response

log = logging.getLogger(__name__)


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(_allowed(request))}
    return problem_response(error.status_code, error.detail, headers)


def _allowed(request: Request) -> list[str]:
    """The methods of all routes at this address: Starlette tells of the first one's."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in here for method in route.methods or ()})


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
