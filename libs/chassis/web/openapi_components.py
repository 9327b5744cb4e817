"""What the OpenAPI documents of all apps have in common: refusals, headers, and how a caller says who he is."""

from http import HTTPStatus
from typing import Any

SUCCESSES = {
    200: "Done, or found as it is.",
    201: "It is made, and committed.",
    202: "The wish is noted, and committed; what comes of it shows later.",
}
REFUSALS = {
    400: "The request can't be read, or there isn't enough of what it asks for.",
    401: "Nobody knows who asks: no credential came, or none that counts.",
    403: "It is known who asks, and he may not.",
    404: "There is nothing of the kind, or not for this caller.",
    409: "As things stand, it can't be done.",
    412: "It has changed since it was read.",
    413: "The body is too long.",
    415: "The body isn't plain `application/json`.",
    422: "The request can be read, and asks for what can't be. `errors`, if given, say where and why.",
    429: "Too much was asked in too short a time. Nothing was begun.",
    503: "Something that is needed is away. The same request may be sent again, with the same key.",
}

_RETRY_AFTER = {
    "description": "Seconds until it makes sense to ask again.",
    "schema": {"type": "integer", "minimum": 0},
}
HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {
        "description": "The version of what was read or written, for `If-Match`.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
    },
    "Link": {"description": "Where the list goes on, if it may.", "required": False, "schema": {"type": "string"}},
    "Location": {
        "description": "Where it can be read.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
}
_REFUSED_WITH: dict[int, dict[str, Any]] = {
    401: {
        "WWW-Authenticate": {
            "description": "What is missing, as RFC 6750 says it.",
            "required": True,
            "schema": {"type": "string"},
        }
    },
    409: {"Retry-After": {**_RETRY_AFTER, "required": False}},
    429: {"Retry-After": {**_RETRY_AFTER, "required": True}},
    503: {"Retry-After": {**_RETRY_AFTER, "required": True}},
}

PROBLEM = {
    "title": "Problem",
    "description": "Why there is no other answer, as RFC 9457 has it. Further members are for machines.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "minLength": 1, "description": "The sentence to show a person."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "msg"],
                "properties": {
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "msg": {"type": "string"},
                },
            },
        },
    },
}
SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the issuer that the system trusts; where none is set up, anybody may call without.",
    },
    "service": {"type": "http", "scheme": "bearer", "description": "The credential of a service or an operator."},
}


def name_of(status: int) -> str:
    """Of the component that describes this refusal."""
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _refusal(status: int, description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "headers": _REFUSED_WITH.get(status, {}), "content": content}


COMPONENTS: dict[str, Any] = {
    "schemas": {"Problem": PROBLEM},
    "responses": {name_of(status): _refusal(status, description) for status, description in REFUSALS.items()},
}
