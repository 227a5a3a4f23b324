"""Draws items from the catalogue, and makes of their texts queries whose answers are known, without anybody's labels.

Each kind of query asks for something else of the search: a title's own words are found by words alone; a word that is
withheld from the lexical index stands for what the catalogue calls otherwise; company words stand for "I am looking
for"; a description's words are looked for in items without their descriptions.
"""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from magpie.indexer.text.item_text import ItemText, split_sentences
from magpie.indexer.text.languages import stop_words, word_frequencies
from magpie.indexer.text.lexicon import load_lexicon, normalise

Drawn = TypeVar("Drawn")
SAMPLE = 2_000
_EACH = 100  # queries of a kind
_TITLE_WORDS = (2, 6)
_DESCRIPTION_WORDS = (2, 6)
_COMPANY_WORDS = (1, 4)
_USUAL_WORDS = 3_000  # of the language, from which company words come
_ABSENT = 240
_TOO_USUAL, _RARE = 1_000, 20_000  # ranks of words in their language between which they name things
_TRIED = 2_000
_SHORT = 3  # letters
_WORD = re.compile(r"[^\s,;:.!?()\[\]\"]+")


@dataclass(frozen=True)
class SampledQuery:
    """A query of one `kind`. `relevant` are places in the sample; words in `withheld` are unknown to the lexical index.

    Where `is_description_hidden`, items are looked for as if they had no descriptions.
    """

    kind: str
    text: str
    relevant: tuple[int, ...]
    withheld: str = ""
    is_description_hidden: bool = False


@dataclass
class ItemSampler:
    """Draws items with words one by one (reservoir sampling, Vitter 1985, algorithm R); seeded."""

    rows: list[int] = field(default_factory=list)
    texts: list[ItemText] = field(default_factory=list)
    _seen: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(20_261_129))

    def add(self, row: int, text: ItemText) -> None:
        """Considers one item."""
        if not text.segments():
            return
        self._seen += 1
        if len(self.rows) < SAMPLE:
            self.rows.append(row)
            self.texts.append(text)
        elif (place := self._random.randrange(self._seen)) < SAMPLE:
            self.rows[place], self.texts[place] = row, text


def sample_queries(texts: Sequence[ItemText], language: str, known: Callable[[str], bool]) -> list[SampledQuery]:
    """Queries of all kinds that the texts allow, at most a hundred each; the same for the same texts.

    `known` says whether the catalogue has a word.
    """
    chance = random.Random(len(texts))
    plain = [
        *_of_titles(texts, chance),
        *_of_attributes(texts, chance),
        *_of_descriptions(texts, chance, stop_words(language)),
    ]
    withheld = [one for query in plain if (one := _withhold(query, chance, stop_words(language)))]
    company = [word for word in _usual_words(language) if not known(word)]
    accompanied = [_accompany(query, company, chance) for query in plain] if company else []
    return [
        *plain,
        *_some(withheld, chance),
        *_some(accompanied, chance),
        *_of_synonyms(texts, chance, known),
    ]


def absent_queries(texts: Sequence[ItemText], language: str, known: Callable[[str], bool]) -> list[SampledQuery]:
    """Queries for what the catalogue lacks: usual words of the language that it does not have, alone, after another
    one, and after a value of an item; none in a language without a list."""
    chance = random.Random(len(texts))
    frequencies = word_frequencies(language)
    usual = sorted(frequencies, key=lambda word: (-frequencies[word], word))[_TOO_USUAL:_RARE]
    tried = chance.sample(usual, min(len(usual), _TRIED))
    lacking = [word for word in tried if word.isalpha() and len(word) > _SHORT and not known(word)]
    values = sorted({value for text in texts for value in text.values})
    queries = []
    for place in range(_ABSENT if lacking else 0):
        before = ["", chance.choice(lacking), chance.choice(values) if values else ""][place % 3]
        queries.append(SampledQuery("absent", f"{before} {chance.choice(lacking)}".strip(), ()))
    return queries


def _some(several: Sequence[Drawn], chance: random.Random) -> list[Drawn]:
    return chance.sample(several, min(_EACH, len(several)))


def _window(words: Sequence[str], bounds: tuple[int, int], chance: random.Random) -> str:
    """Some neighbouring words."""
    count = min(len(words), chance.randint(*bounds))
    start = chance.randrange(len(words) - count + 1)
    return " ".join(words[start : start + count])


def _of_titles(texts: Sequence[ItemText], chance: random.Random) -> Iterable[SampledQuery]:
    same = defaultdict(list)
    for place, text in enumerate(texts):
        same[text.title.casefold()].append(place)
    for place in _some([p for p, text in enumerate(texts) if _WORD.search(text.title)], chance):
        title = texts[place].title
        yield SampledQuery("title", _window(_WORD.findall(title), _TITLE_WORDS, chance), tuple(same[title.casefold()]))


