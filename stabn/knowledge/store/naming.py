"""Name the gold videos of a store: those whose levels are known.

stabn gold runs/mini_st_abn/edits.sqlite expert.json
stabn gold runs/mini_st_abn/edits.sqlite --annotator NAME      # what this expert said there
"""

from pathlib import Path

import click

from stabn import given
from stabn.errors import UserError
from stabn.knowledge.edits.exchange import read_json
from stabn.knowledge.selection.queue import read_queue
from stabn.knowledge.store.store import Store
from stabn.words import counted


@click.command()
@click.argument("store")
@click.argument("source", type=given.path, required=False)
@click.option(
    "--queue", type=given.path, help="folder that select wrote: makes its videos known to the store"
)
@click.option("--annotator", help="take the levels that this expert gave in the store")
@click.option("--none", is_flag=True, help="no video is gold any more")
@click.option("--train", is_flag=True, help="networks learn from these videos, too")
def command(
    store: str,
    source: Path | None,
    queue: Path | None,
    annotator: str | None,
    none: bool,
    train: bool,
) -> None:
    """Name the gold videos of STORE, those in SOURCE and no others.

    SOURCE is a JSON file of an expert's edits. Everybody is given these videos as any other; the
    organiser's page says how far each is from the expert. Networks do not learn from them.
    """
    if sum((source is not None, annotator is not None, none)) > 1:
        raise UserError("give one of a file, --annotator and --none")
    opened = Store(store, create=queue is not None)
    if queue is not None:
        opened.register((video.video_id, video.frames) for video in read_queue(queue).videos)
    if source is not None:
        opened.gold.name(read_json(source), train=train)
    elif annotator is not None:
        edits = [edit for edit in opened.edits() if edit.annotator == annotator]
        if not edits:
            raise UserError(f"--annotator {annotator}: has said nothing in {opened.name}")
        opened.gold.name(edits, train=train)
    elif none:
        opened.gold.name([])
    click.echo(f"{opened.name}: {counted(len(opened.gold.edits()), 'gold video')}")
