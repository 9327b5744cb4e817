"""A plug-in of supervisord that keeps the apis' listening sockets open.

Supervisor shares one socket among the replicas of an api, but closes it when the last of them ends. With one replica, a
crash would refuse connections until the next start. Held here, the socket lets them wait for it instead.
"""

from typing import Any


class HeldSockets:
    def __init__(self, supervisord: Any) -> None:
        groups = supervisord.process_groups.values()
        self.held = [group.socket_manager.get_socket() for group in groups if hasattr(group, "socket_manager")]


def make(supervisord: Any) -> HeldSockets:
    return HeldSockets(supervisord)
