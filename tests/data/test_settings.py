"""Settings: read from the environment, validated, frozen, and each one described."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from magpie.data import errors
from magpie.data.settings import Settings


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAGPIE_HOME", str(tmp_path))
    monkeypatch.setenv("MAGPIE_THREADS", "7")
    settings = Settings()
    assert (settings.home, settings.threads) == (tmp_path, 7)
    assert settings.database == f"sqlite:///{tmp_path}/magpie.db"
    assert settings.rejects_dir == tmp_path / "rejects"


def test_a_database_url_wins_over_the_home(settings: Settings) -> None:
    chosen = settings.model_copy(update={"database_url": "postgresql+psycopg://shop@db/magpie"})
    assert chosen.database == "postgresql+psycopg://shop@db/magpie"


@pytest.mark.parametrize(("name", "value"), [("THREADS", "0"), ("LOG_LEVEL", "LOUD"), ("MAX_UPLOAD_BYTES", "many")])
def test_a_wrong_value_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"MAGPIE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_they_do_not_change(settings: Settings) -> None:
    with pytest.raises(ValidationError):
        settings.threads = 9  # type: ignore[misc]


def test_every_error_has_the_status_that_http_answers() -> None:
    named = [value for value in vars(errors).values() if isinstance(value, type)]
    leaves = [error for error in named if issubclass(error, errors.MagpieError) and error is not errors.MagpieError]
    assert {error.status for error in leaves} == {400, 404, 409, 412, 413, 415, 422, 503}
    assert all(error.__doc__ for error in leaves)


def test_auto_is_one_worker_for_each_core_that_may_be_used() -> None:
    assert Settings(workers="auto").workers == min(64, len(os.sched_getaffinity(0)))  # type: ignore[arg-type]
    assert Settings(workers="3").workers == 3  # type: ignore[arg-type]
