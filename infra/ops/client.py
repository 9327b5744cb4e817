"""The services' own ports, where the private routes are."""

import getpass
import re
from typing import Any

import httpx
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.process.settings import FromEnvironment


class Settings(FromEnvironment):
    """`token` opens the private routes. A secured system asks for one of its issuer's `staff_token`s at the public ones."""

    model_config = SettingsConfigDict(env_prefix="OPS_")

    ordering_url: str = "http://127.0.0.1:8102"
    fulfilment_url: str = "http://127.0.0.1:8103"
    token: str
    staff_token: str = ""
    person: str = Field(default_factory=getpass.getuser)  # the services keep who asked


PATIENCE = httpx.Timeout(3600, connect=2)  # the stock proof of millions of orders takes minutes


class Refused(Exception):
    """What the service answered, or that it didn't, as one sentence."""


class Services:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._person = re.sub(r"[^A-Za-z0-9._@+-]", "_", settings.person)[:64]
        urls = {"ordering": settings.ordering_url, "fulfilment": settings.fulfilment_url}
        self._clients = {name: httpx.Client(base_url=url, timeout=PATIENCE) for name, url in urls.items()}

    def get(self, service: str, path: str) -> Any:
        return self._ask(service, "GET", path)

    def post(self, service: str, path: str) -> Any:
        return self._ask(service, "POST", path)

    def delete(self, service: str, path: str) -> Any:
        return self._ask(service, "DELETE", path)

    def pages(self, service: str, path: str) -> list[Any]:
        """All of a list, page after page."""
        rows: list[Any] = []
        joint = "&" if "?" in path else "?"
        while page := self.get(service, f"{path}{joint}limit=1000&after={rows[-1]['id'] if rows else 0}"):
            rows += page
        return rows

    def _headers(self, path: str) -> dict[str, str]:
        """A private route takes the operators' credential, and is told whose hand it is."""
        if path.startswith("/private/"):
            return {"Authorization": f"Bearer {self._settings.token}", "X-Acting-For": self._person}
        return {"Authorization": f"Bearer {self._settings.staff_token}"} if self._settings.staff_token else {}

    def _ask(self, service: str, method: str, path: str) -> Any:
        try:
            response = self._clients[service].request(method, path, headers=self._headers(path))
            answer = response.json()
        except httpx.HTTPError as error:
            raise Refused(f"{service} does not answer ({type(error).__name__}): is the system up?") from error
        except ValueError as error:
            raise Refused(f"{service} answers {response.status_code} with no JSON") from error
        if response.is_error:
            raise Refused(f"{service}: {answer.get('detail', response.status_code)}")
        return answer
