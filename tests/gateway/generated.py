"""Bytes that are nearly HTTP requests."""

from enum import Enum

from hypothesis import strategies as st

PUBLIC = [b"/api/v1/products", b"/api/v1/products/1", b"/api/v1/orders", b"/api/v1/orders/1/cancel", b"/health"]
PRIVATE = [
    b"/private/reservations",
    b"/metrics",
    b"/readyz",
    b"/openapi.json",
    b"/again/private/releases",
    b"/once/metrics",
]
# What an attacker hopes that one of two servers takes for a request of its own.
HIDDEN = b"GET /private/stock-proof HTTP/1.1\r\nHost: shop.example\r\nX-Hidden: yes\r\n\r\n"
CHUNKED = b"3\r\nabc\r\n0\r\n\r\n"
ODD_BYTES = st.binary(min_size=1, max_size=8)

METHODS = st.sampled_from(
    [b"DELETE", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PRI", b"get", b"G\x00T", b"", b"POST "]
)
VERSIONS = st.sampled_from(
    [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2", b"HTTP/9.9", b"http/1.1", b"HTTP/1.1 ", b""]
)
LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\r\n", b"\n\r"])
LENGTHS = [b"0", b"5", b"+5", b"-1", b"05", b"5 ", b"0x5", b"5, 5", b"5;", b"99999999999999999999", b"65536", b""]
CODINGS = [
    b"chunked",
    b"Chunked",
    b" chunked",
    b"chunked\x0b",
    b"identity",
    b"gzip",
    b"gzip, chunked",
    b"chunked, identity",
    b"x",
]
FRAMING = st.one_of(
    st.sampled_from(LENGTHS).map(lambda length: b"Content-Length: " + length),
    st.sampled_from(CODINGS).map(lambda coding: b"Transfer-Encoding: " + coding),
    st.sampled_from(
        [b"Content-Length : 5", b" Content-Length: 5", b"Content_Length: 5", b"Transfer-Encoding : chunked",
         b"Transfer-Encoding\x00: chunked",
         b"Transfer-Encoding:\x00chunked", b"X: y\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\rX: y"]
    ),
)  # fmt: skip
HEADERS = st.one_of(
    st.builds(lambda name, value: b"X-" + name + b": " + value, st.binary(max_size=5), ODD_BYTES),
    st.sampled_from(
        [b"X: " + b"a" * 7000, b"X: " + b"a" * 9000, b"Host: 127.0.0.1", b"Host: a\x00b", b"Host: private/../",
         b"Expect: 100-continue",
         b"Connection: upgrade", b"Upgrade: h2c", b"Connection: Content-Length", b"X-Original-URL: /private/releases",
         b": novalue", b"\tfolded", b""]
    ),
)  # fmt: skip


BEFORE_A_PATH = [b"http://127.0.0.1", b"http://catalog:8101", b"//x", b"/.", b"/%2e", b"*"]
AFTER_A_PATH = [b"/../..", b"%2f..%2f", b";a", b"%00", b"?a=%00", b"#x", b"\\..\\", b"//", b" ", b"\x7f", b"\xc0\xaf"]


def _spelt(path: bytes) -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.just(path),
        st.sampled_from(BEFORE_A_PATH).map(lambda before: before + path),
        ODD_BYTES.map(lambda odd: path + odd),
        st.sampled_from(AFTER_A_PATH).map(lambda after: path + after + PRIVATE[0]),
        st.just(b"/" + b"a" * 9000),
    )


PATHS = st.sampled_from([*PUBLIC, *PRIVATE]).flatmap(_spelt)
BODIES = st.sampled_from(
    [b"", b"abcde", CHUNKED, CHUNKED + HIDDEN, HIDDEN, b"5\r\nabc", b"0\r\n\r\n" + HIDDEN, b"0\n\n" + HIDDEN,
     b"5;x=\n" + HIDDEN, b"ffffffffffffffffff\r\n", b"3 \r\nabc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"3\nabc\n0\n\n"]
)  # fmt: skip


MANY_HEADERS = [b"X-%d: y" % number for number in range(2000)]
ORDINARY_BODIES = st.sampled_from(
    [([], b""), ([b"Content-Length: 5"], b"abcde"), ([b"Transfer-Encoding: chunked"], CHUNKED)]
)
ODD_BODIES = st.tuples(st.lists(FRAMING, min_size=1, max_size=3), BODIES)


class Odd(Enum):
    """What about a request is odd. Were all of it, most would be refused for the first thing."""

    METHOD = "method"
    PATH = "path"
    VERSION = "version"
    LINE_ENDS = "line ends"
    HEADERS = "headers"
    MANY = "very many headers"
    BODY = "body, or what is said of its length"


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    odd = draw(st.sets(st.sampled_from(Odd), max_size=2))
    method = draw(METHODS) if Odd.METHOD in odd else draw(st.sampled_from([b"GET", b"POST", b"PUT"]))
    path = draw(PATHS) if Odd.PATH in odd else draw(st.sampled_from(PUBLIC))
    version = draw(VERSIONS) if Odd.VERSION in odd else b"HTTP/1.1"
    end = draw(LINE_ENDS) if Odd.LINE_ENDS in odd else b"\r\n"
    framing, body = draw(ODD_BODIES if Odd.BODY in odd else ORDINARY_BODIES)
    headers = [b"Host: shop.example", *framing, *(MANY_HEADERS if Odd.MANY in odd else ())]
    headers += draw(st.lists(HEADERS, min_size=1, max_size=3)) if Odd.HEADERS in odd else ()
    return end.join([b" ".join([method, path, version]), *headers, b"", b""]) + body


NO_REQUESTS = [b"GET /api/v1/orders\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\r\n\r\n\r\n"]
# What is sent on one connection. Several requests are pipelined: the next is sent before the one before it is answered.
connections: st.SearchStrategy[bytes] = st.one_of(
    st.lists(requests(), min_size=1, max_size=3).map(b"".join),
    st.sampled_from(NO_REQUESTS),
    st.binary(min_size=1, max_size=50),
)
