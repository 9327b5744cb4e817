"""`python -m ready PORT`: the health check of a container. Exits 0 when /readyz says so, else prints what it says."""

import http.client
import sys

TIMEOUT_SECONDS = 4  # the process gives its own checks two


def main() -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"no answer: {error}")
    if answer.status != http.HTTPStatus.OK:
        sys.exit(f"{answer.status}: {body}")


if __name__ == "__main__":
    main()
