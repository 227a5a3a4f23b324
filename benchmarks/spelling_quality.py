"""Measures how well misspelt words are put right, and right words left alone, by language and catalogue.

Slips are random edits of words that a catalogue has; right words are those of the language that it lacks. A catalogue
is the words of a feed (English), or a thousand random words of a language. Prints a table by threshold:

    python benchmarks/spelling_quality.py --feed data/demo/catalog.csv
"""

import argparse
import csv
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import wordfreq

from magpie.indexer.text.query_words import stem_words
from magpie.search.query.language_words import LEAST, log_share, plain
from magpie.search.query.spelling import _WORD, Speller

LANGUAGES = ("de", "fr", "es", "nl", "sv", "ru")
NUM_WORDS, NUM_TRIALS = 1_000, 400
NAMED = 3  # texts of a feed that have a name
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ODDS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0)


def words_of_feed(path: Path) -> Counter[str]:
    """How many texts of a feed have each word, of titles and short columns."""
    csv.field_size_limit(10**9)
    counts: Counter[str] = Counter()
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            text = " ".join(str(value) for name, value in row.items() if name and value and len(str(value)) < 200)
            counts.update({word.casefold() for word in _WORD.findall(text)})
    return counts


def words_of_language(language: str, rng: random.Random) -> Counter[str]:
    """A catalogue of words of a language, drawn from the 20,000 most frequent, with counts that follow Zipf's law."""
    known = [word for word in wordfreq.top_n_list(language, 20_000) if _WORD.fullmatch(word)][200:]
    return Counter({word: 1 + 300 // rank for rank, word in enumerate(rng.sample(known, NUM_WORDS), start=1)})


def slip_of(word: str, rng: random.Random) -> str:
    """The word after one random edit anywhere but at the first letter."""
    at = rng.randrange(1, len(word))
    letters = LETTERS if word.isascii() else "".join(sorted(set(word)))
    kind = rng.choice(["omission", "insertion", "doubling", "substitution", "transposition"])
    if kind == "omission":
        return word[:at] + word[at + 1 :]
    if kind == "insertion":
        return word[:at] + rng.choice(letters) + word[at:]
    if kind == "doubling":
        return word[: at + 1] + word[at:]
    if kind == "substitution":
        return word[:at] + rng.choice(letters) + word[at + 1 :]
    return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]


def judge(name: str, counts: Counter[str], language: str, names: Iterable[str], rng: random.Random) -> Iterator[str]:
    """Lines of the table for one catalogue; `names` are words of other catalogues that no language has."""
    stems = {stem for word in counts for stem in stem_words(word)}
    speller = Speller(counts, sorted({language, "en"}))

    def odds_of(word: str) -> tuple[str, float]:
        """The likeliest other word for one that the catalogue lacks in any form, and log10 of its odds."""
        return ("", -math.inf) if stems.issuperset(stem_words(word)) else speller.best(plain(word))

    frequent = [word for word in counts if len(word) > 3 and counts[word] > 1]
    slips = [(slip_of(word, rng), word) for word in rng.choices(frequent, k=NUM_TRIALS)]
    slips = [(typed, word) for typed, word in slips if typed not in counts]
    listed = [word for word in wordfreq.top_n_list(language, 60_000) if _WORD.fullmatch(word) and word not in counts]
    kinds = {"2,000": listed[:2_000], "20,000": listed[2_000:20_000], "60,000": listed[20_000:]}
    kinds["names"] = [
        word for word in names if word not in counts and log_share(plain(word), ["en", language]) == LEAST
    ]
    right = {
        kind: [odds_of(word) for word in rng.choices(words, k=NUM_TRIALS)] for kind, words in kinds.items() if words
    }
    found = [(*odds_of(typed), word) for typed, word in slips]
    for least in ODDS:
        restored = sum(odds >= least and plain(got) == plain(word) for got, odds, word in found) / len(found)
        changed = " ".join(f"{sum(odds >= least for _, odds in each) / len(each):7.3f}" for each in right.values())
        yield f"{name:24} {least:4.1f} {restored:8.3f} {changed}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feed", type=Path, action="append", default=[])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    print("catalogue                odds restored  changed, of the first 2,000, 20,000 and 60,000 words, and of names")
    feeds = {feed: words_of_feed(feed) for feed in arguments.feed}
    names = sorted({word for counts in feeds.values() for word, n in counts.items() if n >= NAMED})
    for feed, counts in feeds.items():
        print(*judge(f"{feed.parent.name}/{feed.name}", counts, "en", names, rng), sep="\n")
    for language in LANGUAGES:
        print(*judge(language, words_of_language(language, rng), language, names, rng), sep="\n")


if __name__ == "__main__":
    main()
