"""Ports that stay ours while nobody listens on them.

A port of the kernel's ephemeral range may become some connection's own end while its server is down or its link is cut,
and then the server can't come back. So ports come from below that range.
"""

import random
import socket

RANGE = range(20_000, 32_000)
HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Different ones, each free a moment ago."""
    found: list[int] = []
    for port in random.sample(RANGE, len(RANGE)):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
