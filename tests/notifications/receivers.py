"""Real receivers on loopback: a web service that takes JSON, and a mail server."""

from __future__ import annotations

import email.parser
import email.policy
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebReceiver:
    """Takes what apprise sends to json:// and every GET; can refuse, and can keep one waiting."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.taken: list[dict[str, Any]] = []
        self.gets: list[str] = []
        self.asked = threading.Semaphore(0)
        self.status = 200
        self.open = threading.Event()
        self.open.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.asked.release()
                receiver.open.wait(60)
                if receiver.status == 200:
                    receiver.taken.append(body)
                self._answer()

            def do_GET(self) -> None:
                receiver.gets.append(self.path)
                self._answer()

            def _answer(self) -> None:
                try:
                    self.send_response(receiver.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    return

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> WebReceiver:
        return self

    def __exit__(self, *exception: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._server.server_address[1]
        return port

    @property
    def url(self) -> str:
        """Its address as apprise wants it."""
        return f"json://127.0.0.1:{self.port}/notices"

    @property
    def titles(self) -> list[str]:
        """The first lines of what it took."""
        return [each["title"] for each in self.taken]


class MailReceiver:
    """A mail server that keeps what it is given (RFC 5321, as little of it as is needed)."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.taken: list[email.message.EmailMessage] = []
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 receiver ready")
                while line := self.rfile.readline().decode().strip():
                    verb = line[:4].upper()
                    if verb == "DATA":
                        self._say("354 go on")
                        receiver.taken.append(self._message())
                    if verb == "QUIT":
                        self._say("221 bye")
                        return
                    self._say("250 receiver" if verb != "DATA" else "250 taken")

            def _message(self) -> email.message.EmailMessage:
                lines = iter(self.rfile.readline, b".\r\n")
                text = b"".join(lines)
                parser = email.parser.BytesParser(policy=email.policy.default)
                found: email.message.EmailMessage = parser.parsebytes(text)
                return found

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> MailReceiver:
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address as apprise wants it."""
        port = self._server.server_address[1]
        return f"mailto://127.0.0.1:{port}?from=runner@example.com&to=me@example.com&mode=insecure"
