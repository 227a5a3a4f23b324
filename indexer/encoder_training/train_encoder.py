"""Trains a dual encoder on the pictures and texts of catalogues, for `magpie train encoder`."""

from collections.abc import Callable, Iterable, Sequence

from magpie.indexer.encoder_training.items import TrainingItem
from magpie.indexer.encoder_training.model import Shape
from magpie.indexer.encoder_training.options import Progress, TrainingOptions, TrainingReport
from magpie.indexer.encoder_training.run import TrainingRun

__all__ = ["Progress", "Shape", "TrainingItem", "TrainingOptions", "TrainingReport", "train_encoder"]

_REPORT_EVERY = 20  # steps


def train_encoder(
    sources: Sequence[Iterable[TrainingItem]], options: TrainingOptions, progress: Callable[[Progress], None]
) -> TrainingReport:
    """The report of training on the "train" items of `sources` (catalogues); the model is written to `options.out`.

    An interrupted run continues from its last checkpoint in `options.work_dir` and ends with the same weights.
    Raises BadInput for too few items, BadSetting for a checkpoint of other items or options and where
    training diverges, BadPicture.
    """
    run = TrainingRun([list(source) for source in sources], options)
    run.resume()
    validation = None
    for batch in run.remaining_batches():
        run.train_step(batch)
        done = run.fraction() >= 1
        validation = run.validation() if done or run.step % options.validate_every == 0 else None
        if validation or done or run.step % _REPORT_EVERY == 0:
            progress(run.progress(validation))
        if run.step % options.checkpoint_every == 0:
            run.save()
    return run.finish(validation)
