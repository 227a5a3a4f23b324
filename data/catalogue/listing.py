"""The cursor of a listing of all items by number: where it stands, and which listed items were deleted since."""

import re
from dataclasses import dataclass

from magpie.data.errors import BadInput, brief

MAX_GONE = 500  # numbers in a cursor, which must fit into an address; `CURSOR` counts them too
CURSOR = r"^([0-9a-f]{1,15})\.([0-9a-f]{1,15})\.((?:[0-9a-f]{1,15}(?:-[0-9a-f]{1,15}){0,499})?)$"


@dataclass(frozen=True)
class Cursor:
    """A place in a listing: all up to number (`items.id`) `after_id` is listed, as of the catalogue's `revision`.

    `gone` are the numbers of items that were listed and deleted afterwards: an item that is put again under the same id
    gets a new number, and would come twice.
    """

    after_id: int
    revision: int
    gone: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.after_id:x}.{self.revision:x}.{'-'.join(f'{id_:x}' for id_ in self.gone)}"


def parse_cursor(text: str) -> Cursor:
    """The cursor that was written as this text. Raises BadInput."""
    found = re.fullmatch(CURSOR, text)
    if not found or text.endswith("\n"):
        raise BadInput(f"cursor: {brief(text)} is none; give the next_cursor of the page before, or none for the first")
    return Cursor(int(found[1], 16), int(found[2], 16), tuple(int(id_, 16) for id_ in found[3].split("-") if id_))
