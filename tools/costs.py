"""What a step is expected to take: what it took here last time, else what its kind does."""

import json

from tools.gate import Cost
from tools.steps import STEPS

# kind of step → seconds and MiB on two plain cores, and the most threads it has use for
KINDS = {
    "data": (120, 800, None),
    "biased": (120, 800, None),
    "prepare": (30, 1200, None),
    "prepare_biased": (30, 1200, None),
    "biased_chosen": (120, 800, None),
    "prepare_biased_chosen": (30, 1200, None),
    "train": (540, 1200, 4),
    "evaluate": (30, 1200, 4),
    "select": (40, 1200, 4),
    "stand_in": (8, 600, 1),
    "finetune": (240, 1400, 4),
    "pretext": (360, 1600, 4),
    "study": (540, 1400, 4),
    "chapter": (20, 1200, 2),
    "quick_chapter": (20, 1200, 2),
    "runtime": (30, 300, 1),
    "live": (25, 800, 1),
    "quick_live": (25, 800, 1),
    "book": (60, 1000, None),
    "quick_book": (60, 1000, None),
}
OTHER = (20, 1200, 2)
# chapters that take longer than their kind does: begun last, they would be waited for alone
LONG = {
    "02_abn_recap": 75,
    "09_mini_ssv2": 80,
    "10_one_process_to_ddp": 40,
    "11_something_something_v2": 30,
    "12_reading_attention": 35,
    "13_editing_attention": 30,
    "14_fine_tuning": 60,
    "19_all_on_the_same_clips": 50,
}


def expected(step: str) -> Cost:
    """What ``step`` will take, as far as one can know."""
    kind, _, name = step.partition("/")
    seconds, mib, threads = KINDS.get(kind, OTHER)
    seconds = LONG.get(name, seconds)
    path = STEPS / f"{step}.json"
    if path.exists():
        record = json.loads(path.read_text())
        seconds, mib = record["seconds"], record["peak_mib"]
    return Cost(seconds, mib * 2**20, threads)
