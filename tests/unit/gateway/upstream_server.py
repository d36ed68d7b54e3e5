"""An upstream that says exactly what it is told to, byte by byte, and keeps what it heard."""

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tollgate.gateway.upstream import HttpUpstream, UpstreamAnswer
from tollgate.payment.routes import UpstreamHeader, UpstreamTarget

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

# What to say, in pieces: bytes are sent, numbers are seconds to wait.
Script = Sequence[bytes | float]


class UpstreamServer:
    """Listens on loopback; answers every connection with the same script.

    ``read``: whether it reads the request first; ``polite``: whether it ends TLS before it closes.
    """

    def __init__(
        self,
        script: Script = (OK,),
        tls: ssl.SSLContext | None = None,
        *,
        read: bool = True,
        polite: bool = True,
    ) -> None:
        self.heard: list[bytes] = []
        self._script = script
        self._tls = tls
        self._read = read
        self._polite = polite
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "UpstreamServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            pass
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stop.is_set():
                connection.close()
                return
            with suppress(OSError):
                self._answer(connection)
            connection.close()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        try:
            if self._read:
                self.heard.append(_read_request(connection))
            for piece in self._script:
                if isinstance(piece, bytes):
                    connection.sendall(piece)
                elif self._stop.wait(piece):
                    return
            if self._polite and isinstance(connection, ssl.SSLSocket):
                connection.unwrap()
        finally:
            connection.close()


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def no_secret(name: str) -> str:
    """For upstreams without a secret."""
    raise AssertionError(f"nobody asked for {name}")


def private_upstream(**changes: object) -> HttpUpstream:
    """An ``HttpUpstream`` as the local stack has it."""
    settings: dict[str, object] = {"allow_private": True, "clock": time.monotonic, "secrets": no_secret}
    return HttpUpstream(**{**settings, **changes})  # type: ignore[arg-type]


def ask(
    upstream: HttpUpstream,
    url: str,
    *,
    params: dict[str, str] | None = None,
    method: str = "GET",
    raw_query: str = "",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    timeout: float = 5.0,
    secret_header: tuple[str, str] | None = None,
    fixed_headers: tuple[UpstreamHeader, ...] = (),
) -> UpstreamAnswer:
    """One fetch, with the usual left out."""
    secrets = () if secret_header is None else (UpstreamHeader(secret_header[0], secret=secret_header[1]),)
    target = UpstreamTarget(url, timeout, secrets + fixed_headers)
    return upstream.fetch(target, params or {}, method, raw_query, headers or {}, body, timeout)


@contextmanager
def answering(
    *script: bytes | float, **settings: object
) -> Iterator[tuple[UpstreamServer, Callable[[], UpstreamAnswer]]]:
    """A server with a script, and a call that asks it once."""
    with UpstreamServer(script or (OK,)) as server:
        yield server, lambda: ask(private_upstream(**settings), f"http://127.0.0.1:{server.port}/")


def make_certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS context for ``host``, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "certificate.pem"
    file.write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cadata=pem.decode())
    return server, client
