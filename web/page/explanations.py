"""Explains one hit of the page's results: the contribution of each source to its score, as bars."""

from dataclasses import dataclass, replace

from magpie.data.errors import NotFound
from magpie.search.request import SearchRequest
from magpie.web.page.texts import Text
from magpie.web.services import Services

WIDEST = 100.0  # units of the drawing
_SOURCES = ("lexical", "text", "image", "queries", "clicks", "session", "freshness", "price", "not")
_DEEPEST = 100  # hits are looked for at least so deep: exploration may have lifted one from there
_TELLING = 0.005  # of the largest share


@dataclass(frozen=True)
class ScorePart:
    """The contribution of one source to a hit's score, and the length of its bar."""

    label: str
    value: float
    length: float

    @property
    def is_against(self) -> bool:
        """Whether it lowers the score."""
        return self.value < 0


@dataclass(frozen=True)
class Explanation:
    """A hit's position among `total` results, and the parts of its score."""

    position: int
    total: int
    parts: list[ScorePart]


def explain_hit(opened: Services, request: SearchRequest, item_id: str, text: Text) -> Explanation:
    """The explanation of this item among the results of this request. Raises NotFound if it is not among them."""
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
