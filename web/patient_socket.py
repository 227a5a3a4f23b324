"""A connection's socket that never makes a thread wait: what cannot be sent at once is kept for later."""

import socket
from typing import Any

_HEAD = b"HTTP/"
_TOGETHER_BYTES = 65_536  # a larger body is not copied to be sent with its head


class PatientSocket(socket.socket):
    """Always without blocking, whatever is asked of it. `unsent` is what the client has not taken yet."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        super().setblocking(False)
        self.unsent = bytearray()

    def setblocking(self, flag: bool) -> None:
        """Does nothing: those who work with a socket ask for this."""

    def settimeout(self, value: float | None) -> None:
        """Does nothing, likewise."""

    def receive(self, size: int) -> bytes | None:
        """What has come, b"" at the end, None while there is nothing."""
        try:
            return super().recv(size)
        except (BlockingIOError, InterruptedError):
            return None

    def recv(self, size: int, *_: Any) -> bytes:
        """What has come; where nothing has, as if the client had gone: a request is read when all of it is there."""
        return self.receive(size) or b""

    def send(self, data: Any, flags: int = 0) -> int:
        """Sends nothing: gunicorn asks for this only to say "100 Continue" before a body, which has come by then."""
        return len(data)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Sends what goes out at once, and keeps the rest in its order. An answer's head is kept until its body comes
        or `flush` is called: a client woken for the head alone only sleeps again."""
        if not self.unsent and data[: len(_HEAD)] == _HEAD:
            self.unsent += data
            return
        if len(data) <= _TOGETHER_BYTES:
            self.unsent += data
            self.flush()
            return
        self.flush()
        if not self.unsent:
            data = memoryview(data)[self._send(data, flags) :]
        self.unsent += data

    def flush(self) -> None:
        """Sends what goes out at once of what was kept."""
        if self.unsent:
            del self.unsent[: self._send(self.unsent, 0)]

    def send_more(self, most: int) -> int:
        """Sends some of what was kept; how many bytes went."""
        sent = self._send(self.unsent[:most], 0)
        del self.unsent[:sent]
        return sent

    def _send(self, data: Any, flags: int) -> int:
        try:
            return super().send(data, flags)
        except (BlockingIOError, InterruptedError):
            return 0
