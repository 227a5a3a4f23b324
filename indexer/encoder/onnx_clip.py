"""Encodes texts and pictures with ONNX Runtime, so that serving needs no torch.

A folder of graphs holds `text.onnx` (features of token ids), `image.onnx` (features of pixels, normalisation included)
and `onnx_graphs.json` (the model that they were exported from, see `GraphInfo`). `onnx_export.py` writes them.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort

from magpie.data.home.atomic_files import write_whole
from magpie.indexer.encoder.bpe_tokenizer import BytePairTokenizer
from magpie.indexer.encoder.image_decoding import cpu_count
from magpie.indexer.encoder.image_preprocessing import PicturePreprocessing
from magpie.indexer.memory import give_back_freed

__all__ = [
    "ABOUT_FILE",
    "IMAGE_GRAPH",
    "TEXT_GRAPH",
    "GraphInfo",
    "OnnxClip",
    "Tokenizer",
    "open_graph",
    "read_graph_info",
    "run_graph",
]

TEXT_GRAPH, IMAGE_GRAPH, ABOUT_FILE = "text.onnx", "image.onnx", "onnx_graphs.json"
_FORMAT = 1  # of the folder; graphs of another format are exported again
_AT_ONCE = 16  # pictures; more take memory and are hardly quicker


class Tokenizer(Protocol):
    """Turns n texts into (n, length) int64 token ids."""

    def __call__(self, texts: list[str]) -> np.ndarray: ...

    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class GraphInfo:
    """The model that a folder's graphs were exported from, and the input that they take.

    `is_cut_after_end` says whether tokens after the end token (the highest id) may be left out. `vocabulary` names the
    byte-pair file in the folder; without one, open_clip's tokenizer is needed. `failure` says why there are no graphs.
    `sources` are the files that the weights were read from: path, size in bytes, time of change in nanoseconds.
    """

    fingerprint: str
    dim: int
    context_length: int
    preprocessing: PicturePreprocessing
    is_cut_after_end: bool = False
    vocabulary: str | None = None
    failure: str | None = None
    sources: tuple[tuple[str, int, int], ...] = ()

    def write(self, folder: Path) -> None:
        """Writes the folder's `onnx_graphs.json`, whole. Raises OSError."""
        content = {"format": _FORMAT, **asdict(self)}
        write_whole(folder / ABOUT_FILE, (json.dumps(content, indent=1) + "\n").encode())


def read_graph_info(folder: Path) -> GraphInfo | None:
    """The folder's `onnx_graphs.json`; None where there is none, it is damaged, or this version cannot use it."""
    try:
        content = json.loads((folder / ABOUT_FILE).read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            return None
        stored = content.pop("preprocessing")
        preprocessing = PicturePreprocessing(**{**stored, "mean": tuple(stored["mean"]), "std": tuple(stored["std"])})
        sources = tuple((str(path), int(size), int(changed)) for path, size, changed in content.pop("sources"))
        return GraphInfo(preprocessing=preprocessing, sources=sources, **content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


class OnnxClip:
    """The two graphs of a folder with their tokenizer. Safe to share among threads."""

    def __init__(
        self,
        folder: Path,
        info: GraphInfo,
        threads: int | None = None,
        load_tokenizer: Callable[[], Tokenizer] | None = None,
    ) -> None:
        """Opens the graphs in `folder`. `threads` is the number of cores of one call, by default all.

        `load_tokenizer` is called where the folder has no vocabulary. Raises OSError, ValueError or ONNX Runtime's own
        errors for files that are missing or damaged.
        """
        self.context_length = info.context_length
        self._folder, self._info = folder, info
        if info.vocabulary:
            self._tokenizer: Tokenizer = BytePairTokenizer.read(folder / info.vocabulary, info.context_length)
        elif load_tokenizer:
            self._tokenizer = load_tokenizer()
        else:
            raise ValueError(f"{folder} has no vocabulary")
        self._threads = threads or cpu_count()
        self._sessions = self._open_sessions()

    def set_threads(self, count: int) -> None:
        """Limits one call to `count` cores; opens the graphs again where the number changes."""
        if count != self._threads:
            self._threads = count
            self._sessions = self._open_sessions()

    def _open_sessions(self) -> tuple[ort.InferenceSession, ort.InferenceSession]:
        text, image = (open_graph(self._folder / name, self._threads) for name in (TEXT_GRAPH, IMAGE_GRAPH))
        give_back_freed()  # opening takes three times the memory of the weights
        return text, image

    def count_tokens(self, text: str) -> int:
        """The number of tokens of a text, uncut, without start and end token."""
        return len(self._tokenizer.encode(text))

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """(n, dim) float32 features of n texts, not normalised; longer texts are cut at the context length."""
        tokens = self._tokenizer(texts)
        if self._info.is_cut_after_end:
            tokens = tokens[:, : int(tokens.argmax(-1).max()) + 1]
        else:
            tokens = np.pad(tokens, ((0, 0), (0, self.context_length - tokens.shape[1])))
        return run_graph(self._sessions[0], np.ascontiguousarray(tokens, np.int64))

    def encode_pictures(self, pixels: np.ndarray) -> np.ndarray:
        """(n, dim) float32 features of (n, height, width, 3) uint8 pixels, not normalised."""
        session = self._sessions[1]
        parts = [run_graph(session, pixels[at : at + _AT_ONCE]) for at in range(0, len(pixels), _AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros((0, self._info.dim), np.float32)


def open_graph(path: Path, threads: int) -> ort.InferenceSession:
    """A session on the graph, safe to share among threads; one run uses `threads` cores.

    Raises ONNX Runtime's own errors.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only: nobody could act on its warnings
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # they keep what the largest batch took
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads take no processor time
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_graph(session: ort.InferenceSession, batch: np.ndarray) -> np.ndarray:
    """(n, dim) float32 features of a batch: (n, length) int64 token ids, or (n, height, width, 3) uint8 pixels."""
    return np.asarray(session.run(None, {session.get_inputs()[0].name: batch})[0])
