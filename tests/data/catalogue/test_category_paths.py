"""Category paths in the spellings of feeds: their keys, their levels, their last names."""

import pytest

from magpie.data.catalogue.category_paths import branch_keys, key_of, last_of_path, levels_of


@pytest.mark.parametrize(
    "path", ["Home > Kitchen", "home>kitchen", "Home >> Kitchen", "Home/Kitchen", "Home | Kitchen", "/Home/Kitchen/"]
)
def test_a_path_has_one_key_however_it_is_written(path: str) -> None:
    assert key_of(path) == ("home", "kitchen")
    assert branch_keys(path) == [("home",), ("home", "kitchen")]


def test_weaker_separators_are_part_of_a_name() -> None:
    assert levels_of("Home > Curtains/Blinds > Short | Light") == ["Home", "Curtains/Blinds", "Short | Light"]
    assert branch_keys("Home > Curtains/Blinds") == [("home",), ("home", "curtains", "blinds")]
    assert levels_of('["Home Furnishing >> Curtains"]') == ["Home Furnishing", "Curtains"]
    assert (levels_of(" / "), key_of(""), branch_keys("")) == ([], (), [])


def test_the_last_name_of_a_category_path() -> None:
    assert last_of_path('["Home Furnishing >> Curtains"]') == "Curtains"
    assert last_of_path("Home/Kitchen") == "Kitchen"
