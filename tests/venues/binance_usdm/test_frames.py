"""Whole text frames cut out of what was read: the same messages as the library by itself reads."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import pytest
import websocket
from hypothesis import given
from hypothesis import strategies as st
from websocket import ABNF

from runner.venues.binance_usdm.frames import READ_SIZE, Frames


class Wire:
    """A socket that delivers these pieces; None is a silence, and the end is the peer's."""

    def __init__(self, pieces: Iterable[bytes | None]) -> None:
        self._pieces = [piece for piece in pieces if piece != b""]
        self.sent = b""

    def recv(self, size: int) -> bytes:
        """What there is of the next piece."""
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if piece is None:
            raise TimeoutError("silence")
        if piece[size:]:
            self._pieces.insert(0, piece[size:])
        return piece[:size]

    def send(self, data: bytes) -> int:
        """The client's own frames."""
        self.sent += data
        return len(data)

    def gettimeout(self) -> float:
        """Of no interest, but not 0."""
        return 1.0

    def close(self) -> None:
        """Nothing to do."""


def frame(opcode: int, data: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    """A frame as the exchange sends it; masked as it never does."""
    size = len(data)
    head = bytes([opcode | (0x80 if fin else 0)])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([size | bit])
    elif size < 65_536:
        head += bytes([126 | bit]) + struct.pack("!H", size)
    else:
        head += bytes([127 | bit]) + struct.pack("!Q", size)
    return head + (bytes(4) if mask else b"") + data


def opened(kind: type[websocket.WebSocket], wire: Wire) -> Any:
    """A connection that stands, over this wire."""
    link: Any = kind(skip_utf8_validation=True)
    link.sock, link.connected = wire, True
    return link


def heard(link: Any) -> tuple[list[tuple[int, bytes]], str]:
    """All messages until the end, however they are read, and what the end was called."""
    found: list[tuple[int, bytes]] = []
    while True:
        try:
            texts = link.texts() if isinstance(link, Frames) else iter(())
            found += [(ABNF.OPCODE_TEXT, text) for text in texts]
            found.append(link.recv_data(control_frame=True))
        except websocket.WebSocketTimeoutException:
            continue
        except websocket.WebSocketException as error:
            return found, str(error)


def _data(largest: int) -> st.SearchStrategy[bytes]:
    return st.integers(0, largest).map(lambda size: bytes(n % 251 for n in range(size)))


ONE = st.one_of(
    st.builds(frame, st.just(1), _data(300)),
    st.builds(frame, st.just(1), st.sampled_from([125, 126, 65_535, 65_536]).map(bytes)),
    st.builds(frame, st.just(1), _data(20), mask=st.just(True)),
    st.builds(frame, st.sampled_from([2, 9, 10]), _data(20)),
    st.builds(
        lambda parts, ping: (
            frame(1, parts[0], fin=False)
            + (frame(9, b"?") if ping else b"")
            + frame(0, parts[1], fin=False)
            + frame(0, parts[2])
        ),
        st.tuples(_data(9), _data(9), _data(9)),
        st.booleans(),
    ),
    # what no exchange may send: an extension, an unknown opcode, a text within another's parts
    st.sampled_from([b"\xc1\x01x", b"\x83\x01x", b"\x01\x01x\x81\x05xxxxx", b"\x80\x01xxx"]),
)


@given(st.lists(ONE, max_size=12), st.lists(st.integers(0, 400) | st.none(), max_size=12))
def test_the_same_messages_as_the_library_reads(
    frames: list[bytes], cuts: list[int | None]
) -> None:
    """However the bytes come: in pieces, with silences, with frames of every kind between."""
    data, pieces = b"".join(frames), list[bytes | None]()
    for cut in cuts:
        pieces.append(None if cut is None else data[:cut])
        data = data[cut or 0 :]
    pieces.append(data)
    ours, library = Wire(pieces), Wire(pieces)
    assert heard(opened(Frames, ours)) == heard(opened(websocket.WebSocket, library))
    assert len(ours.sent) == len(library.sent)


def test_frames_that_came_together_are_read_together() -> None:
    """One look at the kernel for all of them; the one that is not here whole is not among them."""
    texts = [b"%d" % n * 40 for n in range(9)]
    data = b"".join(frame(1, text) for text in texts)
    link = opened(Frames, Wire([data[:-1], data[-1:]]))
    assert list(link.texts()) == texts[:-1]
    assert link.recv_data() == (ABNF.OPCODE_TEXT, texts[-1])
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        list(link.texts())


def test_whoever_stops_within_hears_the_rest_later() -> None:
    """A connection that is given up has its last messages read the library's way."""
    texts = [b"first", b"second", b"third"]
    link = opened(Frames, Wire([b"".join(frame(1, text) for text in texts)]))
    assert next(link.texts()) == b"first"
    assert link.recv_data() == (ABNF.OPCODE_TEXT, b"second")
    assert list(link.texts()) == [b"third"]


def test_a_reader_does_not_go_through_more_than_a_piece_at_once() -> None:
    """So that others may run in between."""
    one = frame(1, bytes(124))
    link = opened(Frames, Wire([one * 1_000]))
    assert len(list(link.texts())) == READ_SIZE // len(one)
