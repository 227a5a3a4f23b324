"""How many connections each worker has, and when its loop last turned."""

import mmap
import struct
import time


class ConnectionCounts:
    """How many connections each process has, by which the next goes to the one with the fewest."""

    SILENT_S = 2.5  # a process that has not counted for so long is waited for by nobody
    _ENTRY = struct.Struct("=qd")  # connections, and when they were counted (monotonic, the same in all processes)

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._memory = mmap.mmap(-1, processes * self._ENTRY.size)

    def count(self, number: int, connections: int) -> bool:
        """Notes the connections of this process; whether no other that is alive has fewer."""
        now = time.monotonic()
        self._ENTRY.pack_into(self._memory, number * self._ENTRY.size, connections, now)
        entries = (self._ENTRY.unpack_from(self._memory, n * self._ENTRY.size) for n in range(self._processes))
        return all(connections <= theirs for theirs, counted_at in entries if counted_at > now - self.SILENT_S)

    def forget(self, number: int) -> None:
        """Notes that the process has ended."""
        self._ENTRY.pack_into(self._memory, number * self._ENTRY.size, 0, 0.0)

    def counted_at(self, number: int) -> float:
        """When the process counted last (monotonic), 0 before it serves."""
        return float(self._ENTRY.unpack_from(self._memory, number * self._ENTRY.size)[1])
