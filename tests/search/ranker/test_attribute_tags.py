"""Attribute tags are read from any columns, guessed where missing, and compared with the words of a query."""

import numpy as np
import pytest

from magpie.indexer.indexes.column_types import WordColumn
from magpie.search.ranker.attribute_tags import NO_TAGS, fit_of_tags, guess_tags, named_tags, read_tags


def words(*values: tuple[str, ...]) -> WordColumn:
    """A column of words: one or several values for each row."""
    vocabulary = sorted({value for row in values for value in row})
    codes = [vocabulary.index(value) for row in values for value in row]
    starts = np.cumsum([0, *map(len, values)])
    return WordColumn(vocabulary, starts, np.array(codes, np.int32))


def test_tags_of_two_segments_are_one() -> None:
    first = {"colour": words(("Red",), ("Blue",), ()), "kind": words(("Ball", "Toy"), ("Box",), ("Box",))}
    second = {"colour": words(("red",))}
    parts = [(np.array([0, 2]), np.array([0, 1]), first), (np.array([1]), np.array([0]), second)]
    tags = read_tags(parts)
    found = {(int(owner), tags.fields[tag], tags.values[tag]) for owner, tag in zip(tags.owner, tags.tag, strict=True)}
    assert found == {
        *((0, "colour", "red"), (2, "colour", "blue"), (1, "colour", "red")),
        *((0, "kind", "ball"), (0, "kind", "toy"), (2, "kind", "box")),
    }
    assert len(set(zip(tags.fields, tags.values, strict=True))) == len(tags.values)


def test_what_is_missing_is_guessed_from_what_looks_alike() -> None:
    vectors = np.array([[1, 0], [0.96, 0.28], [0, 1], [0.28, 0.96], [1, 0]], np.float32)
    tags = read_tags([(np.arange(5), np.arange(5), {"colour": words(("Red",), ("Red",), ("Blue",), ("Blue",), ())})])
    likely = guess_tags(tags, vectors)
    red = np.array([name == ("colour", "red") for name in likely.names], float)
    chances = likely.sums(red, 5)
    others = np.exp(20 * (vectors[4] @ vectors[:4].T - 1))
    assert chances[4] == pytest.approx(others[:2].sum() / others.sum(), abs=1e-5)
    assert chances[0] > 0.9 > 0.1 >= chances[2]
    assert likely.said["colour"].tolist() == [True, True, True, True, False]


def test_the_longest_value_that_a_query_names_is_meant() -> None:
    names = [
        ("colour", "blue"),
        ("colour", "navy blue"),
        ("kind", "casual shoes"),
        ("usage", "casual"),
        ("kind", "hats"),
    ]
    found = {
        name: [names[place][1] for place in places]
        for name, places in named_tags(names, "navy blue shoe casual").items()
    }
    assert found == {"colour": ["navy blue"], "kind": ["casual shoes"], "usage": ["casual"]}
    assert named_tags(names, "gloves") == {}


def test_fit_counts_fields_and_conflicts_only_what_is_said() -> None:
    columns = {"colour": words(("Red",), ("Blue",), ()), "kind": words(("Hat",), ("Hat",), ("Hat",))}
    likely = guess_tags(read_tags([(np.arange(3), np.arange(3), columns)]), np.eye(3, dtype=np.float32))
    fit, conflict = fit_of_tags(likely, "red hats", 3).T
    assert fit[0] > fit[2] > fit[1]
    assert conflict.tolist() == [0, 0.5, 0]
    assert fit_of_tags(likely, "gloves", 3).tolist() == [[0, 0]] * 3
    assert fit_of_tags(guess_tags(NO_TAGS, np.eye(2, dtype=np.float32)), "red", 2).tolist() == [[0, 0]] * 2
