"""REST over real sockets: sent once, whatever goes wrong, and what is proven is said."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from runner.venues import RawAnswer
from runner.venues.binance_usdm.rest import Rest, plain
from runner.venues.binance_usdm.sockets import ONCE, Progress, pool
from tests.support import free_port
from tests.venues.binance_usdm.wires import RawServer, raw_server, response

ORDER = ("POST", "/fapi/v1/order", "symbol=BTCUSDT&timestamp=1&signature=5ec4e7")
QUERY = ("GET", "/fapi/v1/order", "symbol=%E9%BE%99&timestamp=1&signature=5ec4e7")


def _rest(server: RawServer | int, deadline: int = 5_000) -> Rest:
    port = server if isinstance(server, int) else server.port
    return Rest(f"http://127.0.0.1:{port}", "the-key", deadline)


def _kind(server: RawServer, connection: socket.socket, _: int) -> None:
    """Answers whatever comes, for as long as it comes."""
    while server.read(connection):
        connection.sendall(response(b'{"a":1}', "200 OK", "X-MBX-USED-WEIGHT-1M: 7"))


def test_the_bytes_that_leave() -> None:
    """A POST carries the payload as its body, a GET in its address, both byte for byte."""
    with raw_server(_kind) as server:
        rest = _rest(server)
        answer = rest.exchange(*ORDER)
        assert answer == RawAnswer(
            "ok",
            200,
            b'{"a":1}',
            {"content-length": "7", "x-mbx-used-weight-1m": "7"},
        )
        rest.exchange(*QUERY)
        rest.exchange("DELETE", *QUERY[1:])
        rest.exchange("GET", "/fapi/v1/time", "")
        post, get, delete, bare = server.requests
        assert server.connections == 1
        rest.close()
    assert post.startswith(b"POST /fapi/v1/order HTTP/1.1\r\n")
    assert post.endswith(b"\r\n\r\n" + ORDER[2].encode())
    assert b"\r\nX-MBX-APIKEY: the-key\r\n" in post
    assert b"Content-Type: application/x-www-form-urlencoded" in post
    assert get.startswith(f"GET /fapi/v1/order?{QUERY[2]} HTTP/1.1\r\n".encode())
    assert delete.startswith(f"DELETE /fapi/v1/order?{QUERY[2]} HTTP/1.1\r\n".encode())
    assert bare.startswith(b"GET /fapi/v1/time HTTP/1.1\r\n")


def test_head_and_body_are_one_write() -> None:
    """The first read of the server already holds the whole order."""
    seen: list[bytes] = []

    def once(server: RawServer, connection: socket.socket, _: int) -> None:
        seen.append(connection.recv(65_536))
        connection.sendall(response(b"{}"))

    with raw_server(once) as server:
        assert _rest(server).exchange(*ORDER).transport == "ok"
    assert seen[0].endswith(ORDER[2].encode())


def test_a_closed_port_is_not_sent() -> None:
    """Nothing listens: not one byte left."""
    answer = _rest(free_port()).exchange(*ORDER)
    assert answer.transport == "not_sent"
    assert "refused" in answer.detail


def test_an_unknown_host_is_not_sent() -> None:
    """A name that does not resolve: not one byte left (the test bench answers for the network)."""
    rest = Rest("http://exchange.invalid", "k", 1_000)
    assert rest.exchange(*ORDER).transport == "not_sent"


def _hang_up(server: RawServer, connection: socket.socket, _: int) -> None:
    server.read(connection)


def _half_an_answer(server: RawServer, connection: socket.socket, _: int) -> None:
    server.read(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}")


def _half_a_chunk(server: RawServer, connection: socket.socket, _: int) -> None:
    server.read(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{")


def _garbage(server: RawServer, connection: socket.socket, _: int) -> None:
    server.read(connection)
    connection.sendall(b"\x16\x03\x01 what is this\r\n\r\n")


def _silence(server: RawServer, connection: socket.socket, _: int) -> None:
    server.read(connection)
    connection.recv(1)


def _drip_head(server: RawServer, connection: socket.socket, _: int) -> None:
    server.read(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        connection.sendall(b"a")
        time.sleep(0.05)  # a peer that is slow, not a test that waits


def _drip_body(server: RawServer, connection: socket.socket, _: int) -> None:
    server.read(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)  # a peer that is slow, not a test that waits


@pytest.mark.parametrize(
    "behaviour",
    [_hang_up, _half_an_answer, _half_a_chunk, _garbage, _silence, _drip_head, _drip_body],
)
@pytest.mark.parametrize("request_", [ORDER, QUERY])
def test_what_broke_off_is_broken_and_sent_once(behaviour: Any, request_: Any) -> None:
    """Once a byte has left, only a whole answer in time counts; nothing is ever repeated."""
    with raw_server(behaviour) as server:
        began = time.monotonic()
        answer = _rest(server, deadline=600).exchange(*request_)
        assert time.monotonic() - began < 3
        assert answer.transport == "broken"
        assert len(server.requests) == 1
    assert "5ec4e7" not in answer.detail
    assert "127.0.0.1" not in answer.detail


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("307 Temporary Redirect", "Location: /elsewhere"),
        ("308 Permanent Redirect", "Location: http://127.0.0.1:1/"),
        ("503 Service Unavailable", "Retry-After: 0"),
        ("429 Too Many Requests", "Retry-After: 0"),
    ],
)
def test_redirects_and_refusals_are_answers(status: str, line: str) -> None:
    """Nobody below us follows or repeats."""

    def behaviour(server: RawServer, connection: socket.socket, _: int) -> None:
        while server.read(connection):
            connection.sendall(response(b"{}", status, line))

    with raw_server(behaviour) as server:
        answer = _rest(server).exchange(*ORDER)
        assert answer.status == int(status[:3])
        assert len(server.requests) == 1


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    """A kept connection that has ended is noticed before the first byte."""

    def one_each(server: RawServer, connection: socket.socket, _: int) -> None:
        server.read(connection)
        connection.sendall(response(b"{}"))

    with raw_server(one_each) as server:
        rest = _rest(server)
        assert rest.exchange(*ORDER).transport == "ok"
        deadline = time.monotonic() + 5
        while rest.exchange(*ORDER).transport != "ok":
            assert time.monotonic() < deadline
        assert server.connections >= 2


def test_after_a_failure_the_next_exchange_has_a_fresh_connection() -> None:
    """The rest of a late answer can never be taken for the next one."""

    def first_is_bad(server: RawServer, connection: socket.socket, number: int) -> None:
        while server.read(connection):
            if number == 0:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")
                connection.recv(1)
            connection.sendall(response(b'{"fresh":1}'))

    with raw_server(first_is_bad) as server:
        rest = _rest(server, deadline=300)
        assert rest.exchange(*ORDER).transport == "broken"
        assert rest.exchange(*ORDER).body == b'{"fresh":1}'


def test_each_thread_has_its_own_connection() -> None:
    """One slow answer blocks nobody else's."""
    with raw_server(_kind) as server:
        rest = _rest(server)
        rest.exchange(*ORDER)
        other = threading.Thread(target=rest.exchange, args=ORDER)
        other.start()
        other.join(5)
        rest.exchange(*ORDER)
        assert server.connections == 2


