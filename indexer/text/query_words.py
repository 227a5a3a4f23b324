"""Turns the words of a query into what the lexical index looks up: words with alternatives, and phrases."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise

from magpie.indexer.text.analysis import (
    HEAD_WEIGHT,
    MODIFIER_WEIGHT,
    PIECE_WEIGHT,
    analyse_token,
    code_pieces,
    dimensions_of,
    is_run_of_signs,
    measure_of,
    parts_of,
    signs_of,
)
from magpie.indexer.text.compounds import Compounds
from magpie.indexer.text.languages import DEFAULT, stem, stop_words
from magpie.indexer.text.tokens import split_tokens, strip_marks

STOP_WORD_WEIGHT = 0.1
_NUMBER_WEIGHT = 0.5  # "80" for "80 cm"
_SIGN_WEIGHT = 0.3  # "灯" for "台灯", where no item has the pair
_MOST_WORDS = 32
_SHORTEST_SPLIT = 5


@dataclass(frozen=True)
class Alternative:
    """One way in which an item can have a word: a term, or several that stand side by side in this order."""

    terms: tuple[str, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class QueryWord:
    """A word of a query: as typed, and the alternatives, any of which an item may have; the best of them counts.

    `fallbacks` are alternatives that count where no item has any of the others. `weight` multiplies the word's inverse
    document frequency. What has only optional words does not match. A word with `is_prefix` may go on.
    """

    text: str
    alternatives: tuple[Alternative, ...]
    fallbacks: tuple[Alternative, ...] = ()
    weight: float = 1.0
    is_optional: bool = False
    is_prefix: bool = False


@dataclass(frozen=True)
class Phrase:
    """Words that stand side by side in this order: as typed, and as sequences of terms, one of which must be there."""

    text: str
    sequences: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class QueryWords:
    """What the words of a query ask of the lexical index.

    Items that have any of `words` that is not optional match, unless they lack one of the `phrases` or have one of the
    `excluded` ones. Without words, all items with the phrases match.
    """

    words: tuple[QueryWord, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    excluded: tuple[Phrase, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words or self.phrases)

    def with_phrases(self, phrases: Sequence[Phrase] = (), excluded: Sequence[Phrase] = ()) -> "QueryWords":
        """The same words with these phrases needed and excluded besides."""
        return replace(self, phrases=(*self.phrases, *phrases), excluded=(*self.excluded, *excluded))


NO_WORDS = QueryWords()


@dataclass(frozen=True)
class Languages:
    """The languages of a catalogue, the usual one first, and what splits compounds of each."""

    codes: tuple[str, ...] = (DEFAULT,)
    compounds: tuple[Compounds, ...] = field(default=(), compare=False)

    def stems(self, word: str) -> tuple[str, ...]:
        """The distinct stems of a word in these languages."""
        return tuple(dict.fromkeys(stem(word, code) for code in self.codes))

    def is_stop_word(self, word: str) -> bool:
        """Whether the word in lower case is a function word of one of these languages."""
        return any(word in stop_words(code) for code in self.codes)


ENGLISH = Languages()


def analyse_query(text: str, languages: Languages = ENGLISH, is_prefix: bool = False) -> QueryWords:
    """The words of a text, at most 32; stop words are optional and count little unless there are no others.

    With `is_prefix` the last word is what somebody is still typing.
    """
    words = list(chain.from_iterable(_words_of(token, languages) for token in split_tokens(text)))[:_MOST_WORDS]
    words = [_joined(words, k, languages) for k in range(len(words))]
    if not all(languages.is_stop_word(word.text) for word in words):
        words = [_as_optional(word) if languages.is_stop_word(word.text) else word for word in words]
    if is_prefix and words and text[-1:].strip():
        words[-1] = replace(words[-1], is_prefix=True, is_optional=False, weight=1.0)
    return QueryWords(tuple({word.alternatives[0]: word for word in reversed(words)}.values())[::-1])


def phrase_of(text: str, languages: Languages = ENGLISH) -> Phrase | None:
    """The phrase that these words make; None without words."""
    tokens = split_tokens(text)
    sequences = dict.fromkeys(
        tuple(chain.from_iterable(analyse_token(token, code).sequence for token in tokens)) for code in languages.codes
    )
    return Phrase(text, tuple(sequences)) if any(sequences) else None


def spellings_of(text: str, languages: Languages = ENGLISH) -> Phrase | None:
    """The phrase that these words make, of a single word all spellings ("tshirt", "t shirt"); None without words."""
    phrase, words = phrase_of(text, languages), analyse_query(text, languages).words
    if phrase is None or len(words) != 1:
        return phrase
    return Phrase(text, tuple(dict.fromkeys([*phrase.sequences, *(each.terms for each in words[0].alternatives)])))


def alternatives_of(text: str, languages: Languages = ENGLISH, weight: float = 1.0) -> tuple[Alternative, ...]:
    """The alternatives that a synonym of one or more words gives a word of a query."""
    phrase = phrase_of(text, languages)
    return tuple(Alternative(terms, weight) for terms in phrase.sequences) if phrase else ()


def stem_words(text: str) -> list[str]:
    """The stems of a text's words in order, without stop words, as in English."""
    return [word.alternatives[0].terms[0] for word in analyse_query(text).words if not word.is_optional]


