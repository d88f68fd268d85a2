"""The front door: ``stabn COMMAND``, or ``python -m stabn COMMAND``."""

import sys
from importlib import import_module

import click

from stabn.errors import UserError

# In the order in which a person needs them: where a command lives, and what it does.
PREFLIGHT = {
    "train": ("stabn.training.preflight.training", "What would stop a training."),
    "evaluate": ("stabn.training.preflight.evaluation", "What would stop an evaluation."),
    "select": ("stabn.knowledge.selection.preflight", "What would stop a selection."),
    "finetune": ("stabn.knowledge.finetuning.preflight", "What would stop a fine-tuning."),
}
COMMANDS = {
    "mini": ("stabn.data.mini.make", "Draw mini-SSv2, the synthetic set."),
    "prepare": ("stabn.data.prepared", "Decode a set once, small, to train faster on it."),
    "features": ("stabn.training.features", "Run a set through a frozen ImageNet network, once."),
    "preflight": (PREFLIGHT, "Find what would stop a night's run, before it begins."),
    "train": ("stabn.training.train", "Train a network, on one process or on many."),
    "adopt": ("stabn.training.adopt", "Make a run of a network of the 2022 release."),
    "evaluate": ("stabn.training.evaluate", "Score a trained network, video by video."),
    "explain": ("stabn.explain", "Show where and when a network looks in a video."),
    "select": (
        "stabn.knowledge.selection.select",
        "Queue the videos whose attention people are to correct.",
    ),
    "annotate": ("stabn.knowledge.app.serve", "Serve the pages on which people correct attention."),
    "import": ("stabn.knowledge.store.importing", "Bring edits from files into a store."),
    "gold": ("stabn.knowledge.store.naming", "Name the videos by which annotators are checked."),
    "exclude": ("stabn.knowledge.store.exclude", "Set an annotator or an edit aside, and why."),
    "stand-in": (
        "stabn.knowledge.edits.standin",
        "Write the truth of mini-SSv2 as edits, without people.",
    ),
    "finetune": ("stabn.knowledge.finetuning.finetune", "Teach a network what people corrected."),
    "export": ("stabn.export.command", "Write a network as ONNX files for other programs."),
    "promote": ("stabn.tables.promote", "Put a finished run's record into the book."),
}


class Door(click.Group):
    """Commands that are imported when they are asked for: the list alone needs no PyTorch."""

    def __init__(self, name: str, commands: dict, **more) -> None:
        super().__init__(name, **more)
        self.rooms = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the table."""
        return list(self.rooms)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """A command, or a further door."""
        if name not in self.rooms:
            return None
        place, what = self.rooms[name]
        if isinstance(place, dict):
            return Door(name, place, help=what)
        return import_module(place).command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each command's line, without importing it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in self.rooms.items()])

    def invoke(self, ctx: click.Context) -> None:
        """Run the command; what a person can put right is told in a line."""
        try:
            super().invoke(ctx)
        except UserError as error:
            sys.exit(f"error: {error}")


door = Door(
    "stabn",
    COMMANDS,
    help="Attention branch networks for video: train them, see where and when they look, and "
    "correct it. `stabn COMMAND --help` says more.",
)


def main() -> None:
    """The command line."""
    door(prog_name="stabn")


if __name__ == "__main__":
    main()
