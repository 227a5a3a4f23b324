"""The shipped encoder, a local checkpoint, and the errors of those that are not there."""

import json
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer
from PIL import Image

from magpie.data.errors import BadSetting, ModelUnavailable
from magpie.indexer.encoder.bpe_tokenizer import BytePairTokenizer
from magpie.indexer.encoder.encoder import SHIPPED_MODELS_DIR, Encoder, open_encoder
from magpie.indexer.encoder.image_preprocessing import prepare_picture
from magpie.indexer.encoder.onnx_clip import OnnxClip
from magpie.indexer.encoder.torch_clip import TorchClip, load_local
from magpie.indexer.vectors import unit_rows

SHIPPED = SHIPPED_MODELS_DIR / "magpie-mini"
TINY_VIT: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return open_encoder("magpie-mini")


def test_vectors_have_unit_length_and_the_specified_dimension(encoder: Encoder) -> None:
    vectors = encoder.encode_texts(["red shoes", "blue glass vase", ""])
    assert vectors.shape == (3, encoder.spec.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.fixture(scope="module")
def in_torch() -> TorchClip:
    """The shipped model as open_clip loads it."""
    return load_local(SHIPPED, "cpu")


def test_texts_of_every_length_have_torchs_own_vectors(encoder: Encoder, in_torch: TorchClip) -> None:
    texts = [" ".join(["cup"] * count) for count in range(31)]
    tokens = [in_torch.count_tokens(text) + 2 for text in texts]
    assert tokens == list(range(2, in_torch.context_length + 1))
    expected = unit_rows(in_torch.encode_texts(texts))
    network = encoder._network
    np.testing.assert_allclose(unit_rows(network.encode_texts(texts)), expected, atol=3e-6)
    alone = np.concatenate([network.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(unit_rows(alone), expected, atol=3e-6)


def test_what_exceeds_the_context_is_cut(encoder: Encoder, in_torch: TorchClip) -> None:
    texts = ["navy tee !!! " * 20]
    assert in_torch.count_tokens(texts[0]) > in_torch.context_length
    given = encoder._network.encode_texts(texts)
    np.testing.assert_allclose(unit_rows(given), unit_rows(in_torch.encode_texts(texts)), atol=3e-6)


@pytest.mark.parametrize("count", [0, 1, 3, 70])
def test_pictures_without_torch_have_torchs_own_vectors(encoder: Encoder, in_torch: TorchClip, count: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 80, 64, 3), np.uint8)
    given = encoder.encode_pictures(pixels)
    assert given.shape == (count, 192)
    if count:
        expected = unit_rows(in_torch.encode_pictures(pixels, is_exact=True))
        np.testing.assert_allclose(given, expected, atol=3e-6)


def test_threads_encode_side_by_side_while_their_number_changes() -> None:
    encoder = open_encoder("magpie-mini", threads=1)
    texts = [f"{colour} mug number {n}" for n in range(8) for colour in ("red", "green", "blue")]
    expected = encoder.encode_texts(texts)
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(encoder.encode_texts, texts) for _ in range(40)]
        for count in (2, 1, 2):
            encoder.set_threads(count)
        for one in running:
            np.testing.assert_allclose(one.result(), expected, atol=1e-6)


def test_idle_threads_take_no_processor_time() -> None:
    """ONNX Runtime's threads would spin for a while after each call, which takes a core from those who search."""
    network = open_encoder("magpie-mini", threads=2)._network
    assert isinstance(network, OnnxClip)
    options = [session.get_session_options() for session in network._sessions]
    assert [o.get_session_config_entry("session.intra_op.allow_spinning") for o in options] == ["0", "0"]
    assert [o.intra_op_num_threads for o in options] == [2, 2]


def test_a_search_by_words_and_by_picture_needs_no_torch() -> None:
    script = """
import sys
import numpy as np
import magpie.search.engine
from magpie.indexer.encoder.encoder import open_encoder

encoder = open_encoder("magpie-mini", threads=1)
encoder.encode_texts(["navy trainers"])
encoder.encode_pictures(np.zeros((1, 80, 64, 3), np.uint8))
assert not {"torch", "open_clip", "timm"} & set(sys.modules), "torch was loaded"
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])


class Slow(TorchClip):
    """A network that takes ten times as long as it needs."""

    def encode_pictures(self, pixels: np.ndarray, is_exact: bool = False) -> np.ndarray:
        for _ in range(9):
            super().encode_pictures(pixels, is_exact)
        return super().encode_pictures(pixels, is_exact)


def test_torch_is_loaded_for_very_many_pictures_alone(in_torch: TorchClip) -> None:
    loaded: list[TorchClip] = []
    encoder = open_encoder("magpie-mini")
    encoder._load_for_many = lambda: loaded.append(in_torch) or in_torch  # type: ignore[func-returns-value]
    encoder.expect_pictures(100)
    assert not loaded
    pixels = np.random.default_rng(0).integers(0, 256, (8, 80, 64, 3), np.uint8)
    before = encoder.encode_pictures(pixels)
    encoder.expect_pictures(10_000_000)
    assert loaded == [in_torch]
    # bfloat16 has eight significant bits
    assert (encoder.encode_pictures(pixels) * before).sum(1).min() > 1 - 1e-3


def test_torch_is_not_kept_where_it_is_slower(in_torch: TorchClip) -> None:
    encoder = open_encoder("magpie-mini")
    encoder._load_for_many = lambda: Slow(in_torch.model, in_torch.tokenizer, "cpu")
    encoder.expect_pictures(10_000_000)
    assert encoder._for_many is None


# without code points that no Unicode has assigned yet: of those that the next ones do, each library knows other ones
_SIGNS = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=40)


@given(text=st.one_of(st.sampled_from(["Red  SHOES", "salt &amp; pepper", "navy tee's", "a\tb\nc", "<b>"]), _SIGNS))
def test_the_tokens_are_open_clips_own(text: str) -> None:
    vocabulary = SHIPPED / "bpe.txt.gz"
    whole = SimpleTokenizer(str(vocabulary), context_length=32)
    texts = [text, "a mug", f"{text} " * 80]
    expected = whole(texts).numpy()
    for own in (BytePairTokenizer.read(vocabulary, 32), BytePairTokenizer.like(whole)):
        tokens = own(texts)
        np.testing.assert_array_equal(tokens, expected[:, : tokens.shape[1]])
        assert not expected[:, tokens.shape[1] :].any()


def test_a_text_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    texts = ["red", "a long text about a pair of blue canvas shoes", "hat " * 60, "mug"]
    together = encoder.encode_texts(texts, batch_size=2)
    alone = np.concatenate([encoder.encode_texts([t]) for t in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_end_of_a_long_text_counts(encoder: Encoder) -> None:
    filler = "a comfortable everyday companion for the whole family " * 8
    plain, ending = encoder.encode_texts([filler, filler + "red leather handbag " * 4])
    assert float(plain @ ending) < 0.99


def test_pictures_are_told_apart_by_colour(encoder: Encoder) -> None:
    wanted = encoder.spec.preprocessing
    pixels = np.stack([prepare_picture(Image.new("RGB", (80, 80), c), wanted) for c in ("red", "#f01010", "blue")])
    red, reddish, blue = encoder.encode_pictures(pixels)
    assert red @ reddish > red @ blue


def test_the_fingerprint_changes_with_the_weights_file(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(SHIPPED, copy)
    before = open_encoder(str(copy)).spec.fingerprint
    assert before == open_encoder(str(SHIPPED)).spec.fingerprint
    vocabulary = copy / "bpe.txt.gz"
    vocabulary.write_bytes(vocabulary.read_bytes() + b"\0")
    assert open_encoder(str(copy)).spec.fingerprint != before


def test_an_open_clip_name_loads_with_a_checkpoint_file(tmp_path: Path) -> None:
    config = tmp_path / "tiny-vit-for-tests.json"
    config.write_text(json.dumps(TINY_VIT))
    open_clip.add_model_config(config)
    torch.manual_seed(0)
    checkpoint = tmp_path / "weights.pt"
    torch.save(open_clip.create_model("tiny-vit-for-tests").state_dict(), checkpoint)
    encoder = open_encoder("tiny-vit-for-tests", str(checkpoint))
    assert encoder.spec.dim == 16
    assert encoder.encode_texts(["a mug"]).shape == (1, 16)
    assert encoder.spec.fingerprint == open_encoder("tiny-vit-for-tests", str(checkpoint)).spec.fingerprint


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(BadSetting, match="ViT-B-32"):
        open_encoder("ViT-B32")


def test_a_name_without_weights_lists_its_tags() -> None:
    with pytest.raises(BadSetting, match="laion2b_s34b_b79k"):
        open_encoder("ViT-B-32")
    with pytest.raises(BadSetting, match="neither a file nor one of its tags"):
        open_encoder("ViT-B-32", "no-such-tag")


@pytest.mark.slow
def test_an_unreachable_hub_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(-3, "no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="magpie-mini"):
        open_encoder("hf-hub:magpie/never-there")


def test_a_damaged_model_folder_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(SHIPPED, copy)
    weights = copy / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match="copy"):
        open_encoder(str(copy)).encode_texts(["a"])


def test_random_letters_are_unknown_and_shop_words_known(encoder: Encoder) -> None:
    assert encoder.known_share("zzxqv wqkjhd") < 0.5 < encoder.known_share("black running shoes")