def _as_optional(word: QueryWord) -> QueryWord:
    return replace(word, is_optional=True, weight=STOP_WORD_WEIGHT)


def _words_of(token: str, languages: Languages) -> list[QueryWord]:
    """The words of one token of a query."""
    if measure := measure_of(token):
        number, unit = measure
        return [QueryWord(token, (Alternative((number + unit,)), Alternative((number,), _NUMBER_WEIGHT)))]
    if dimensions := dimensions_of(token):
        return _words_of_dimensions(token, *dimensions)
    if is_run_of_signs(token):
        return _words_of_signs(signs_of(token))
    sequences = [analyse_token(token, code).sequence for code in languages.codes]
    if len(sequences[0]) <= 1:
        return [_word(token, [terms[0] for terms in sequences], languages)] if sequences[0] else []
    parts = parts_of(token)
    whole = tuple(Alternative((stem("".join(parts), code),)) for code in languages.codes)
    words = [_word(part, [terms[k] for terms in sequences], languages) for k, part in enumerate(parts)]
    return [replace(word, alternatives=word.alternatives + whole) for word in words]


def _word(text: str, terms: Sequence[str], languages: Languages) -> QueryWord:
    """A word that is one term in each language."""
    alternatives, fallbacks = [Alternative((term,)) for term in terms], []
    if text.isalpha():
        alternatives += _splits(text, languages)
        for compounds, code in zip(languages.compounds, languages.codes, strict=False):
            if split := compounds.split(text):
                fallbacks += [Alternative((stem(split[1], code),), HEAD_WEIGHT)]
                fallbacks += [Alternative((stem(split[0], code),), MODIFIER_WEIGHT)]
    elif any(letter.isdigit() for letter in text):
        fallbacks = [Alternative((piece,), PIECE_WEIGHT) for piece in code_pieces(text) if piece not in terms]
    return QueryWord(text, tuple(dict.fromkeys(alternatives)), tuple(fallbacks))


def _splits(word: str, languages: Languages) -> list[Alternative]:
    """The word written as two: "table cloth" for "tablecloth", "t shirt" for "tshirt"."""
    if len(word) < _SHORTEST_SPLIT:
        return []
    places = (1, *range(3, len(word) - 2))
    return [Alternative((stem(word[:at], code), stem(word[at:], code))) for code in languages.codes for at in places]


def _words_of_dimensions(token: str, numbers: list[str], unit: str) -> list[QueryWord]:
    whole = Alternative(("x".join(numbers),))
    words = []
    for number in numbers:
        with_unit = (Alternative((number + unit,), _NUMBER_WEIGHT),) if unit else ()
        words.append(QueryWord(number + unit, (whole, *with_unit, Alternative((number,), _NUMBER_WEIGHT))))
    return words


def _words_of_signs(signs: tuple[str, ...]) -> list[QueryWord]:
    if len(signs) == 1:
        return [QueryWord(signs[0], (Alternative((signs[0],)),))]
    return [
        QueryWord(a + b, (Alternative((a + b,)),), (Alternative((a,), _SIGN_WEIGHT), Alternative((b,), _SIGN_WEIGHT)))
        for a, b in pairwise(signs)
    ]


def _joined(words: Sequence[QueryWord], k: int, languages: Languages) -> QueryWord:
    """The k-th word, which an item also has that writes it and a neighbour as one: "candlestick"."""
    pairs = [(words[at].text, words[at + 1].text) for at in (k - 1, k) if 0 <= at < len(words) - 1]
    joined = [
        Alternative((stem(strip_marks(a) + strip_marks(b), code),))
        for a, b in pairs
        if a.isalnum() and b.isalnum() and max(a[0], b[0]) < "\u0e00"
        for code in languages.codes
    ]
    return replace(words[k], alternatives=tuple(dict.fromkeys((*words[k].alternatives, *joined))))
