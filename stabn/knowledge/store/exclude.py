"""Set an annotator aside, or one of their edits, and hear them again.

stabn exclude runs/mini_st_abn/edits.sqlite --annotator NAME --because "pressed keys at random"
stabn exclude runs/mini_st_abn/edits.sqlite      # what is set aside, by whom and why
"""

import getpass

import click

from stabn.errors import UserError
from stabn.knowledge.store.exclusions import in_force
from stabn.knowledge.store.store import Store


@click.command()
@click.argument("store")
@click.option("--annotator", help="whose word; without it, what is set aside is listed")
@click.option("--video", help="their edit of this video alone; without it, all that they say")
@click.option("--because", help="the reason, which is kept")
@click.option("--by", help="who decides; the user's name unless given")
@click.option("--undo", is_flag=True, help="hear them again")
def command(
    store: str,
    annotator: str | None,
    video: str | None,
    because: str | None,
    by: str | None,
    undo: bool,
) -> None:
    """Set an annotator of STORE aside, or one of their edits.

    Export, agreement and training then go without. Nothing is removed.
    """
    opened = Store(store, create=False)
    if annotator is not None:
        if because is None:
            raise UserError("--because: missing; say why, in words that still tell you in a year")
        decide = opened.readmit if undo else opened.exclude
        decide(annotator, video, who=by or getpass.getuser(), why=because)
    elif video or because or by or undo:
        raise UserError("--annotator: missing; say whose word it is about")
    aside = in_force(opened.exclusions())
    for one in aside:
        click.echo(f"{one.about}: set aside {one.made:%Y-%m-%d} by {one.who}: {one.why}")
    count, left = len(opened.edits()), len(opened.excluded())
    click.echo(f"{opened.name}: {count} edits count, {left} are set aside")
