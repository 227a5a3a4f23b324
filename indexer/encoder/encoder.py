"""Encodes texts and pictures as unit vectors with any open_clip model, for indexing and for queries.

`open_encoder` reads only a local model's configuration and fingerprint; the network is loaded on first use, because a
rebuild that finds every vector in the cache needs none. ONNX Runtime runs the network; torch runs it for very many
pictures, and for models that cannot be exported.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from magpie.data.errors import BadSetting, MagpieError, ModelUnavailable, first_line
from magpie.indexer.encoder.graph_cache import cached_graphs
from magpie.indexer.encoder.image_decoding import cpu_count
from magpie.indexer.encoder.image_preprocessing import PicturePreprocessing
from magpie.indexer.encoder.onnx_clip import ABOUT_FILE, GraphInfo, OnnxClip, Tokenizer, read_graph_info
from magpie.indexer.vectors import unit_rows

SHIPPED_MODEL = "magpie-mini"
SHIPPED_MODELS_DIR = Path(__file__).resolve().parents[2] / "data" / "models"
_MAX_PIECES = 16
_LETTERS_PER_KNOWN_TOKEN = 4
_TORCH_LOADS_S = 4.0  # of processor time
_TORCH_SAVES = 0.3  # of the time that a picture takes, at best (docs/encoder.md)
_SHORT_TRIAL, _TRIAL = 16, 64  # pictures; torch is slow in smaller batches than decoding makes


class Network(Protocol):
    """Computes features of texts and pictures: `OnnxClip`, or `TorchClip` where a model cannot be exported."""

    context_length: int

    def set_threads(self, count: int) -> None: ...

    def count_tokens(self, text: str) -> int: ...

    def encode_texts(self, texts: list[str]) -> np.ndarray: ...

    def encode_pictures(self, pixels: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class EncoderSpec:
    """The identity of a model. Vectors may be compared only if their specs have the same fingerprint."""

    model: str
    pretrained: str | None
    fingerprint: str
    dim: int
    preprocessing: PicturePreprocessing


class PictureNetwork(Protocol):
    """Computes features of pictures; for many of them it may be quicker than a `Network`."""

    def set_threads(self, count: int) -> None: ...

    def encode_pictures(self, pixels: np.ndarray) -> np.ndarray: ...


@dataclass
class Encoder:
    """A dual encoder of texts and pictures. Its network is loaded once, on first use. Safe to share among threads."""

    spec: EncoderSpec
    prior_means: Mapping[str, np.ndarray]  # (dim,) by "text", "image", "query", where the model comes with them
    _load: Callable[[int | None], Network]  # given the number of threads
    _load_for_many: Callable[[], PictureNetwork | None] | None = None
    _threads: int | None = None
    _for_many: PictureNetwork | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def _network(self) -> Network:
        with self._lock:
            return self._load(self._threads)

    def warm_up(self) -> None:
        """Loads the network and runs it once, so that the first query does not wait for it."""
        self.encode_texts(["warm up"])

    def expect_pictures(self, count: int) -> None:
        """Chooses the faster network for `count` pictures: torch, where it saves more time than loading it takes.

        Torch can be faster in bfloat16 and on a GPU. That depends on model and processor, so both are timed.
        """
        if self._load_for_many is None or self._for_many is not None:
            return
        each_s = self._seconds_each(self._network, _SHORT_TRIAL)
        if count * each_s * _TORCH_SAVES > _TORCH_LOADS_S + 2 * _TRIAL * each_s:
            network = self._load_for_many()
            if network is None:
                return
            network.set_threads(1)  # torch's threads would wait for each other on processor time
            if self._seconds_each(network, _TRIAL) < each_s:
                network.set_threads(self._threads or cpu_count())
                self._for_many = network

    def _seconds_each(self, network: PictureNetwork, count: int) -> float:
        """Processor time a picture, in seconds, over `count` pictures; other programs do not lengthen it."""
        pixels = np.zeros((count, self.spec.preprocessing.height, self.spec.preprocessing.width, 3), np.uint8)
        network.encode_pictures(pixels)
        started = time.process_time()
        network.encode_pictures(pixels)
        return (time.process_time() - started) / count

    def set_threads(self, count: int) -> None:
        """Limits one call to `count` cores."""
        self._network.set_threads(count)
        if self._for_many:
            self._for_many.set_threads(count)

    def encode_texts(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """(n, dim) float32 unit rows of n texts; of a text longer than the context, the mean vector of its pieces."""
        network = self._network
        pieces: list[str] = []
        owners: list[int] = []
        for row, text in enumerate(texts):
            for piece in _split(text, network):
                pieces.append(piece)
                owners.append(row)
        order = sorted(range(len(pieces)), key=lambda k: len(pieces[k]))  # batches of like length need little padding
        vectors = np.zeros((len(texts), self.spec.dim), np.float32)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            encoded = network.encode_texts([pieces[k] for k in chosen])
            if len(pieces) == len(texts):
                vectors[chosen] = encoded
            else:
                np.add.at(vectors, [owners[k] for k in chosen], encoded)
        return unit_rows(vectors)

    def known_share(self, text: str) -> float:
        """From 0 to 1: the share of the text's letters in words that the vocabulary knows.

        A word is known if its tokens have at least four letters on average; random letters fall into many tokens.
        """
        words = text.split()
        letters = sum(len(w) for w in words)
        known = sum(len(w) for w in words if self._network.count_tokens(w) <= 1 + len(w) / _LETTERS_PER_KNOWN_TOKEN)
        return known / letters if letters else 0.0

    def encode_pictures(self, pixels: np.ndarray) -> np.ndarray:
        """(n, dim) float32 unit rows of (n, height, width, 3) uint8 pixels, prepared by `spec.preprocessing`."""
        return unit_rows((self._for_many or self._network).encode_pictures(pixels))


def _split(text: str, network: Network) -> list[str]:
    """The text in pieces that fit the model's context: one, or at most sixteen spread evenly over a longer text."""
    words = text.split()
    if len(words) < 8 and len(text) < 2 * network.context_length:
        return [text]
    num_pieces = -(-network.count_tokens(text) // (network.context_length - 2))
    if num_pieces <= 1:
        return [text]
    size = max(1, len(words) // (num_pieces + num_pieces // 4))
    pieces = [" ".join(words[k : k + size]) for k in range(0, len(words), size)]
    step = max(1.0, len(pieces) / _MAX_PIECES)
    return [pieces[int(k * step)] for k in range(min(len(pieces), _MAX_PIECES))]


def open_encoder(
    model: str, pretrained: str | None = None, threads: int | None = None, home: Path | None = None
) -> Encoder:
    """The encoder called `model`: `magpie-mini`, a folder in open_clip's local-dir layout, `hf-hub:…`, or an open_clip
    model name with `pretrained`, a tag or a checkpoint file.

    `threads` limits the cores of one call: a server takes one, because its requests run in parallel. `home` keeps the
    exported graphs of a model that comes without them; without a home, torch runs such a model.
    Raises BadSetting for a name or tag that does not exist (with the nearest ones), ModelUnavailable where weights
    cannot be downloaded or read.
    """
    folder = SHIPPED_MODELS_DIR / model if model == SHIPPED_MODEL else Path(model)
    if (folder / "open_clip_config.json").is_file():
        return _open_local(model, folder, threads, home)
    if folder.is_dir():
        raise BadSetting(
            f"The model folder {folder} has no open_clip_config.json; it must be an open_clip local-dir model."
        )
    found = cached_graphs(home, model, pretrained, None) if home else None
    if found is None:
        return _open_in_torch(model, pretrained, threads)
    graphs, info = found
    spec = EncoderSpec(model, pretrained, info.fingerprint, info.dim, info.preprocessing)
    load = _or_unavailable(model, lambda cores: OnnxClip(graphs, info, cores, lambda: _torch_tokenizer(model, None)))
    return Encoder(spec, {}, load, lambda: _same_in_torch(model, pretrained, info), threads)


def _open_in_torch(model: str, pretrained: str | None, threads: int | None) -> Encoder:
    from magpie.indexer.encoder.torch_clip import load_from_hub

    network = load_from_hub(model, pretrained, SHIPPED_MODEL)
    spec = EncoderSpec(model, pretrained, network.fingerprint(), network.dim, network.preprocessing)

    def load(cores: int | None) -> Network:
        if cores:
            network.set_threads(cores)
        return network

    return Encoder(spec, {}, load, _threads=threads)


def _same_in_torch(model: str, pretrained: str | None, info: GraphInfo) -> PictureNetwork | None:
    """The model of that name in torch; None where its weights are not those that the graphs were exported from."""
    from magpie.indexer.encoder.torch_clip import load_from_hub

    try:
        network = load_from_hub(model, pretrained, SHIPPED_MODEL)
    except (BadSetting, ModelUnavailable):
        return None
    return network if network.fingerprint() == info.fingerprint else None


def _open_local(model: str, folder: Path, threads: int | None, home: Path | None) -> Encoder:
    config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))
    try:
        model_config = config["model_cfg"]
        dim = int(model_config["embed_dim"])
        size = {"size": model_config["vision_cfg"]["image_size"]}
    except (KeyError, TypeError) as error:
        raise BadSetting(
            f"{folder / 'open_clip_config.json'} is not an open_clip configuration: {error} is missing."
        ) from error
    preprocessing = PicturePreprocessing.from_config({**size, **config.get("preprocess_cfg", {})})
    spec = EncoderSpec(model, None, fingerprint_of(folder), dim, preprocessing)

    def load(cores: int | None) -> Network:
        found = _graphs_of(folder, spec.fingerprint, home)
        if found:
            return OnnxClip(*found, cores, lambda: _torch_tokenizer(model, folder))
        from magpie.indexer.encoder.torch_clip import load_local

        network = load_local(folder)
        if cores:
            network.set_threads(cores)
        return network

    def load_for_many() -> PictureNetwork:
        from magpie.indexer.encoder.torch_clip import load_local

        return load_local(folder)

    return Encoder(spec, _read_means(folder), _or_unavailable(folder, load), load_for_many, threads)


