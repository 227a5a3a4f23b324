"""The page of all values of a field, and how the results lead to it."""

import html
import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from magpie.data.settings import Settings
from magpie.indexer.indexes.field_filter import FieldFilter
from magpie.search.request import FacetValue, SearchResult
from magpie.web.page.facets import facet_groups
from magpie.web.page.field_values import VALUES_A_PAGE, field_values, without_own_values
from magpie.web.page.state import PageState
from magpie.web.page.texts import texts_for
from tests.support.serving import client_on_a_copy

VALUE = re.compile(r'class="value" href="([^"]+)"[^>]*>([^<]+)<span>(\d+)</span>')


@pytest.fixture(scope="module")
def client(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    with client_on_a_copy(shop, tmp_path_factory.mktemp("values") / "home") as opened:
        yield opened


def values_at(client: FlaskClient, address: str) -> dict[str, tuple[int, str]]:
    """By value its count and address, as the page lists them."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.text[:300]
    return {value: (int(count), html.unescape(url)) for url, value, count in VALUE.findall(answer.text)}


def test_values_lead_to_their_results(client: FlaskClient) -> None:
    values = values_at(client, "/values?field=kind&filter=colour:Red")
    assert {value: count for value, (count, _) in values.items()} == dict.fromkeys(
        ("ball", "box", "kite", "ring", "plate"), 1
    )
    shown = client.get(values["kite"][1]).text
    assert 'data-item-id="kite-red"' in shown and 'data-item-id="kite-blue"' not in shown


def test_values_are_searched_and_a_chosen_one_leaves_the_others_on_offer(client: FlaskClient) -> None:
    assert list(values_at(client, "/values?field=colour&prefix=BL&filter=colour:Red")) == ["Black", "Blue"]
    assert values_at(client, "/values?field=colour&prefix=ed") == {}
    assert client.get("/values?field=no_such").status_code == 422


def test_pages_of_values_hold_each_value_once() -> None:
    found = [FacetValue(f"Maker {n}", 1) for n in range(2 * VALUES_A_PAGE + 1)]
    state, text = PageState(q="red"), texts_for("en")
    pages = [field_values(state, "maker", "m", found, at, text) for at in range(0, len(found), VALUES_A_PAGE)]
    assert [value for page in pages for value, _, _ in page.values] == [one.value for one in found]
    assert [(bool(page.previous_url), bool(page.next_url)) for page in pages] == [
        (False, True), (True, True), (True, False),
    ]  # fmt: skip
    assert pages[0].next_url == f"/values?field=maker&prefix=m&start={VALUES_A_PAGE}&q=red"


@pytest.mark.parametrize(("num_values", "address"), [(29, ""), (30, "/values?field=maker&q=red")])
def test_a_facet_that_is_cut_leads_to_all_its_values(num_values: int, address: str) -> None:
    facets = {"maker": [FacetValue(f"Maker {n}", 3) for n in range(num_values)]}
    result = SearchResult("", "", "", 0.0, 3 * num_values, True, [], facets)
    groups = facet_groups(PageState(q="red", page=2), result, True, texts_for("en"))
    assert [(group.field, group.all_url) for group in groups] == [("maker", address)]


def test_what_is_excluded_stays_excluded() -> None:
    state = PageState(filters={"colour": FieldFilter(values=("Red",), not_values=("Blue",))})
    assert without_own_values(state, "colour").filters == {"colour": FieldFilter(not_values=("Blue",))}
