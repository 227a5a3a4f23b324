"""The layout of the page's cards in a browser, for the log: position bias differs between layouts."""

from werkzeug.datastructures import Headers

GRID, PHONE_GRID = "grid", "phone grid"


def is_phone(headers: Headers) -> bool:
    """Whether the browser is a phone's, by its client hint Sec-CH-UA-Mobile, else by its User-Agent."""
    hint = headers.get("Sec-CH-UA-Mobile")
    return hint == "?1" if hint else "Mobi" in headers.get("User-Agent", "")
