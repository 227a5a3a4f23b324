"""Videos as items: a frame of each scene, one vector, a poster; bad ones are reported like bad pictures."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import magpie.data.pictures.videos
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.errors import BadPicture, TooLarge
from magpie.data.feeds.import_feed import import_feed
from magpie.data.pictures.decode import open_picture, open_views
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.data.pictures.videos import open_frames, verify_video
from magpie.data.settings import Settings
from magpie.indexer.encoder.video_pooling import pool_frames
from magpie.indexer.rebuild import rebuild
from magpie.indexer.vectors import unit_rows
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from magpie.web.media.picture_store import PictureStore
from tests.support.shop import draw

RATE = 4


def film(path: Path, scenes: Sequence[tuple[Image.Image, float]]) -> Path:
    """Writes a video of still scenes, each a picture and its seconds."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height = scenes[0][0].size
        stream.pix_fmt = "yuv420p"
        for picture, seconds in scenes:
            for _ in range(int(seconds * RATE)):
                container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    return path


def colour(name: str) -> Image.Image:
    return Image.new("RGB", (96, 128), name)


def mean_colour(image: Image.Image) -> tuple[int, ...]:
    return tuple(np.asarray(image).reshape(-1, 3).mean(axis=0).round(-1).astype(int).tolist())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return film(tmp_path / "clip.mp4", [(colour("black"), 1), (colour("red"), 4), (colour("blue"), 2)])


def test_each_scene_gives_a_frame_and_the_longest_the_poster(clip: Path) -> None:
    frames = [mean_colour(frame) for frame in open_views(clip, 10**6, (64, 80))]
    assert len(frames) == 3
    assert max(frames[0]) < 30 and frames[1][0] > 200 and frames[2][2] > 200
    assert mean_colour(open_picture(clip, 10**6))[0] > 200
    assert verify_video(clip, 10**6) == (96, 128)


def test_of_many_scenes_the_longest_count(tmp_path: Path) -> None:
    scenes = [(colour("white" if n % 2 else "black"), 1.0) for n in range(11)] + [(colour("green"), 3.0)]
    frames = open_frames(film(tmp_path / "many.mp4", scenes), 10**6)
    assert len(frames) == magpie.data.pictures.videos.MAX_SCENES
    assert mean_colour(frames[-1])[1] > 100


def test_what_is_too_large_or_too_long_or_no_video_is_refused(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TooLarge, match="96 x 128"):
        open_frames(clip, 96 * 128 - 1)
    monkeypatch.setattr(magpie.data.pictures.videos, "MAX_DURATION_S", 5)
    with pytest.raises(TooLarge, match="lasts 7 s"):
        verify_video(clip, 10**6)
    monkeypatch.undo()
    secret = tmp_path / "secret.ts"
    secret.write_bytes(clip.read_bytes())
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()
    for name, content in (("cut", clip.read_bytes()[:900]), ("text", b"hello"), ("empty", b""), ("list", playlist)):
        bad = tmp_path / f"{name}.mp4"
        bad.write_bytes(content)
        with pytest.raises(BadPicture, match=f"{name}.mp4"):
            verify_video(bad, 10**6)
    with pytest.raises(BadPicture, match="not there"):
        verify_video(tmp_path / "gone.mp4", 10**6)


def test_a_frame_unlike_the_others_says_little() -> None:
    alike = unit_rows(np.array([[1, 0.1, 0], [1, 0, 0.1], [1, 0, 0], [0, 0, 1]], np.float32))
    keys, vectors = pool_frames(["video"] * 4 + ["picture"], np.concatenate([alike, alike[3:]]))
    assert keys == ["video", "picture"]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    plain_mean = unit_rows(alike.mean(axis=0)[None])[0]
    assert vectors[0][2] < plain_mean[2] / 2
    assert vectors[1] == pytest.approx(alike[3])


def test_a_folder_of_videos_is_found_by_words_and_by_picture(
    catalogue: Catalogue, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    dark = Image.new("RGB", (96, 120), "black")
    for number, (kind, shade) in enumerate((("ball", "red"), ("box", "blue"), ("ring", "green")), 1):
        picture = Image.open(draw(kind, shade, tmp_path / "x.png")).convert("RGB")
        film(folder / f"{number}.mp4", [(dark, 0.5), (picture, 3)])
    (folder / "4.webm").write_bytes(b"no video")
    report = import_feed(catalogue, folder)
    assert (report.inserted, report.images_broken) == (4, 1)
    assert report.rejects_file and "is no video" in Path(report.rejects_file).read_text()
    assert rebuild(settings, catalogue.database).pictures_encoded == 3
    engine = SearchEngine(settings, catalogue.database)
    found = engine.search(SearchRequest(text="red", mode="image", k=1)).hits[0]
    assert found.item_id == "1.mp4"
    picture = (tmp_path / "x.png").read_bytes()
    assert engine.search(SearchRequest(picture=picture, mode="image", k=1)).hits[0].item_id == "3.mp4"
    with closing(PictureSandbox()) as decoder:
        served = PictureStore(settings, catalogue, decoder).find("1.mp4", 1, 320)
    assert served.mimetype == "image/webp"
    centre = Image.open(served.file).convert("RGB").getpixel((48, 60))
    assert centre[0] > 150 and centre[1] < 100
