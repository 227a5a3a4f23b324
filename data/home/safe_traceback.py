"""An unexpected error → where it happened and of what kind it is, for the log, without what people typed.

Messages of errors often repeat the value at fault, which may be words or a secret; places in the code cannot be.
"""

import traceback


def safe_traceback(error: BaseException) -> str:
    """The traceback of the error, and of those that led to it, first cause first, with kinds instead of messages."""
    parts, seen = [], set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        kind = type(one)
        parts.append("".join(traceback.format_tb(one.__traceback__)) + f"{kind.__module__}.{kind.__qualname__}")
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return "\nwhich led to\n".join(reversed(parts))
