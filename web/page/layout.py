"""A browser's headers → the layout in which the page shows its cards there, for the log: people look differently."""

from werkzeug.datastructures import Headers

GRID, PHONE_GRID = "grid", "phone grid"


def is_phone(headers: Headers) -> bool:
    """Whether the page is narrow there: as the browser's client hint says, else as its name lets one expect."""
    hint = headers.get("Sec-CH-UA-Mobile")
    return hint == "?1" if hint else "Mobi" in headers.get("User-Agent", "")