def fingerprint_of(folder: Path) -> str:
    """A hash (24 hexadecimal digits) of the files of a local-dir model that decide its vectors. Raises OSError."""
    digest = hashlib.blake2b(digest_size=12)
    for file in sorted(folder.iterdir()):
        if file.suffix in (".json", ".safetensors", ".bin", ".pt", ".gz", ".model") and file.name != ABOUT_FILE:
            digest.update(file.name.encode() + b"\0" + hashlib.blake2b(file.read_bytes()).digest())
    return digest.hexdigest()


def _graphs_of(folder: Path, fingerprint: str, home: Path | None) -> tuple[Path, GraphInfo] | None:
    """The folder and description of the model's graphs: its own if they fit its weights, else those in the home."""
    info = read_graph_info(folder)
    if info and info.failure is None and info.fingerprint == fingerprint:
        return folder, info
    return cached_graphs(home, str(folder.resolve()), None, fingerprint) if home else None


def _torch_tokenizer(model: str, folder: Path | None) -> Tokenizer:
    from magpie.indexer.encoder.torch_clip import load_tokenizer

    return load_tokenizer(model, folder)


def _or_unavailable(model: Path | str, load: Callable[[int | None], Network]) -> Callable[[int | None], Network]:
    """`load` that raises ModelUnavailable, naming the model, where its files cannot be read."""

    def load_or_raise(threads: int | None) -> Network:
        try:
            return load(threads)
        except MagpieError:
            raise
        except Exception as error:  # a damaged file fails in as many ways as there are libraries that read it
            raise ModelUnavailable(
                f"The model in {model} cannot be loaded: {first_line(error)} Restore it or choose another with --model."
            ) from error

    return load_or_raise


def _read_means(folder: Path) -> dict[str, np.ndarray]:
    """The (dim,) mean vectors over the training data by "text", "image", "query"; empty for a model without them."""
    path = folder / "magpie.json"
    if not path.is_file():
        return {}
    means = json.loads(path.read_text(encoding="utf-8")).get("means", {})
    return {name: np.array(mean, np.float32) for name, mean in means.items()}
