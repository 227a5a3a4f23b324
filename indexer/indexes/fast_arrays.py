"""Two numpy operations that every search needs for some hundred rows, two to three times as fast as numpy's own."""

import numpy as np

_SIGN_AND_NUMBER = np.array(0x8FFFE000, np.uint32).view(np.int32)[()]
_REBIAS = np.float32(2.0**112)  # between the exponents' offsets of float16 and float32


def widened(halves: np.ndarray) -> np.ndarray:
    """Finite float16 numbers as float32, exactly, in a third of the time of `astype`: their bits are shifted to the
    places that float32 has them in."""
    bits = halves.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= _SIGN_AND_NUMBER
    numbers = bits.view(np.float32)
    numbers *= _REBIAS
    return numbers


def best_first(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n,) places by float32 score, the largest first, equal ones by ascending row (0 to 2**32).

    The same as `np.lexsort((rows, -scores))`, by one 64-bit key: a float's bits order like an integer's once those of
    negative numbers are inverted.
    """
    bits = (np.float32(0) - scores).view(np.int32)  # a subtraction, so that no zero has a sign
    keys = (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).astype(np.int64)
    keys <<= 32
    keys |= rows
    return keys.argsort()
