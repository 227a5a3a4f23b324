"""Builds the dual encoder to be trained: an open_clip model, new or with the weights of an earlier one."""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the customary name)
from open_clip.model import CustomTextCLIP
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

import magpie.indexer.encoder.torch_image_tower  # noqa: F401  (makes timm know the towers by name)
from magpie.indexer.encoder_training.train_tokenizer import load_tokenizer


@dataclass(frozen=True)
class Shape:
    """The size of a dual encoder; None means as in the model that training starts from, or the default."""

    tower: str | None = None
    picture_size: tuple[int, int] | None = None  # height, width in pixels
    vocabulary: int | None = None
    context: int | None = None  # tokens
    text_layers: int | None = None

    def config(self, start: dict[str, Any] | None) -> dict[str, Any]:
        """open_clip's `model_cfg` of this shape; other fields from `start`, an earlier model's, or the defaults."""
        cfg = json.loads(json.dumps(start)) if start else _default_config()
        vision, text = cfg["vision_cfg"], cfg["text_cfg"]
        vision["timm_model_name"] = self.tower or vision["timm_model_name"]
        vision["image_size"] = list(self.picture_size or vision["image_size"])
        text["vocab_size"] = self.vocabulary or text["vocab_size"]
        text["context_length"] = self.context or text["context_length"]
        text["layers"] = self.text_layers or text["layers"]
        return dict(cfg)


def _default_config() -> dict[str, Any]:
    vision = {"timm_model_name": "magpie_resnet_1231", "timm_model_pretrained": False, "timm_pool": "avg",
              "timm_proj": "linear", "image_size": [80, 64]}  # fmt: skip
    text = {"context_length": 32, "vocab_size": 6144, "width": 192, "heads": 3, "layers": 2, "mlp_ratio": 2.0,
            "tokenizer_kwargs": {"clean": "lower"}}  # fmt: skip
    return {"embed_dim": 192, "custom_text": True, "vision_cfg": vision, "text_cfg": text}


def read_config(folder: Path) -> dict[str, Any]:
    """The `model_cfg` of the open_clip local-dir model in `folder`. Raises OSError, ValueError, KeyError."""
    return dict(json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"])


def new_model(config: dict[str, Any]) -> CustomTextCLIP:
    """A model of this `model_cfg` with random weights, drawn from torch's global generator."""
    model = CustomTextCLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])
    # Text blocks start as the identity, so that a model with more blocks begins exactly where the smaller one ended.
    for block in model.text.transformer.resblocks:
        for last in (block.attn.out_proj, block.mlp.c_proj):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
    return model.to(memory_format=torch.channels_last)


def copy_weights(model: CustomTextCLIP, folder: Path, tokenizer: SimpleTokenizer) -> list[str]:
    """Copies the weights of the model in `folder` that fit; the names of the weights that it did not have.

    A longer context repeats the last position's vector. A token that the old vocabulary lacks gets the mean vector of
    the old tokens that spell it.
    """
    old = {name: tensor.float() for name, tensor in load_file(folder / "open_clip_model.safetensors").items()}
    own = model.state_dict()
    positions, tokens = "text.positional_embedding", "text.token_embedding.weight"
    length = len(own[positions])
    if len(old[positions]) != length:
        tail = old[positions][-1:].expand(max(0, length - len(old[positions])), -1)
        old[positions] = torch.cat([old[positions], tail])[:length]
    before = load_tokenizer(folder / "bpe.txt.gz", length)
    if before.encoder != tokenizer.encoder:
        old[tokens] = _respelled(old[tokens], before, tokenizer)
    fitting = {name: tensor for name, tensor in old.items() if name in own and own[name].shape == tensor.shape}
    model.load_state_dict(fitting, strict=False)
    return sorted(set(own) - set(fitting))


def _respelled(vectors: Tensor, before: SimpleTokenizer, after: SimpleTokenizer) -> Tensor:
    """(size of the new vocabulary, width) token embeddings from those of the old vocabulary."""
    rows = []
    for token in after.encoder:
        if token in before.encoder:
            rows.append(vectors[before.encoder[token]])
            continue
        ended = token.endswith("</w>")
        pieces = before.bpe(token.removesuffix("</w>")).split(" ")
        if not ended:  # the old spelling ends a word where this token goes on
            pieces[-1] = pieces[-1].removesuffix("</w>")
        known = [before.encoder[piece] for piece in pieces if piece in before.encoder]
        rows.append(vectors[known].mean(0) if known else vectors.mean(0))
    return torch.stack(rows)


def picture_vectors(model: CustomTextCLIP, pictures: Tensor) -> Tensor:
    """(n, dim) float32 unit rows of (n, 3, height, width) normalised pictures."""
    return F.normalize(model.encode_image(pictures).float(), dim=-1)


def text_vectors(model: CustomTextCLIP, tokens: Tensor) -> Tensor:
    """(n, dim) float32 unit rows of (n, longest) token ids, zeros after the end token, which is the highest id.

    Texts are encoded in two groups by length, each padded to its own longest text: half of the work would be padding
    otherwise.
    """
    lengths = tokens.argmax(1) + 1
    order = lengths.argsort()
    parts = [part for part in torch.split(order, max(64, (len(order) + 1) // 2)) if len(part)]
    whole_mask = model.text.attn_mask
    vectors = []
    # The fused attention kernels are slower than plain products for so few tokens on a CPU.
    with sdpa_kernel(SDPBackend.MATH) if tokens.device.type == "cpu" else nullcontext():
        for part in parts:
            longest = int(lengths[part[-1]])
            if whole_mask is not None:
                model.text.attn_mask = whole_mask[:longest, :longest]
            vectors.append(model.encode_text(tokens[part, :longest]).float())
    model.text.attn_mask = whole_mask
    inverse = torch.empty_like(order)
    inverse[order] = torch.arange(len(order), device=order.device)
    return F.normalize(torch.cat(vectors), dim=-1)[inverse]
