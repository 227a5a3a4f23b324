"""`magpie train`: trains an encoder on the catalogue, a ranker on clicks, and the fusion of an item's parts."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, progress_on_stderr, say

if TYPE_CHECKING:
    from magpie.indexer.encoder_training.train_encoder import Progress, TrainingItem

ITEMS_PER_VALIDATION_ITEM = 20


@click.group()
def train() -> None:
    """Train an encoder, a ranker or the fusion of texts and pictures."""


@train.command()
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the model.  [default: models/encoder in the home]"
)
@click.option(
    "--with",
    "others",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="HOME",
    help="Train on the catalogue of this home as well; repeatable.",
)
@click.option(
    "--init",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Start from this model of an earlier training.",
)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Minutes to train.  [default: 60]")
@click.option("--steps", type=click.IntRange(1), help="Steps to train, instead of minutes.")
@click.option("--batch", type=click.IntRange(2), default=512, show_default=True, help="Pictures a step.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, …")
@click.option("--seed", type=int, default=0, show_default=True)
@as_json
@click.pass_context
def encoder(ctx: click.Context, /, out: Path | None, others: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Train an encoder on the catalogue's pictures and texts; after an interruption run it again to continue.

    Then: magpie index rebuild --model OUT
    """
    from magpie.indexer.encoder_training.train_encoder import TrainingOptions, train_encoder

    settings = open_settings(ctx)
    if options["steps"] is None and options["minutes"] is None:
        options["minutes"] = 60.0
    homes = [settings, *(settings.model_copy(update={"home": home}) for home in others)]
    wanted = TrainingOptions(out=out or settings.home / "models" / "encoder", **options)
    report = train_encoder([_training_items(home) for home in homes], wanted, lambda progress: _tell(progress))
    facts = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(report).items()}
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)
        say(f"Next: magpie index rebuild --model {report.out}")


@train.command()
@as_json
@click.pass_context
def ranker(ctx: click.Context, as_json: bool) -> None:
    """Train a ranker on the clicks; it is published only if later days prove it better."""
    from magpie.data.database.connection import open_database
    from magpie.search.engine import SearchEngine
    from magpie.search.ranker_training.fit_taste import learn_taste
    from magpie.search.ranker_training.train_ranker import train as train_ranker
    from magpie.search.reports.learning_in_words import describe_training
    from magpie.search.reports.lost_comparison import withdraw_loser

    settings = open_settings(ctx)
    database = open_database(settings)
    engine = SearchEngine(settings, database)
    try:
        engine.refresh()
        withdrawn = withdraw_loser(settings, database)
        with progress_on_stderr(is_quiet=as_json) as progress:
            report = train_ranker(settings, database, engine.first_stage, engine.fingerprint, progress).as_dict()
        taste = learn_taste(settings, database, engine.serving.segments, lambda asked: engine.first_stage(asked)[0])
        report["withdrawn"] = withdrawn
        report["taste"] = None if taste is None else dict(taste.weights)
    finally:
        engine.close()
        database.close()
    if as_json:
        print_json(report)
        return
    if withdrawn:
        click.echo(f"Ranker {withdrawn} is withdrawn: people who saw its hits and the first stage's prefer the latter.")
    for sentence in describe_training(report):
        click.echo(sentence)
    print_facts({"version": report["version"] or "none", "seconds": report["seconds"]})


@train.command()
@click.option("--steps", type=click.IntRange(1), default=300, show_default=True, help="Steps to train.")
@click.option("--seed", type=int, default=0, show_default=True)
@as_json
@click.pass_context
def fusion(ctx: click.Context, steps: int, seed: int, as_json: bool) -> None:
    """Train concat and attention fusion on the indexed catalogue; after an interruption run it again to continue.

    The queries are those that led people to items, if there are enough, else words held out of the items' texts.
    Then: magpie index rebuild
    """
    from magpie.data.database.connection import open_database
    from magpie.indexer.fusion_training.train_fusion import FusionOptions, train_fusion
    from magpie.search.ranker_training.clicked_queries import gather_clicked_queries

    settings = open_settings(ctx)
    database = open_database(settings)
    clicked = gather_clicked_queries(settings, database)
    with progress_on_stderr(is_quiet=as_json) as progress:
        report = train_fusion(settings, database, FusionOptions(steps, seed), progress, clicked)
    database.close()
    if as_json:
        print_json(asdict(report))
    else:
        print_facts(asdict(report))
        say(f"Next: magpie index rebuild, which now fuses by {report.auto}")


def _training_items(settings: Any) -> "Iterator[TrainingItem]":
    """The catalogue's items with a picture; the hash of an item's id decides whether it trains or validates."""
    from magpie.data.catalogue.catalogue import Catalogue
    from magpie.data.database.connection import open_database
    from magpie.indexer.encoder_training.train_encoder import TrainingItem

    database = open_database(settings)
    try:
        for batch in Catalogue(database, settings).scan():
            for item in batch:
                good = [picture.path for picture in item.pictures if picture.status == "ok"]
                if not good:
                    continue
                words = {name: value for name, value in item.attributes.items() if isinstance(value, str)}
                number = int.from_bytes(hashlib.blake2b(item.item_id.encode(), digest_size=4).digest())
                yield TrainingItem(
                    item_id=item.item_id,
                    title=item.title,
                    picture=good[0],
                    description=item.description,
                    category=item.category,
                    attributes=words,
                    split="train" if number % ITEMS_PER_VALIDATION_ITEM else "dev",
                )
    finally:
        database.close()


def _tell(progress: "Progress") -> None:
    judged = progress.validation
    found = f", recall@10 {judged.recall_at_10:.3f}, nDCG@10 {judged.ndcg_at_10:.3f}" if judged else ""
    speed = f"{progress.pictures_per_s:.0f} pictures/s"
    say(f"{progress.fraction:4.0%}  step {progress.step}, loss {progress.loss:.3f}, {speed}{found}")
