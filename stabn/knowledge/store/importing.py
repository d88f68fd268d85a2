"""Bring edits from files into a store.

stabn import runs/mini_st_abn/edits.sqlite edits.json
stabn import runs/mini_st_abn/edits.sqlite old_edits/ --queue runs/mini_st_abn/queue
"""

from pathlib import Path

import click

from stabn import given
from stabn.knowledge.edits.exchange import read_json, read_npy
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
    default="2022 editor",
    show_default=True,
    help="who made a folder's edits: its files do not say",
)
def command(store: str, source: Path, queue: Path | None, annotator: str) -> None:
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
        edits = read_npy(source, lengths, annotator=annotator)
    else:
        edits = read_json(source)
    new, known, outdated = opened.take_in(edits)
    click.echo(
        f"{opened.name}: {new} edits are new, {known} were there, {outdated} are no newer than "
        f"what is there and were left out"
    )
