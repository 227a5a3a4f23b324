"""Synonyms are alternatives of less weight, for what an item has."""

import pytest

from magpie.indexer.text.query_words import ENGLISH, Alternative, analyse_query
from magpie.search.query.query_words import fold
from magpie.search.query.synonyms import SYNONYM_WEIGHT, built_in_groups, by_forms, with_synonyms
from magpie.search.request import Understood
from tests.support.readings import read, stems


@pytest.mark.parametrize(
    ("query", "synonyms"),
    [
        ("flower pots", [("flower pots", ("vase",))]),
        ("red flower pot and tv", [("flower pot", ("vase",)), ("tv", ("lamp",))]),
        ("vase", []),  # no item has the others
        ("flower", []),
    ],
)
def test_what_an_item_has_is_found(query: str, synonyms: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(one.text, one.words) for one in read(query).synonyms] == synonyms
    assert read(query, read=False).synonyms == []
    assert read(query, literal=tuple(text for text, _ in synonyms)).synonyms == []


def test_every_word_of_a_phrase_has_its_synonyms() -> None:
    asked = with_synonyms(
        analyse_query("blue flower pots"), [Understood("synonym", "flower pots", words=("vase", "tall urn"))], ENGLISH
    )
    added = {Alternative(("vase",), SYNONYM_WEIGHT), Alternative(("tall", "urn"), SYNONYM_WEIGHT)}
    of_words = {word.text: added & set(word.alternatives) for word in asked.words}
    assert of_words == {"blue": set(), "flower": added, "pots": added}


@pytest.mark.parametrize("language", list(built_in_groups()))
def test_the_groups_are_of_several_words_each_in_one(language: str) -> None:
    groups = built_in_groups()[language]
    words = [word for group in groups for word in group]
    assert all(len(group) > 1 for group in groups) and len(words) == len(set(words))
    assert words == [fold(word) for word in words]
    forms = by_forms(groups, stems)
    assert all(forms[tuple(stems(group[0]))] for group in groups)
