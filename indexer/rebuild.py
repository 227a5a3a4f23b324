"""`rebuild`, the write path: gather inputs, build or take over the files, verify, publish."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from magpie.data.backup.leftovers import remove_leftovers
from magpie.data.database.connection import Database
from magpie.data.home.locks import lock_home
from magpie.data.settings import Settings
from magpie.indexer.encoder.encode_catalogue import Progress
from magpie.indexer.generations.generation import Generation
from magpie.indexer.generations.input_digest import INPUTS, take_over
from magpie.indexer.generations.store import new_generation, prune, publish_generation, seal
from magpie.indexer.pipeline.build import Built, StageTimes, build
from magpie.indexer.pipeline.inputs import BuildInputs, ClickedQueries, RebuildOptions, gather_inputs

__all__ = ["RebuildOptions", "RebuildReport", "rebuild"]

TAKEN_OVER = "taken over"


@dataclass(frozen=True)
class RebuildReport:
    """The report of a rebuild. `pictures_broken` maps files that could not be decoded to reasons."""

    generation: str
    items: int
    texts_encoded: int
    pictures_encoded: int
    pictures_broken: dict[str, str]
    index: str
    fusion: str
    recall: dict[str, float]
    golden: dict[str, Any]
    mix: dict[str, Any]
    seconds: float
    seconds_by_stage: dict[str, float]

    @property
    def is_taken_over(self) -> bool:
        """Whether nothing had changed, so that the files of the generation before were copied."""
        return TAKEN_OVER in self.seconds_by_stage

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def rebuild(
    settings: Settings,
    database: Database,
    options: RebuildOptions | None = None,
    progress: Progress | None = None,
    judge: Callable[[Generation], dict[str, Any]] | None = None,
    clicked: Callable[[], ClickedQueries] | None = None,
) -> RebuildReport:
    """Indexes the whole catalogue and publishes the result as a new generation.

    Searches use the old generation until the last step, and an interrupted rebuild loses only what it had not yet
    encoded. `clicked` gives the queries that led people to items, by item id. `judge` examines the finished
    generation: what it returns goes into the manifest as "golden", and what it raises keeps it from being published.
    Raises HomeLocked while another rebuild runs, BadSetting for an unknown model, fusion or index, ModelUnavailable
    where the encoder cannot be loaded.
    """
    progress, times = progress or (lambda stage, done, total: None), StageTimes()
    with lock_home(settings.home, "rebuild"):
        remove_leftovers(settings.home)
        inputs = gather_inputs(settings, database, options or RebuildOptions(), clicked)
        digest = inputs.digest()
        times.end_stage("inputs")
        with new_generation(settings) as folder:
            built = take_over_unchanged(inputs, digest, folder, times) or build(inputs, folder, progress, times)
            manifest = seal(folder, finish_manifest(built, inputs, digest, folder, judge))
            times.end_stage("verify")
            generation = publish_generation(settings, folder)
        prune(settings)
        progress("index", 1, 1)
    return report(generation, manifest, built, times)


def take_over_unchanged(inputs: BuildInputs, digest: str, folder: Path, times: StageTimes) -> Built | None:
    """Copies the current generation's files where it was made from the same inputs; None for a full rebuild, too."""
    manifest = None if inputs.options.full else take_over(inputs.settings, folder, digest)
    if manifest is None:
        return None
    times.end_stage(TAKEN_OVER)
    before = manifest["encoded"]
    cached = before["pictures"] + before["pictures_cached"]
    return Built(manifest | {"encoded": {"texts": 0, "pictures": 0, "pictures_cached": cached}})


def finish_manifest(
    built: Built,
    inputs: BuildInputs,
    digest: str,
    folder: Path,
    judge: Callable[[Generation], dict[str, Any]] | None,
) -> dict[str, Any]:
    """The manifest with its revision and digest, and with the verdict of `judge` on the finished folder.

    Where pictures could not be decoded the digest stays empty, so that the next rebuild tries them again.
    """
    about = built.about | {"catalogue_revision": inputs.state.revision, "log_read_ms": inputs.log_read_ms}
    about[INPUTS] = "" if built.pictures_broken else digest
    about["golden"] = judge(Generation(folder, about)) if judge else {}
    return about


def report(generation: str, manifest: Mapping[str, Any], built: Built, times: StageTimes) -> RebuildReport:
    """The rebuild in figures."""
    return RebuildReport(
        generation=generation,
        items=manifest["items"],
        texts_encoded=built.texts_encoded,
        pictures_encoded=built.pictures_encoded,
        pictures_broken=built.pictures_broken,
        index=manifest["index"],
        fusion=manifest["fusion"],
        recall=manifest["recall"],
        golden=manifest["golden"],
        mix=manifest["mix"],
        seconds=round(times.total_s, 2),
        seconds_by_stage=times.by_stage,
    )
