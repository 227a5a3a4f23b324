"""Samples frames of a video, one for each scene, with limits against hostile files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image

from magpie.data.errors import BadPicture, TooLarge

MAX_DURATION_S = 1_800
MAX_SCENES = 8
_FRAME_SIDE = 640
_SAMPLE_INTERVAL_S = 0.5
_MOST_SAMPLES = 120
_WHOLLY_DECODED_S = 30  # of longer videos only key frames are decoded; scenes begin with one
_MOST_DECODED_PIXELS = 8_000_000_000
_SCENE_CHANGE = 24.0  # mean difference of 8-bit colours; PySceneDetect's content detector takes 27
# no playlists: one could name any file or URL to be read
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"}


@dataclass
class _Scene:
    """The frames of a scene, and a small copy of the first, with which later frames are compared."""

    first: np.ndarray
    frames: list[Image.Image]


def verify_video(path: Path, max_pixels: int) -> tuple[int, int]:
    """(width, height) in pixels of a video whose beginning can be decoded. Raises BadPicture, TooLarge."""
    with _opened(path, max_pixels) as (container, stream):
        if next(container.decode(stream), None) is None:
            raise BadPicture(f"{path}: holds no frame")
        return stream.width, stream.height


def open_frames(path: Path, max_pixels: int) -> list[Image.Image]:
    """The middle frame of each scene, upright RGB of at most 640 pixels a side, in order of time.

    Of more than eight scenes, the eight longest are taken. Raises BadPicture or TooLarge, naming the file and why.
    """
    return [scene.frames[len(scene.frames) // 2] for scene in _longest(_scenes(path, max_pixels))]


def open_poster(path: Path, max_pixels: int) -> Image.Image:
    """The middle frame of the longest scene, which represents the video. Raises BadPicture, TooLarge."""
    frames = max(_scenes(path, max_pixels), key=lambda scene: len(scene.frames)).frames
    return frames[len(frames) // 2]


def _longest(scenes: list[_Scene]) -> list[_Scene]:
    chosen = sorted(range(len(scenes)), key=lambda k: -len(scenes[k].frames))[:MAX_SCENES]
    return [scenes[k] for k in sorted(chosen)]


def _scenes(path: Path, max_pixels: int) -> list[_Scene]:
    """The scenes: runs of sampled frames similar to the run's first frame, so that a slow pan is divided too."""
    scenes: list[_Scene] = []
    with _opened(path, max_pixels) as (container, stream):
        for frame in _sample(container, stream):
            small = np.asarray(frame.resize((16, 16), Image.Resampling.BOX), np.float32)
            if not scenes or np.abs(small - scenes[-1].first).mean() > _SCENE_CHANGE:
                scenes.append(_Scene(small, []))
            scenes[-1].frames.append(frame)
    if not scenes:
        raise BadPicture(f"{path}: holds no frame")
    return scenes


def _sample(container: InputContainer, stream: VideoStream) -> Iterator[Image.Image]:
    """Frames at least half a second apart, at most 120, spread over the video."""
    duration_s = _duration_s(container)
    if duration_s > _WHOLLY_DECODED_S:
        stream.codec_context.skip_frame = "NONKEY"
    interval_s = max(_SAMPLE_INTERVAL_S, duration_s / _MOST_SAMPLES)
    most_frames = max(1, _MOST_DECODED_PIXELS // (stream.width * stream.height))
    taken, next_s = 0, 0.0
    for number, frame in enumerate(container.decode(stream), 1):
        time_s = frame.time if frame.time is not None else next_s
        if time_s >= next_s:
            yield _upright(frame)
            taken, next_s = taken + 1, time_s + interval_s
        if taken == _MOST_SAMPLES or number == most_frames:
            return


def _upright(frame: av.VideoFrame) -> Image.Image:
    image = Image.fromarray(frame.to_ndarray(format="rgb24"))
    image.thumbnail((_FRAME_SIDE, _FRAME_SIDE))
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def _duration_s(container: InputContainer) -> float:
    """The duration that the file gives in seconds, 0 where it gives none."""
    return container.duration / av.time_base if container.duration else 0.0


@contextmanager
def _opened(path: Path, max_pixels: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream; errors of ffmpeg are raised as BadPicture."""
    try:
        with path.open("rb") as file, av.open(file, mode="r", options=_OPTIONS) as container:
            if not container.streams.video:
                raise BadPicture(f"{path}: holds no video")
            stream = container.streams.video[0]
            if stream.width * stream.height > max_pixels:
                raise TooLarge(f"{path}: {stream.width} x {stream.height} pixels, at most {max_pixels:,} are taken")
            if _duration_s(container) > MAX_DURATION_S:
                raise TooLarge(f"{path}: lasts {_duration_s(container):,.0f} s, at most {MAX_DURATION_S:,} are taken")
            yield container, stream
    except FileNotFoundError as error:
        raise BadPicture(f"{path}: is not there") from error
    except MemoryError as error:
        raise TooLarge(f"{path}: does not fit into memory; shrink it") from error
    except (av.FFmpegError, ValueError, OSError) as error:
        raise BadPicture(f"{path}: is no video that can be decoded ({error})") from error
