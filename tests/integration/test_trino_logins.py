"""Logins to Trino through the Airflow connection: tokens on a real Trino, passwords on a server that shows what it was sent."""

import json
import secrets
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from dev.stack.component import ROOT
from dev.stack.ports import HOST, free_port
from dev.stack.programs import Programs
from dev.stack.trino_server import CONFIGURATION, trino_component
from embedding_lakehouse.clients import sql
from embedding_lakehouse.clients.sql import engine_from_connection
from embedding_lakehouse.errors import ConfigurationError

START_SECONDS = 300
REFUSED = r"sql/who\.sql: Trino refuses the login of the connection trino_default: check its user, its password or token"


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate of this machine: its own file, and one with its key."""

    certificate: Path
    with_key: Path


@dataclass(frozen=True)
class Guarded:
    """A Trino over TLS that takes tokens only."""

    port: int
    plain_port: int
    certificate: Path
    key: rsa.RSAPrivateKey

    def token(self, key: rsa.RSAPrivateKey | None = None, **claims: Any) -> str:
        """A token for the user `airflow`, valid for an hour unless the claims say otherwise."""
        told = {"sub": "airflow", "exp": datetime.now(UTC) + timedelta(hours=1), **claims}
        return jwt.encode(told, key or self.key, algorithm="RS256")


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1."""
    folder, key, now = tmp_path_factory.mktemp("tls"), new_key(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = built.public_bytes(Encoding.PEM)
    (folder / "own.pem").write_bytes(text)
    (folder / "both.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + text)
    return Certificate(folder / "own.pem", folder / "both.pem")


@pytest.fixture(scope="module")
def guarded(certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A Trino without a lake, started for these tests."""
    home, port, plain_port, key = tmp_path_factory.mktemp("guarded"), free_port(0), free_port(0), new_key()
    public = home / "public.pem"
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    properties = {
        "http-server.https.enabled": "true",
        "http-server.https.port": str(port),
        "http-server.https.keystore.path": str(certificate.with_key),
        "http-server.authentication.type": "JWT",
        "http-server.authentication.jwt.key-file": str(public),
        "internal-communication.shared-secret": secrets.token_hex(32),
    }
    config = home / "config.properties"
    added = "\n".join(f"{name}={value}" for name, value in properties.items())
    config.write_text(f"{(CONFIGURATION / 'config.properties').read_text()}\n{added}\n")
    catalogs = home / "catalogs"
    catalogs.mkdir()
    component = trino_component(home, plain_port, catalogs)
    command = tuple(f"-Dconfig={config}" if part.startswith("-Dconfig=") else part for part in component.program.command)
    programs = Programs(home, ROOT)
    programs.start(replace(component.program, command=command))
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_up(port, certificate.certificate):
            assert programs.running("trino") and time.monotonic() < deadline, programs.log("trino").read_text()[-2000:]
            time.sleep(0.5)
        yield Guarded(port, plain_port, certificate.certificate, key)
    finally:
        programs.stop(["trino"])


def is_up(port: int, certificate: Path) -> bool:
    try:
        return not requests.get(f"https://{HOST}:{port}/v1/info", verify=str(certificate), timeout=5).json()["starting"]
    except requests.RequestException:
        return False


@pytest.fixture
def who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Whom Trino takes us for, through a connection with these extras."""
    monkeypatch.setenv("EMBEDDING_LAKEHOUSE_SQL", str(tmp_path))
    # The environment's certificate authorities come before those of the connection.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    sql.statement.cache_clear()
    (tmp_path / "who.sql").write_text("select current_user")

    def asked(port: int, password: str | None = None, **extra: Any) -> str:
        place = {"conn_type": "trino", "host": HOST, "port": port, "login": "airflow", "password": password}
        extra = {"protocol": "https", "catalog": "lakehouse", **extra}
        monkeypatch.setenv("AIRFLOW_CONN_TRINO_DEFAULT", json.dumps({**place, "extra": extra}))
        (user,) = engine_from_connection().row("who")
        return str(user)

    yield asked
    sql.statement.cache_clear()


def test_a_token_lets_its_user_in(guarded: Guarded, who: Callable[..., str]) -> None:
    assert who(guarded.port, verify=str(guarded.certificate), auth="jwt", jwt__token=guarded.token()) == "airflow"


def test_a_token_s_file_is_read_each_time(guarded: Guarded, who: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "token"
    extra = {"verify": str(guarded.certificate), "auth": "jwt", "jwt__file": str(file)}
    with pytest.raises(ConfigurationError, match=r"trino_default cannot be used for Trino: .*No such file"):
        who(guarded.port, **extra)
    file.write_text(guarded.token(exp=datetime.now(UTC) - timedelta(minutes=10)))
    with pytest.raises(ConfigurationError, match=REFUSED):
        who(guarded.port, **extra)
    file.write_text(guarded.token())
    assert who(guarded.port, **extra) == "airflow"


def test_a_token_that_somebody_else_signed_is_refused(guarded: Guarded, who: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match=REFUSED):
        who(guarded.port, verify=str(guarded.certificate), auth="jwt", jwt__token=guarded.token(new_key()))


def test_no_login_at_all_is_refused(guarded: Guarded, who: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match=REFUSED):
        who(guarded.port, verify=str(guarded.certificate))


def test_an_unknown_certificate_is_not_trusted(guarded: Guarded, who: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match=r"sql/who\.sql: no TLS connection that can be trusted: .* give its extra verify the file"):
        who(guarded.port, auth="jwt", jwt__token=guarded.token())


def test_tls_to_a_port_without_it_names_the_protocol(guarded: Guarded, who: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match="check host, port and protocol of trino_default"):
        who(guarded.plain_port, verify=str(guarded.certificate), auth="jwt", jwt__token=guarded.token())


def test_a_token_is_never_sent_without_tls(guarded: Guarded, who: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match=r"the connection trino_default cannot be used for Trino: TLS/SSL is required"):
        who(guarded.plain_port, protocol="http", auth="jwt", jwt__token=guarded.token())


@pytest.fixture
def listener(certificate: Certificate) -> Iterator[tuple[int, list[str]]]:
    """A server over TLS that knows one password, and what it was sent as authorization."""
    sent: list[str] = []
    known = f"Basic {b64encode(b'airflow:open sesame').decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            sent.append(self.headers["Authorization"])
            column = {
                "name": "user",
                "type": "varchar",
                "typeSignature": {"rawType": "varchar", "arguments": [{"kind": "LONG", "value": 7}]},
            }
            answer = {"id": "q1", "infoUri": "", "stats": {"state": "FINISHED"}, "columns": [column], "data": [["airflow"]]}
            content = json.dumps(answer).encode() if sent[-1] == known else b"Invalid credentials"
            self.send_response(200 if sent[-1] == known else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.with_key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_port, sent
    server.shutdown()
    server.server_close()


def test_a_password_goes_over_tls(listener: tuple[int, list[str]], certificate: Certificate, who: Callable[..., str]) -> None:
    port, sent = listener
    assert who(port, "open sesame", verify=str(certificate.certificate)) == "airflow"
    assert sent == [f"Basic {b64encode(b'airflow:open sesame').decode()}"]


def test_a_wrong_password_names_the_connection_and_not_the_password(
    listener: tuple[int, list[str]], certificate: Certificate, who: Callable[..., str]
) -> None:
    with pytest.raises(ConfigurationError, match=REFUSED) as refused:
        who(listener[0], "a wrong secret", verify=str(certificate.certificate))
    assert "wrong secret" not in str(refused.value)
