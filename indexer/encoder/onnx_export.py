"""Exports an open_clip model from torch to graphs for ONNX Runtime, and checks that both give the same vectors."""

import gzip
import json
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxscript.optimizer
import torch
import torch.nn.functional as F  # noqa: N812  (the customary name)
from onnxscript import ir
from torch import Tensor, nn

from magpie.data.errors import first_line
from magpie.indexer.encoder.bpe_tokenizer import BytePairTokenizer
from magpie.indexer.encoder.onnx_clip import IMAGE_GRAPH, TEXT_GRAPH, GraphInfo, OnnxClip, open_graph, run_graph
from magpie.indexer.encoder.torch_clip import TorchClip
from magpie.indexer.vectors import unit_rows

__all__ = ["write_graphs"]

_VOCABULARY = "bpe.txt.gz"
_MOST_DIFFERENCE = 1e-4  # of any number of a unit vector, between torch and the graph
_TEXTS = ["red", "", "a pair of blue canvas shoes for men", "Naïve 花瓶, 42 t-shirts &amp; more"]
_INLINE_BYTES = 1024  # larger arrays lie in a file beside the graph, which processes map and share


def write_graphs(
    network: TorchClip,
    folder: Path,
    fingerprint: str,
    weights: Path | None = None,
    sources: tuple[tuple[str, int, int], ...] = (),
) -> GraphInfo:
    """Writes the model's graphs and `onnx_graphs.json` into `folder`; the information that was written there.

    With `weights`, a safetensors file in the same folder that holds the model's weights, the graphs refer to it instead
    of holding the weights again. Where a tower cannot be exported, or gives other vectors than torch does, the
    graphs are removed and the result's `failure` is the reason. Raises OSError.
    """
    info = GraphInfo(fingerprint, network.dim, network.context_length, network.preprocessing, sources=sources)
    _prepare(network)
    try:
        _write_image_graph(network, folder, weights)
        info = replace(info, vocabulary=_write_vocabulary(network, folder))
    except Exception as error:  # an exporter fails in as many ways as there are models
        return _record_failure(info, folder, first_line(error))
    reason = ""
    for tower in (_CausalTextTower, _WholeTextTower):
        attempt = replace(info, is_cut_after_end=tower is _CausalTextTower)
        try:
            _write_text_graph(network, tower, folder, weights)
            _check_texts(network, OnnxClip(folder, attempt, load_tokenizer=lambda: network.tokenizer))
        except Exception as error:
            reason = first_line(error)
            continue
        attempt.write(folder)
        return attempt
    return _record_failure(info, folder, reason)


def _write_image_graph(network: TorchClip, folder: Path, weights: Path | None) -> None:
    _save(_exported(_ImageTower(network), _pixels(network, 2), "pixels", {0: _ANY}), folder / IMAGE_GRAPH, weights)
    _check_pictures(network, folder)


def _write_text_graph(network: TorchClip, tower: type[nn.Module], folder: Path, weights: Path | None) -> None:
    tokens = network.tokenizer(_TEXTS[:3])
    shape = {0: _ANY}
    if tower is _CausalTextTower:
        tokens, shape = tokens[:, : int(tokens.argmax(-1).max()) + 1], {0: _ANY, 1: _ANY}
    _save(_exported(tower(network.model), torch.from_numpy(tokens), "tokens", shape), folder / TEXT_GRAPH, weights)


def _record_failure(info: GraphInfo, folder: Path, reason: str) -> GraphInfo:
    for name in (TEXT_GRAPH, IMAGE_GRAPH):
        (folder / name).unlink(missing_ok=True)
        _weights_of(folder / name).unlink(missing_ok=True)
    failed = replace(info, failure=reason)
    failed.write(folder)
    return failed


def _prepare(network: TorchClip) -> None:
    """Moves the model to the CPU, in the memory format that the exporter takes."""
    network.device = "cpu"
    network.model.to("cpu")
    network.model.visual.to(memory_format=torch.contiguous_format)


class _ImageTower(nn.Module):
    """Computes (n, dim) features of (n, height, width, 3) uint8 pixels."""

    def __init__(self, network: TorchClip) -> None:
        super().__init__()
        self.model = network.model
        self.pixel_mean = nn.Buffer(torch.tensor(network.preprocessing.mean).view(1, 3, 1, 1) * 255)
        self.pixel_std = nn.Buffer(torch.tensor(network.preprocessing.std).view(1, 3, 1, 1) * 255)

    def forward(self, pixels: Tensor) -> Tensor:
        normalised = (pixels.permute(0, 3, 1, 2).float() - self.pixel_mean) / self.pixel_std
        features: Tensor = self.model.encode_image(normalised)
        return features


