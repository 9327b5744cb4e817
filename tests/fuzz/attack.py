"""Requests that Schemathesis makes from a service's OpenAPI document: right ones, wrong ones, and sequences of both."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.engine import Status, events, from_schema
from schemathesis.generation.case import Case
from schemathesis.openapi.checks import RejectedPositiveData

from fuzz.books import Books
from fuzz.callers import Callers
from fuzz.tally import Tally

# What a right request may be answered beside success: nothing of the kind is there, or as things stand it can't be done.
FINE = ["2xx", "404", "409", "429"]
REFUSED = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "429"]
SHORT_OF_STOCK = {"include-operation-id": ["create_order", "adjust_stock"]}
ONE_VERSION_ONLY = {"include-operation-id": "replace_product"}


def _config(seed: int, cases_per_route: int, *, boundaries: bool) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "phases": {"coverage": {"enabled": boundaries}},
            "generation": {"max-examples": cases_per_route, "with-security-parameters": False, "database": "none"},
            "checks": {
                "not_a_server_error": {"expected-statuses": ["2xx", "4xx"]},
                "positive_data_acceptance": {"expected-statuses": FINE},
                "negative_data_rejection": {"expected-statuses": REFUSED},
            },
            "operations": [
                SHORT_OF_STOCK | {"checks": {"positive_data_acceptance": {"expected-statuses": [*FINE, "400"]}}},
                ONE_VERSION_ONLY | {"checks": {"positive_data_acceptance": {"expected-statuses": [*FINE, "412"]}}},
            ],
        }
    )


class Attack:
    """On one `service` that listens at `url`: random requests of each route, then random sequences by links.

    With `boundaries` each boundary of each parameter and member comes first, which is the same whatever the seed.
    """

    def __init__(
        self,
        service: str,
        url: str,
        callers: Callers,
        books: Books,
        tally: Tally,
        *,
        seed: int,
        cases_per_route: int,
        boundaries: bool = True,
    ) -> None:
        self._service = service
        self._callers = callers
        self._books = books
        self._tally = tally
        config = _config(seed, cases_per_route, boundaries=boundaries)
        self._schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
        paths: Mapping[str, Any] = self._schema.raw_schema["paths"]
        tally.expect(self._named(f"{method.upper()} {path}") for path in paths for method in paths[path])
        self._arm()

    def run(self) -> None:
        for event in from_schema(self._schema).execute():
            if isinstance(event, events.ScenarioFinished):
                self._note(event)
            elif isinstance(event, events.NonFatalError):
                self._tally.find(f"{self._named(event.label)}: {event.value!r}"[:300], str(event.info.message))
            elif isinstance(event, events.FatalError):
                raise event.exception

    def _arm(self) -> None:
        """Hooks are functions that Schemathesis writes on, so no methods."""
        callers, service = self._callers, self._service

        class ByRule:
            def get(self, case: Case[Any], _context: object) -> str | None:
                return callers.authorization(service, case.operation.definition.raw)

            def set(self, case: Case[Any], authorization: str | None, _context: object) -> None:
                if authorization is not None:
                    case.headers["Authorization"] = authorization

        self._schema.auth(refresh_interval=None)(ByRule)

        def after_call(_context: object, case: Case[Any], response: Response) -> None:
            self._look(case, response)

        self._schema.hook(after_call)
        self._schema.hook(filter_failure)

    def _look(self, case: Case[Any], response: Response) -> None:
        label = self._named(case.operation.label)
        self._tally.cases[label] += 1
        self._tally.statuses[response.status_code] += 1
        for table in self._books.left_behind(response.status_code, _problem(response)):
            self._tally.find(f"{label}: refused, and a row stays in {table}", case.as_curl_command())
        if response.status_code >= 500:
            self._tally.find(f"{label}: answered {response.status_code}", case.as_curl_command())

    def _note(self, event: events.ScenarioFinished) -> None:
        for case_id, checks in event.recorder.checks.items():
            for check in checks:
                if check.status == Status.FAILURE and check.failure_info is not None:
                    failure = check.failure_info.failure
                    interaction = event.recorder.interactions[case_id]
                    answer = interaction.response.text if interaction.response is not None else ""
                    what = f"{self._named(failure.operation or 'the whole')}: {failure.title}"
                    example = f"{failure.message}\n{check.failure_info.code_sample}\n{answer[:500]}"
                    self._tally.find(what, example)

    def _named(self, label: str) -> str:
        return f"{self._service} {label}"


def _problem(response: Response) -> dict[str, Any]:
    with suppress(orjson.JSONDecodeError):
        found = orjson.loads(response.content)
        return found if isinstance(found, dict) else {}
    return {}


def filter_failure(_context: object, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Right requests that no schema can tell from wrong ones: a key belongs to one request."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    return not (_beyond_schemas(case.body) or "Idempotency-Key was used" in response.text)


def _beyond_schemas(body: object) -> bool:
    """A product may stand in an order once, and 1.0 is no integer to us."""
    if isinstance(body, float):
        return body.is_integer()
    if isinstance(body, dict):
        return any(map(_beyond_schemas, body.values()))
    if not isinstance(body, list):
        return False
    products = [line["product_id"] for line in body if isinstance(line, dict) and "product_id" in line]
    return len(set(map(str, products))) < len(products) or any(map(_beyond_schemas, body))
