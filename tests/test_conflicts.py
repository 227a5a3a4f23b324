"""Items whose picture was exchanged are found where texts are informative, and nowhere else."""

import numpy as np

from indexer.conflicts import find_conflicts, load_conflicts, save_conflicts
from indexer.encoder import unit_rows
from indexer.fusion import TextWeighing

RNG = np.random.default_rng(0)
PICTURES = unit_rows(RNG.standard_normal((400, 32)).astype(np.float32))
NOISE = unit_rows(RNG.standard_normal((400, 32)).astype(np.float32))
IDS = [f"id{n}" for n in range(400)]
TITLES = [f"Thing {n}" for n in range(400)]


def parts(noise: float) -> dict[str, np.ndarray]:
    return {"text": unit_rows(PICTURES + noise * NOISE), "image": PICTURES.copy()}


def test_exchanged_pictures_are_found(tmp_path) -> None:
    torn = parts(0.6)
    torn["image"][[3, 7]] = torn["image"][[90, 91]]
    torn["image"][5] = 0  # an item without a picture contradicts nothing
    found = find_conflicts(torn, TextWeighing.fit(torn, np.zeros(len(IDS))), IDS, TITLES)
    assert {one["item_id"] for one in found} == {"id3", "id7"}
    assert [one["agreement"] for one in found] == sorted(one["agreement"] for one in found)
    reasons = {one["item_id"]: one["reason"] for one in found}
    assert "'Thing 3'" in reasons["id3"] and "'Thing 90'" in reasons["id3"]
    save_conflicts(found, tmp_path)
    assert load_conflicts(tmp_path) == found


def test_texts_that_say_nothing_contradict_nothing() -> None:
    vague = parts(0.6)
    vague["text"][50:] = NOISE[50:]
    assert find_conflicts(vague, TextWeighing.fit(vague, np.zeros(len(IDS))), IDS, TITLES) == []