class _WholeTextTower(nn.Module):
    """Computes (n, dim) features of (n, context) token ids, with the model's own `encode_text`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.model.encode_text(tokens)
        return features


class _CausalTextTower(nn.Module):
    """Computes (n, dim) features of (n, length) token ids of any length, for CLIP's text tower (Radford et al. 2021).

    With causal attention, tokens after the end token (the highest id) cannot change its vector, so they may be left
    out, and the last block computes the end token's row only. Attention is written out, because the exporter fixes the
    length of torch's own.
    """

    def __init__(self, model: Any) -> None:
        """Raises TypeError for a tower that is not causal, or has another pooling or attention."""
        super().__init__()
        self.model = model
        tower = self._tower()
        pooling = getattr(tower, "pool_type", None) or getattr(tower, "text_pool_type", None)
        blocks = tower.transformer.resblocks
        is_plain = all(isinstance(block.attn, nn.MultiheadAttention) and block.attn.batch_first for block in blocks)
        if pooling != "argmax" or getattr(tower, "cls_emb", None) is not None or tower.attn_mask is None:
            raise TypeError(f"{type(tower).__name__} is not causal up to its end token")
        if not is_plain:
            raise TypeError(f"attention by {type(blocks[0].attn).__name__}")

    def _tower(self) -> Any:
        return getattr(self.model, "text", self.model)

    def forward(self, tokens: Tensor) -> Tensor:
        tower, length, ends = self._tower(), tokens.shape[1], tokens.argmax(-1)
        mask = tower.attn_mask[:length, :length]
        x = tower.token_embedding(tokens) + tower.positional_embedding[:length]
        *blocks, last = tower.transformer.resblocks
        for block in blocks:
            x = x + block.ls_1(_attention(block.attn, block.ln_1(x), None, mask))
            x = x + block.ls_2(block.mlp(block.ln_2(x)))
        attended = _attention(last.attn, last.ln_1(x), ends, mask[ends][:, None, None])
        x = _rows_at(x, ends) + last.ls_1(attended)
        x = x + last.ls_2(last.mlp(last.ln_2(x)))
        x = tower.ln_final(x).squeeze(1)
        projection = tower.text_projection
        if projection is None:
            return x
        return projection(x) if isinstance(projection, nn.Linear) else x @ projection


def _attention(layer: nn.MultiheadAttention, x: Tensor, queried: Tensor | None, mask: Tensor) -> Tensor:
    """Multi-head self-attention (Vaswani et al. 2017) over x (n, length, width).

    (n, length, width), or (n, 1, width) where `queried` (n,) names the one token of each row to compute. `mask` is
    added to the scores (n, heads, queries, length).
    """
    width, heads = x.shape[-1], layer.num_heads
    query, key, value = torch.split(F.linear(x, layer.in_proj_weight, layer.in_proj_bias), width, -1)
    if queried is not None:
        query = _rows_at(query, queried)
    query, key, value = (
        torch.unflatten(part, -1, (heads, width // heads)).transpose(1, 2) for part in (query, key, value)
    )
    weights = (query @ key.transpose(-1, -2) * (width // heads) ** -0.5 + mask).softmax(-1)
    attended: Tensor = layer.out_proj((weights @ value).transpose(1, 2).flatten(2))
    return attended


def _rows_at(x: Tensor, places: Tensor) -> Tensor:
    """(n, 1, width): of x (n, length, width), the row at each of the (n,) places."""
    return x.gather(1, places[:, None, None].expand(-1, 1, x.shape[-1]))


_ANY = torch.export.Dim.DYNAMIC


def _exported(tower: nn.Module, example: Tensor, name: str, shape: dict[int, Any]) -> ir.Model:
    """The tower's graph with one input called `name`; constants are folded, weights keep their names in the model."""
    with _quiet():
        program = torch.onnx.export(
            tower.eval(), (example,), dynamo=True, dynamic_shapes=(shape,), input_names=[name],
            output_names=["features"], optimize=False, external_data=False, verbose=False,
        )  # fmt: skip
        assert program is not None
        model = program.model
        onnxscript.optimizer.inline(model)
        onnxscript.optimizer.fold_constants_ir(model, should_fold=_is_folded_here)
        onnxscript.optimizer.remove_unused_nodes(model)
    for node in model.graph:  # origins in the source code: four fifths of a small graph's size
        node.metadata_props.clear()
        for output in node.outputs:
            output.metadata_props.clear()
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for value in [*model.graph.inputs, *model.graph.initializers.values()]:
        value.metadata_props.clear()
    return model


