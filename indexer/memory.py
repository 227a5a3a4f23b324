"""Memory that was freed → the system, which Python's and the C library's allocators would rather keep for later."""

import ctypes
import sys


def give_back_freed() -> None:
    """Does nothing where the C library is not GNU's (malloc_trim(3)). Worth it after work that made many small things:
    they lie between others that stay; and after ONNX Runtime opened a graph."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
