"""A model that comes without graphs is exported once, by another process, and kept in the home."""

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from safetensors.torch import load_file, save_file

from magpie.data.errors import BadSetting, ModelUnavailable
from magpie.indexer.encoder.encoder import SHIPPED_MODELS_DIR, open_encoder
from magpie.indexer.encoder.graph_cache import cache_folder
from magpie.indexer.encoder.onnx_clip import GraphInfo, OnnxClip
from magpie.indexer.encoder.torch_clip import TorchClip
from tests.indexer.encoder.test_onnx_export import TEXT, VIT

pytestmark = pytest.mark.slow

SHIPPED = SHIPPED_MODELS_DIR / "magpie-mini"
GRAPHS = ("text.onnx", "image.onnx", "onnx_graphs.json")
ENCODE = """
import sys
from pathlib import Path
from magpie.indexer.encoder.encoder import open_encoder

encoder = open_encoder(sys.argv[1], threads=1, home=Path(sys.argv[2]))
print(encoder.encode_texts(["navy trainers"])[0, 0], encoder.spec.fingerprint, "torch" in sys.modules)
"""


def encode_elsewhere(model: Path | str, home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ENCODE, str(model), str(home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out.split()


def folders_of(home: Path) -> list[Path]:
    return sorted((home / "models" / "cache").iterdir())


@pytest.fixture
def old_model(tmp_path: Path) -> Path:
    """A model as `magpie train encoder` made it before it wrote graphs."""
    folder = tmp_path / "old"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns(*GRAPHS))
    return folder


@pytest.mark.slow
def test_two_processes_at_once_export_a_model_once_and_neither_loads_torch(old_model: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    both = [finished(process) for process in [encode_elsewhere(old_model, home) for _ in range(2)]]
    shipped = open_encoder("magpie-mini")
    expected = float(shipped.encode_texts(["navy trainers"])[0, 0])
    for number, fingerprint, has_torch in both:
        assert float(number) == pytest.approx(expected, abs=1e-6)
        assert fingerprint == shipped.spec.fingerprint
        assert has_torch == "False"
    (folder,) = folders_of(home)
    written = (folder / "onnx_graphs.json").stat()
    assert {path.name for path in folder.iterdir()} == {*GRAPHS, "text.weights", "image.weights", "bpe.txt.gz"}
    finished(encode_elsewhere(old_model, home))
    assert (folder / "onnx_graphs.json").stat() == written
    assert sorted(path.name for path in old_model.iterdir()) == sorted(
        path.name for path in SHIPPED.iterdir() if path.name not in GRAPHS
    )


@pytest.mark.slow
def test_graphs_of_other_weights_are_never_used(old_model: Path, tmp_path: Path) -> None:
    for name in GRAPHS:
        shutil.copy(SHIPPED / name, old_model)  # of the weights as they were
    weights = load_file(old_model / "open_clip_model.safetensors")
    weights["text.text_projection"] = -weights["text.text_projection"]
    save_file(weights, old_model / "open_clip_model.safetensors")
    encoder = open_encoder(str(old_model), threads=1, home=tmp_path / "home")
    vectors = encoder.encode_texts(["navy trainers"])
    np.testing.assert_allclose(vectors, -open_encoder("magpie-mini").encode_texts(["navy trainers"]), atol=3e-6)
    assert isinstance(encoder._network, OnnxClip)
    (folder,) = folders_of(tmp_path / "home")
    assert json.loads((folder / "onnx_graphs.json").read_text())["fingerprint"] == encoder.spec.fingerprint
    # what the home keeps is checked in the same way
    weights["text.text_projection"] = 2 * weights["text.text_projection"]
    save_file(weights, old_model / "open_clip_model.safetensors")
    again = open_encoder(str(old_model), threads=1, home=tmp_path / "home")
    assert again.spec.fingerprint != encoder.spec.fingerprint
    np.testing.assert_allclose(again.encode_texts(["navy trainers"]), vectors, atol=3e-6)
    assert json.loads((folder / "onnx_graphs.json").read_text())["fingerprint"] == again.spec.fingerprint


def test_torch_runs_a_model_whose_graphs_cannot_be_kept(
    old_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        encoder = open_encoder(str(old_model), threads=1, home=home)
        vectors = encoder.encode_texts(["navy trainers"])
    assert "torch runs" in caplog.text
    assert isinstance(encoder._network, TorchClip)
    np.testing.assert_allclose(vectors, open_encoder("magpie-mini").encode_texts(["navy trainers"]), atol=3e-6)


def test_torch_runs_a_model_that_could_not_be_exported(
    old_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    spec = open_encoder(str(old_model)).spec
    failed = GraphInfo(spec.fingerprint, spec.dim, 32, spec.preprocessing, failure="an operator is missing")
    failed.write(cache_folder(home, str(old_model.resolve()), None))
    with caplog.at_level(logging.WARNING):
        encoder = open_encoder(str(old_model), home=home)
        assert isinstance(encoder._network, TorchClip)
    assert "an operator is missing" in caplog.text


def test_a_damaged_model_is_named_and_leaves_nothing(old_model: Path, tmp_path: Path) -> None:
    weights = old_model / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match="old"):
        open_encoder(str(old_model), home=tmp_path / "home").encode_texts(["a"])
    assert folders_of(tmp_path / "home") == []


def test_a_name_that_does_not_exist_is_told_as_without_a_home(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="Did you mean ViT-B-32"):
        open_encoder("ViT-B32", home=tmp_path)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's cache, without a network, that holds one tiny model; its weights."""
    torch.manual_seed(0)
    repository = tmp_path / "hub" / "models--magpie--tiny"
    snapshot = repository / "snapshots" / "1234"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("1234")
    config: dict[str, Any] = {"model_cfg": {"embed_dim": 16, "vision_cfg": VIT, "text_cfg": TEXT}, "preprocess_cfg": {}}
    (snapshot / "open_clip_config.json").write_text(json.dumps(config))
    save_file(CLIP(16, VIT, TEXT).state_dict(), snapshot / "open_clip_model.safetensors")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return snapshot / "open_clip_model.safetensors"


@pytest.mark.slow
def test_a_model_of_a_hub_is_served_without_torch_until_its_weights_change(hub: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = finished(encode_elsewhere("hf-hub:magpie/tiny", home))
    assert first[2] == "False"
    (folder,) = folders_of(home)
    written = (folder / "onnx_graphs.json").stat()
    assert finished(encode_elsewhere("hf-hub:magpie/tiny", home)) == first
    assert (folder / "onnx_graphs.json").stat() == written
    torch.manual_seed(1)
    save_file(CLIP(16, VIT, TEXT).state_dict(), hub)
    second = finished(encode_elsewhere("hf-hub:magpie/tiny", home))
    assert second[1] != first[1]
    # without the hub's files the graphs go on serving
    shutil.rmtree(tmp_path / "hub")
    assert finished(encode_elsewhere("hf-hub:magpie/tiny", home)) == second
