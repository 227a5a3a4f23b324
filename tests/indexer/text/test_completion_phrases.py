"""Tests of the phrases that complete queries."""

from pathlib import Path

from magpie.indexer.text.completion_phrases import PhraseCounter, load_phrases
from magpie.indexer.text.item_text import ItemText


def phrases_of(folder: Path, titles: list[str], values: tuple[str, ...] = ()) -> dict[str, int]:
    counter = PhraseCounter()
    for title in titles:
        counter.add(ItemText(title, "", values, (), ""))
    counter.save(folder / "phrases.json")
    saved = load_phrases(folder / "phrases.json")
    assert saved == sorted(saved)
    return dict(saved)


def test_words_are_kept_from_one_item_and_phrases_from_two(tmp_path: Path) -> None:
    saved = phrases_of(tmp_path, ["Red vase of glass", "Red vase of oak", "Lamp"])
    assert saved == {"red": 2, "vase": 2, "red vase": 2, "glass": 1, "oak": 1, "lamp": 1}


def test_values_are_phrases(tmp_path: Path) -> None:
    assert phrases_of(tmp_path, ["A", "B"], ("navy blue",)) == {"navy blue": 2}


def test_words_of_chinese_titles_are_found_by_their_neighbours(tmp_path: Path) -> None:
    saved = phrases_of(tmp_path, ["蓝色玻璃花瓶", "白瓷花瓶", "绿色木花瓶", "蓝色水杯"])
    assert saved["花瓶"] == 3 and saved["蓝色"] == 2
    assert "色玻" not in saved and "璃花瓶" not in saved  # always between the same signs
