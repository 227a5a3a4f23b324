"""The works of a home that `benchmarks/faults.py` kills: what each does, and what must be true of the home afterwards.

A work tells what it has finished, as a server or a command would acknowledge it. Its check returns how much of that is
gone, and raises where the home does not open, or is neither what it was before nor what it was to become.
"""

import csv
import shutil
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fault_server import Tell, check_written, serve_and_write
from magpie.data.backup.backup import back_up
from magpie.data.backup.restore import restore
from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.catalogue.upsert import BATCH
from magpie.data.database.connection import open_database
from magpie.data.errors import Conflict
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.feeds.import_feed import import_feed
from magpie.data.settings import Settings
from magpie.indexer.encoder_training.model import Shape
from magpie.indexer.encoder_training.train_encoder import TrainingItem, TrainingOptions, train_encoder
from magpie.indexer.fusion.learned_fusion import KINDS as FUSIONS
from magpie.indexer.fusion.learned_fusion import LearnedFusion, fusion_file
from magpie.indexer.fusion_training.train_fusion import FusionOptions, train_fusion
from magpie.indexer.generations.store import current_id, prune, publish_generation, verify_current
from magpie.indexer.rebuild import RebuildOptions, rebuild
from magpie.search.click_models.saved_bias import read_position_bias
from magpie.search.engine import SearchEngine
from magpie.search.ranker_training.train_ranker import train as train_ranker
from magpie.search.request import SearchRequest
from tests.support.shop import COLOURS, KINDS, build_shop

FEED_ROWS = 4 * BATCH
MARKS = ("before", "after")  # items of which a backup holds one
_TINY = Shape(tower="magpie_resnet_1221", picture_size=(32, 32), vocabulary=640, context=16, text_layers=1)
_START_MS, _DAY_MS, _DAYS = 1_790_000_000_000, 86_400_000, 6


@dataclass(frozen=True)
class Work:
    """`do` runs in the process that is killed; `check` gets the number of the try and what was told, and returns how
    much of it was lost."""

    do: Callable[[Settings, int, Tell], None]
    check: Callable[[Settings, int, Sequence[Any]], int]


def build_base(folder: Path) -> Settings:
    """A home with a small indexed shop, a log to learn from, and two backups beside it (`before.tar`, `after.tar`)."""
    settings = build_shop(folder)
    with closing(open_database(settings)) as database:
        catalogue = Catalogue(database, settings)
        catalogue.upsert((_plain_item(number) for number in range(120)), folder)
        rebuild(settings, database)
        _browse(SearchEngine(settings, database), EventLog(database))
        for mark in MARKS:
            for other in MARKS:
                if catalogue.ids_of([other]):
                    catalogue.delete(other)
            catalogue.upsert([ItemDraft(mark, f"Mark {mark}")], folder)
            rebuild(settings, database)
            back_up(settings, folder / f"{mark}.tar", _quiet)
    return settings


def _plain_item(number: int) -> ItemDraft:
    colour, kind = list(COLOURS)[number % len(COLOURS)], KINDS[number % len(KINDS)]
    words = f"A {colour} {kind} of series {number % 7}, made for gardens and long afternoons."
    return ItemDraft(f"plain-{number}", f"{colour.title()} {kind} {number}", words, "Toys", attributes={"kind": kind})


def _browse(engine: SearchEngine, log: EventLog) -> None:
    """People of six days who look at position k with chance 1 / k and want things that the first stage cannot know."""
    chance = np.random.default_rng(0)
    queries = [f"{colour} {kind}" for colour in COLOURS for kind in KINDS[:3]]
    shown = {text: [hit.item_id for hit in engine.search(SearchRequest(text=text)).hits] for text in queries}
    wanted = {text: chance.random(len(ids)) ** 3 for text, ids in shown.items()}
    asked, done = [], []
    for number in range(3_000):
        text = queries[int(chance.integers(len(queries)))]
        order = chance.permutation(len(shown[text])) if chance.random() < 0.3 else np.arange(len(shown[text]))
        at_ms, client = _START_MS + number * _DAYS * _DAY_MS // 3_000, f"person {number // 4}"
        hits = tuple(ShownHit(shown[text][place], position) for position, place in enumerate(order, 1))
        asked.append(QueryRecord(f"q{number}", text, client_id=client, timestamp_ms=at_ms, hits=hits))
        for position, place in enumerate(order, 1):
            if chance.random() < 1 / position and chance.random() < wanted[text][place]:
                clicked = {"object_id": shown[text][place], "position": position}
                done.append(
                    EventRecord("click", f"q{number}", client, timestamp_ms=at_ms + 3_000 * position, **clicked)
                )
    log.record_queries(asked)
    log.record_events(done)


