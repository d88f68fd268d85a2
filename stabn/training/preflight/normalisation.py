"""What batch normalisation thinks of the clips that a process gets at a time."""

from collections.abc import Mapping

from stabn.training.batch_statistics import clips_together
from stabn.training.config import RunConfig
from stabn.training.preflight.findings import Findings
from stabn.words import counted

FEW = 8  # clips: with fewer, statistics depend much on which they are


def tell_statistics(found: Findings, config: RunConfig, values: Mapping[str, int]) -> None:
    """Over how many clips and values statistics are taken.

    Args:
        found: gets what is found.
        config: the run.
        values: {layer: values of a channel in a clip}; empty for a network without such layers.
    """
    if not values:
        found.good("batch norm", "this network has none")
        return
    clips, me = clips_together(config, found.me), found.me
    fewest = min(values, key=values.__getitem__)
    whose = "of all processes" if config.sync_bn else "of each process"
    text = f"statistics over {counted(clips, 'clip')} {whose}, {clips * values[fewest]} values "
    text += f"or more of a channel ({fewest})"
    if clips >= FEW:
        found.good("batch norm", text)
        return
    remedies = ["a larger batch_size (and lr with it)"]
    remedies += ["a lower accumulate"] * (config.accumulate > 1)
    if me.world_size > 1 and not config.sync_bn:
        remedies += ["fewer processes"]
        remedies += ["sync_bn"] * (me.device.type == "cuda")
    found.warn(
        "batch norm",
        f"{text}: the frames of a clip resemble each other, so few clips give poor statistics; "
        f"{', '.join(remedies)} would give more",
    )
