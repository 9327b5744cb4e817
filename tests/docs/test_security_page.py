"""docs/security.md says who may do what as the code does."""

import re

from chassis.web.access import Rule
from chassis.web.auth import AuthSettings
from local.topology import ROOT
from security.services import ROUTES

PAGE = (ROOT / "docs" / "security.md").read_text()


def in_words(rule: Rule) -> str:
    return ", ".join(sorted(rule.roles or rule.services)) or "anybody"


def test_the_table_of_who_may_do_what_is_the_rules() -> None:
    rows = re.findall(r"^\| (\w+) \| `(\w+ /\S+)` \| ([\w, ]+) \|", PAGE, re.MULTILINE)
    rules = [(route.service, f"{route.method} {route.path}", in_words(rule)) for route, rule in ROUTES.items()]

    assert sorted(rows) == sorted(rules)


def test_it_tells_of_every_setting() -> None:
    variables = {f"AUTH_{name.upper()}" for name in AuthSettings.model_fields.keys() - {"environment"}} | {
        "ENVIRONMENT"
    }

    section = PAGE.partition("## What is set for it")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE)) == variables
