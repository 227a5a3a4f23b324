"""Fixtures shared by all tests: a home of its own, its database and its catalogue, and pictures to put into feeds."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from PIL import Image

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import Database, open_database
from magpie.data.settings import Settings
from tests.support.browsing import browser, open_page, server  # noqa: F401  # fixtures
from tests.support.postgresql import cluster, empty_postgresql_url, postgresql_url  # noqa: F401  # fixtures

# no deadline: the machine that runs the tests may be busy
hypothesis.settings.register_profile("magpie", deadline=None, max_examples=50)
hypothesis.settings.load_profile("magpie")


SLOW_FIXTURES = {
    "browser",
    "server",
    "cluster",
    "postgresql_url",
    "empty_postgresql_url",
}  # a Chromium, a server process


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks as slow what needs a browser, a server process or PostgreSQL, so that `make check` leaves it out."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        is_on_postgresql = callspec is not None and callspec.params.get("backend") == "postgresql"
        if is_on_postgresql or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what is marked `every_database` on SQLite and on PostgreSQL; not what is marked `sqlite_only` as well."""
    of_test = metafunc.definition
    is_for_both = of_test.get_closest_marker("every_database") and not of_test.get_closest_marker("sqlite_only")
    if is_for_both and "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database that `settings` name."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, request: pytest.FixtureRequest) -> Settings:
    """Settings of a fresh home, untouched by the environment of whoever runs the tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MAGPIE_{name.upper()}", raising=False)
    if backend == "postgresql":  # for commands and processes as well
        monkeypatch.setenv("MAGPIE_DATABASE_URL", request.getfixturevalue("postgresql_url"))
    # no deadline here either; who may write is tested in tests/web/middleware/test_access.py
    return Settings(home=tmp_path / "home", rerank_limit_ms=0, trust_loopback=True)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    opened = open_database(settings)
    yield opened
    opened.close()


@pytest.fixture
def catalogue(database: Database, settings: Settings) -> Catalogue:
    return Catalogue(database, settings)


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """picture("a/b.jpg", colour, size) writes one below tmp_path and returns its path."""

    def write(name: str, colour: str = "red", size: tuple[int, int] = (32, 24)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with a small shop in it, imported and indexed once; tests that change it take `own_shop`."""
    from tests.support.shop import build_shop  # brings torch: only for tests that search

    return build_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def own_shop(shop: Settings, tmp_path: Path) -> Settings:
    """A copy of the shop's home, to change."""
    shutil.copytree(shop.home, tmp_path / "own-home")
    return shop.model_copy(update={"home": tmp_path / "own-home"})


@pytest.fixture
def shop_database(own_shop: Settings) -> Iterator[Database]:
    opened = open_database(own_shop)
    yield opened
    opened.close()
