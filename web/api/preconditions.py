"""Makes a check of an item's stored version from If-Match and If-None-Match (RFC 9110, 13.1)."""

from werkzeug.http import parse_etags

from magpie.data.catalogue.upsert import UpsertWatch
from magpie.data.errors import PreconditionFailed


def watch_preconditions(if_match: str | None, if_none_match: str | None = None) -> UpsertWatch:
    """Refuses the write with PreconditionFailed where the item is not in the state that the headers name."""
    must, must_not = parse_etags(if_match), parse_etags(if_none_match)

    def check(item_id: str, version: str | None) -> None:
        # RFC 9110: If-Match compares strongly, If-None-Match weakly; a header that is not there takes everything
        if if_match is not None and not (version and (must.star_tag or must.is_strong(version))):
            now = f"it is now in version {version}" if version else "there is no such item"
            raise PreconditionFailed(f"{item_id}: If-Match names another version; {now}. Read it again, then repeat.")
        if version and must_not.contains_weak(version):
            raise PreconditionFailed(f"{item_id}: If-None-Match excludes its version {version}; nothing was written.")

    return UpsertWatch(check=check)
