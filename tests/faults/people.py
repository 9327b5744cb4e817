"""Who the clients of the run are: some customers and one of the staff, each with a token of its own."""

from zlib import crc32

from chassis.web.access import Role
from local.development_issuer import DevelopmentIssuer

CUSTOMERS = ("alice", "bob", "carol")
STAFF = "staff"
TOKEN_HOURS = 48  # the clocks of processes jump by hours, and back


def tokens(issuer: DevelopmentIssuer) -> dict[str, str]:
    """By name."""
    roles = {**dict.fromkeys(CUSTOMERS, Role.CUSTOMER), STAFF: Role.STAFF}
    return {name: issuer.token(role, name, TOKEN_HOURS) for name, role in roles.items()}


def customer_of(key: str) -> str:
    """Who orders under this key, and under the same in other letters: those two must not get one order."""
    return CUSTOMERS[crc32(key.lower().encode()) % len(CUSTOMERS)]


def another_than(customer: str) -> str:
    return CUSTOMERS[(CUSTOMERS.index(customer) + 1) % len(CUSTOMERS)]
