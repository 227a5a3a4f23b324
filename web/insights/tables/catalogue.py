"""Tables of items: conflicts of picture and text, items never shown, and exposure by value of an attribute."""

from collections.abc import Mapping
from typing import Any

from magpie.web.insights.figures import Figures
from magpie.web.insights.tables.table import Cell, Sentence, Table, columns_of


def conflicts_table(figures: Figures) -> Table:
    """Items whose picture and text disagree, the least agreement first."""
    columns = columns_of(
        item_id="item", looks_like="item", suspect="part", agreement="number", reason="sentence", suggestion="sentence"
    )
    return Table(columns, [_conflict(one, figures) for one in figures.catalogue.conflicts])


def _conflict(one: Mapping[str, Any], figures: Figures) -> tuple[Cell, ...]:
    """The row of one conflict; an index of an older version has no suspect."""
    plain = tuple(one.get(name) for name in ("item_id", "looks_like", "suspect", "agreement"))
    if "suspect" not in one or "looks_like" not in one:
        return (*plain, None, None)
    title, alike = (_title(one[name], figures) for name in ("item_id", "looks_like"))
    return (
        *plain,
        Sentence(one.get("reason", ""), "conflict_reason", {"title": title, "alike": alike}),
        Sentence(one.get("suggestion", ""), f"conflict_{one['suspect']}", {"item": one["item_id"]}),
    )


def _title(item_id: str, figures: Figures) -> str:
    item = figures.catalogue.items.get(item_id)
    return (item.title if item else "") or item_id


def never_shown_table(figures: Figures) -> Table:
    """The newest of the items that were never shown."""
    items = {item.id: item for item in figures.catalogue.items.values()}
    newest = [items[number] for number in figures.catalogue.unseen.newest if number in items]
    return Table(columns_of(item_id="item", title="csv"), [(one.item_id, one.title) for one in newest])


def exposure_table(figures: Figures) -> Table:
    """Exposure of each value against merit, the share of clicks that it earns; merit is left out for too few people."""
    columns = columns_of(
        value="text",
        items="csv",
        items_share="share",
        seen_share="bar",
        chosen_share="csv",
        merit_share="share",
        seen_per_merit="number",
    )
    rows: list[tuple[Cell, ...]] = []
    for group in figures.catalogue.groups:
        chosen = round(group.people_share * figures.catalogue.choices)
        liked: tuple[Cell, ...] = (group.people_share, group.merit_share, group.ratio)
        liked = liked if chosen >= figures.min_people else (None, None, None)
        rows.append((group.value, group.items, group.items_share, group.exposure_share, *liked))
    return Table(columns, rows)
