"""Every address of Magpie's own that answers, pages and redirects contain, below the path at which it is mounted."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from flask import has_request_context, request

HASH_CHARS = 16  # of a picture's content hash, which its address names


def address_of(path: str) -> str:
    """The address of a path such as "/me", as this request's client has to write it.

    Below a mount point (WSGI's SCRIPT_NAME) that stands before the path; outside a request there is none.
    """
    return f"{request.script_root}{path}" if has_request_context() else path


def search_url(parameters: Sequence[tuple[str, str]] = ()) -> str:
    """The search page with these parameters."""
    return address_of(f"/?{urlencode(parameters)}" if parameters else "/")


def values_url(parameters: Sequence[tuple[str, str]]) -> str:
    """The page of all values of a field."""
    return address_of(f"/values?{urlencode(parameters)}")


def item_url(item_id: str) -> str:
    """The page of one item."""
    return address_of("/item?" + urlencode({"id": item_id}))


def picture_url(item_id: str, content_hash: str, position: int = 1) -> str:
    """An item's picture, the first or the one at `position`; `&w=320` makes it a thumbnail.

    Ids travel as a parameter, since "..", "/" and "" have a meaning in paths.
    """
    number = f"&n={position}" if position > 1 else ""
    return address_of(f"/pictures?item={quote(item_id, safe='')}{number}&v={content_hash[:HASH_CHARS]}")


def upload_url(name: str) -> str:
    """The kept picture that somebody searches with."""
    return address_of(f"/uploads/{quote(name, safe='')}")


def insights_url(days: str) -> str:
    """The insights page for a period."""
    return address_of(f"/insights?{urlencode({'days': days})}")


def insights_csv_url(table: str, parameters: Mapping[str, str]) -> str:
    """One table of the insights page as a CSV file."""
    return address_of(f"/insights/{table}.csv?{urlencode(parameters)}")


def insights_plot_url(plot: str, days: str) -> str:
    """One plot of the insights page; `&theme=dark` and `&size=narrow` vary it."""
    return address_of(f"/insights/plots/{plot}.svg?{urlencode({'days': days})}")
