"""A few hundred of the inputs that `benchmarks/fuzz.py` tries by the hundred thousand, of every kind."""

import logging
from collections.abc import Iterator

import pytest

from benchmarks.fuzz import Inputs, attempts_of, fuzz

NAMES = ("addresses", "paths", "searches", "events", "items", "item_lines", "uploads", "forms")
NAMES += ("picture_bytes", "feeds", "lines", "heads", "backups")
# the product ignores what Pillow says of odd metadata
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
    # Werkzeug lets go of the file of a form that breaks off in the middle of it, which Python then closes
    pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inputs]:
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    opened = Inputs(tmp_path_factory.mktemp("fuzz"))
    yield opened
    opened.close()


@pytest.mark.parametrize("name", NAMES)
def test_whatever_comes_is_answered(inputs: Inputs, name: str) -> None:
    found, faults = fuzz(attempts_of(inputs)[name], seed=5, most=60, seconds=60)
    assert not faults and found.total() == 60


def test_every_input_is_tried(inputs: Inputs) -> None:
    assert set(attempts_of(inputs)) == set(NAMES)