def test_the_environment_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the shell must not come between us and the exchange."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with raw_server(_kind) as server:
        assert _rest(server).exchange(*ORDER).transport == "ok"


def test_no_retry_is_configured() -> None:
    """The one setting that must never change."""
    assert (ONCE.total, ONCE.read, ONCE.redirect) == (0, False, 0)


def test_sockets_do_not_delay() -> None:
    """TCP_NODELAY is set: an order is not held back for company."""
    progress = Progress()
    progress.start(5)
    with raw_server(_kind) as server:
        connections = pool("127.0.0.1", server.port, None, progress)
        connection: Any = connections._get_conn()
        connection.connect()
        assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        connection.close()
        connections.close()


def test_a_deadline_that_is_over() -> None:
    """No time left is a timeout, also before the first byte: then nothing was sent."""
    with raw_server(_kind) as server:
        answer = _rest(server, deadline=0).exchange(*ORDER)
        assert answer.transport == "not_sent"
        assert server.requests == []


def test_nothing_secret_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG urllib3 would write each address with its signature."""
    caplog.set_level("DEBUG")
    with raw_server(_kind) as server:
        rest = _rest(server)
        rest.exchange(*QUERY)
        rest.exchange(*ORDER)
        _rest(free_port()).exchange(*QUERY)
    assert "5ec4e7" not in caplog.text
    assert "the-key" not in caplog.text + repr(rest)


def test_plain_words_for_an_error() -> None:
    """The outer and the innermost kind, and the system's words: never an address."""
    try:
        try:
            raise ConnectionResetError(104, "Connection reset by peer")
        except OSError as error:
            raise ValueError("http://x/?signature=5ec4e7") from error
    except ValueError as error:
        text = plain(error)
    assert text == "ValueError: ConnectionResetError: Connection reset by peer"


class TestTls:
    """The same over TLS, with a certificate made for the test."""

    @pytest.fixture
    def context(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
        """A server's context; the client trusts it through SSL_CERT_FILE."""
        certificate, key = _certificate()
        path = tmp_path / "server.pem"
        path.write_bytes(certificate + key)
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def test_one_exchange(self, context: ssl.SSLContext) -> None:
        """Handshake, request, answer, on one kept connection."""

        def behaviour(server: RawServer, connection: socket.socket, number: int) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                _kind(server, secured, number)

        with raw_server(behaviour) as server:
            rest = Rest(f"https://127.0.0.1:{server.port}", "k", 5_000)
            assert rest.exchange(*ORDER).body == b'{"a":1}'
            assert rest.exchange(*QUERY).body == b'{"a":1}'
            assert server.connections == 1
            rest.close()

    def test_the_deadline_holds_inside_tls(self, context: ssl.SSLContext) -> None:
        """A peer that drips through TLS is cut off just the same."""

        def behaviour(server: RawServer, connection: socket.socket, number: int) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                _drip_body(server, secured, number)

        with raw_server(behaviour) as server:
            rest = Rest(f"https://127.0.0.1:{server.port}", "k", 600)
            began = time.monotonic()
            assert rest.exchange(*ORDER).transport == "broken"
            assert time.monotonic() - began < 3

    def test_a_stranger_gets_nothing(self, tmp_path: Path) -> None:
        """Without trust in the certificate not one byte of the request leaves."""
        certificate, key = _certificate()
        (tmp_path / "stranger.pem").write_bytes(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "stranger.pem")

        def behaviour(server: RawServer, connection: socket.socket, number: int) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                _kind(server, secured, number)

        with raw_server(behaviour) as server:
            answer = Rest(f"https://127.0.0.1:{server.port}", "k", 2_000).exchange(*ORDER)
            assert answer.transport == "not_sent"
            assert "SSL" in answer.detail
            assert server.requests == []


def _certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate for 127.0.0.1 and its key, PEM."""
    pytest.importorskip("cryptography")
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    return (
        built.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