def _is_folded_here(node: ir.Node) -> bool | None:
    """False for transpositions: folding them would make new arrays that the file of weights does not hold."""
    return False if node.op_type == "Transpose" else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the exporter's warnings and log lines, which concern its own code."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _save(model: ir.Model, path: Path, weights: Path | None) -> None:
    """Writes the graph beside its place and renames it; the weights go to a file beside it, or stay in `weights`."""
    beside = path.with_name(f"{path.name}.new")
    if weights:
        _refer_to(model, weights)
        ir.save(model, beside)
    else:
        ir.save(model, beside, external_data=_weights_of(path).name, size_threshold_bytes=_INLINE_BYTES)
    beside.replace(path)


def _weights_of(path: Path) -> Path:
    return path.with_suffix(".weights")


def _refer_to(model: ir.Model, weights: Path) -> None:
    """Replaces the graph's arrays by references into a safetensors file, where that holds them in float16 or float32.

    ONNX's external data are a file name, an offset and a length; a safetensors file is a header (a length of eight
    bytes, then JSON with each array's offsets) followed by the bare arrays.
    """
    with weights.open("rb") as file:
        header_bytes = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(header_bytes))
    kinds = {"F16": ir.DataType.FLOAT16, "F32": ir.DataType.FLOAT}
    graph = model.graph
    for name, value in list(graph.initializers.items()):
        entry = header.get(name.removeprefix("model."))
        array = value.const_value
        if entry is None or array is None or entry["dtype"] not in kinds or list(array.shape) != entry["shape"]:
            continue
        kind, (start, stop) = kinds[entry["dtype"]], entry["data_offsets"]
        shape = ir.Shape(entry["shape"])
        place = ir.ExternalTensor(
            weights.name, 8 + header_bytes + start, stop - start, kind, shape=shape, name=name, base_dir=weights.parent
        )
        if kind == array.dtype:
            value.const_value = place
            continue
        stored = ir.Value(name=f"{name}.stored", shape=shape, type=ir.TensorType(kind), const_value=place)
        widened = ir.node("Cast", [stored], {"to": int(array.dtype)})  # ONNX Runtime does it once, when it loads
        widened.outputs[0].name = f"{name}.widened"
        widened.outputs[0].shape, widened.outputs[0].type = shape, ir.TensorType(array.dtype)
        graph.register_initializer(stored)
        graph.insert_before(graph[0], widened)
        value.replace_all_uses_with(widened.outputs[0])
        del graph.initializers[name]


def _write_vocabulary(network: TorchClip, folder: Path) -> str | None:
    """The name of the byte-pair file in the folder, written where it is missing; None for another kind of tokenizer."""
    merges = network.tokenizer.merges()
    if merges is None:
        return None
    path = folder / _VOCABULARY
    if not path.exists():
        lines = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges)])
        path.write_bytes(gzip.compress(lines.encode(), mtime=0))
    whole, short = network.tokenizer(_TEXTS), BytePairTokenizer.read(path, network.context_length)(_TEXTS)
    return _VOCABULARY if np.array_equal(whole[:, : short.shape[1]], short) else None


def _check_pictures(network: TorchClip, folder: Path) -> None:
    """Raises ValueError where the picture graph gives other vectors than torch, for batches of one and of three."""
    session = open_graph(folder / IMAGE_GRAPH, 1)
    for count in (1, 3):
        pixels = _pixels(network, count).numpy()
        _compare("picture", network.encode_pictures(pixels, is_exact=True), run_graph(session, pixels))


def _check_texts(network: TorchClip, graphs: OnnxClip) -> None:
    """Raises ValueError where the text graph gives other vectors than torch, for several batches and text lengths."""
    texts = [*_TEXTS, "very " * network.context_length]
    for some in (texts, texts[:1], texts[2:3]):
        _compare("text", network.encode_texts(some), graphs.encode_texts(some))


def _compare(what: str, expected: np.ndarray, given: np.ndarray) -> None:
    difference = float(np.abs(unit_rows(expected) - unit_rows(given)).max())
    if not difference <= _MOST_DIFFERENCE:
        raise ValueError(f"the {what} graph's vectors differ from torch's by {difference:.1e}")


def _pixels(network: TorchClip, count: int) -> Tensor:
    shape = (count, network.preprocessing.height, network.preprocessing.width, 3)
    return torch.from_numpy(np.random.default_rng(count).integers(0, 256, shape, np.uint8))
