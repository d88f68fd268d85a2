"""A loss or gradient that is NaN or infinite: the run stops there, or leaves out that step."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from stabn.errors import UserError
from stabn.training.files import replacing
from stabn.training.ledger import append_lines, kept_lines
from stabn.training.process import Process, gathered
from stabn.training.resume import Progress

log = logging.getLogger(__name__)


class NonFiniteLossError(UserError):
    """The loss or gradient became NaN or infinite; the message lists the videos of that batch."""


class ElsewhereError(NonFiniteLossError):
    """That happened to another process, whose message lists the videos."""


def check_finite(
    value: Tensor, what: str, step: int, videos: Sequence[str], me: Process, *, together: bool
) -> None:
    """Go on only with a finite value.

    Args:
        value: a scalar, the loss for instance.
        what: what it is, for the message.
        step: the step that is being taken, from 1 on.
        videos: ids of the videos that it was computed from.
        me: this process.
        together: stop if any process's value is not finite; a collective call then.

    Raises:
        NonFiniteLossError: it is NaN or infinite; with ``together``, on all processes.
    """
    wrong = not bool(torch.isfinite(value))
    if wrong:
        error = NonFiniteLossError(
            f"the {what} is {value.item()} at step {step}: lower lr or "
            f"set clip_norm, and look at these videos: {', '.join(videos)}"
        )
    else:
        error = ElsewhereError(f"the {what} of another process is not finite at step {step}")
    if me.total(wrong)[0] if together else wrong:
        raise error


@contextmanager
def writing_down(folder: Path, me: Process) -> Iterator[None]:
    """Keep the words of this process's own :class:`NonFiniteLossError` in the folder, too."""
    try:
        yield
    except ElsewhereError:
        raise
    except NonFiniteLossError as error:
        with replacing(folder / f"non_finite_loss-{me.rank}.txt", "w") as file:
            file.write(f"{error}\n")
        raise


class SkippedSteps:
    """A bounded number of steps may be left out; rank 0 writes each down with its cause.

    Args:
        path: ``nonfinite_steps.jsonl``. Lines of steps after ``step`` (of a part that is done again
            after an interruption) are dropped.
        step: optimizer steps done so far.
        allowed: how many may be left out from the beginning of the run; with 0 nothing is caught.
        me: this process.
    """

    def __init__(self, path: Path, step: int, allowed: int, me: Process):
        self.path, self.allowed, self.me = path, allowed, me
        self.count = kept_lines(path, step, me)

    @contextmanager
    def bearing(self, model: nn.Module, progress: Progress) -> Iterator[None]:
        """Within it a step is taken; one that is not finite leaves no trace in ``model``.

        The weights were not changed yet; BN's running statistics are put back. All processes leave
        the same step out.

        Raises:
            NonFiniteLossError: on every process, when there are more than ``allowed``.
        """
        if not self.allowed:
            yield
            return
        before = [buffer.clone() for buffer in model.buffers()]
        try:
            yield
        except NonFiniteLossError as error:
            for buffer, value in zip(model.buffers(), before, strict=True):
                buffer.copy_(value)
            self._enter(progress.epoch + 1, progress.step + 1, error)

    def _enter(self, epoch: int, step: int, error: NonFiniteLossError) -> None:
        own = [] if isinstance(error, ElsewhereError) else [str(error)]
        causes = gathered(own, self.me)
        if self.count == self.allowed:
            left_out = f"{self.count} steps were left out before it (max_nonfinite_steps)"
            raise type(error)(f"{error}; {left_out}: {self.path}") from error
        self.count += 1
        if self.me.is_main:
            append_lines(self.path, [{"epoch": epoch, "step": step, "causes": causes}])
            log.warning("step %d left out: %s", step, "; ".join(causes))
