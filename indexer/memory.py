"""Gives memory that was freed back to the system, which the allocators would rather keep for later."""

import ctypes
import sys


def give_back_freed() -> None:
    """Releases freed memory, by malloc_trim(3); does nothing where the C library is not GNU's.

    Worth it after work that made many small objects, which lie between others that stay, and after ONNX Runtime has
    opened a graph.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
