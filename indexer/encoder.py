"""Text and pictures → unit vectors, by any open_clip model: the one place where a neural network runs.

`open_encoder` reads what it can without loading torch (a local model's configuration and fingerprint),
because a rebuild that finds every vector in the cache needs no network at all.
"""

import difflib
import hashlib
import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import BadSetting, ModelUnavailable
from indexer.preprocessing import PicturePreprocessing

if TYPE_CHECKING:
    from indexer.text_tower import ShortTextTower
    from indexer.tokenizing import ShortTokenizer

SHIPPED_MODEL = "magpie-mini"
SHIPPED_MODELS_DIR = Path(__file__).resolve().parent.parent / "data" / "models"
_MAX_PIECES = 16
_LETTERS_PER_KNOWN_TOKEN = 4


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
    """A dual encoder. The network is loaded on the first call that needs it, once, also with many threads."""

    spec: EncoderSpec
    prior_means: Mapping[str, np.ndarray]  # (dim,) by "text", "image", "query", where the model comes with them
    _load: Callable[[], "_Network"]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def _network(self) -> "_Network":
        with self._lock:
            return self._load()

    def warm_up(self) -> None:
        """Loads the network and runs it once, so that the first query does not wait for it."""
        self.encode_texts(["warm up"])

    def encode_texts(self, texts: Sequence[str], batch_size: int = 256) -> np.ndarray:
        """(n, dim) float32 unit rows. A text longer than the model's context is split, and its pieces are averaged."""
        pieces: list[str] = []
        owners: list[int] = []
        for row, text in enumerate(texts):
            for piece in self._network.split(text):
                pieces.append(piece)
                owners.append(row)
        order = sorted(range(len(pieces)), key=lambda k: len(pieces[k]))  # batches of like length need little padding
        vectors = np.zeros((len(texts), self.spec.dim), np.float32)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            encoded = self._network.encode_texts([pieces[k] for k in chosen])
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


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """The rows scaled to length 1, float32; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(
        vectors, norms, out=np.zeros_like(vectors, dtype=np.float32), where=norms > 1e-12, dtype=np.float32
    )


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
    network = _load_from_hub(model, pretrained, threads)
    spec = EncoderSpec(model, pretrained, network.fingerprint(), network.dim, network.preprocessing)
    return Encoder(spec, {}, lambda: network)


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
    return Encoder(spec, _read_means(folder), lambda: _load_local(folder, threads))


def _read_means(folder: Path) -> dict[str, np.ndarray]:
    """The mean vectors over the model's training data, which a model made by `magpie train encoder` comes with."""
    path = folder / "magpie.json"
    if not path.is_file():
        return {}
    means = json.loads(path.read_text(encoding="utf-8")).get("means", {})
    return {name: np.array(mean, np.float32) for name, mean in means.items()}


def _import_open_clip() -> Any:
    """open_clip without Triton, which torchvision would load to no purpose: nothing here compiles kernels for a GPU."""
    absent = sys.modules.setdefault("triton", None) is None  # type: ignore[arg-type]
    try:
        import open_clip
    finally:
        if absent:
            del sys.modules["triton"]
    return open_clip


def _load_local(folder: Path, threads: int | None) -> "_Network":
    open_clip = _import_open_clip()
    import indexer.training.towers  # noqa: F401 - registers the shipped model's picture tower with timm

    name = f"local-dir:{folder.resolve()}"
    vocabulary = folder / "bpe.txt.gz"
    extra = {"bpe_path": str(vocabulary.resolve())} if vocabulary.is_file() else {}
    try:
        network = open_clip.create_model_from_pretrained(name, return_transform=False)
        tokenizer = open_clip.get_tokenizer(name, **extra)
    except Exception as error:  # a damaged file fails in as many ways as there are libraries that read it
        raise ModelUnavailable(
            f"The model in {folder} cannot be loaded: {_first_line(error)} Restore it or choose another with --model."
        ) from error
    return _Network(network, tokenizer, threads)


def _load_from_hub(model: str, pretrained: str | None, threads: int | None) -> "_Network":
    open_clip = _import_open_clip()
    if not model.startswith("hf-hub:"):
        _check_name(model, pretrained, open_clip.list_models(), open_clip.list_pretrained_tags_by_model(model))
    try:
        network = open_clip.create_model_from_pretrained(model, pretrained=pretrained, return_transform=False)
        tokenizer = open_clip.get_tokenizer(model)
    except Exception as error:  # the hub client raises many kinds, none of them ours to list
        source = f"{model} ({pretrained})" if pretrained else model
        raise ModelUnavailable(
            f"The weights of {source} could not be loaded: {_first_line(error)} "
            f"Check the connection to the model hub, give a local checkpoint with --pretrained PATH, "
            f"or use the shipped model with --model {SHIPPED_MODEL}."
        ) from error
    return _Network(network, tokenizer, threads)