def _quiet(stage: str, done: int, total: int) -> None:
    """No progress wanted."""


# ---- the catalogue ----


def _import(settings: Settings, number: int, tell: Tell) -> None:
    feed = settings.home.parent / f"feed-{number % 2}.csv"
    with feed.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "price", "edition", "image"])
        for row in range(FEED_ROWS):
            writer.writerow(
                [f"row-{row}", f"Row {row} of {number}", number, number, "nowhere.jpg" if row % 50 == 0 else ""]
            )
    tell("began")
    with closing(open_database(settings)) as database:
        import_feed(Catalogue(database, settings), feed, on_progress=lambda rows, done, total: tell(rows))


def _check_import(settings: Settings, number: int, told: Sequence[int]) -> int:
    stored = max(told, default=0) // BATCH * BATCH
    lost = 0
    with closing(open_database(settings)) as database:
        catalogue = Catalogue(database, settings)
        items = {item.item_id: item for items in catalogue.scan() for item in items if item.item_id.startswith("row-")}
        for row in range(FEED_ROWS):
            item = items.get(f"row-{row}")
            lost += row < stored and (item is None or item.price != number)
            if item and not (
                item.title.endswith(f" {int(item.price or 0)}") and str(item.attributes["edition"]) in item.title
            ):
                raise AssertionError(f"{item.item_id} is half of one edition and half of another: {item}")
    return lost


def _events(settings: Settings, number: int, tell: Tell) -> None:
    tell("began")
    with closing(open_database(settings)) as database:
        log = EventLog(database)
        for n in range(400):
            log.record_queries([QueryRecord(f"k{number}-{n}", "red ball", hits=(ShownHit("ball-red", 1),))])
            log.record_events([EventRecord("click", f"k{number}-{n}", event_id=f"k{number}-{n}", object_id="ball-red")])
            tell(f"k{number}-{n}")


def _check_events(settings: Settings, number: int, told: Sequence[str]) -> int:
    with closing(open_database(settings)) as database, database.reading() as connection:
        kept = {row[0] for row in connection.exec_driver_sql("SELECT event_id FROM events")}
        searches = {row[0] for row in connection.exec_driver_sql("SELECT query_id FROM queries")}
        verdict = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    if verdict != "ok":
        raise AssertionError(f"the database is damaged: {verdict}")
    return len(set(told) - kept) + len(set(told) - searches)


# ---- the index ----


def _rebuild(settings: Settings, number: int, tell: Tell) -> None:
    tell("began")
    with closing(open_database(settings)) as database:
        tell(rebuild(settings, database, RebuildOptions(full=True)).generation)


def _publish(settings: Settings, number: int, tell: Tell) -> None:
    """Twenty publications of copies of what serves: the moments at which a rebuild changes anything for readers."""
    tell("began")
    for _ in range(20):
        current = settings.generations_dir / str(current_id(settings))
        folder = settings.generations_dir / f".building-{uuid.uuid4().hex[:8]}"
        shutil.copytree(current, folder)
        tell(publish_generation(settings, folder))
        prune(settings)


def _check_index(settings: Settings, number: int, told: Sequence[str]) -> int:
    serving = verify_current(settings)["generation"]
    with closing(open_database(settings)) as database:
        found = SearchEngine(settings, database).search(SearchRequest(text="red ball"))
    if found.generation != serving or not found.hits:
        raise AssertionError(f"{serving} is sound, and {found.generation} answers with {len(found.hits)} hits")
    return int(bool(told) and serving < max(told))


# ---- what is learned ----


def _train_ranker(settings: Settings, number: int, tell: Tell) -> None:
    tell("began")
    with closing(open_database(settings)) as database:
        engine = SearchEngine(settings, database)
        engine.refresh()
        report = train_ranker(settings, database, engine.first_stage, engine.fingerprint)
        tell([report.version, report.published])


def _check_ranker(settings: Settings, number: int, told: Sequence[tuple[str, bool]]) -> int:
    with closing(open_database(settings)) as database:
        engine = SearchEngine(settings, database)
        engine.refresh()
        status = engine.status()
    read_position_bias(settings)
    if status["alarms"]:
        raise AssertionError("; ".join(status["alarms"]))
    published = [version for version, is_published in told if is_published]
    return int(bool(published) and status["ranker"] < max(published))


