"""The wheel holds one import name and works outside the checkout, beside files that are named like its parts."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if name.startswith(("tests/", "docs/", "benchmarks/")) or not (ROOT / name).is_file():
            continue
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(ROOT / name, source / name)
    pip(["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)])
    return next(folder.glob("*.whl"))


def pip(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_wheel_holds_magpie_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"magpie", "magpie_search"}
    assert not [name for name in names if name.startswith(("magpie/tests", "magpie/benchmarks"))]


def test_the_wheel_works_beside_files_named_like_its_parts(wheel: Path, tmp_path: Path) -> None:
    installed, work = tmp_path / "installed", tmp_path / "work"
    pip(["install", "--no-deps", "--target", str(installed), str(wheel)])
    work.mkdir()
    for name in ("data", "indexer", "search", "web", "tests"):
        (work / f"{name}.py").write_text(f"raise SystemExit('{name}.py of the working folder was imported')\n")
    (work / "feed.csv").write_text("id,title,colour\n1,Red ball,red\n2,Blue kite,blue\n")

    def magpie(*words: str) -> str:
        command = [sys.executable, "-m", "magpie", "--home", "home", *words]
        environment = os.environ | {"PYTHONPATH": str(installed)}
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    magpie("catalog", "import", "feed.csv")
    magpie("index", "rebuild")
    assert "Blue kite" in magpie("search", "blue kite")
    where = [sys.executable, "-P", "-c", "import magpie.data; print(magpie.data.__file__)"]
    environment = os.environ | {"PYTHONPATH": str(installed)}
    found = subprocess.run(where, cwd=work, env=environment, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(installed)
