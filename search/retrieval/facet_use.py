"""Judges which facets are worth having: those that split the matching items into few groups that people can read.

Numbers that only count, codes, addresses, sentences and constants help nobody choose.
"""

import math
import re
from collections.abc import Mapping, Sequence

from magpie.search.request import FacetValue, Range

# a facet of fewer of the items says nothing of the others
LEAST_COVERAGE = 0.02
MOST_CHARS = 40  # of a value, on average; longer ones are sentences
# more bits than a choice among eight equal values make a facet no better: people read the first few
MOST_BITS = 3.0
_CODE = re.compile(
    r"(?i:(.*[\s_.-])?(id|ids|sku|skus|gtin|ean|ean13|upc|isbn|isbn13|mpn|barcode|asin|uuid|guid|code|url|uri|link|slug|"
    r"handle|hash|index|number|no|nr|unnamed|column)([\s_.-]?\d+)?)|.*[a-z](Id|ID|Url|URL|Code|Number)"
)
_MARKED = re.compile(
    r"https?://|www\.|</?[a-z][^>]*>|\.(jpe?g|png|webp|gif|pdf)$|^[\[{].*[\]}]$", re.IGNORECASE | re.DOTALL
)


def facet_use(name: str, values: Sequence[FacetValue], num_items: int) -> float:
    """How much a facet of these values helps among so many items, 0 (not at all) to 1.

    The share of the items that have it, times the entropy of its values in bits (Shannon 1948), cut at MOST_BITS.
    """
    total = sum(value.count for value in values)
    if len(values) < 2 or not total or not num_items:
        return 0.0
    coverage = min(1.0, total / num_items)
    per_value = total / len(values)
    if coverage < LEAST_COVERAGE or (is_code(name) and per_value < 10) or (per_value < 1.5 and len(values) > 10):
        return 0.0
    shown = values[:30]
    if sum(len(value.value) for value in shown) > MOST_CHARS * len(shown):
        return 0.0
    if 2 * sum(bool(_MARKED.search(value.value)) for value in shown) >= len(shown):
        return 0.0
    shares = [value.count / total for value in values if value.count]
    entropy = -sum(share * math.log2(share) for share in shares)
    return coverage * min(entropy, MOST_BITS) / MOST_BITS


def range_use(name: str, span: Range, num_items: int) -> float:
    """How much a range of numbers or dates helps: the share of the items that have one; 0 for codes and constants."""
    if is_code(name) or span.minimum == span.maximum:
        return 0.0
    return min(1.0, sum(span.spread.counts) / max(1, num_items))


def is_code(name: str) -> bool:
    """Whether a field's name says that its values name things rather than describe them."""
    return bool(_CODE.fullmatch(name.strip()))


def useful_fields(facets: Mapping[str, Sequence[FacetValue]], num_items: int) -> list[str]:
    """The facets worth having, the most useful first."""
    use = {name: facet_use(name, values, num_items) for name, values in facets.items()}
    return sorted((name for name in use if use[name] > 0), key=lambda name: (-use[name], name))
