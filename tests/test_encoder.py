"""The shipped encoder, a local checkpoint, and the errors of those that are not there."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CustomTextCLIP
from PIL import Image

from data.errors import BadSetting, ModelUnavailable
from indexer.encoder import SHIPPED_MODELS_DIR, Encoder, _Network, open_encoder, unit_rows
from indexer.preprocessing import prepare_picture
from indexer.tokenizing import ShortTokenizer

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


def test_running_only_the_texts_own_length_is_exact(encoder: Encoder) -> None:
    network = encoder._network
    assert network._short_way is not None
    texts = ["hat", "a pair of blue canvas shoes for men!", "navy tee !!!"]
    whole = network._encode_tokens(network.tokenizer(texts))
    np.testing.assert_allclose(unit_rows(network.encode_texts(texts)), unit_rows(whole), atol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"ls_init_value": 0.5}, {"proj_bias": True}])
@pytest.mark.parametrize("is_quick", [False, True])
def test_other_builds_of_the_text_tower_give_open_clips_own_numbers(changes: dict[str, Any], is_quick: bool) -> None:
    torch.manual_seed(0)
    text = {**TINY_VIT["text_cfg"], **changes}
    tiny = CustomTextCLIP(16, TINY_VIT["vision_cfg"], text, quick_gelu=is_quick)
    tiny.visual.preprocess_cfg = {"size": 32}
    texts = ["hat", "a pair of blue canvas shoes for men!"]
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    with torch.inference_mode():
        expected = tiny.eval().encode_text(tokenizer(texts)).numpy()
    network = _Network(tiny, tokenizer, threads=None)
    assert network._short_way is not None
    for encoded in (network.encode_texts(texts), network._encode_tokens(tokenizer(texts))):
        np.testing.assert_allclose(unit_rows(encoded), unit_rows(expected), atol=1e-5)


@pytest.mark.parametrize(
    "text", ["Red  SHOES", "salt &amp; pepper", "navy tee's", "caf\u00e9 \u201cmug\u201d", "a\tb\nc", "<b>"]
)
def test_the_tokens_are_open_clips_own(encoder: Encoder, text: str) -> None:
    tokenizer = encoder._network.tokenizer
    texts = [text, "a mug", f"{text} " * 80]
    quick, short = tokenizer(texts), ShortTokenizer(tokenizer)(texts)
    tokenizer.clean_fn, kept = open_clip.tokenizer.get_clean_fn("lower"), tokenizer.clean_fn
    try:
        whole = tokenizer(texts).numpy()
    finally:
        tokenizer.clean_fn = kept
    np.testing.assert_array_equal(quick.numpy(), whole)
    np.testing.assert_array_equal(short, whole[:, : short.shape[1]])
    assert not whole[:, short.shape[1] :].any()


@pytest.mark.parametrize("changes", [{"no_causal_mask": True}, {"pool_type": "first"}])
def test_a_text_tower_of_another_kind_is_run_by_open_clip_itself(changes: dict[str, Any]) -> None:
    tiny = CustomTextCLIP(16, TINY_VIT["vision_cfg"], {**TINY_VIT["text_cfg"], **changes})
    tiny.visual.preprocess_cfg = {"size": 32}
    network = _Network(tiny, open_clip.get_tokenizer("ViT-B-32"), threads=None)
    assert network._short_way is None
    texts = ["hat", "a pair of blue canvas shoes for men!"]
    np.testing.assert_array_equal(network.encode_texts(texts), network._encode_tokens(network.tokenizer(texts)))


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
