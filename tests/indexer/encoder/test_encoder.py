"""The shipped encoder, a local checkpoint, and the errors of those that are not there."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from open_clip.model import CustomTextCLIP
from open_clip.tokenizer import SimpleTokenizer
from PIL import Image

from magpie.data.errors import BadSetting, ModelUnavailable
from magpie.indexer.encoder.bpe_tokenizer import BytePairTokenizer
from magpie.indexer.encoder.encoder import SHIPPED_MODELS_DIR, Encoder, open_encoder
from magpie.indexer.encoder.image_preprocessing import prepare_picture
from magpie.indexer.encoder.numpy_clip import CompactNetwork, is_compact
from magpie.indexer.encoder.numpy_image_tower import PictureTower
from magpie.indexer.encoder.numpy_text_tower import gelu
from magpie.indexer.encoder.torch_clip import OpenClipNetwork, load_local
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
def in_torch() -> OpenClipNetwork:
    """The shipped model as open_clip loads it."""
    return load_local(SHIPPED)


def test_running_only_the_texts_own_length_is_exact(encoder: Encoder, in_torch: OpenClipNetwork) -> None:
    assert in_torch.short_way is not None
    texts = ["hat", "a pair of blue canvas shoes for men!", "navy tee !!!"]
    whole = unit_rows(in_torch.encode_tokens(in_torch.tokenizer(texts)))
    np.testing.assert_allclose(unit_rows(in_torch.encode_texts(texts)), whole, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(texts), whole, atol=1e-5)


def test_pictures_without_torch_have_torchs_own_vectors(encoder: Encoder, in_torch: OpenClipNetwork) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 80, 64, 3), np.uint8)
    in_torch._has_fast_bfloat16, kept = False, in_torch._has_fast_bfloat16
    try:
        expected = unit_rows(in_torch.encode_pictures(pixels))
    finally:
        in_torch._has_fast_bfloat16 = kept
    np.testing.assert_allclose(encoder.encode_pictures(pixels), expected, atol=1e-5)


@pytest.mark.parametrize("tower", ["1221", "1222", "1231", "1232"])
@pytest.mark.parametrize("size", [(80, 64), (48, 36), (75, 33)])
def test_each_picture_tower_in_numpy_is_the_one_in_torch(tower: str, size: tuple[int, int]) -> None:
    torch.manual_seed(int(tower))
    import magpie.indexer.encoder.torch_image_tower  # noqa: F401 - registers them with timm

    vision = {"timm_model_name": f"magpie_resnet_{tower}", "timm_pool": "avg", "timm_proj": "linear", "image_size": 64}
    model = CustomTextCLIP(16, vision, TINY_VIT["text_cfg"]).visual
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for numbers in (layer.running_mean, layer.running_var, layer.weight, layer.bias):
                assert numbers is not None
                torch.nn.init.uniform_(numbers, 0.5, 1.5)
    pixels = torch.randn(3, *size, 3)
    with torch.inference_mode():
        expected = model.eval()(pixels.permute(0, 3, 1, 2)).numpy()
    weights = {name.removeprefix("trunk."): tensor.numpy() for name, tensor in model.state_dict().items()}
    np.testing.assert_allclose(PictureTower(weights).encode(pixels.numpy()), expected, rtol=1e-3, atol=1e-4)


def test_gelu_is_the_exact_one() -> None:
    x = np.linspace(-12, 12, 110_000).astype(np.float32).reshape(11, -1)
    np.testing.assert_allclose(gelu(x), torch.nn.functional.gelu(torch.from_numpy(x).double()).numpy(), atol=6e-7)


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


def test_many_pictures_are_worth_loading_torch_and_few_are_not() -> None:
    encoder = open_encoder("magpie-mini")
    encoder.expect_pictures(100)
    assert isinstance(encoder._network, CompactNetwork)
    before = encoder.encode_texts(["red shoes"])
    encoder.expect_pictures(100_000)
    assert isinstance(encoder._network, OpenClipNetwork)
    np.testing.assert_allclose(encoder.encode_texts(["red shoes"]), before, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"vision_cfg": {"timm_model_name": "resnet50"}},
        {"text_cfg": {"pool_type": "first"}},
        {"text_cfg": {"tokenizer_kwargs": {"clean": "whitespace"}}},
        {"quick_gelu": True},
    ],
)
def test_a_model_of_another_build_is_left_to_open_clip(change: dict[str, Any]) -> None:
    config = json.loads((SHIPPED / "open_clip_config.json").read_text())["model_cfg"]
    assert is_compact(SHIPPED, config)
    changed = {
        key: {**config.get(key, {}), **value} if isinstance(value, dict) else value for key, value in change.items()
    }
    assert not is_compact(SHIPPED, {**config, **changed})


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
    network = OpenClipNetwork(tiny, tokenizer)
    assert network.short_way is not None
    for encoded in (network.encode_texts(texts), network.encode_tokens(tokenizer(texts))):
        np.testing.assert_allclose(unit_rows(encoded), unit_rows(expected), atol=1e-5)


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


@pytest.mark.parametrize("changes", [{"no_causal_mask": True}, {"pool_type": "first"}])
def test_a_text_tower_of_another_kind_is_run_by_open_clip_itself(changes: dict[str, Any]) -> None:
    tiny = CustomTextCLIP(16, TINY_VIT["vision_cfg"], {**TINY_VIT["text_cfg"], **changes})
    tiny.visual.preprocess_cfg = {"size": 32}
    network = OpenClipNetwork(tiny, open_clip.get_tokenizer("ViT-B-32"))
    assert network.short_way is None
    texts = ["hat", "a pair of blue canvas shoes for men!"]
    np.testing.assert_array_equal(network.encode_texts(texts), network.encode_tokens(network.tokenizer(texts)))


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
