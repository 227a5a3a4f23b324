"""Finds synonyms of a query's words: what an item may be called instead, by a small list for shops or a given one."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

from magpie.indexer.text.query_words import Languages, QueryWords, alternatives_of, analyse_query
from magpie.search.query.catalogue_facts import WORD, CatalogueFacts
from magpie.search.query.query_words import fold
from magpie.search.request import Understood

SYNONYM_WEIGHT = 0.7  # of a synonym against the word itself
# what else may be said, by the forms of the words that are said
Synonyms = Mapping[tuple[str, ...], tuple[str, ...]]


@cache
def built_in_groups() -> Mapping[str, Sequence[Sequence[str]]]:
    """By language the groups of words for the same thing that ship with the code, in lower case."""
    groups: dict[str, list[list[str]]] = json.loads(files(__package__).joinpath("synonyms.json").read_text("utf-8"))
    return groups


def by_forms(groups: Iterable[Sequence[str]], stems: Callable[[str], Sequence[str]]) -> Synonyms:
    """The other words of its group, by the forms of each word or phrase."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for group in groups:
        for word in group:
            forms = tuple(stems(word))
            others = tuple(other for other in group if tuple(stems(other)) != forms)
            found[forms] = tuple(dict.fromkeys([*found.get(forms, ()), *others]))
    return found


def find_synonyms(text: str, facts: CatalogueFacts) -> list[Understood]:
    """The words of a text, the longest phrases first, that have synonyms which an item has."""
    words = list(WORD.finditer(fold(text)))
    longest = max(map(len, facts.synonyms), default=0)
    found, at = [], 0
    while at < len(words):
        for end in range(min(len(words), at + longest), at, -1):
            forms = tuple(form for word in words[at:end] for form in facts.stems(word.group()))
            others = tuple(word for word in facts.synonyms.get(forms, ()) if facts.has(word))
            if others:
                found.append(Understood("synonym", text[words[at].start() : words[end - 1].end()], words=others))
                at = end - 1
                break
        at += 1
    return found


def with_synonyms(asked: QueryWords, synonyms: Iterable[Understood], languages: Languages) -> QueryWords:
    """The words with their synonyms as alternatives of less weight; of a phrase every word has them."""
    for one in synonyms:
        named = {word.text for word in analyse_query(one.text, languages).words if not word.is_optional}
        added = [each for other in one.words for each in alternatives_of(other, languages, SYNONYM_WEIGHT)]
        words = [
            replace(word, alternatives=tuple(dict.fromkeys([*word.alternatives, *added])))
            if word.text in named
            else word
            for word in asked.words
        ]
        asked = replace(asked, words=tuple(words))
    return asked
