"""Text and pictures → unit vectors, by any open_clip model.

`open_encoder` reads what it can without loading torch (a local model's configuration and fingerprint), because a
rebuild that finds every vector in the cache needs no network at all, and serving magpie's own models needs no torch.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from magpie.data.errors import BadSetting, ModelUnavailable, first_line
from magpie.indexer.encoder.image_preprocessing import PicturePreprocessing
from magpie.indexer.encoder.numpy_clip import CompactNetwork, is_compact
from magpie.indexer.vectors import unit_rows

SHIPPED_MODEL = "magpie-mini"
SHIPPED_MODELS_DIR = Path(__file__).resolve().parents[2] / "data" / "models"
_MAX_PIECES = 16
_LETTERS_PER_KNOWN_TOKEN = 4
_WORTH_TORCH = 3_000  # pictures that take longer in numpy than torch takes to load and to encode them


class Network(Protocol):
    """What makes features of texts and pictures: `CompactNetwork` in numpy, `OpenClipNetwork` in torch."""

    context_length: int

    def set_threads(self, count: int) -> None: ...

    def count_tokens(self, text: str) -> int: ...

    def encode_texts(self, texts: list[str]) -> np.ndarray: ...

    def encode_pictures(self, pixels: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class EncoderSpec:
    """Which network made a vector. Vectors may be compared only if their specs have the same fingerprint."""

    model: str
    pretrained: str | None
    fingerprint: str
    dim: int
    preprocessing: PicturePreprocessing


@dataclass
class Encoder:
    """A dual encoder. Its network is loaded on the first call that needs it, once, also with many threads."""

    spec: EncoderSpec
    prior_means: Mapping[str, np.ndarray]  # (dim,) by "text", "image", "query", where the model comes with them
    _load: Callable[[], Network]
    _load_for_many: Callable[[], Network] | None = None  # a network that is quicker once many pictures are encoded
    _threads: int | None = None
    _for_many: Network | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def _first_network(self) -> Network:
        with self._lock:
            network = self._load()
            if self._threads:
                network.set_threads(self._threads)
            return network

    @property
    def _network(self) -> Network:
        return self._for_many or self._first_network

    def warm_up(self) -> None:
        """Loads the network and runs it once, so that the first query does not wait for it."""
        self.encode_texts(["warm up"])

    def expect_pictures(self, count: int) -> None:
        """Makes ready for that many pictures to come: from some thousands on, a network that takes longer to load."""
        if count >= _WORTH_TORCH and self._load_for_many and self._for_many is None:
            self._for_many = self._load_for_many()

    def set_threads(self, count: int) -> None:
        """Lets one call use at most `count` cores, in this whole process."""
        self._network.set_threads(count)

    def encode_texts(self, texts: Sequence[str], batch_size: int = 256) -> np.ndarray:
        """(n, dim) float32 unit rows. A text longer than the model's context is split, and its pieces are averaged."""
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
        """The share of the text's letters in words that the tokenizer keeps nearly whole; random letters fall apart."""
        words = text.split()
        letters = sum(len(w) for w in words)
        known = sum(len(w) for w in words if self._network.count_tokens(w) <= 1 + len(w) / _LETTERS_PER_KNOWN_TOKEN)
        return known / letters if letters else 0.0

    def encode_pictures(self, pixels: np.ndarray) -> np.ndarray:
        """(n, dim) float32 unit rows from (n, height, width, 3) uint8 pixels, prepared as `spec.preprocessing` says."""
        return unit_rows(self._network.encode_pictures(pixels))


def _split(text: str, network: Network) -> list[str]:
    """The text in pieces that fit the model's context; usually one. At most sixteen, spread over a longer text."""
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


def open_encoder(model: str, pretrained: str | None = None, threads: int | None = None) -> Encoder:
    """The encoder of that name: `magpie-mini`, a folder in open_clip's local-dir layout, `hf-hub:…`, or an open_clip
    model name together with a pretrained tag or a checkpoint file.

    `threads` limits the cores that one call uses: a server wants one, because requests run side by side already.
    Raises BadSetting for a name or tag that does not exist (with the nearest ones), ModelUnavailable where weights
    cannot be downloaded or read.
    """
    folder = SHIPPED_MODELS_DIR / model if model == SHIPPED_MODEL else Path(model)
    if (folder / "open_clip_config.json").is_file():
        return _open_local(model, folder, threads)
    if folder.is_dir():
        raise BadSetting(
            f"The model folder {folder} has no open_clip_config.json; it must be an open_clip local-dir model."
        )
    from magpie.indexer.encoder.torch_clip import load_from_hub

    network = load_from_hub(model, pretrained, SHIPPED_MODEL)
    spec = EncoderSpec(model, pretrained, network.fingerprint(), network.dim, network.preprocessing)
    return Encoder(spec, {}, lambda: network, _threads=threads)


def _open_local(model: str, folder: Path, threads: int | None) -> Encoder:
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
    digest = hashlib.blake2b(digest_size=12)
    for file in sorted(folder.iterdir()):
        if file.suffix in (".json", ".safetensors", ".bin", ".pt", ".gz", ".model"):
            digest.update(file.name.encode() + b"\0" + hashlib.blake2b(file.read_bytes()).digest())
    spec = EncoderSpec(model, None, digest.hexdigest(), dim, preprocessing)
    means = _read_means(folder)

    def load() -> Network:
        from magpie.indexer.encoder.torch_clip import load_local

        return load_local(folder)

    if not is_compact(folder, model_config):
        return Encoder(spec, means, _or_unavailable(folder, load), _threads=threads)
    compact = _or_unavailable(folder, lambda: CompactNetwork(folder, model_config, preprocessing))
    return Encoder(spec, means, compact, _or_unavailable(folder, load), threads)


def _or_unavailable(folder: Path, load: Callable[[], Network]) -> Callable[[], Network]:
    """The same, with an error that names the folder where its files cannot be read."""

    def load_or_tell() -> Network:
        try:
            return load()
        except Exception as error:  # a damaged file fails in as many ways as there are libraries that read it
            raise ModelUnavailable(
                f"The model in {folder} cannot be loaded: {first_line(error)} "
                "Restore it or choose another with --model."
            ) from error

    return load_or_tell


def _read_means(folder: Path) -> dict[str, np.ndarray]:
    """The mean vectors over the model's training data, which a model made by `magpie train encoder` comes with."""
    path = folder / "magpie.json"
    if not path.is_file():
        return {}
    means = json.loads(path.read_text(encoding="utf-8")).get("means", {})
    return {name: np.array(mean, np.float32) for name, mean in means.items()}
