"""Parses the JSON that requests bring, in bodies, in fields of forms and in lines, within the same bounds."""

from typing import Any

from pydantic_core import from_json

from magpie.data.catalogue.items import MAX_NUMBER
from magpie.data.errors import BadInput, TooLarge, brief

MAX_JSON_DEPTH = 32  # lists and objects within each other


def parse_json(text: bytes | str, most_bytes: int, name: str = "The body") -> Any:
    """The value of a JSON text (RFC 8259: no NaN, no Infinity, no lone half of a character).

    Raises TooLarge beyond `most_bytes`, and BadInput, with `name`, for what is no JSON, for more than MAX_JSON_DEPTH
    lists and objects within each other, and for numbers that no float of 64 bits holds.
    """
    if len(text) > most_bytes:
        raise TooLarge(f"{name}: has {len(text):,} bytes, at most {most_bytes:,} are taken; send less at once")
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise BadInput(f"{name}: must be JSON ({error})") from error
    _check(value, name)
    return value


def _check(value: Any, name: str) -> None:
    level = [value]
    for _ in range(MAX_JSON_DEPTH + 1):
        deeper: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                deeper.extend(one.values())
            elif isinstance(one, list):
                deeper.extend(one)
            elif isinstance(one, int | float) and not -MAX_NUMBER <= one <= MAX_NUMBER:
                raise BadInput(f"{name}: {brief(one)} is a number beyond {MAX_NUMBER:.1e}")
        if not deeper:
            return
        level = deeper
    raise BadInput(f"{name}: more than {MAX_JSON_DEPTH} lists and objects stand within each other")
