"""Runs an open_clip model in torch: to export it, to encode many pictures, and to serve where the export fails."""

import difflib
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from magpie.data.errors import BadSetting, ModelUnavailable, first_line
from magpie.indexer.encoder.bpe_tokenizer import BytePairTokenizer
from magpie.indexer.encoder.image_preprocessing import PicturePreprocessing

__all__ = ["TorchClip", "TorchTokenizer", "load_from_hub", "load_local", "load_tokenizer"]


def load_local(folder: Path, device: str | None = None) -> "TorchClip":
    """The open_clip local-dir model in `folder`. Raises what open_clip and torch raise."""
    open_clip = _import_open_clip()
    import magpie.indexer.encoder.torch_image_tower  # noqa: F401 - registers magpie's own picture towers with timm

    network = open_clip.create_model_from_pretrained(f"local-dir:{folder.resolve()}", return_transform=False)
    return TorchClip(network, load_tokenizer(str(folder), folder), device)


def load_from_hub(model: str, pretrained: str | None, fallback: str, device: str | None = None) -> "TorchClip":
    """The open_clip model of that name, from the local cache or downloaded from its hub.

    `pretrained` is a tag or a checkpoint file; `fallback` names a model without download for the error messages.
    Raises BadSetting for an unknown name or tag, ModelUnavailable where the weights cannot be loaded.
    """
    open_clip = _import_open_clip()
    if not model.startswith("hf-hub:"):
        tags = open_clip.list_pretrained_tags_by_model(model)
        _check_name(model, pretrained, open_clip.list_models(), tags, fallback)
    try:
        network = open_clip.create_model_from_pretrained(model, pretrained=pretrained, return_transform=False)
        tokenizer = load_tokenizer(model, None)
    except Exception as error:  # the hub client raises many kinds, none of them ours to list
        source = f"{model} ({pretrained})" if pretrained else model
        raise ModelUnavailable(
            f"The weights of {source} could not be loaded: {first_line(error)} "
            f"Check the connection to the model hub, give a local checkpoint with --pretrained PATH, "
            f"or use the shipped model with --model {fallback}."
        ) from error
    return TorchClip(network, tokenizer, device)


def load_tokenizer(model: str, folder: Path | None) -> "TorchTokenizer":
    """The tokenizer of the local-dir model in `folder`, or of the open_clip model name where `folder` is None.

    Raises what open_clip raises.
    """
    open_clip = _import_open_clip()
    if folder is None:
        return TorchTokenizer(open_clip.get_tokenizer(model))
    vocabulary = folder / "bpe.txt.gz"
    extra = {"bpe_path": str(vocabulary.resolve())} if vocabulary.is_file() else {}
    return TorchTokenizer(open_clip.get_tokenizer(f"local-dir:{folder.resolve()}", **extra))


def _import_open_clip() -> Any:
    """open_clip without Triton, which torchvision would load to no purpose: nothing here compiles kernels for a GPU."""
    absent = sys.modules.setdefault("triton", None) is None  # type: ignore[arg-type]
    try:
        import open_clip
    finally:
        if absent:
            del sys.modules["triton"]
    return open_clip


def _check_name(model: str, pretrained: str | None, models: list[str], tags: list[str], fallback: str) -> None:
    if model not in models:
        near = difflib.get_close_matches(model, [fallback, *models], n=3, cutoff=0.4)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise BadSetting(f"There is no model {model!r}: not {fallback}, not a folder, not an open_clip name.{hint}")
    if pretrained is None:
        raise BadSetting(f"{model} needs --pretrained with one of its tags ({', '.join(tags)}) or a checkpoint file.")
    if pretrained not in tags and not Path(pretrained).is_file():
        raise BadSetting(
            f"{model} has no weights {pretrained!r}: neither a file nor one of its tags ({', '.join(tags)})."
        )


class TorchTokenizer:
    """An open_clip tokenizer; its rows always have the model's full context length."""

    def __init__(self, tokenizer: Any) -> None:
        self.of_open_clip = tokenizer
        self.context_length = int(getattr(tokenizer, "context_length", None) or 77)

    def __call__(self, texts: list[str]) -> np.ndarray:
        """(n, context) int64 token ids of n texts."""
        return np.asarray(self.of_open_clip(texts), np.int64)

    def encode(self, text: str) -> list[int]:
        """All token ids of a text; an estimated number of zeros where the tokenizer has no `encode`."""
        encode = getattr(self.of_open_clip, "encode", None)
        return list(encode(text)) if encode else [0] * (len(text) // 3)

    def merges(self) -> list[tuple[str, str]] | None:
        """The byte-pair merges by rank, for `BytePairTokenizer`; None where that cannot give the same ids."""
        try:
            BytePairTokenizer.like(self.of_open_clip)
        except TypeError:
            return None
        return list(self.of_open_clip.bpe_ranks)


class TorchClip:
    """An open_clip model and its tokenizer in evaluation mode, on the GPU where there is one."""

    def __init__(self, model: Any, tokenizer: TorchTokenizer, device: str | None = None) -> None:
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.eval().requires_grad_(False).to(self.device)
        self.model.visual.to(memory_format=torch.channels_last)
        # bfloat16 takes two thirds of the time; cosines differ by up to 1e-4, which the cache's float16 rounds away
        self.has_fast_bfloat16 = self.device == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        self.tokenizer = tokenizer
        self.preprocessing = PicturePreprocessing.from_config(dict(model.visual.preprocess_cfg))
        self.context_length = tokenizer.context_length
        self.dim = int(self.encode_texts(["a"]).shape[1])

    def set_threads(self, count: int) -> None:
        """Limits torch to `count` cores a call, in the whole process."""
        torch.set_num_threads(count)

    def fingerprint(self) -> str:
        """A hash (24 hexadecimal digits) of the weights, the preprocessing and a tokenized sample text."""
        digest = hashlib.blake2b(digest_size=12)
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
        digest.update(repr(self.preprocessing).encode())
        digest.update(np.asarray(self.tokenizer.of_open_clip(["Fingerprint: naïve 花瓶 t-shirt 42"])).tobytes())
        return digest.hexdigest()

    def count_tokens(self, text: str) -> int:
        """The number of tokens of a text, uncut, without start and end token."""
        return len(self.tokenizer.encode(text))

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """(n, dim) float32 features of n texts, not normalised; longer texts are cut at the context length."""
        with torch.inference_mode():
            tokens = torch.from_numpy(self.tokenizer(texts)).to(self.device)
            return np.asarray(self.model.encode_text(tokens).float().cpu())

    def encode_pictures(self, pixels: np.ndarray, is_exact: bool = False) -> np.ndarray:
        """(n, dim) float32 features of (n, height, width, 3) uint8 pixels, not normalised.

        Computed in float32 with `is_exact`, else in bfloat16 where the CPU is fast at it.
        """
        is_rough = self.has_fast_bfloat16 and not is_exact
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=is_rough):
            batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).permute(0, 3, 1, 2).float()
            mean = torch.tensor(self.preprocessing.mean, device=self.device).view(1, 3, 1, 1) * 255
            std = torch.tensor(self.preprocessing.std, device=self.device).view(1, 3, 1, 1) * 255
            batch = ((batch - mean) / std).contiguous(memory_format=torch.channels_last)
            return np.asarray(self.model.encode_image(batch).float().cpu())
