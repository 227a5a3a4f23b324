"""A visitor on the start page → rows of cards: what goes with what they looked at, and what is popular now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from magpie.data.aggregates.recent_choices import read_visits
from magpie.search.request import Hit
from magpie.web.api.answer_search import answer_recommendation
from magpie.web.api.search_requests import RecommendQuery
from magpie.web.page.cards import Card, card_of
from magpie.web.page.texts import Text
from magpie.web.services import Services

CARDS = 12
FEWEST = 4  # cards that make a row
FEWEST_PEOPLE = 2


@dataclass(frozen=True)
class Strip:
    """One row of cards under a heading, with the logged search that they are the answer to."""

    title: str
    query_id: str
    cards: list[Card]


def strips_for(opened: Services, visit: str, private: bool, text: Text) -> list[Strip]:
    """The rows for which there is something to say. Raises NoIndex."""
    strips = [_because(opened, visit, text) if visit and not private else None, _popular(opened, private, text)]
    return [strip for strip in strips if strip is not None and len(strip.cards) >= FEWEST]


def _because(opened: Services, visit: str, text: Text) -> Strip | None:
    """What goes with the item that was looked at last."""
    visits = read_visits(opened.database, visit, "")
    items = opened.catalogue.get_many([visits[0].id]) if visits else {}
    if not items:
        return None
    item = items[visits[0].id]
    asked = RecommendQuery.model_validate({"item": item.item_id, "session_id": visit, "k": CARDS})
    result = answer_recommendation(opened, asked, private=False)
    return _strip(text("because", title=item.title or item.item_id), result.query_id, result.hits)


def _popular(opened: Services, private: bool, text: Text) -> Strip | None:
    """What the most people chose lately, once that is counted; what only one chose is shown to nobody else."""
    popularity = opened.engine.popularity
    if not popularity.is_counted or len(popularity.rates) < FEWEST:
        return None
    counts = popularity.counts
    result = answer_recommendation(opened, RecommendQuery.model_validate({"k": 4 * CARDS}), private)
    hits = [hit for hit in result.hits if hit.item_id in counts and counts[hit.item_id].people >= FEWEST_PEOPLE]
    placed = [replace(hit, position=place) for place, hit in enumerate(hits[:CARDS], start=1)]
    return _strip(text("popular"), result.query_id, placed)


def _strip(title: str, query_id: str, hits: Sequence[Hit]) -> Strip:
    return Strip(title, query_id, [card_of(hit) for hit in hits])
