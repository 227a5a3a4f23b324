"""`magpie train encoder`: small real runs on drawn pictures, and the claims of its captions, losses and tokenizer."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from magpie.data.errors import BadInput, BadSetting
from magpie.indexer.encoder.encoder import open_encoder
from magpie.indexer.encoder.onnx_clip import OnnxClip
from magpie.indexer.encoder.torch_clip import load_local
from magpie.indexer.encoder_training.batches import BatchPlan
from magpie.indexer.encoder_training.captions import UNKNOWN, Caption, CaptionMaker, misspell, usable_attributes
from magpie.indexer.encoder_training.losses import attribute_gains, graded_nce, multi_positive_nce
from magpie.indexer.encoder_training.model import Shape, copy_weights, new_model
from magpie.indexer.encoder_training.train_encoder import Progress, TrainingItem, TrainingOptions, train_encoder
from magpie.indexer.encoder_training.train_tokenizer import TokenRows, load_tokenizer, train_tokenizer
from magpie.indexer.text.lexicon import load_lexicon, numbers_of
from magpie.indexer.vectors import unit_rows

pytestmark = pytest.mark.slow

COLOURS = {"Red": "#d02020", "Navy Blue": "#102060", "Green": "#20a040", "Yellow": "#e8d020"}
KINDS = ("Plates", "Boxes", "Tents")
TINY = Shape(tower="magpie_resnet_1221", picture_size=(32, 32), vocabulary=640, context=16, text_layers=1)


def draw(kind: str, colour: str, path: Path) -> None:
    """A disc, a square or a triangle of that colour on white."""
    picture = Image.new("RGB", (40, 40), "white")
    pen = ImageDraw.Draw(picture)
    if kind == "Plates":
        pen.ellipse((6, 6, 34, 34), fill=COLOURS[colour])
    elif kind == "Boxes":
        pen.rectangle((8, 8, 32, 32), fill=COLOURS[colour])
    else:
        pen.polygon([(20, 5), (35, 34), (5, 34)], fill=COLOURS[colour])
    picture.save(path)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingItem]:
    """Forty-eight items: every kind in every colour, four times; the fourth is dev."""
    folder = tmp_path_factory.mktemp("pictures")
    items = []
    for number in range(48):
        kind, colour = KINDS[number % 3], list(COLOURS)[number // 3 % 4]
        path = folder / f"{number}.png"
        draw(kind, colour, path)
        attributes = {"type": kind, "colour": colour, "code": f"K{number}", "year": str(2000 + number % 5)}
        split = "dev" if number >= 36 else "train"
        items.append(TrainingItem(str(number), f"{colour} {kind[:-1]}", path, attributes=attributes, split=split))
    return items


def silent(progress: Progress) -> None:
    """Ignores the progress of a run."""


@pytest.fixture(scope="module")
def trained(shop: list[TrainingItem], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Progress]]:
    """A model after forty steps, and what its run reported."""
    out = tmp_path_factory.mktemp("model") / "tiny"
    reports: list[Progress] = []
    options = TrainingOptions(out=out, steps=40, batch=24, device="cpu", shape=TINY, small_until=0.0, validate_every=40)
    train_encoder([shop], options, reports.append)
    return out, reports


def test_loss_falls_and_validation_is_reported(trained: tuple[Path, list[Progress]]) -> None:
    reports = trained[1]
    assert [report.step for report in reports] == [20, 40]
    assert reports[1].loss < 0.8 * reports[0].loss
    assert reports[1].validation is not None
    # Twelve dev pictures of twelve titles: by chance ten of them are among the first ten of twelve.
    assert reports[1].validation.recall_at_10 > 10 / 12


def test_exported_model_loads_through_open_clip_alone(
    trained: tuple[Path, list[Progress]], shop: list[TrainingItem]
) -> None:
    folder = trained[0].resolve()
    model, prepare = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe.txt.gz"))
    with torch.inference_mode():
        pictures = torch.stack([prepare(Image.open(item.picture).convert("RGB")) for item in shop[36:]])
        images = model.eval().encode_image(pictures, normalize=True)
        texts = model.encode_text(tokenizer([item.title for item in shop[36:]]), normalize=True)
    assert images.shape == texts.shape == (12, 192)
    assert torch.allclose(images.norm(dim=1), torch.ones(12), atol=1e-5)
    own = (texts * images).sum(1)
    assert own.mean() > (texts @ images.T).mean()
    assert {file.name for file in folder.iterdir()} == {
        "open_clip_config.json", "open_clip_model.safetensors", "bpe.txt.gz", "magpie.json", "text.onnx", "image.onnx",
        "onnx_graphs.json",
    }  # fmt: skip


def test_trained_model_is_served_by_its_own_graphs(
    trained: tuple[Path, list[Progress]], shop: list[TrainingItem]
) -> None:
    encoder = open_encoder(str(trained[0]))
    assert isinstance(encoder._network, OnnxClip)
    in_torch = load_local(trained[0])
    titles = [item.title for item in shop[36:]]
    np.testing.assert_allclose(encoder.encode_texts(titles), unit_rows(in_torch.encode_texts(titles)), atol=1e-5)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    np.testing.assert_allclose(
        encoder.encode_pictures(pixels), unit_rows(in_torch.encode_pictures(pixels, is_exact=True)), atol=1e-5
    )
    graph_bytes = sum((trained[0] / name).stat().st_size for name in ("text.onnx", "image.onnx"))
    assert graph_bytes < 0.1 * (trained[0] / "open_clip_model.safetensors").stat().st_size


def test_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(shop: list[TrainingItem], tmp_path: Path) -> None:
    def options(name: str) -> TrainingOptions:
        return TrainingOptions(
            out=tmp_path / name, steps=6, batch=16, device="cpu", shape=TINY, validate_every=5, checkpoint_every=3
        )

    def stop(progress: Progress) -> None:
        raise InterruptedError

    train_encoder([shop], options("whole"), silent)
    with pytest.raises(InterruptedError):
        train_encoder([shop], options("parted"), stop)  # after step 5, so from the checkpoint of step 3
    assert (tmp_path / "parted-training" / "checkpoint.pt").exists()
    report = train_encoder([shop], options("parted"), silent)
    assert report.steps == 6
    whole, parted = (load_file(tmp_path / n / "open_clip_model.safetensors") for n in ("whole", "parted"))
    assert all(torch.equal(whole[name], parted[name]) for name in whole)
    assert not (tmp_path / "parted-training" / "checkpoint.pt").exists()


def test_checkpoint_of_another_run_is_refused(shop: list[TrainingItem], tmp_path: Path) -> None:
    options = TrainingOptions(
        out=tmp_path / "m", steps=4, batch=16, device="cpu", shape=TINY, validate_every=2, checkpoint_every=1
    )

    def stop(progress: Progress) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        train_encoder([shop], options, stop)
    with pytest.raises(BadSetting, match="remove it"):
        train_encoder([shop[1:]], options, silent)
    with pytest.raises(BadSetting, match="remove it"):
        train_encoder([shop], replace(options, learning_rate=1e-4), silent)


def test_wrong_options_are_refused(shop: list[TrainingItem], tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="steps or a number of minutes"):
        TrainingOptions(out=tmp_path)
    with pytest.raises(BadSetting, match="no model to start from"):
        TrainingOptions(out=tmp_path, steps=1, init=tmp_path)
    with pytest.raises(BadInput, match="at least"):
        train_encoder([shop[:3]], TrainingOptions(out=tmp_path / "m", steps=1, shape=TINY), silent)


def test_grown_model_starts_where_the_smaller_one_ended(
    trained: tuple[Path, list[Progress]], shop: list[TrainingItem]
) -> None:
    folder = trained[0]
    config = replace(TINY, tower="magpie_resnet_1232", text_layers=2).config(None)
    tokenizer = load_tokenizer(folder / "bpe.txt.gz", 16)
    config["text_cfg"]["vocab_size"] = tokenizer.vocab_size
    grown = new_model(config).eval()
    missing = copy_weights(grown, folder, tokenizer)
    assert any("layer3.2" in name for name in missing)
    small, _ = open_clip.create_model_from_pretrained(f"local-dir:{folder.resolve()}")
    pictures, tokens = torch.rand(4, 3, 32, 32), tokenizer(["red plate", "a green tent", "box", "navy"])
    with torch.inference_mode():
        assert torch.allclose(grown.encode_image(pictures), small.eval().encode_image(pictures), atol=1e-4)
        assert torch.allclose(grown.encode_text(tokens), small.encode_text(tokens), atol=1e-4)


def test_another_vocabulary_keeps_the_meaning_of_its_words(
    trained: tuple[Path, list[Progress]], tmp_path: Path
) -> None:
    old = load_tokenizer(trained[0] / "bpe.txt.gz", 16)
    train_tokenizer(["plate", "red plates", "tent tents", "xylophone"] * 3, 560, tmp_path / "bpe.txt.gz")
    new = load_tokenizer(tmp_path / "bpe.txt.gz", 16)
    config = TINY.config(None)
    config["text_cfg"]["vocab_size"] = new.vocab_size
    model = new_model(config)
    copy_weights(model, trained[0], new)
    before = load_file(trained[0] / "open_clip_model.safetensors")["text.token_embedding.weight"].float()
    after = model.text.token_embedding.weight
    assert torch.equal(after[new.eot_token_id], before[old.eot_token_id])
    (token,) = new.encode("xylophone")
    assert torch.allclose(after[token], before[old.encode("xylophone")].mean(0))


@given(st.text(max_size=40))
def test_tokenizer_round_trip(trained: tuple[Path, list[Progress]], text: str) -> None:
    tokenizer = load_tokenizer(trained[0] / "bpe.txt.gz", 200)
    words = [word for word in "".join(c if c.isalnum() else " " for c in text.lower()).split() if not word.isdigit()]
    encoded = tokenizer.encode(" ".join(words))
    # open_clip sets every digit apart, so only what has none comes back as it went in.
    if not any(c.isnumeric() for c in "".join(words)):
        cleaned = open_clip.tokenizer._clean_lower(" ".join(words))
        assert tokenizer.decode(encoded).replace(" ", "") == cleaned.replace(" ", "")
    (row,) = TokenRows(tokenizer)([text])
    assert row[0] == tokenizer.sot_token_id
    assert row.max() == tokenizer.eot_token_id


def test_frequent_words_become_one_token(tmp_path: Path) -> None:
    train_tokenizer(["teapot", "teapot lid", "zq"], 530, tmp_path / "bpe.txt.gz")
    tokenizer = load_tokenizer(tmp_path / "bpe.txt.gz", 8)
    assert tokenizer.vocab_size <= 530
    assert len(tokenizer.encode("Teapot")) == 1
    assert len(tokenizer.encode("zq")) == 2


def test_captions_are_true_of_their_item_and_false_of_unlike_ones(shop: list[TrainingItem]) -> None:
    captions = CaptionMaker([shop], load_lexicon())
    rng = random.Random(3)
    rows = np.arange(len(shop))
    assert set(captions.slots) == {"kind", "colour"}  # codes and years make no captions
    for row in rows:
        caption = captions.attribute_caption(int(row), rng)
        truth = captions.truth([caption], rows)[0]
        assert truth[row] == 1
        meant = {captions.slots[captions.concepts[c][0]] for c in caption.concepts}
        for other in rows:
            same = all(
                shop[row].attributes[{"kind": "type"}.get(s, s)] == shop[other].attributes[{"kind": "type"}.get(s, s)]
                for s in meant
            )
            assert truth[other] == same


def item(item_id: str, **attributes: str) -> TrainingItem:
    return TrainingItem(item_id, item_id, Path(f"{item_id}.png"), attributes=attributes)


def test_catalogues_share_what_the_lexicon_knows_and_nothing_else() -> None:
    first = [
        item("a", type="Tshirts", colour="Navy Blue", shelf="low"),
        item("b", type="Jeans", colour="Red", shelf="high"),
    ]
    second = [item("c", label="T-Shirt", shelf="low"), item("d", label="Pants", shelf="high")]
    captions = CaptionMaker([first, second], load_lexicon())

    def truth(**words: str) -> list[int]:
        ids = {(captions.slots[slot], word): c for c, (slot, word) in enumerate(captions.concepts) if c}
        concepts = tuple(ids[slot, word] for slot, word in words.items())
        return list(captions.truth([Caption("", concepts)], np.arange(4))[0])

    assert truth(kind="tee") == [1, 0, 1, 0]
    assert truth(kind="denims") == [0, 1, 0, UNKNOWN]  # pants may be jeans
    assert truth(kind="pants") == [0, 1, 0, 1]
    assert truth(kind="tee", colour="dark blue") == [1, 0, UNKNOWN, 0]
    assert truth(colour="crimson") == [0, 1, UNKNOWN, UNKNOWN]
    assert captions.slots.count("0:shelf") == captions.slots.count("1:shelf") == 1


def test_attributes_that_are_names_or_numbers_make_no_captions() -> None:
    items = [
        item(str(n), style=("plain", "ornate")[n % 2], sku=f"no{n}", width=str(n % 4), sold=("yes", "no")[n % 2])
        for n in range(40)
    ]
    assert usable_attributes(items) == {"style"}


def test_lexicon_knows_people_s_words() -> None:
    lexicon = load_lexicon()
    assert lexicon.slot_of("baseColour") == lexicon.slot_of("color") == "colour"
    assert lexicon.slot_of("year") is None
    for value, word in (
        ("Sports Shoes", "trainers"),
        ("Casual Shoes", "sneakers"),
        ("sofa", "couch"),
        ("Mugs", "coffee mug"),
    ):
        assert word in lexicon.entry_of("kind", value).words
    assert "crimson" in lexicon.entry_of("colour", "RED").words
    assert {"navy", "dark blue"} <= set(lexicon.entry_of("colour", "Navy-Blue").words)
    assert "ladies" in lexicon.entry_of("gender", "Women").words
    assert lexicon.entry_of("kind", "Gizmos").words == ("gizmos", "gizmo")
    assert {"heels", "sandals"} <= set(lexicon.entry_of("kind", "footwear").covers)
    assert all(entry.name not in entry.covers for entries in lexicon.entries.values() for entry in entries.values())


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("watches", "watch"),
        ("vase", "vases"),
        ("box", "boxes"),
        ("berries", "berry"),
        ("lamps", "lamp"),
        ("glass", None),
    ],
)
def test_singular_and_plural(word: str, other: str | None) -> None:
    assert numbers_of(word) == ([other] if other else [])


def test_a_slip_changes_one_longer_word_a_little() -> None:
    rng = random.Random(0)
    for _ in range(100):
        first, second, third = misspell("a ceramic vase", rng).split()
        assert first == "a"
        assert (second == "ceramic") or (third == "vase")
        assert abs(len(second) - 7) <= 1 and abs(len(third) - 4) <= 1


def test_composed_queries_differ_from_their_base_in_one_attribute(shop: list[TrainingItem], tmp_path: Path) -> None:
    captions = CaptionMaker([shop], load_lexicon())
    train_tokenizer(["red plate"], 530, tmp_path / "bpe.txt.gz")
    plan = BatchPlan(captions, [np.arange(48)], TokenRows(load_tokenizer(tmp_path / "bpe.txt.gz", 16)), 36, 0)
    batch = plan[5]
    assert len(batch.composed_base) > 0
    assert len(batch.caption_tokens) == len(batch.caption_truth) + len(batch.composed_base)
    for base, truth in zip(batch.composed_base, batch.composed_truth, strict=True):
        differing = (batch.graded[truth == 1] != batch.graded[base]).sum(1)
        assert len(differing) > 0 and (differing == 1).all()
    assert torch.equal(plan[5].item_tokens, batch.item_tokens)
    assert sorted(torch.cat([plan[0].rows]).tolist()) == sorted(set(plan[0].rows.tolist()))


def test_multi_positive_loss_is_its_formula() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 4)
    truth = torch.tensor([[1, 0, 1, 0], [0, 1, 0, -1], [0, 0, 0, 0]])

    def one_way(scores: np.ndarray, known: np.ndarray) -> float:
        rows = []
        for s, t in zip(scores, known, strict=True):
            if (t == 1).any():
                total = np.exp(s[t >= 0]).sum()
                rows.append(np.mean([-np.log(np.exp(s[j]) / total) for j in np.flatnonzero(t == 1)]))
        return float(np.mean(rows))

    s, t = logits.numpy().astype(float), truth.numpy()
    expected = (one_way(s, t) + one_way(s.T, t.T)) / 2
    assert multi_positive_nce(logits, truth).item() == pytest.approx(expected, rel=1e-5)
    assert multi_positive_nce(logits, torch.zeros(3, 4)).item() == 0


def test_graded_loss_is_its_formula() -> None:
    codes = torch.tensor([[0, 1, 2], [0, 1, 2], [0, 1, 0], [0, 0, 0], [1, 1, 2], [-1, 1, 2]])
    gains = attribute_gains(codes)
    assert gains[0].tolist() == [2**3 - 1, 2**3 - 1, 2**2 - 1, 2**1 - 1, 0, -1]
    torch.manual_seed(1)
    logits = torch.randn(6, 6)
    s, rows = logits.numpy().astype(float), []
    for i in range(5):
        others = [j for j in range(5) if j != i]
        target = np.array([max(0.0, gains[i, j].item()) for j in others])
        if target.sum() > 0:
            log_p = s[i, others] - np.log(np.exp(s[i, others]).sum())
            rows.append(-(log_p * target / target.sum()).sum())
    assert graded_nce(logits, gains).item() == pytest.approx(float(np.mean(rows)), rel=1e-5)
