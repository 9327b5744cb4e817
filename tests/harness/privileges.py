"""What each service may do in MySQL and Redis, as infra/ lists it."""

import re

from local.mysql_server import SCHEMAS

# A user, a table and a verb.
Privilege = tuple[str, str, str]

REDIS_USERS = SCHEMAS.parent / "redis.acl"
GRANT = re.compile(r"^GRANT CREATE, (.+) ON \w+\.(\w+) TO '(\w+)'@'%';$", re.MULTILINE)
WRITTEN = re.compile(r"(?:INTO|UPDATE|FROM|JOIN)\s+(?!JSON_TABLE)(\w+)")  # the first one is
READ = re.compile(r"(?:FROM|JOIN)\s+(?!JSON_TABLE)(\w+)")


def listed() -> set[Privilege]:
    found = GRANT.findall((SCHEMAS / "2-grants.sql").read_text())
    return {(user, table, verb) for verbs, table, user in found for verb in verbs.split(", ")}


def needed(statement: str) -> set[tuple[str, str]]:
    """The tables of one statement, each with the verb it needs."""
    verb = statement.split(maxsplit=1)[0].upper()
    tables = {(table, "SELECT") for table in READ.findall(statement)}
    if verb in {"INSERT", "UPDATE", "DELETE"} and (written := WRITTEN.search(statement)):
        tables |= {(written[1], verb)}
        tables |= {(written[1], "UPDATE")} if "ON DUPLICATE KEY UPDATE" in statement else set()
    return tables


def listed_for_redis(user: str) -> set[tuple[str, str]]:
    """Keys and the commands for each; of commands that need none the key is empty."""
    [line] = [line for line in REDIS_USERS.read_text().splitlines() if line.startswith(f"user {user} ")]
    of_keys = re.findall(r"\(~(\S+) ([^)]*)\)", line)
    without = ("", re.sub(r"\([^)]*\)", "", line))
    return {(key, command) for key, given in [*of_keys, without] for command in re.findall(r"\+(\S+)", given)}
