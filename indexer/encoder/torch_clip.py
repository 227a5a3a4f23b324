"""Any open_clip model in torch: loaded from a folder or from a hub, run on the CPU or, where there is one, the GPU."""

import difflib
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from magpie.data.errors import BadSetting, ModelUnavailable, first_line
from magpie.indexer.encoder.bpe_tokenizer import BytePairTokenizer
from magpie.indexer.encoder.image_preprocessing import PicturePreprocessing
from magpie.indexer.encoder.numpy_text_tower import Activation, ShortTextTower, gelu, laid_out_names, quick_gelu
from magpie.indexer.vectors import unit_rows

__all__ = ["OpenClipNetwork", "load_from_hub", "load_local"]


def load_local(folder: Path) -> "OpenClipNetwork":
    """The open_clip local-dir model in `folder`. Raises what its libraries raise."""
    open_clip = _import_open_clip()
    import magpie.indexer.encoder.torch_image_tower  # noqa: F401 - registers magpie's own picture towers with timm

    name = f"local-dir:{folder.resolve()}"
    vocabulary = folder / "bpe.txt.gz"
    extra = {"bpe_path": str(vocabulary.resolve())} if vocabulary.is_file() else {}
    network = open_clip.create_model_from_pretrained(name, return_transform=False)
    return OpenClipNetwork(network, open_clip.get_tokenizer(name, **extra))


def load_from_hub(model: str, pretrained: str | None, fallback: str) -> "OpenClipNetwork":
    """The model of that name, downloaded where it is not at hand. Raises BadSetting, ModelUnavailable.

    `fallback` is a model that needs no hub, for the error's text.
    """
    open_clip = _import_open_clip()
    if not model.startswith("hf-hub:"):
        tags = open_clip.list_pretrained_tags_by_model(model)
        _check_name(model, pretrained, open_clip.list_models(), tags, fallback)
    try:
        network = open_clip.create_model_from_pretrained(model, pretrained=pretrained, return_transform=False)
        tokenizer = open_clip.get_tokenizer(model)
    except Exception as error:  # the hub client raises many kinds, none of them ours to list
        source = f"{model} ({pretrained})" if pretrained else model
        raise ModelUnavailable(
            f"The weights of {source} could not be loaded: {first_line(error)} "
            f"Check the connection to the model hub, give a local checkpoint with --pretrained PATH, "
            f"or use the shipped model with --model {fallback}."
        ) from error
    return OpenClipNetwork(network, tokenizer)


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


class OpenClipNetwork:
    """An open_clip model and its tokenizer in evaluation mode."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = model.eval().requires_grad_(False).to(self.device)
        self.model.visual.to(memory_format=torch.channels_last)
        # half as long, and within 1e-4 of the float32 cosine, which the cache's float16 rounds away (docs/speed.md)
        self._has_fast_bfloat16 = self.device == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
        self.tokenizer = tokenizer
        self.preprocessing = PicturePreprocessing.from_config(dict(model.visual.preprocess_cfg))
        self.context_length = int(getattr(tokenizer, "context_length", None) or 77)
        self.dim = int(self.encode_tokens(tokenizer(["a"])).shape[1])
        self.short_way = self._open_short_way()

    def set_threads(self, count: int) -> None:
        """Lets one call use at most `count` cores, in this whole process."""
        torch.set_num_threads(count)

    def fingerprint(self) -> str:
        """Twelve bytes, hexadecimal, of the weights, the preprocessing and the tokenizer's behaviour."""
        digest = hashlib.blake2b(digest_size=12)
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
        digest.update(repr(self.preprocessing).encode())
        digest.update(np.asarray(self.tokenizer(["Fingerprint: naïve 花瓶 t-shirt 42"])).tobytes())
        return digest.hexdigest()

    def count_tokens(self, text: str) -> int:
        encode = self.short_way[0].encode if self.short_way else getattr(self.tokenizer, "encode", None)
        return len(encode(text)) if encode else len(text) // 3

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """(n, dim) float32 features; what exceeds the context is cut."""
        if self.short_way:
            tokenizer, tower = self.short_way
            return tower.encode(tokenizer(texts))
        return self.encode_tokens(self.tokenizer(texts))

    def encode_tokens(self, tokens: Any) -> np.ndarray:
        """As open_clip itself encodes them: over the whole context, which is several times as long as most texts."""
        with torch.inference_mode():
            return np.asarray(self.model.encode_text(tokens.to(self.device)).float().cpu())

    def encode_pictures(self, pixels: np.ndarray) -> np.ndarray:
        """(n, dim) float32 features of (n, height, width, 3) uint8 pixels."""
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._has_fast_bfloat16):
            batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).permute(0, 3, 1, 2).float()
            mean = torch.tensor(self.preprocessing.mean, device=self.device).view(1, 3, 1, 1) * 255
            std = torch.tensor(self.preprocessing.std, device=self.device).view(1, 3, 1, 1) * 255
            batch = ((batch - mean) / std).contiguous(memory_format=torch.channels_last)
            return np.asarray(self.model.encode_image(batch).float().cpu())

    def _open_short_way(self) -> tuple[BytePairTokenizer, ShortTextTower] | None:
        """The quicker way through tokenizer and text tower, where it gives what the model itself gives."""
        texts = ["red", "a pair of blue canvas shoes for men", "very " * self.context_length]
        try:
            tokenizer, tower = BytePairTokenizer.like(self.tokenizer), short_text_tower(self.model)
            short = tower.encode(tokenizer(texts))
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, IndexError):
            return None
        whole = self.encode_tokens(self.tokenizer(texts))
        return (tokenizer, tower) if np.abs(unit_rows(short) - unit_rows(whole)).max() < 1e-4 else None


def short_text_tower(model: nn.Module) -> ShortTextTower:
    """The model's text tower in numpy, on the same memory, which is laid out anew.

    Raises AttributeError, KeyError, TypeError or ValueError for a tower that is built in another way or on a GPU.
    """
    tower: Any = getattr(model, "text", model)
    first: Any = tower.transformer.resblocks[0]
    if not isinstance(first.attn, nn.MultiheadAttention):
        raise TypeError(f"attention by {type(first.attn).__name__}")
    parameters = {name: tensor for name, tensor in tower.named_parameters() if not name.startswith("visual.")}
    for name in laid_out_names(parameters):
        parameters[name].data = parameters[name].data.T.contiguous().T
    weights = {name: _numbers(tensor) for name, tensor in parameters.items()}
    return ShortTextTower(weights, first.attn.num_heads, _activation_of(first.mlp[1]))


def _activation_of(layer: nn.Module) -> Activation:
    if isinstance(layer, nn.GELU) and layer.approximate == "none":
        return gelu
    if type(layer).__name__ == "QuickGELU":
        return quick_gelu
    raise TypeError(f"activation by {type(layer).__name__}")


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    if tensor.dtype != torch.float32:
        raise TypeError(f"weights of type {tensor.dtype}")
    return tensor.detach().numpy()
