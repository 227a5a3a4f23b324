"""The four floors import leftwards only, and each keeps away from what is not its business (STYLE.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("data", "indexer", "search", "web")
FORBIDDEN = {
    "data": {"torch", "faiss", "flask", "open_clip", "tantivy", "indexer", "search", "web"},
    "indexer": {"search", "web", "flask"},
    "search": {"web", "flask"},
    "web": set[str](),
}


def modules() -> list[Path]:
    return sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))


def imports_of(source: str, package: tuple[str, ...] = ()) -> Iterator[tuple[int, str]]:
    """(line, top-level package) of every import of a module in this package, those inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield node.lineno, [*base, *(node.module or node.names[0].name).split(".")][0]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_leftwards_only(path: Path) -> None:
    package = path.relative_to(ROOT).parts[:-1]
    found = imports_of(path.read_text("utf-8"), package)
    upward = [f"line {line}: {name}" for line, name in found if name in FORBIDDEN[package[0]]]
    assert not upward


def test_the_walk_sees_imports_inside_functions() -> None:
    assert list(imports_of("def f():\n    if True:\n        from web.app import x\n        import torch.nn")) == [
        (3, "web"),
        (4, "torch"),
    ]
    assert list(imports_of("from ..b import x\nfrom ...web import y\nfrom . import z", ("data", "demo"))) == [
        (1, "data"),
        (2, "web"),
        (3, "data"),
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))
