"""Languages of texts: stemmers, stop words, frequent words, and a guess of the language that a catalogue is in.

Languages are named by ISO 639-1 codes ("de"). Stemmers are those of Snowball (Porter 2001), from tantivy; frequencies
come from wordfreq (Speer 2022).
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

import tantivy
import wordfreq

from magpie.indexer.text.tokens import strip_marks

DEFAULT = "en"
_STEMMERS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nb": "norwegian",
    "nl": "dutch",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
_ALSO_CALLED = {"no": "nb", "nn": "nb", "iw": "he"}
_BY_FIRST_LETTER = (
    ("\u0370", "\u0400", "el"),
    ("\u0400", "\u0530", "ru"),
    ("\u0600", "\u0780", "ar"),
    ("\u0b80", "\u0c00", "ta"),
)
_OTHER_SCRIPTS = frozenset(language for *_, language in _BY_FIRST_LETTER)
_SAMPLED_WORDS = 3_000
_STOP_WORDS = Path(__file__).with_name("stop_words.json")
# words whose plural Snowball's English stemmer leaves apart from the singular
_IRREGULAR = {
    "men": "man",
    "mens": "man",
    "women": "woman",
    "womens": "woman",
    "children": "child",
    "childrens": "child",
    "feet": "foot",
    "teeth": "tooth",
    "mice": "mouse",
    "geese": "goose",
    "lives": "life",
    "wives": "wife",
    "knives": "knife",
}
_VES = tuple(
    f"{start}ves" for start in ("shel", "wol", "lea", "loa", "hal", "scar", "cal", "thie", "hoo", "el", "dwar")
)


def language_code(name: str) -> str:
    """The code of a language as feeds name it: "de-AT" and "DE" are "de", "" for what is no code."""
    code = name.strip().casefold().replace("_", "-").split("-")[0]
    return _ALSO_CALLED.get(code, code) if len(code) == 2 and code.isascii() and code.isalpha() else ""


def language_of(attributes: Mapping[str, object]) -> str:
    """The code of the language that an item's attributes name as a code ("de", "de-AT"), "" where they name none."""
    for name in ("language", "lang", "locale"):
        value = attributes.get(name)
        if isinstance(value, str) and (code := language_code(value)):
            return code
    return ""


@lru_cache(maxsize=100_000)
def stem(word: str, language: str) -> str:
    """The stem of a word in lower case, marks stripped; words in another script than Latin by the script's language."""
    plain = strip_marks(word)
    if len(plain) < 3 or (not plain.isalpha() and plain.isascii()):
        return plain
    of_script = next((code for low, high, code in _BY_FIRST_LETTER if low <= plain[0] < high), None)
    if of_script is None and language in _OTHER_SCRIPTS:
        language = DEFAULT  # Latin words of a Russian catalogue
    language = of_script or language
    if language == "en":
        plain = _IRREGULAR.get(plain, plain)
        if plain.endswith(_VES):
            plain = plain[:-3] + "f"
    stemmer = _stemmer(language)
    return strip_marks((stemmer.analyze(plain) or [plain])[0]) if stemmer else plain


@cache
def _stemmer(language: str) -> tantivy.TextAnalyzer | None:
    if language not in _STEMMERS:
        return None
    stemmer = tantivy.Filter.stemmer(_STEMMERS[language])
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(stemmer).build()


@cache
def stop_words(language: str) -> frozenset[str]:
    """The language's function words in lower case, with and without marks; none for a language without a list."""
    words = json.loads(_STOP_WORDS.read_text(encoding="utf-8")).get(language, "").split()
    return frozenset([*words, *map(strip_marks, words)])


@cache  # wordfreq looks through its folder each time
def word_frequencies(language: str) -> dict[str, float]:
    """The language's frequent words (some 30,000, lower case, with marks) and how often they occur; {} if unknown."""
    if language not in wordfreq.available_languages("small"):
        return {}
    return wordfreq.get_frequency_dict(language, "small")


def guess_language(words: Iterable[tuple[str, int]]) -> str:
    """The code of the language in which these (word, count) are most usual, by mean Zipf frequency; English if none.

    Words in lower case. A language with a script of its own is taken where most words are in that script.
    """
    sample = sorted((pair for pair in words if pair[0].isalpha()), key=lambda pair: -pair[1])[:_SAMPLED_WORDS]
    if not sample:
        return DEFAULT
    by_script = [next((c for low, high, c in _BY_FIRST_LETTER if low <= w[0] < high), "") for w, _ in sample]
    foreign = max(_OTHER_SCRIPTS, key=by_script.count)
    if 2 * by_script.count(foreign) > len(sample):
        return foreign
    latin = [word for word, _ in sample if word[0] < "\u0370"]
    candidates = [code for code in _STEMMERS if code not in _OTHER_SCRIPTS] + ["cs", "pl"]
    usual = {code: _mean_zipf(latin, code) for code in candidates}
    wordfreq.get_frequency_dict.cache_clear()  # tables of many languages, of which at most one is needed again
    wordfreq.get_frequency_list.cache_clear()
    best = max(usual, key=lambda code: usual[code])
    return best if usual[best] > 0 else DEFAULT


def _mean_zipf(words: list[str], language: str) -> float:
    frequencies = word_frequencies(language)
    found = (frequencies.get(word, 0.0) for word in words)
    return sum(wordfreq.freq_to_zipf(frequency) for frequency in found if frequency) / max(1, len(words))
