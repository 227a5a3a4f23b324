"""Heavy work in the background steps aside: a process that calls this gets what those that answer people leave over."""

import os

_LOWEST = 19


def lower_priority() -> None:
    """Gives this thread, and the threads and processes that it starts, the lowest priority for processor and disk.

    Linux takes the priority at the disk from that at the processor, where none was set apart (ioprio_set(2)). On an
    idle machine the work is as quick as before.
    """
    os.nice(_LOWEST)
