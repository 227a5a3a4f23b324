"""The tree of categories on the page: counts per level, the way down and back up."""

from urllib.parse import parse_qs, urlsplit

from magpie.indexer.indexes.field_filter import FieldFilter
from magpie.web.page.category_tree import CategoryTree, Step, category_tree
from magpie.web.page.state import PageState
from magpie.web.page.texts import texts_for

TEXT = texts_for("en")
COUNTS = {
    "Home": 1,
    "Home > Kitchen": 2,
    "home/Kitchen/Knives": 4,
    "Home > Bath": 8,
    "Homeware": 16,
    "Garden > Home": 32,
}


def tree(*selected: str, counts: dict[str, int] = COUNTS) -> CategoryTree | None:
    filters = {"category": FieldFilter(values=selected)} if selected else {}
    return category_tree(PageState(q="red", filters=filters), counts, TEXT)


def filters_of(steps: list[Step]) -> list[list[str]]:
    return [parse_qs(urlsplit(step.url).query).get("filter", []) for step in steps]


def labels(steps: list[Step]) -> list[tuple[str, int | None]]:
    return [(step.label, step.count) for step in steps]


def test_the_uppermost_level_counts_all_below_it() -> None:
    found = tree()
    assert found is not None and found.crumbs == []
    assert labels(found.steps) == [("Garden", 32), ("Homeware", 16), ("Home", 1 + 2 + 4 + 8)]
    assert filters_of(found.steps) == [["category:Garden"], ["category:Homeware"], ["category:Home"]]


def test_a_level_leads_down_and_back_up() -> None:
    found = tree("home >> kitchen")
    assert found is not None
    assert [step.label for step in found.crumbs] == ["All categories", "Home", "Kitchen"]
    assert [step.is_here for step in found.crumbs] == [False, False, True]
    assert filters_of(found.crumbs)[:2] == [[], ["category:Home"]]
    assert labels(found.steps) == [("Knives", 4)]
    assert all(parse_qs(urlsplit(step.url).query)["q"] == ["red"] for step in found.crumbs)


def test_what_has_nothing_below_is_shown_beside_its_neighbours() -> None:
    found = tree("Home > Bath")
    assert found is not None and labels(found.steps) == [("Bath", 8), ("Kitchen", 6)]
    assert [step.is_here for step in found.steps] == [True, False]


def test_a_category_without_results_can_be_left() -> None:
    found = tree("Home > Attic")
    assert found is not None and [step.label for step in found.crumbs] == ["All categories", "Home", "Home > Attic"]


def test_a_flat_list_stays_one() -> None:
    assert (
        tree(counts={"Toys": 3, "Household": 4}) is None and tree("Home", "Garden") is None and tree(counts={}) is None
    )
