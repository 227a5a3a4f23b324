"""docs/constants.md gives the constants the values that the code has."""

import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "constants.md"
ROWS = re.findall(r"^\| `([\w/]+)\.py` \| `(\w+)` \| `(.+?)` \|", PAGE.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("module", "name", "value"), ROWS, ids=[f"{module}-{name}" for module, name, _ in ROWS])
def test_the_page_has_the_value_of_the_code(module: str, name: str, value: str) -> None:
    assert repr(getattr(importlib.import_module("magpie." + module.replace("/", ".")), name)) == value


def test_the_page_lists_ranking_fusion_and_clicks() -> None:
    assert {module.split("/")[1] for module, _, _ in ROWS} >= {"ranker", "ranker_training", "click_models", "fusion"}
