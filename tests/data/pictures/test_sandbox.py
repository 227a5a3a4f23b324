"""Decoders that crash or hang cost one picture, and never the server."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from magpie.data.catalogue.items import ItemDraft
from magpie.data.errors import BadPicture, DecoderBusy
from magpie.data.pictures.sandbox import DecodeLimits, PictureSandbox
from magpie.data.settings import Settings
from magpie.web.app import create_app
from tests.support.serving import client_of
from tests.support.shop import draw

pytestmark = pytest.mark.slow


@pytest.fixture
def decoder() -> Iterator[PictureSandbox]:
    with closing(PictureSandbox(DecodeLimits(clock_s=0.5, cpu_s=0.5))) as opened:
        yield opened


def crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(path: Path) -> None:
    time.sleep(60)


def size_of(path: Path) -> int:
    return path.stat().st_size


@pytest.mark.parametrize("work", [crash, hang])
def test_a_lost_decoder_costs_its_picture(
    decoder: PictureSandbox, tmp_path: Path, work: Callable[[Path], None]
) -> None:
    file = tmp_path / "bad.jpg"
    file.write_bytes(b"12345")
    with pytest.raises(BadPicture, match=r"bad\.jpg: its decoder crashed"):
        decoder.run("bad.jpg", work, file)
    assert decoder.run("good.jpg", size_of, file) == 5


def test_what_the_work_raises_is_raised(decoder: PictureSandbox, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        decoder.run("gone.jpg", size_of, tmp_path / "gone.jpg")


def test_the_process_ends_with_the_one_that_started_it() -> None:
    code = (
        "import os, time; from magpie.data.pictures.sandbox import PictureSandbox\n"
        "print(PictureSandbox().run('x', os.getpid), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout and int(parent.stdout.readline()) != parent.pid
        parent.kill()
        parent.communicate(timeout=30)  # waits for everybody who could still write


def test_nobody_waits_long_for_the_pictures_of_others(tmp_path: Path) -> None:
    with closing(PictureSandbox(DecodeLimits(clock_s=2.0), patience_s=0.1)) as decoder:

        def wait_in_vain() -> None:
            with pytest.raises(BadPicture):
                decoder.run("slow", hang, tmp_path)

        slow = threading.Thread(target=wait_in_vain)
        slow.start()
        while not decoder._turn.locked():
            time.sleep(0.01)
        with pytest.raises(DecoderBusy) as refused:
            decoder.run("good.jpg", size_of, tmp_path)
        assert refused.value.status == 503 and refused.value.retry_after_s
        slow.join()
        assert decoder.run("x", os.getpid) != os.getpid()


def test_a_search_by_a_picture_that_takes_too_long_costs_only_itself(
    own_shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the interface, by the page's form, and by a part of a picture."""
    monkeypatch.setattr("magpie.data.pictures.sandbox.WHILE_ASKED", DecodeLimits(cpu_s=0.25))
    heavy, light = io.BytesIO(), draw("kite", "red", tmp_path / "kite.jpg").read_bytes()
    Image.new("RGB", (7_000, 7_000)).save(heavy, "PNG", compress_level=6)
    app = create_app(own_shop)
    try:
        client = client_of(app)

        def ask(address: str, content: bytes) -> Any:
            return client.post(address, data={"image": (io.BytesIO(content), "x.png")})

        for _ in range(2):
            refused = ask("/api/search", heavy.getvalue())
            assert refused.status_code == 415 and "took too long" in refused.get_json()["detail"]
            assert ask("/", heavy.getvalue()).status_code == 415
            assert ask("/api/search", light).get_json()["hits"]
        kept = ask("/", light)
        assert kept.status_code == 303
        assert client.get(f"{kept.headers['Location']}&crop=10-10-90-90").status_code == 200
    finally:
        app.extensions["magpie"].close()


def test_a_picture_that_hangs_keeps_nobody_from_searching(
    own_shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magpie.data.pictures.sandbox.WHILE_SERVING", DecodeLimits(clock_s=0.5))
    picture = draw("kite", "red", tmp_path / "kite.jpg")
    app = create_app(own_shop)
    try:
        opened, client = app.extensions["magpie"], client_of(app)
        opened.catalogue.upsert([ItemDraft("stuck", "Crimson kite", pictures=("kite.jpg",))], tmp_path)
        picture.unlink()
        os.mkfifo(picture)  # whoever opens it waits for ever
        opened.engine.refresh()
        assert client.get("/api/search?q=crimson+kite").get_json()["hits"][0]["item_id"] == "stuck"
        assert client.put("/api/items/new", json={"title": "Crimson hat"}).status_code == 201
        opened.engine.refresh()
        assert client.get("/api/search?q=crimson+hat").get_json()["hits"][0]["item_id"] == "new"
    finally:
        opened.close()
