"""A few of the kills that `benchmarks/faults.py` does by the hundred."""

import shutil

import pytest

from benchmarks.faults import Killer, table
from magpie.data.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def killer(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Killer:
    folder = tmp_path_factory.mktemp("kills")
    shutil.copytree(shop.home, folder / "base" / "home")
    (folder / "base" / "done").touch()
    return Killer(folder, seed=1)


@pytest.mark.parametrize("work", ["publish", "import", "event writing", "backup"])
def test_whatever_is_killed_the_home_is_whole(killer: Killer, work: str) -> None:
    for _ in range(2):
        tried = killer.kill(work)
        assert not tried.problem and tried.lost == 0
    assert f"| {work} | 2 |" in table(killer.tries())


@pytest.mark.slow
@pytest.mark.parametrize("work", ["rebuild", "train fusion"])
def test_long_work_that_is_killed_leaves_the_home_whole(killer: Killer, work: str) -> None:
    tried = killer.kill(work)
    assert not tried.problem and tried.lost == 0
