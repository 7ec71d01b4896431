"""A WebSocket whose whole text frames are cut out of what the kernel had, several at a time."""

from __future__ import annotations

from collections.abc import Iterator

import websocket

READ_SIZE = 16_384
"""Bytes asked of the kernel at once: no TLS record is longer, and a reader that goes through more
frames in one go keeps the interpreter from whoever sends an order."""

WHOLE_TEXT = 0x81
"""First byte of a text message in one frame: FIN, no extension, opcode 1 (RFC 6455, 5.2)."""


class Frames(websocket.WebSocket):
    """Reads large pieces, where the library asks for each header byte by itself.

    One thread reads. Of a message that came in one frame, as the exchange's do, the library would
    make a dozen objects; what is anything else it puts together itself.
    """

    _held = b""
    _at = 0

    def texts(self) -> Iterator[bytes]:
        """Text messages as long as the next one is here whole; waits for bytes only at first.

        Ends where the library must read on. Raises what the library's own reading raises, and only
        for the first.
        """
        if self._within():
            return
        held, at = self._held, self._at
        if at == len(held):
            held, at = super()._recv(READ_SIZE), 0  # type: ignore[no-untyped-call]
            self._held, self._at = held, at
        end = len(held)
        while end - at > 4 and held[at] == WHOLE_TEXT:
            # the second byte is the size, or says how long the size is; 128 more were a mask
            size, start = held[at + 1], at + 2
            if size == 126:
                size, start = held[at + 2] << 8 | held[at + 3], at + 4
            elif size > 126:
                return
            at = start + size
            if at > end:
                return
            self._at = at
            yield held[start:at]

    def _within(self) -> bool:
        """True when the library has a part of a frame, or of a message in several frames."""
        frame = self.frame_buffer
        return bool(frame.header or frame.recv_buffer or self.cont_frame.recving_frames)

    def _recv(self, bufsize: int) -> bytes:
        held, at = self._held, self._at
        if at == len(held):
            held, at = super()._recv(READ_SIZE), 0  # type: ignore[no-untyped-call]
            self._held = held
        part: bytes = held[at : at + bufsize]
        self._at = at + len(part)
        return part
