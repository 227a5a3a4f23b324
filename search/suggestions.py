"""Suggests whole queries for what is typed; each one finds an item that has its words."""

from collections.abc import Sequence
from dataclasses import replace

from magpie.indexer.indexes.stored_hits import StoredHit
from magpie.indexer.text.query_words import analyse_query
from magpie.search.query.autocomplete import Completion
from magpie.search.serving import Serving

_MOST_EXAMPLES = 20  # items of a completion that are looked at
Suggestion = tuple[Completion, StoredHit | None]


def suggest(serving: Serving, searched: Sequence[tuple[str, int]], typed: str, limit: int) -> list[Suggestion]:
    """At most `limit` completions of `typed`, each with an item that has its words, one with a picture if there is any.

    `searched` are popular searches, (query, people) in alphabetical order, in lower case.
    """
    examples = _Examples(serving)
    completions = serving.completer.complete(typed, limit, searched, examples.find)
    stored = serving.items.get_many([one.example for one in completions])
    return [(one, stored.get(one.example)) for one in completions]


class _Examples:
    """Finds items that have all words of a text."""

    def __init__(self, serving: Serving) -> None:
        self._segments, self._items, self._statistics = serving.segments, serving.items, serving.statistics

    def find(self, text: str, typed: str, is_search: bool) -> int | None:
        """The `items.id` of an item that has all words of the text; words of `typed` also in that form, or its plural.

        Of a search, words that no item has are passed over.
        """
        query = self._statistics.look_up(analyse_query(text, self._segments[0].lexical.languages))
        query = replace(query, unknown=()) if is_search else query
        ids: list[int] = []
        for segment in self._segments if query.words else ():
            rows = segment.lexical.rows_with_all(query)
            rows = rows[~segment.dead[rows]][:_MOST_EXAMPLES]
            has_picture = segment.parts["image"][rows].any(axis=1)
            ids += segment.ids[rows[has_picture]].tolist() + segment.ids[rows[~has_picture]].tolist()
        if not typed:
            return next(iter(ids), None)
        stored = self._items.get_many(ids[:_MOST_EXAMPLES])
        words = [word.removesuffix("s") for word in typed.split()]
        return next((id_ for id_ in ids if id_ in stored and _has_words(stored[id_], words)), None)


def _has_words(item: StoredHit, words: Sequence[str]) -> bool:
    text = " ".join(map(str, (item.title, item.category, item.description, *item.attributes.values()))).casefold()
    return all(word in text for word in words)
