"""An item's address as it was sent → where its id ends: an encoded slash is part of the id, a plain one is not."""

from urllib.parse import quote, unquote

from flask import request


def is_part_of_the_id(ending: str) -> bool:
    """Whether what the router took for the end of the address was sent as a part of the id: `x%2Fsimilar`.

    WSGI hands on the path decoded; the address as it came is beside it, unless a proxy decoded it first.
    """
    sent = str(request.environ.get("REQUEST_URI") or "").partition("?")[0]
    ends_so = unquote(sent).endswith(ending)
    return ends_so and not sent.endswith(ending) and sent.lower().endswith(quote(ending, safe="").lower())
