"""One hit of the page's answer → why it is there: each source's share of its score, as bars."""

from dataclasses import dataclass, replace

from magpie.data.errors import NotFound
from magpie.search.request import SearchRequest
from magpie.web.page.texts import Text
from magpie.web.services import Services

WIDEST = 100.0  # units of the drawing
_SOURCES = ("lexical", "text", "image", "queries", "clicks", "session", "freshness", "not")
_DEEPEST = 100  # at least: exploration may have lifted it from there
_TELLING = 0.005  # of the largest share


@dataclass(frozen=True)
class ScorePart:
    """What one source adds to a hit's score (or takes from it), and the length of its bar."""

    label: str
    value: float
    length: float

    @property
    def is_against(self) -> bool:
        """Whether it speaks against the hit."""
        return self.value < 0


@dataclass(frozen=True)
class Explanation:
    """A hit's place in the answer, of how many, and what speaks for and against it."""

    position: int
    total: int
    parts: list[ScorePart]


def explain_hit(opened: Services, request: SearchRequest, item_id: str, text: Text) -> Explanation:
    """Why the answer to this request holds the item. Raises NotFound where it does not."""
    asked = replace(request, explain=True, facets=False)
    for k in sorted({request.k, max(request.k, _DEEPEST)}):
        result = opened.engine.search(replace(asked, k=k))
        hit = next((hit for hit in result.hits if hit.item_id == item_id), None)
        if hit is not None:
            break
    else:
        raise NotFound(text("why_gone"))
    shares = {name: value for name, value in (hit.explain or {}).items() if name in _SOURCES}
    most = max((abs(value) for value in shares.values()), default=0.0)
    each = [
        ScorePart(text(f"why_{name}"), shares[name], round(WIDEST * abs(shares[name]) / most, 1))
        for name in _SOURCES
        if abs(shares.get(name, 0.0)) > _TELLING * most
    ]
    return Explanation(hit.position, result.total, each)
