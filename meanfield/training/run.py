"""One training run: the steps, what is measured on the way, and how it ends.

On a processor a run is the same bit for bit whatever else runs beside it, whether or not it was interrupted: it works
in one thread, each epoch's order of examples depends on the seed and the epoch alone, and a checkpoint holds the rest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

from meanfield.atomic_files import require_places
from meanfield.domain import path_of, require_a
from meanfield.errors import DomainError, OutputError
from meanfield.processes import noted, undisturbed
from meanfield.tables.records import Record
from meanfield.training.checkpoint import read_checkpoint, write_checkpoint
from meanfield.training.data import Data, load
from meanfield.training.device import arithmetic, device_named
from meanfield.training.ending import ended, layers
from meanfield.training.examples import Examples
from meanfield.training.log import Log, require_log
from meanfield.training.measures import performance
from meanfield.training.network import require_positions
from meanfield.training.setting import Setting
from meanfield.training.steps import Steps
from meanfield.training.trained import Trained

__all__ = ["require_files", "require_fit", "train"]

#: Times at which every layer is measured, the beginning apart.
_LOOKS = 10
#: Examples of either set on which accuracy is measured on the way.
_ON_THE_WAY = 1_000
#: Seconds between two checkpoints.
_BETWEEN = 60.0


def train(
    setting: Setting,
    *,
    data: Data | None = None,
    device: str = "cpu",
    log: str | Path | None = None,
    foretold: Record | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    advance: Callable[[int], object] | None = None,
) -> Trained:
    """Train a network.

    Args:
        setting: which, how and on what.
        data: those that `setting.data` names, if they are loaded already.
        device: cpu, cuda, or auto for cuda where there is one.
        log: a file of JSON lines, for what is measured on the way.
        foretold: the verdict, which opens the log.
        checkpoint: a file from which an interrupted run goes on; written every minute, when a run is interrupted, and
            when it is over.
        resume: whether to go on from it; without such a file the run begins.
        advance: called with the number of steps just done.

    Raises:
        DomainError: numbers that contradict one another, or a device that is not here.
        OutputError: data that cannot be had; a file that cannot be written, or is of another run.
        KeyboardInterrupt: Ctrl-C; the checkpoint is written.
    """
    require_a(Setting, "setting", setting)
    if resume and checkpoint is None:
        raise DomainError("there is no checkpoint to resume from: name the file")
    to, kept = (
        None if file is None else path_of(name, file) for name, file in (("log", log), ("checkpoint", checkpoint))
    )
    place = device_named(device)
    data = load(setting.data) if data is None else data
    require_a(Data, "data", data, "load('digits')")
    require_fit(setting, data)
    require_files(setting, data, to, kept, resume=resume)
    examples = Examples(data.held_out(setting.validation), place)
    with arithmetic():
        steps = Steps(setting, examples)
        start = layers(steps.network, examples)
        if resume and kept and kept.exists():
            steps.restore(read_checkpoint(kept, setting, data))

        def save() -> None:
            if kept:
                with undisturbed():
                    write_checkpoint(kept, setting, data, steps.state())

        begun = steps.done if resume else None
        with nullcontext() if to is None else closing(Log(to, setting, foretold, begun)) as lines:
            if lines and lines.is_new:
                lines.append({"step": 0, **_look(steps)})
            if advance:
                advance(steps.done)
            try:
                diverged = _taken(steps, lines, save, advance)
                after = steps.done, steps.seconds
                trained = ended(setting, steps.network, examples, start, *after, diverged=diverged)
            except KeyboardInterrupt:
                save()
                raise
            # Before the log says how it ended: what ended is not trained again.
            save()
            if lines:
                lines.append({"step": steps.done, **trained.result(), **trained.end})
    return trained


def require_fit(setting: Setting, data: Data) -> None:
    """Refuse, before anything is computed, data that the setting cannot be trained on.

    Raises:
        DomainError: too few examples, or convolutions over what has no positions.
    """
    require_positions(setting, data.train_inputs.shape[1:])
    setting.steps(data.left(setting.validation))


def require_files(setting: Setting, data: Data, log: Path | None, checkpoint: Path | None, *, resume: bool) -> None:
    """Refuse, before anything is computed, files that cannot be written to or are of another run.

    Raises:
        OutputError: there is one.
    """
    require_places([path for path in (log, checkpoint) if path])
    if log:
        require_log(log, setting, resume=resume)
    if checkpoint and checkpoint.exists():
        if not resume:
            raise OutputError(f"{checkpoint} is there already: go on from it by --resume, or name another file")
        read_checkpoint(checkpoint, setting, data)


def _taken(steps: Steps, log: Log | None, save: Callable[[], None], advance: Callable[[int], object] | None) -> bool:
    """Take the steps that are left; whether the run diverged."""
    looks = {math.ceil(steps.total * part / _LOOKS) for part in range(1, _LOOKS + 1)}
    saved = time.monotonic()
    # An interrupt waits for the end of the step, which a checkpoint can then hold.
    with noted() as interrupted:
        while steps.done < steps.total and not interrupted():
            if not steps.take():
                return True
            if log and steps.done in looks:
                log.append({"step": steps.done, "loss": steps.losses.mean(), **_look(steps)})
            if time.monotonic() > saved + _BETWEEN:
                save()
                saved = time.monotonic()
            if advance:
                advance(1)
    return not steps.is_finite()


def _look(steps: Steps) -> Record:
    """Every layer, and the accuracy on some examples of either set."""
    found, on = layers(steps.network, steps.examples), steps.examples
    for name, x, y in (("train", on.x, on.y), (on.test_on, on.test_x, on.test_y)):
        on_some = performance(steps.network, x[:_ON_THE_WAY], y[:_ON_THE_WAY])
        found |= {f"{name}_{what}": value for what, value in on_some._asdict().items()}
    return found