def _of_attributes(texts: Sequence[ItemText], chance: random.Random) -> Iterable[SampledQuery]:
    having = _places_by_value(texts)
    for place in _some([p for p, text in enumerate(texts) if len(text.values) > 1], chance):
        one, other = chance.sample(texts[place].values, 2)
        both = having[one.casefold()] & having[other.casefold()]
        yield SampledQuery("attributes", f"{one} {other}", tuple(sorted(both)))


def _places_by_value(texts: Sequence[ItemText]) -> Mapping[str, set[int]]:
    having: dict[str, set[int]] = defaultdict(set)
    for place, text in enumerate(texts):
        for value in text.values:
            having[value.casefold()].add(place)
    return having


def _of_descriptions(texts: Sequence[ItemText], chance: random.Random, stop: frozenset[str]) -> Iterable[SampledQuery]:
    sentences = {
        place: [words for sentence in split_sentences(text.description) if len(words := _content(sentence, stop)) > 1]
        for place, text in enumerate(texts)
    }
    for place in _some([place for place, found in sentences.items() if found], chance):
        some = _window(chance.choice(sentences[place]), _DESCRIPTION_WORDS, chance)
        yield SampledQuery("description", some, (place,), is_description_hidden=True)


def _content(text: str, stop: frozenset[str]) -> list[str]:
    return [word for word in _WORD.findall(text) if word.casefold() not in stop]


def _withhold(query: SampledQuery, chance: random.Random, stop: frozenset[str]) -> SampledQuery | None:
    """The query with one of its words withheld; None for a single word, and where the description is hidden anyway."""
    words = _content(query.text, stop)
    if query.is_description_hidden or len(words) < 2:
        return None
    return SampledQuery("withheld", query.text, query.relevant, chance.choice(words))


def _accompany(query: SampledQuery, company: Sequence[str], chance: random.Random) -> SampledQuery:
    """The query with words before and after it that say nothing of what is looked for."""
    words = chance.sample(company, min(len(company), chance.randint(*_COMPANY_WORDS)))
    place = chance.randint(0, len(words))
    text = " ".join([*words[:place], query.text, *words[place:]])
    return SampledQuery("company", text, query.relevant, is_description_hidden=query.is_description_hidden)


def _usual_words(language: str) -> list[str]:
    """The usual words of a language without its function words, the most usual first."""
    frequencies = word_frequencies(language)
    usual = sorted(frequencies, key=lambda word: (-frequencies[word], word))[:_USUAL_WORDS]
    return [word for word in usual if word.isalpha() and word not in stop_words(language)]


def _of_synonyms(
    texts: Sequence[ItemText], chance: random.Random, known: Callable[[str], bool]
) -> Iterable[SampledQuery]:
    """What people call a value otherwise, with another value of the same item."""
    having, synonyms = _places_by_value(texts), _synonyms_of_values(texts, known)
    meant: dict[int, set[int]] = defaultdict(set)  # places by the number of a meaning
    for value, (meaning, _) in synonyms.items():
        meant[meaning] |= having[value]
    found = [
        (value, [other for other in text.values if other != value], *synonyms[value.casefold()])
        for text in texts
        for value in text.values
        if value.casefold() in synonyms
    ]
    for _, others, meaning, words in _some([one for one in found if one[3]], chance):
        other = chance.choice(others) if others else ""
        relevant = meant[meaning] & having[other.casefold()] if other else meant[meaning]
        yield SampledQuery("synonyms", f"{other} {chance.choice(words)}".strip(), tuple(sorted(relevant)))


def _synonyms_of_values(
    texts: Sequence[ItemText], known: Callable[[str], bool]
) -> Mapping[str, tuple[int, Sequence[str]]]:
    """For each value that the lexicon has, in lower case: the number of its meaning, and words for it that the
    catalogue lacks altogether."""
    entries = [entry for by_value in load_lexicon().entries.values() for entry in by_value.items()]
    meanings = {entry: number for number, entry in enumerate(dict.fromkeys(entry for _, entry in entries))}
    by_value, found = dict(entries), {}
    unknown: dict[int, list[str]] = {}
    for value in dict.fromkeys(value.casefold() for text in texts for value in text.values):
        entry = by_value.get(normalise(value))
        if entry:
            meaning = meanings[entry]
            if meaning not in unknown:
                unknown[meaning] = [word for word in entry.words if not any(map(known, word.split()))]
            found[value] = meaning, unknown[meaning]
    return found
