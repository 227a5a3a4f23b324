"""Graphs of open_clip models of every kind give torch's own vectors, or torch goes on and says why."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CLIP, CustomTextCLIP
from torch import nn

import magpie.indexer.encoder.torch_image_tower  # noqa: F401 - registers magpie's own towers with timm
from magpie.indexer.encoder.onnx_clip import OnnxClip, read_graph_info
from magpie.indexer.encoder.onnx_export import write_graphs
from magpie.indexer.encoder.torch_clip import TorchClip, TorchTokenizer
from magpie.indexer.vectors import unit_rows

pytestmark = pytest.mark.slow

VIT: dict[str, Any] = {"image_size": 32, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16}
RESNET: dict[str, Any] = {
    "timm_model_name": "magpie_resnet_1221", "timm_pool": "avg", "timm_proj": "linear", "image_size": 32
}  # fmt: skip
EFFICIENTNET: dict[str, Any] = {**RESNET, "timm_model_name": "efficientnet_lite0", "image_size": 64}
TEXT: dict[str, Any] = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
SIGLIP_TEXT: dict[str, Any] = {
    **TEXT, "context_length": 16, "no_causal_mask": True, "pool_type": "last", "proj_bias": True, "act_kwargs":
    {"approximate": "tanh"}, "norm_kwargs": {"eps": 1e-6},
}  # fmt: skip
TEXTS = ["hat", "", "a pair of blue canvas shoes for men!", "Käse &amp; Wein", "very " * 100]


def network_of(model: nn.Module, context_length: int = 77, size: int = 32, clean: str = "lower") -> TorchClip:
    """The model with random weights and statistics, so that no layer is the identity, and CLIP's own tokenizer."""
    generator = torch.Generator().manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.LayerNorm):
            numbers = (layer.weight, layer.bias, *(getattr(layer, n, None) for n in ("running_mean", "running_var")))
            for values in (each for each in numbers if each is not None):
                nn.init.uniform_(values, 0.5, 1.5, generator=generator)
    model.visual.preprocess_cfg = {"size": size}  # type: ignore[union-attr]
    tokenizer = open_clip.SimpleTokenizer(context_length=context_length, clean=clean)
    return TorchClip(model, TorchTokenizer(tokenizer), "cpu")


def assert_same_vectors(network: TorchClip, folder: Path, is_cut: bool) -> None:
    info = write_graphs(network, folder, "abc")
    assert info.failure is None
    assert info == read_graph_info(folder)
    assert info.is_cut_after_end == is_cut
    graphs = OnnxClip(folder, info, 1, lambda: network.tokenizer)
    for some in (TEXTS, TEXTS[:1], TEXTS[2:3]):
        expected = unit_rows(network.encode_texts(some))
        np.testing.assert_allclose(unit_rows(graphs.encode_texts(some)), expected, atol=2e-5)
    shape = (5, network.preprocessing.height, network.preprocessing.width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    expected = unit_rows(network.encode_pictures(pixels, is_exact=True))
    np.testing.assert_allclose(unit_rows(graphs.encode_pictures(pixels)), expected, atol=2e-5)
    np.testing.assert_allclose(unit_rows(graphs.encode_pictures(pixels[:1])), expected[:1], atol=2e-5)


@pytest.mark.parametrize("is_quick_gelu", [False, True])
def test_a_clip_with_a_vision_transformer(tmp_path: Path, is_quick_gelu: bool) -> None:
    torch.manual_seed(0)
    network = network_of(CLIP(16, VIT, TEXT, quick_gelu=is_quick_gelu))
    assert_same_vectors(network, tmp_path, is_cut=True)
    assert network.tokenizer.merges() is not None
    assert read_graph_info(tmp_path).vocabulary == "bpe.txt.gz"  # type: ignore[union-attr]


@pytest.mark.parametrize("vision", [RESNET, EFFICIENTNET], ids=["magpie_resnet", "efficientnet"])
def test_a_picture_tower_of_timm(tmp_path: Path, vision: dict[str, Any]) -> None:
    torch.manual_seed(1)
    text = {**TEXT, "ls_init_value": 0.5, "proj_bias": True}
    assert_same_vectors(network_of(CustomTextCLIP(16, vision, text), size=vision["image_size"]), tmp_path, is_cut=True)


@pytest.mark.parametrize("changes", [{}, {"pool_type": "first", "no_causal_mask": False}], ids=["siglip", "first"])
def test_a_text_tower_that_reads_its_padding_gets_the_whole_context(tmp_path: Path, changes: dict[str, Any]) -> None:
    torch.manual_seed(2)
    text = {**SIGLIP_TEXT, **changes}
    assert_same_vectors(network_of(CustomTextCLIP(32, VIT, text), context_length=16), tmp_path, is_cut=False)


def test_a_text_tower_with_a_class_token_and_masked_padding_as_in_coca(tmp_path: Path) -> None:
    torch.manual_seed(3)
    text = {**TEXT, "context_length": 20, "embed_cls": True}
    assert_same_vectors(network_of(CustomTextCLIP(16, VIT, text), context_length=20), tmp_path, is_cut=False)


def test_another_tokenizer_is_asked_for_its_ids(tmp_path: Path) -> None:
    torch.manual_seed(4)
    network = network_of(CLIP(16, VIT, TEXT), clean="canonicalize")
    assert_same_vectors(network, tmp_path, is_cut=True)
    info = read_graph_info(tmp_path)
    assert info is not None
    assert info.vocabulary is None
    with pytest.raises(ValueError, match="no vocabulary"):
        OnnxClip(tmp_path, info)


class Shaky(CLIP):
    """A model whose vectors depend on what no graph holds: how often it was asked."""

    times = 0

    def encode_image(self, image: torch.Tensor, normalize: bool = False) -> torch.Tensor:
        self.times += 1
        return super().encode_image(image, normalize) + 0.01 * self.times


def test_a_graph_that_differs_from_torch_is_not_kept(tmp_path: Path) -> None:
    torch.manual_seed(5)
    info = write_graphs(network_of(Shaky(16, VIT, TEXT)), tmp_path, "abc")
    assert info.failure is not None
    assert "differ from torch's" in info.failure
    assert info == read_graph_info(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"onnx_graphs.json", "bpe.txt.gz"}


class Unexportable(CLIP):
    """A model that decides by its numbers, which a graph cannot."""

    def encode_image(self, image: torch.Tensor, normalize: bool = False) -> torch.Tensor:
        return super().encode_image(image if float(image.sum()) > 0 else -image, normalize)


def test_a_model_that_cannot_be_exported_says_why(tmp_path: Path) -> None:
    torch.manual_seed(6)
    info = write_graphs(network_of(Unexportable(16, VIT, TEXT)), tmp_path, "abc")
    assert info.failure
    assert not (tmp_path / "image.onnx").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "preprocessing": 3}'])
def test_an_unreadable_description_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "onnx_graphs.json").write_text(content)
    assert read_graph_info(tmp_path) is None


def test_a_description_keeps_its_numbers(tmp_path: Path) -> None:
    torch.manual_seed(7)
    network = network_of(CLIP(16, VIT, TEXT))
    info = write_graphs(network, tmp_path, "abc", sources=(("/a", 3, 5),))
    assert json.loads((tmp_path / "onnx_graphs.json").read_text())["sources"] == [["/a", 3, 5]]
    read = read_graph_info(tmp_path)
    assert read == info
    assert read.preprocessing == network.preprocessing
