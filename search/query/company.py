"""Finds the company of a query's words that says nothing about the thing: "I am looking for a", "please"."""

import re
from functools import cache

from magpie.search.query.catalogue_facts import WORD, CatalogueFacts
from magpie.search.query.query_words import READ, any_of, query_words
from magpie.search.query.spans import Span


def find_company(text: str, facts: CatalogueFacts) -> list[Span]:
    """What a folded query asks with, before and after the thing; none where a title has it beside the thing."""
    found = []
    before, after = _before().match(text), _after().search(text)
    if before and WORD.search(text, before.end()) and not facts.says(before.group("asked"), text, before.end("asked")):
        found.append(Span("asking", *before.span()))
    start = found[0].end if found else 0
    if after and after.start() >= start and WORD.search(text[start : after.start()]):
        found.append(Span("asking", *after.span()))
    return found


@cache
def _before() -> re.Pattern[str]:
    words = query_words()["asking"]
    greeting = rf"(?:{any_of(words['greeting'])}[\s,!.]+)?"
    return re.compile(
        rf"[\s{READ}]*{greeting}(?P<asked>{any_of(words['before'])})[\s,:]*(?:{any_of(words['articles'])}(?=\s|[^\x00-\xff]))?"
    )


@cache
def _after() -> re.Pattern[str]:
    words = query_words()["asking"]
    return re.compile(rf"[\s,]*{any_of(words['after'])}[\s.!?,{READ}]*$")
