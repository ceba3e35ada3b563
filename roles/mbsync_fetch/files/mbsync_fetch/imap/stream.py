# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A connection that imaplib and a command filter read in turn, so that no byte is left behind in a hidden buffer."""

from __future__ import annotations

import select
import socket
import ssl

CHUNK = 64 * 1024


class Stream:
    """What arrives on a socket; counts it.

    It offers what imaplib asks of a file (read, readline, close).
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = 0
        self._buffer = bytearray()

    def _fill(self) -> bool:
        data = self.sock.recv(CHUNK)
        self.received += len(data)
        self._buffer += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def read(self, size: int) -> bytes:
        """Read this many bytes, fewer at the end of the stream."""
        while len(self._buffer) < size and self._fill():
            pass
        return self._take(size)

    def readline(self, limit: int = -1) -> bytes:
        """Read a line with its end, at most limit bytes."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0 and (limit < 0 or len(self._buffer) < limit):
            searched = len(self._buffer)
            if not self._fill():
                break
        size = end + 1 if end >= 0 else len(self._buffer)
        return self._take(size if limit < 0 else min(size, limit))

    def read_some(self) -> bytes:
        """Read what is there, at least one byte, nothing at the end of the stream."""
        return self._take(CHUNK) if self._buffer or self._fill() else b""

    def waiting(self) -> bool:
        """Tell whether bytes are here that select(2) does not know of."""
        return bool(self._buffer) or (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0)

    def readable(self, others: list[socket.socket], timeout: float) -> list[socket.socket]:
        """Wait until this or one of the other sockets can be read; return which can."""
        ready = select.select([self.sock, *others], [], [], 0 if self.waiting() else timeout)[0]
        return [self.sock, *(sock for sock in ready if sock is not self.sock)] if self.waiting() else ready

    def close(self) -> None:
        """Close nothing: imaplib closes the socket by itself."""
