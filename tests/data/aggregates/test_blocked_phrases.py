"""What is suggested to nobody: offensive searches, and what the owner blocks, at once on a running server."""

import json
from typing import Any

import pytest

from magpie.data.aggregates.blocked_phrases import (
    block_phrases,
    holds_phrase,
    is_offensive,
    normalise_phrase,
    offensive_words,
    read_blocked_phrases,
    unblock_phrases,
)
from magpie.data.database.connection import Database
from magpie.data.errors import BadInput, NotFound
from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.cli import main as cli
from tests.support.serving import client_of


@pytest.mark.every_database
def test_phrases_are_blocked_once_and_unblocked(database: Database) -> None:
    assert block_phrases(database, ["Stolen  Goods", "stolen goods!", "Café"]) == ["stolen goods", "cafe"]
    assert block_phrases(database, ["cafe"]) == [] and read_blocked_phrases(database) == ["cafe", "stolen goods"]
    with pytest.raises(NotFound, match="never"):
        unblock_phrases(database, ["cafe", "never"])
    assert unblock_phrases(database, ["CAFÉ", "cafe"]) == ["cafe"] and read_blocked_phrases(database) == [
        "stolen goods"
    ]
    for bad in ("", " - ", "x" * 201):
        with pytest.raises(BadInput):
            block_phrases(database, ["good", bad])
    assert read_blocked_phrases(database) == ["stolen goods"]


@pytest.mark.parametrize(
    ("suggestion", "phrase", "is_blocked"),
    [
        ("blue vase is stolen goods", "stolen goods", True),
        ("Stolen, goods", "stolen goods", True),
        ("stolen good", "stolen goods", False),
        ("glass", "ass", False),
        ("Crème", "creme", True),
        ("蓝色花瓶", "花瓶", True),
        ("蓝色花", "花瓶", False),
    ],
)
def test_whole_words_are_blocked_and_parts_where_no_spaces_are_written(
    suggestion: str, phrase: str, is_blocked: bool
) -> None:
    assert holds_phrase(suggestion, ["other", phrase]) == is_blocked and not holds_phrase(suggestion, [])


def test_offensive_words_are_whole_words() -> None:
    assert len(offensive_words()) > 50 and all(one == normalise_phrase(one) for one in offensive_words())
    assert is_offensive("what SHIT lamp") and is_offensive("Scheiße") and is_offensive("大傻逼")
    assert not any(map(is_offensive, ("shiitake", "cocktail glass", "scunthorpe", "dick smith", "classic", "")))


def test_the_command_line_blocks_on_a_running_server(own_shop: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    app = create_app(own_shop)
    client, home = client_of(app), ["--home", str(own_shop.home), "suggestions"]

    def suggest() -> Any:
        return client.get("/api/suggest?q=red+b&limit=20").get_json()["suggestions"]

    assert "red ball" in suggest()
    assert cli.run([*home, "block", "Ball", "never mind"]) == 0
    assert suggest() and not any("ball" in one for one in suggest())
    capsys.readouterr()
    assert cli.run([*home, "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"blocked": ["ball", "never mind"]}
    assert cli.run([*home, "unblock", "ball"]) == 0 and "red ball" in suggest()
    assert cli.run([*home, "unblock", "ball"]) == 1 and cli.run([*home, "block"]) == 2
    app.extensions["magpie"].close()
