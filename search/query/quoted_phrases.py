"""Finds quoted phrases, which items must have word by word."""

import re

from magpie.search.query.spans import Span

# a quote after a digit is an inch; one that does not close is nothing
_QUOTED = re.compile(
    r"(?P<minus>(?<![\w-])-)?(?<!\w)(?:\"(?P<a>[^\"]*\w[^\"]*)\"|“(?P<b>[^”“]*\w[^”“]*)”|„(?P<c>[^“”„]*\w[^“”„]*)[“”]"
    r"|«(?P<d>[^»«]*\w[^»«]*)»|「(?P<e>[^」「]*\w[^」「]*)」)(?!\w)"
)


def find_phrases(text: str) -> list[Span]:
    """The quoted phrases of a folded query; one after a minus is excluded."""
    found = []
    for match in _QUOTED.finditer(text):
        inner = next(match.span(name) for name in "abcde" if match.group(name) is not None)
        kind = "exclusion" if match.group("minus") else "phrase"
        found.append(Span(kind, *match.span(), inner=(inner,)))
    return found
