"""`./justw token --role staff`: prints a token that a system under `./justw up --secured` accepts."""

import argparse

from chassis.web.access import Role
from local.development_issuer import HOURS, DevelopmentIssuer
from local.errors import run_main


def main() -> None:
    parser = argparse.ArgumentParser(prog="./justw token", description="Prints a token of the development issuer.")
    parser.add_argument("--role", required=True, choices=[role.value for role in Role])
    parser.add_argument("--subject", metavar="NAME", help="whose it is (the name of the role)")
    parser.add_argument("--hours", type=float, default=HOURS, help="how long it is valid (%(default)g)")
    given = parser.parse_args()
    print(DevelopmentIssuer.of_place().token(Role(given.role), given.subject or given.role, given.hours))


if __name__ == "__main__":
    run_main(main)