def _train_fusion(settings: Settings, number: int, tell: Tell) -> None:
    tell("began")
    with closing(open_database(settings)) as database:
        train_fusion(settings, database, FusionOptions(steps=120, seed=number), _quiet)
        tell("trained")


def _check_fusion(settings: Settings, number: int, told: Sequence[str]) -> int:
    files = [fusion_file(settings, kind) for kind in FUSIONS]
    loaded = [LearnedFusion.load(file) for file in files if file.is_file()]
    return int(bool(told) and len(loaded) < len(FUSIONS))


def _train_encoder(settings: Settings, number: int, tell: Tell) -> None:
    tell("began")
    pictures = sorted((settings.home.parent / "pictures").glob("*.jpg"))
    items = [
        TrainingItem(path.stem, path.stem.replace("-", " "), path, attributes={"n": path.stem}) for path in pictures
    ]
    train_encoder([items], _encoder_options(settings, number), lambda progress: None)
    tell("trained")


def _encoder_options(settings: Settings, number: int) -> TrainingOptions:
    out = settings.home / "models" / "encoder"
    often = {"validate_every": 100, "checkpoint_every": 2}
    return TrainingOptions(out, steps=12, batch=16, device="cpu", shape=_TINY, small_until=0.0, **often)  # type: ignore[arg-type]


def _check_encoder(settings: Settings, number: int, told: Sequence[str]) -> int:
    """An interrupted training goes on, so what it left must be good to go on with."""
    options = _encoder_options(settings, number)
    if told and not (options.out / "open_clip_model.safetensors").is_file():
        return 1
    _train_encoder(settings, number, lambda told: None)
    if options.work_dir.joinpath("checkpoint.pt").exists():
        raise AssertionError("a finished training leaves its checkpoint")
    return 0


# ---- backup and restore ----


def _back_up(settings: Settings, number: int, tell: Tell) -> None:
    tell("began")
    back_up(settings, settings.home.parent / "kill.tar", _quiet)
    tell("written")


def _check_backup(settings: Settings, number: int, told: Sequence[str]) -> int:
    file, elsewhere = settings.home.parent / "kill.tar", settings.home.parent / "elsewhere"
    if not file.exists():
        return len(told)
    restored = settings.model_copy(update={"home": elsewhere})
    try:
        restore(restored, file, _quiet)
        return _check_index(restored, number, [])
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)


def _restored(settings: Settings) -> Settings:
    return settings.model_copy(update={"home": settings.home.parent / "restored"})


def _restore(settings: Settings, number: int, tell: Tell) -> None:
    tell("began")
    restored, mark = _restored(settings), MARKS[number % 2]
    shutil.rmtree(restored.home, ignore_errors=True)
    restore(restored, settings.home.parent / f"{mark}.tar", _quiet)
    tell(mark)


def _check_restore(settings: Settings, number: int, told: Sequence[str]) -> int:
    """A second restore makes the home whole unless the first did: catalogue and index show the mark of the backup."""
    restored, mark = _restored(settings), MARKS[number % 2]
    if mark not in told:
        with suppress(Conflict):  # is not empty: it was done, and killed before it told so
            restore(restored, settings.home.parent / f"{mark}.tar", _quiet)
    with closing(open_database(restored)) as database:
        found = [one for one in MARKS if Catalogue(database, restored).ids_of([one])]
        shown = {hit.item_id for hit in SearchEngine(restored, database).search(SearchRequest(text="mark", k=5)).hits}
    if found != [mark] or mark not in shown:
        raise AssertionError(f"the catalogue holds {found}, a search shows {shown}, not {mark}")
    verify_current(restored)
    return 0


WORKS = {
    "import": Work(_import, _check_import),
    "event writing": Work(_events, _check_events),
    "serve and write": Work(serve_and_write, check_written),
    "rebuild": Work(_rebuild, _check_index),
    "publish": Work(_publish, _check_index),
    "train ranker": Work(_train_ranker, _check_ranker),
    "train fusion": Work(_train_fusion, _check_fusion),
    "train encoder": Work(_train_encoder, _check_encoder),
    "backup": Work(_back_up, _check_backup),
    "restore": Work(_restore, _check_restore),
}
