"""The rows of recommendations on the start page: items that go with the last one looked at, and popular items."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from magpie.data.aggregates.recent_choices import read_recent_choices
from magpie.search.request import Hit
from magpie.web.api.answer_search import answer_recommendation
from magpie.web.api.search_requests import RecommendQuery
from magpie.web.page.cards import Card, card_of
from magpie.web.page.texts import Text
from magpie.web.services import Services

CARDS = 12
FEWEST = 4  # cards in the shortest row
FEWEST_PEOPLE = 2


@dataclass(frozen=True)
class CardRow:
    """One row of cards under a heading; `query_id` names the logged recommendation that they are part of."""

    title: str
    query_id: str
    cards: list[Card]


def rows_for(opened: Services, session_id: str, private: bool, text: Text) -> list[CardRow]:
    """The rows that have enough cards. Raises NoIndex."""
    rows = [_because(opened, session_id, text) if session_id and not private else None, _popular(opened, private, text)]
    return [row for row in rows if row is not None and len(row.cards) >= FEWEST]


def _because(opened: Services, session_id: str, text: Text) -> CardRow | None:
    """Items that go with the one looked at last in this session; None without one."""
    choices = read_recent_choices(opened.database, session_id, "")
    items = opened.catalogue.get_many([choices[0].id]) if choices else {}
    if not items:
        return None
    item = items[choices[0].id]
    asked = RecommendQuery.model_validate({"item": item.item_id, "session_id": session_id, "k": CARDS})
    result = answer_recommendation(opened, asked, private=False)
    return _row(text("because", title=item.title or item.item_id), result.query_id, result.hits)


def _popular(opened: Services, private: bool, text: Text) -> CardRow | None:
    """The items that most people chose lately, at least two each; None until popularity is counted."""
    popularity = opened.engine.popularity
    if not popularity.is_counted or len(popularity.rates) < FEWEST:
        return None
    counts = popularity.counts
    result = answer_recommendation(opened, RecommendQuery.model_validate({"k": 4 * CARDS}), private)
    hits = [hit for hit in result.hits if hit.item_id in counts and counts[hit.item_id].people >= FEWEST_PEOPLE]
    placed = [replace(hit, position=place) for place, hit in enumerate(hits[:CARDS], start=1)]
    return _row(text("popular"), result.query_id, placed)


def _row(title: str, query_id: str, hits: Sequence[Hit]) -> CardRow:
    return CardRow(title, query_id, [card_of(hit) for hit in hits])
