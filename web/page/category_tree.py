"""Prepares the tree of categories for the template: bread crumbs down to where one is, and links to the level below."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from magpie.data.catalogue.category_paths import Key, branch_keys, key_of, levels_of
from magpie.indexer.indexes.field_filter import FieldFilter
from magpie.web.page.state import PageState
from magpie.web.page.texts import Text

_FIELD = "category"


@dataclass
class Node:
    """One level of a category path: its last name, its whole path, and how many items are in it and below."""

    label: str
    path: str
    count: int = 0
    below: dict[Key, "Node"] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A place in the tree, its address, and how many items match there; None where that isn't shown."""

    label: str
    count: int | None
    url: str
    is_here: bool = False


@dataclass(frozen=True)
class CategoryTree:
    """The steps from all categories to where one is, and those that lead on: below, or beside what has none below."""

    crumbs: list[Step]
    steps: list[Step]


def category_tree(state: PageState, counts: Mapping[str, int], text: Text) -> CategoryTree | None:
    """The tree of these categories, seen from the one that the state filters by.

    None where no category has a level below another, or where several are filtered by: a flat list serves these better.
    """
    selected = state.filters.get(_FIELD, FieldFilter()).values
    if len(selected) > 1 or all(len(levels_of(category)) < 2 for category in counts):
        return None
    top = _tree_of(counts, text("all_categories"))
    nodes = [top]
    wanted = key_of(selected[0]) if selected else ()
    while (following := _towards(nodes[-1], wanted)) is not None:
        nodes.append(following)
    if wanted and not any(key_of(node.path) == wanted for node in nodes):
        nodes.append(Node(selected[0], selected[0]))  # which nothing matches: it can be left by the crumbs
    shown = nodes[-1] if nodes[-1].below or len(nodes) == 1 else nodes[-2]
    steps = sorted(shown.below.values(), key=lambda node: (-node.count, node.label))
    if len(nodes) == 1 and len(steps) < 2 and not any(node.below for node in steps):
        return None
    return CategoryTree(
        [Step(node.label, None, _url(state, node), node is nodes[-1]) for node in nodes] if wanted else [],
        [Step(node.label, node.count, _url(state, node), node is nodes[-1]) for node in steps],
    )


def _tree_of(counts: Mapping[str, int], label: str) -> Node:
    top = Node(label, "")
    for category, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        node, names = top, levels_of(category)
        for depth, key in enumerate(branch_keys(category)):
            path = " > ".join(names[: depth + 1])
            node = node.below.setdefault(key, Node(names[depth], path))
            node.count += count
    return top


def _towards(node: Node, wanted: Key) -> Node | None:
    """The node below this one that is wanted or leads to it."""
    found = (below for key, below in node.below.items() if key and key == wanted[: len(key)])
    return next(found, None)


def _url(state: PageState, node: Node) -> str:
    present = state.filters.get(_FIELD, FieldFilter())
    return state.with_filter(_FIELD, replace(present, values=(node.path,) if node.path else (), spans=())).url
