"""Bring edits from files into a store.

stabn import runs/mini_st_abn/edits.sqlite edits.json
stabn import runs/mini_st_abn/edits.sqlite old_edits/ --queue runs/mini_st_abn/queue
stabn import runs/mini_st_abn/edits.sqlite exported/npy/1-Ada
"""

from pathlib import Path

import click

from stabn import given
from stabn.knowledge.edits.exchange import EDITOR_2022, annotator_of, read_json, read_npy
from stabn.knowledge.selection.queue import read_queue
from stabn.knowledge.store.store import Store


@click.command("import")
@click.argument("store")
@click.argument("source", type=given.path)
@click.option(
    "--queue", type=given.path, help="folder that select wrote: makes its videos known to the store"
)
@click.option(
    "--annotator",
    help="who made a folder's edits, as its files do not say (default: whose folder it is in an "
    f"export of the organiser's page, else {EDITOR_2022!r})",
)
def command(store: str, source: Path, queue: Path | None, annotator: str | None) -> None:
    """Bring edits into STORE, all of them or none.

    SOURCE is a JSON file of edits or a folder of <class>/<video>.npy. Done again, it adds nothing.
    Where an annotator's edit in the store is newer, it stays the latest.
    """
    opened = Store(store, create=queue is not None)
    if queue is not None:
        opened.register((video.video_id, video.frames) for video in read_queue(queue).videos)
    if source.is_dir():
        videos = opened.progress()
        lengths = dict(zip(videos.video_id, videos.frames, strict=True))
        if annotator is None:
            annotator = annotator_of(source.resolve().name) or EDITOR_2022
            click.echo(f"{source}: taken as the edits of {annotator}; --annotator names another")
        edits = read_npy(source, lengths, annotator=annotator)
    else:
        edits = read_json(source)
    new, known, outdated = opened.take_in(edits)
    click.echo(
        f"{opened.name}: {new} edits are new, {known} were there, {outdated} are no newer than "
        f"what is there and were left out"
    )
