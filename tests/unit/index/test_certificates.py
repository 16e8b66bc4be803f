"""The connection to an index is refused where the server's certificate is nobody's."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from embedding_lakehouse.clients.pinecone import IndexBusy, VectorIndex
from embedding_lakehouse.core.records import Body


class Listener(BaseHTTPRequestHandler):
    requests = 0

    def do_POST(self) -> None:
        Listener.requests += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"upsertedCount": 1}')


def self_signed(folder: Path) -> Path:
    """A certificate with its key, signed by itself alone."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
    signed = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = folder / "server.pem"
    file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + signed.public_bytes(pem))
    return file


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_server_without_a_trusted_certificate_is_sent_nothing(stranger: str) -> None:
    with pytest.raises(IndexBusy, match=r"(?i)certificate"):
        VectorIndex(stranger, "a key", patience=0).upsert([Body(b"{}", 1)])
    assert Listener.requests == 0
