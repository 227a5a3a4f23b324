"""Floors import leftwards only, rooms of a floor only from rooms below, and every room is installed and described."""

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("data", "indexer", "search", "web")
FORBIDDEN = {
    "data": {"torch", "faiss", "flask", "open_clip", "tantivy"},
    "indexer": {"flask"},
    "search": {"flask"},
    "web": set[str](),
}
# from below to above: a module imports from its own room and from those before it
ROOMS = {
    "data": "errors clock settings home pictures database catalogue feeds events aggregates spam erasure backup",
    "indexer": "vectors memory draws paired_test text indexes encoder fusion composition mix read_catalogue "
    "generations labelling encoder_training fusion_training pipeline rebuild",
    "search": "histogram request confidence_intervals live_index click_models query retrieval serving first_stage "
    "ranker personalisation experiments status suggestions engine ranker_training recommendations evaluation reports",
    "web": "addresses shared media background middleware services api page insights app server serve cli",
}


def modules(floor: str) -> list[Path]:
    return sorted((ROOT / floor).rglob("*.py"))


def imports_of(source: str, package: tuple[str, ...] = ()) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line, dotted name) of every import of a module in this package, those inside functions too.

    `from a import b` is given as a.b, since b may be a module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, tuple(alias.name.split("."))) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            inner = tuple(node.module.split(".")) if node.module else ()
            yield from ((node.lineno, (*base, *inner, alias.name)) for alias in node.names)


@cache
def imports_of_floor(floor: str) -> list[tuple[Path, int, tuple[str, ...]]]:
    found = []
    for path in modules(floor):
        package = ("magpie", *path.relative_to(ROOT).parts[:-1])
        found += [(path, line, name) for line, name in imports_of(path.read_text("utf-8"), package)]
    return found


def where(path: Path, line: int, name: tuple[str, ...]) -> str:
    return f"{path.relative_to(ROOT)}:{line} imports {'.'.join(name)}"


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_leftwards_only(floor: str) -> None:
    later = FLOORS[FLOORS.index(floor) + 1 :]
    wrong = [
        where(path, line, name)
        for path, line, name in imports_of_floor(floor)
        if name[0] in FORBIDDEN[floor] or name[0] in FLOORS or (name[0] == "magpie" and name[1] in later)
    ]
    assert not wrong


@pytest.mark.parametrize("floor", FLOORS)
def test_a_room_imports_from_rooms_below_only(floor: str) -> None:
    height = {room: number for number, room in enumerate(ROOMS[floor].split())}
    wrong = [
        where(path, line, name)
        for path, line, name in imports_of_floor(floor)
        if name[:2] == ("magpie", floor) and height[name[2]] > height[room_of(path)]
    ]
    assert not wrong


@pytest.mark.parametrize("floor", FLOORS)
def test_every_module_stands_in_a_room(floor: str) -> None:
    assert {room_of(path) for path in modules(floor)} == set(ROOMS[floor].split())
    flat = [path for path in (ROOT / floor).glob("*.py") if path.name != "__init__.py"]
    assert sum(1 for each in FLOORS for _ in (ROOT / each).glob("*.py")) <= 30, flat


def room_of(path: Path) -> str:
    """The folder below the floor, or the module's own name; a floor's own __init__ counts as its lowest room."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ROOMS[parts[0]].split()[0] if parts[1] == "__init__" else parts[1]


def test_the_walk_sees_imports_inside_functions() -> None:
    assert list(
        imports_of("def f():\n    if True:\n        from magpie.web.app import x\n        import torch.nn")
    ) == [
        (3, ("magpie", "web", "app", "x")),
        (4, ("torch", "nn")),
    ]
    relative = imports_of("from ..b import x\nfrom ...web import y\nfrom . import z", ("magpie", "data", "feeds"))
    assert list(relative) == [
        (1, ("magpie", "data", "b", "x")),
        (2, ("magpie", "web", "y")),
        (3, ("magpie", "data", "feeds", "z")),
    ]


def test_every_module_says_what_it_is_for() -> None:
    paths = [path for floor in (*FLOORS, "magpie") for path in modules(floor)]
    assert [path for path in paths if not ast.get_docstring(ast.parse(path.read_text("utf-8")))] == []


def test_every_room_is_installed() -> None:
    folders = {path.parent.relative_to(ROOT).parts for floor in FLOORS for path in modules(floor)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    expected = {"magpie", *(".".join(("magpie", *parts)) for parts in folders)}
    assert set(project["tool"]["setuptools"]["packages"]) == expected
