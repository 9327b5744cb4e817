"""As much of MySQL's protocol as it takes to see a COMMIT go by.

A packet is three bytes of length, one of sequence, and the payload. A client's command starts with its code; a query
(code 3) is followed by its text. PyMySQL commits by sending the query `COMMIT`. Connections are in plain text here: a
TLS one would show nothing.
"""

QUERY = 3
HEADER = 4
LONGEST_SHOWN = 64


class Commands:
    """Fed with what a client sends, in any pieces; says whether a COMMIT ended in the piece."""

    def __init__(self) -> None:
        self._header = b""
        self._start = b""
        self._left = 0

    def has_commit(self, data: bytes) -> bool:
        found = False
        while data:
            data = self._take(data)
            if len(self._header) == HEADER and self._left == 0:
                found = found or is_commit(self._start)
                self._header, self._start = b"", b""
        return found

    def _take(self, data: bytes) -> bytes:
        """Use up some of the data: the rest of a header, or the rest of a payload."""
        if len(self._header) < HEADER:
            missing = HEADER - len(self._header)
            self._header += data[:missing]
            if len(self._header) == HEADER:
                self._left = int.from_bytes(self._header[:3], "little")
            return data[missing:]
        payload = data[: self._left]
        self._start += payload[: LONGEST_SHOWN - len(self._start)]
        self._left -= len(payload)
        return data[len(payload) :]


def is_commit(payload: bytes) -> bool:
    return payload[:1] == bytes([QUERY]) and payload[1:].strip().rstrip(b";").upper() == b"COMMIT"
