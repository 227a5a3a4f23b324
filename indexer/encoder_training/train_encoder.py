"""`magpie train encoder`: catalogues with pictures in, a dual encoder that open_clip loads out."""

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
    """Trains on the items of split "train" of one or several catalogues and writes the model into `options.out`.

    A run that was interrupted goes on from its last checkpoint in `options.work_dir` and ends with the weights that
    it would have had; a checkpoint of other items or options is refused.
    Raises BadInput for too few items, BadSetting for options that do not go together, BadPicture for a bad picture.
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
