"""The OpenAPI document of an app: FastAPI's own, completed by what FastAPI can't see.

It knows parameters, bodies and answers that succeed. Who may call a route stands in its rule, how any route refuses follows
from its form, and what only the route knows it says itself, by `answers` and `refusals`.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from chassis.web.access import Rule, Rules
from chassis.web.fields import MAX_ID
from chassis.web.head import KEY_LENGTH, head_of
from chassis.web.openapi_components import COMPONENTS, HEADERS, SCHEMES, SUCCESSES, name_of

BOUNDS = {"ge": "minimum", "le": "maximum"}
Responses = dict[int | str, dict[str, Any]]

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request gets the same answer. Send one with whatever may not happen twice.",
    # A server takes away the spaces around a header's value.
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}


def refusals(*statuses: int) -> Responses:
    """What this route may answer beyond what any like it does."""
    return {status: {} for status in statuses}


def answers(status: int, *headers: str, leads_to: Mapping[str, tuple[str, ...]] | None = None) -> Responses:
    """`headers` of HEADERS that come with `status`. `leads_to` are operations by the parameter that the answer's id is for."""
    described: dict[str, Any] = {"headers": {name: HEADERS[name] for name in headers}}
    if leads_to:
        described["links"] = {
            operation: {"operationId": operation, "parameters": {parameter: "$response.body#/id"}}
            for parameter, operations in leads_to.items()
            for operation in operations
        }
    return {status: described}


def complete(app: FastAPI, rules: Rules) -> None:
    """From now on the document of `app` tells all."""
    of_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(of_fastapi(), app, rules)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI has it


def _completed(document: dict[str, Any], app: FastAPI, rules: Rules) -> dict[str, Any]:
    operations = list(_operations(document, app, rules))
    for operation, route, rule in operations:
        operation["summary"] = str(operation["operationId"]).replace("_", " ").capitalize()
        operation["responses"] = _responses(operation["responses"], route, rule)
        parameters = [_never_null(parameter) for parameter in operation.get("parameters", ())]
        if any(dependency.call is head_of for dependency in route.dependant.dependencies):
            parameters.append(IDEMPOTENCY_KEY)
        operation["parameters"] = parameters
        operation.update(_security(rule))
    schemas = document.get("components", {}).get("schemas", {})
    own = {name: schema for name, schema in schemas.items() if name not in {"HTTPValidationError", "ValidationError"}}
    used = {scheme: SCHEMES[scheme] for operation, *_ in operations for scheme in _schemes(operation)}
    document["components"] = {**COMPONENTS, "schemas": own | COMPONENTS["schemas"], "securitySchemes": used}
    whole: dict[str, Any] = _with_whole_bounds(document)
    return whole


def _with_whole_bounds(part: Any) -> Any:
    """FastAPI keeps the bounds of integers as floats, among which there is no 2**63 - 1.

    Where a validator stands before them, pydantic doesn't translate them at all.
    """
    if isinstance(part, list):
        return [_with_whole_bounds(one) for one in part]
    if not isinstance(part, dict):
        return part
    whole = {BOUNDS.get(key, key): _with_whole_bounds(value) for key, value in part.items()}
    if whole.get("type") == "integer":
        for bound in {"minimum", "maximum", "exclusiveMaximum"} & whole.keys():
            whole[bound] = int(whole[bound])
        if whole.get("maximum") == MAX_ID + 1:
            whole["maximum"] = MAX_ID
    return whole


def _operations(
    document: dict[str, Any], app: FastAPI, rules: Rules
) -> Iterator[tuple[dict[str, Any], APIRoute, Rule]]:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield document["paths"][route.path_format][method.lower()], route, rules[f"{method} {route.path}"]


def _responses(described: dict[str, Any], route: APIRoute, rule: Rule) -> dict[str, Any]:
    successes = {
        status: {**response, "description": SUCCESSES.get(int(status), response["description"])}
        for status, response in described.items()
        if int(status) < HTTPStatus.BAD_REQUEST
    }
    refused = _refused(route, rule) | {int(status) for status in described} - {int(status) for status in successes}
    references = {str(status): {"$ref": f"#/components/responses/{name_of(status)}"} for status in sorted(refused)}
    return successes | references


def _refused(route: APIRoute, rule: Rule) -> set[int]:
    """How any route of this form refuses: also one for anybody refuses a bad token, and parameters that come twice."""
    found = {401, 422, 503}
    if not rule.services:
        found.add(429)
    if rule.roles:
        found.add(403)
    if route.dependant.path_params:
        found.add(404)
    if route.body_field is not None:
        found |= {400, 413, 415}
    return found


def _security(rule: Rule) -> dict[str, Any]:
    """The names of roles and services stand where OpenAPI has scopes."""
    if rule.is_for_anybody:
        return {}
    needed = {"token": sorted(map(str, rule.roles))} if rule.roles else {"service": sorted(rule.services)}
    return {"security": [needed]}


def _schemes(operation: dict[str, Any]) -> Iterator[str]:
    for requirement in operation.get("security", ()):
        yield from requirement


def _never_null(parameter: dict[str, Any]) -> dict[str, Any]:
    """One that may be left out is None in Python; on the wire there is no null."""
    schema = parameter["schema"]
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return parameter
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**parameter, "schema": rest | kinds[0]}
