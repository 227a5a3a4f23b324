"""What is suggested to nobody: searches with offensive words, and anything that holds a phrase the owner blocked."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from sqlalchemy import delete, insert, select

from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.database.tables import blocked_phrases
from magpie.data.errors import BadInput, NotFound

OFFENSIVE = Path(__file__).with_name("offensive_words.txt")
LONGEST = 200  # characters
_SPACELESS = re.compile("[\u0e00-\u0e7f\u2e80-\u9fff\uf900-\ufaff]")  # Thai, and the scripts of Chinese and Japanese
MOST = 10_000


def normalise_phrase(text: str) -> str:
    """Its words in lower case without accents and signs, one space between them."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(re.findall(r"\w+", "".join(one for one in plain if not unicodedata.combining(one))))


def block_phrases(database: Database, phrases: Iterable[str]) -> list[str]:
    """The phrases as they are blocked from now on, without those that were. Raises BadInput for what has no words."""
    wanted = [_checked(phrase) for phrase in phrases]
    with database.writing(durable=True) as connection:
        known = set(connection.execute(select(blocked_phrases.c.phrase)).scalars())
        new = [phrase for phrase in dict.fromkeys(wanted) if phrase not in known]
        if len(known) + len(new) > MOST:
            raise BadInput(f"More than {MOST:,} phrases would be blocked; unblock some")
        if new:
            stamp = now_ms()
            connection.execute(insert(blocked_phrases), [{"phrase": phrase, "created_at": stamp} for phrase in new])
    return new


def unblock_phrases(database: Database, phrases: Iterable[str]) -> list[str]:
    """The phrases that are blocked no longer. Raises NotFound for one that was not, and then changes nothing."""
    wanted = list(dict.fromkeys(_checked(phrase) for phrase in phrases))
    with database.writing(durable=True) as connection:
        for phrase in wanted:
            if not connection.execute(delete(blocked_phrases).where(blocked_phrases.c.phrase == phrase)).rowcount:
                raise NotFound(f"{phrase!r} is not blocked; `magpie suggestions list` shows what is")
    return wanted


def read_blocked_phrases(database: Database) -> list[str]:
    """The owner's blocked phrases, normalised, in alphabetical order."""
    with database.reading() as connection:
        return list(connection.execute(select(blocked_phrases.c.phrase).order_by(blocked_phrases.c.phrase)).scalars())


def is_offensive(text: str) -> bool:
    """Whether it holds one of the offensive words that nobody is shown as what others search."""
    return holds_phrase(text, offensive_words())


@cache
def offensive_words() -> tuple[str, ...]:
    """The words of the list that Magpie brings along, normalised."""
    lines = OFFENSIVE.read_text(encoding="utf-8").splitlines()
    return tuple(sorted({normalise_phrase(line) for line in lines if line and not line.startswith("#")}))


def holds_phrase(text: str, phrases: Sequence[str]) -> bool:
    """Whether the text holds a normalised phrase: whole words, or any part of it in scripts that write no spaces."""
    if not phrases:
        return False
    text = normalise_phrase(text)
    padded = f" {text} "
    return any(phrase in text if _has_no_spaces(phrase) else f" {phrase} " in padded for phrase in phrases)


def _has_no_spaces(phrase: str) -> bool:
    return bool(_SPACELESS.search(phrase))


def _checked(phrase: str) -> str:
    normalised = normalise_phrase(phrase)
    if not normalised or len(normalised) > LONGEST:
        raise BadInput(f"{phrase[:60]!r}: give one to {LONGEST} characters of words to block")
    return normalised