def _check_name(model: str, pretrained: str | None, models: list[str], tags: list[str]) -> None:
    if model not in models:
        near = difflib.get_close_matches(model, [SHIPPED_MODEL, *models], n=3, cutoff=0.4)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise BadSetting(
            f"There is no model {model!r}: not {SHIPPED_MODEL}, not a folder, not an open_clip name.{hint}"
        )
    if pretrained is None:
        raise BadSetting(f"{model} needs --pretrained with one of its tags ({', '.join(tags)}) or a checkpoint file.")
    if pretrained not in tags and not Path(pretrained).is_file():
        raise BadSetting(
            f"{model} has no weights {pretrained!r}: neither a file nor one of its tags ({', '.join(tags)})."
        )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"


class _Network:
    """An open_clip model and its tokenizer in evaluation mode on the CPU or, where there is one, the GPU."""

    def __init__(self, model: Any, tokenizer: Any, threads: int | None) -> None:
        import torch

        from indexer.tokenizing import without_needless_cleaning

        if threads:
            torch.set_num_threads(threads)

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = model.eval().requires_grad_(False).to(self.device)
        self.model.visual.to(memory_format=torch.channels_last)
        # half as long, and within 1e-4 of the float32 cosine, which the cache's float16 rounds away (docs/speed.md)
        self._has_fast_bfloat16 = self.device == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
        self.tokenizer = without_needless_cleaning(tokenizer)
        self.preprocessing = PicturePreprocessing.from_config(dict(model.visual.preprocess_cfg))
        self.context_length = int(getattr(tokenizer, "context_length", None) or 77)
        self.dim = int(self._encode_tokens(tokenizer(["a"])).shape[1])
        self._short_way = self._open_short_way()

    def fingerprint(self) -> str:
        """Twelve bytes, hexadecimal, of the weights, the preprocessing and the tokenizer's behaviour."""
        digest = hashlib.blake2b(digest_size=12)
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
        digest.update(repr(self.preprocessing).encode())
        digest.update(np.asarray(self.tokenizer(["Fingerprint: naïve 花瓶 t-shirt 42"])).tobytes())
        return digest.hexdigest()

    def split(self, text: str) -> list[str]:
        """The text in pieces that fit the model's context; usually one. At most sixteen, spread over a longer text."""
        words = text.split()
        if len(words) < 8 and len(text) < 2 * self.context_length:
            return [text]
        num_pieces = -(-self.count_tokens(text) // (self.context_length - 2))
        if num_pieces <= 1:
            return [text]
        size = max(1, len(words) // (num_pieces + num_pieces // 4))
        pieces = [" ".join(words[k : k + size]) for k in range(0, len(words), size)]
        step = max(1.0, len(pieces) / _MAX_PIECES)
        return [pieces[int(k * step)] for k in range(min(len(pieces), _MAX_PIECES))]

    def count_tokens(self, text: str) -> int:
        encode = getattr(self.tokenizer, "encode", None)
        return len(encode(text)) if encode else len(text) // 3

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        if self._short_way:
            tokenizer, tower = self._short_way
            return tower.encode(tokenizer(texts))
        return self._encode_tokens(self.tokenizer(texts))

    def _encode_tokens(self, tokens: Any) -> np.ndarray:
        """As open_clip itself encodes them: over the whole context, which is several times as long as most texts."""
        import torch

        with torch.inference_mode():
            return np.asarray(self.model.encode_text(tokens.to(self.device)).float().cpu())

    def _open_short_way(self) -> "tuple[ShortTokenizer, ShortTextTower] | None":
        """The quicker way through tokenizer and text tower, where it gives what the model itself gives."""
        from indexer.text_tower import ShortTextTower
        from indexer.tokenizing import ShortTokenizer

        texts = ["red", "a pair of blue canvas shoes for men", "very " * self.context_length]
        try:
            tokenizer, tower = ShortTokenizer(self.tokenizer), ShortTextTower(self.model)
            short = tower.encode(tokenizer(texts))
        except (AttributeError, TypeError, ValueError, RuntimeError, IndexError):
            return None
        whole = self._encode_tokens(self.tokenizer(texts))
        return (tokenizer, tower) if np.abs(unit_rows(short) - unit_rows(whole)).max() < 1e-4 else None

    def encode_pictures(self, pixels: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._has_fast_bfloat16):
            batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).permute(0, 3, 1, 2).float()
            mean = torch.tensor(self.preprocessing.mean, device=self.device).view(1, 3, 1, 1) * 255
            std = torch.tensor(self.preprocessing.std, device=self.device).view(1, 3, 1, 1) * 255
            batch = ((batch - mean) / std).contiguous(memory_format=torch.channels_last)
            return np.asarray(self.model.encode_image(batch).float().cpu())
