"""TLS at the gateway, with a certificate made here."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPSConnection
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.echo import HOST, Answer, Reach, serving
from harness import servers
from local.gateway_server import Gateway
from local.gateway_settings import GatewaySettings, Tls
from local.processes import free_ports
from local.topology import SERVICES

PATH = "/api/v1/orders"
CERTIFICATE, KEY = "certificate.pem", "key.pem"


def make_certificate(directory: Path) -> None:
    """Of this host, signed by itself, good for an hour either way."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / CERTIFICATE).write_bytes(certificate.public_bytes(Encoding.PEM))
    (directory / KEY).write_bytes(private)


@dataclass
class Secure(Reach):
    """Has another port, for TLS. Clients trust the certificate in the file `trusted` and no other."""

    tls_port: int = 0
    trusted: Path = Path()

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.trusted)

    def by_tls(self, path: str, context: ssl.SSLContext | None = None) -> Answer:
        connection = HTTPSConnection(HOST, self.tls_port, timeout=10, context=context or self.context())
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read().decode())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory = tmp_path_factory.mktemp("tls") / "tls-gateway"
    directory.mkdir()
    make_certificate(directory)
    with ExitStack() as life:
        echo = life.enter_context(serving("echo"))
        port, tls_port = free_ports(2)
        settings = GatewaySettings(tls=Tls(Path(CERTIFICATE), Path(KEY), tls_port))
        upstreams = {service: [echo.address] for service in SERVICES}
        server = Gateway(directory, port, upstreams, settings=settings)
        life.enter_context(servers.started(servers.gateway(server)))
        yield Secure(port, {"echo": echo}, tls_port, directory / CERTIFICATE)


def test_calls_are_answered_by_tls_which_the_services_are_told(secure: Secure) -> None:
    answer = secure.by_tls(PATH)

    assert answer.status == HTTPStatus.OK
    assert answer.json()["headers"]["x-forwarded-proto"] == "https"


@pytest.mark.parametrize(("path", "status"), [(PATH, HTTPStatus.OK), ("/nothing", HTTPStatus.NOT_FOUND)])
def test_who_has_come_by_tls_is_told_to_come_by_nothing_else(secure: Secure, path: str, status: int) -> None:
    by_tls, plain = secure.by_tls(path), secure(path)

    assert by_tls.status == plain.status == status
    assert by_tls.headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in plain.headers


def test_only_ciphers_that_are_sound_are_spoken(secure: Secure) -> None:
    sound, unsound = secure.context(), secure.context()
    for context, cipher in ((sound, "ECDHE-ECDSA-AES128-GCM-SHA256"), (unsound, "ECDHE-ECDSA-AES128-SHA256")):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher)

    assert secure.by_tls(PATH, sound).status == HTTPStatus.OK
    with pytest.raises(ssl.SSLError):
        secure.by_tls(PATH, unsound)


def test_plain_http_on_the_port_for_tls_is_a_bad_request(secure: Secure) -> None:
    answer = Reach(secure.tls_port)(PATH)

    assert answer.status == HTTPStatus.BAD_REQUEST
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == HTTPStatus.BAD_REQUEST
