"""Alerts as a sender posts them: each on a connection of its own, one by one or many at once."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

SECRET = "bench-alert-secret"


@dataclass(frozen=True, slots=True)
class Sent:
    """One alert's story in monotonic ns: its first byte, and the last byte of its answer."""

    began: int
    answered: int
    status: int
    body: bytes

    @property
    def fired(self) -> bool:
        """Whether the answer says so."""
        return self.status == 200 and b'"fired"' in self.body


def request(path: str, fields: dict[str, object]) -> bytes:
    """The whole request."""
    body = json.dumps({**fields, "secret": SECRET}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def whole(answer: bytes) -> bool:
    """Whether the answer is there to its end."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


def send(port: int, data: bytes) -> Sent:
    """Connect, send, wait for the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.monotonic_ns()
        link.sendall(data)
        answer = b""
        while not whole(answer):
            piece = link.recv(65_536)
            if not piece:
                break
            answer += piece
    return _sent(began, answer)


def _sent(began: int, answer: bytes) -> Sent:
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return Sent(began, time.monotonic_ns(), int(words[1]) if len(words) > 1 else 0, body)


def many(port: int, requests: Iterator[bytes], at_once: int, within: float = 60.0) -> list[Sent]:
    """Send all, so many at the same time; what has no answer in time is missing."""
    until = time.monotonic() + within
    poll = select.epoll()
    links: dict[int, tuple[socket.socket, int, bytearray]] = {}
    done: list[Sent] = []
    left = True
    while (left or links) and time.monotonic() < until:
        while left and len(links) < at_once:
            data = next(requests, None)
            if data is None:
                left = False
                break
            link = socket.create_connection(("127.0.0.1", port), timeout=30)
            began = time.monotonic_ns()
            link.sendall(data)
            links[link.fileno()] = (link, began, bytearray())
            poll.register(link, select.EPOLLIN)
        for number, _ in poll.poll(1.0):
            link, began, answer = links[number]
            piece = link.recv(65_536)
            answer += piece
            if not piece or whole(bytes(answer)):
                done.append(_sent(began, bytes(answer)))
                poll.unregister(link)
                link.close()
                del links[number]
    for link, _, _ in links.values():
        link.close()
    poll.close()
    return done
