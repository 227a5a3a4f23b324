"""Formats an unexpected error for the log: where it happened and of what type it is, without its message.

Messages often repeat the value at fault, which may be a query or a secret.
"""

import traceback


def safe_traceback(error: BaseException) -> str:
    """The traceback of the error, and of those that led to it, first cause first, with types instead of messages."""
    parts, seen = [], set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        kind = type(one)
        parts.append("".join(traceback.format_tb(one.__traceback__)) + f"{kind.__module__}.{kind.__qualname__}")
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return "\nwhich led to\n".join(reversed(parts))
