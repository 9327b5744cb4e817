"""What the documentation names is there."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from catalog import settings as catalog
from chassis.web.auth import AuthSettings
from docs import blocks
from fulfilment import model as fulfilment_model
from fulfilment import settings as fulfilment
from local.topology import ROOT
from ordering import model as ordering_model
from ordering import settings as ordering

RECIPE_NAME = re.compile(r"^([a-z][\w-]*)(?: [^:=]*)?:(?!=)", re.MULTILINE)

every_page = pytest.mark.parametrize("page", blocks.PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@every_page
def test_every_path_that_is_named_exists(page: Path) -> None:
    missing = sorted(str(path) for path in blocks.paths(page) if not path.exists())

    assert missing == []


@every_page
def test_every_recipe_that_is_named_exists(page: Path) -> None:
    recipes = set(RECIPE_NAME.findall((ROOT / "justfile").read_text()))

    assert blocks.recipes(page) <= recipes


@pytest.mark.parametrize(
    "settings",
    [
        catalog.Settings,
        catalog.MigrationSettings,
        ordering.Settings,
        ordering.MigrationSettings,
        fulfilment.Settings,
        fulfilment.MigrationSettings,
        AuthSettings,
    ],
)
def test_the_readme_tells_of_every_variable(settings: type[BaseSettings]) -> None:
    nested = {name for name, field in settings.model_fields.items() if field.annotation is AuthSettings}
    prefix = settings.model_config["env_prefix"]
    variables = {f"{prefix}{name.upper()}" for name in settings.model_fields.keys() - nested} - {"AUTH_ENVIRONMENT"}
    told = set(re.findall(r"`([A-Z_]+)`", (ROOT / "README.md").read_text()))

    assert variables <= told


def test_every_decision_names_the_code_that_carries_it_and_the_test_that_holds_it() -> None:
    for record in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        named = {str(path.relative_to(ROOT)) for path in blocks.paths(record) if path.is_relative_to(ROOT)}
        assert any("/tests/" in name or name.startswith("tests/") for name in named), f"{record.name} names no test"
        assert any(not name.startswith(("tests/", "docs/")) for name in named), f"{record.name} names no code"


def test_the_states_in_the_architecture_move_as_the_code_moves_them() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    drawn = re.findall(r"^(\w+) +─► (.+)$", page, re.MULTILINE)
    moves = {(state, to) for state, targets in drawn for to in re.sub(r" \([^)]*\)", "", targets).split(" | ")}

    orders = {(str(state), str(to)) for (state, _), to in ordering_model.TRANSITIONS.items()}
    fulfilments = {(str(state), str(to)) for (state, _), to in fulfilment_model.TRANSITIONS.items() if state is not to}
    assert moves == orders | fulfilments
