"""What the workers of one server have in common, made before they are forked."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from magpie.web.shared.connection_counts import ConnectionCounts
from magpie.web.shared.memory import SharedTexts
from magpie.web.shared.rate_counters import SharedCounters
from magpie.web.shared.uploads import UploadMemory


@dataclass(frozen=True)
class SharedState:
    """What one worker has in common with the others, and its number among them."""

    workers: int
    connections: ConnectionCounts
    counters: SharedCounters
    uploads: UploadMemory
    alarms: SharedTexts
    job_alarms: tuple[SharedTexts, ...]  # of each worker's background
    metrics_folder: Path | None  # of prometheus_client's multiprocess mode; None for one worker
    number: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this worker does what is to be done once: rebuilds, and what people did judged."""
        return self.number == 0

    @classmethod
    def among(cls, workers: int) -> "SharedState":
        """For so many workers."""
        folder = Path(tempfile.mkdtemp(prefix="magpie-metrics-", dir=_memory_folder())) if workers > 1 else None
        jobs = tuple(SharedTexts() for _ in range(workers))
        return cls(workers, ConnectionCounts(workers), SharedCounters(), UploadMemory(), SharedTexts(), jobs, folder)

    def of_worker(self, number: int) -> "SharedState":
        """The same, as one of the workers has it; what one of this number told before it ended is forgotten."""
        self.job_alarms[number].write([])
        return replace(self, number=number)

    def tell_alarms(self, alarms: Sequence[str]) -> None:
        """Tells all workers what goes wrong in this one."""
        self.job_alarms[self.number].write(alarms)

    def alarms_of_others(self) -> list[str]:
        """What goes wrong in the other workers."""
        return [alarm for number, told in enumerate(self.job_alarms) if number != self.number for alarm in told.read()]

    def close(self) -> None:
        """Removes what outlives the processes."""
        if self.metrics_folder:
            shutil.rmtree(self.metrics_folder, ignore_errors=True)


def _memory_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
