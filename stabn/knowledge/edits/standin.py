"""Edits that stand in for people's: the truth of mini-SSv2, written down as an edit.

Nobody looked at a video to make them. They are as good as an edit can be, and every result that
rests on them says *stand-in*.

    stabn stand-in --queue runs/mini_st_abn/queue --out runs/edits.json
"""

import re
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np

from stabn import given
from stabn.data.mini.truth import read_truth
from stabn.errors import UserError
from stabn.knowledge.edits.edit import LEVELS, Edit, EditError
from stabn.knowledge.edits.exchange import write_json
from stabn.knowledge.selection.queue import Queue, read_queue

ANNOTATOR = "stand-in (the truth)"
WRONG = ", {:.0%} of frames wrong"  # follows the name where noise was added


def noise_of(annotator: str) -> float:
    """The noise in [0, 1] of the stand-in who bears this name; 0 for everybody else."""
    said = re.search(r"(\d+)% of frames wrong$", annotator)
    return int(said[1]) / 100 if said else 0.0


def stand_in_edits(
    queue: Queue, *, limit: int | None = None, noise: float = 0.0, seed: int = 0
) -> list[Edit]:
    """One edit of each queued video, from the set's own truth.

    Args:
        queue: which videos; its data set must come with the truth.
        limit: only so many of them, in the queue's order; None for all.
        noise: share of each video's frames that get one of the two wrong levels, in [0, 1].
        seed: decides which frames, and which level.

    Raises:
        EditError: no data set there, or one without truth; an impossible noise or limit.
    """
    if not 0 <= noise <= 1:
        raise EditError(f"noise: a share of frames lies in [0, 1], not {noise}")
    if limit is not None and limit < 1:
        raise EditError(f"limit: at least one video, not {limit}")
    if not Path(queue.data_root).is_dir():
        raise EditError(
            f"{queue.data_root}: no such folder, and the queue is of its videos; run this where it "
            f"lies, or put it back"
        )
    now = datetime.now(UTC)
    edits = []
    for place, video in enumerate(queue.videos[:limit]):
        try:
            levels = read_truth(queue.data_root, video.video_id).levels
        except FileNotFoundError as error:
            raise EditError(f"{error}: on real videos people make the edits") from error
        rng = np.random.default_rng((seed, place))
        wrong = rng.permutation(len(levels))[: round(noise * len(levels))]
        levels = levels.copy()
        levels[wrong] = [rng.choice([v for v in LEVELS if v != levels[t]]) for t in wrong]
        edits.append(
            Edit(
                video_id=video.video_id,
                verdict="edited",
                levels=tuple(map(float, levels)),
                annotator=ANNOTATOR if noise == 0 else ANNOTATOR + WRONG.format(noise),
                model=queue.model,
                attention=video.attention,
                made=now,
                seconds=0.0,
            )
        )
    return edits


@click.command()
@click.option("--queue", required=True, type=given.path, help="folder that select wrote")
@click.option("--out", required=True, type=given.path, help="JSON file of edits")
@click.option(
    "--limit", type=click.IntRange(min=1), help="only so many videos, in the queue's order"
)
@click.option("--noise", default=0.0, show_default=True, help="share of frames set wrongly")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="of the noise"
)
def command(queue: Path, out: Path, limit: int | None, noise: float, seed: int) -> None:
    """Edits that stand in for people's: the truth of mini-SSv2, written down as an edit."""
    edits = stand_in_edits(read_queue(queue), limit=limit, noise=noise, seed=seed)
    try:
        write_json(edits, out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from error
    click.echo(f"{out}: {len(edits)} stand-in edits, nobody's work")
