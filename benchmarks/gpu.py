"""What a GPU makes of the full-size networks: ``make gpu``, one command, under ten minutes.

Trains R50, R101 and the ST-ABNs on both, 8 clips of 32×224² a step: plain fp32; TF32 and bf16 with
the channels last and fused kernels, as ``train.py`` has them; bf16 compiled; and bf16 on clips that
the product's own loader decodes meanwhile, with the workers that it chooses. A row has clips a
second, peak memory, the share of the time in which the GPU did nothing, and the share of the rate
at which it multiplies large matrices.

    make gpu                                    # writes _build/gpu.json, some kilobytes
    make gpu ARGS="--out book/results/cost/gpu_h200.json"
    python benchmarks/gpu.py --quick            # a toy network, on a CPU too: no figure to keep

Each row is kept as soon as it is measured. Begun again by the same code on the same machine, it
makes what is missing. The videos are passages of two films, in the set's form: see ``loader.py``.
"""

import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from loader import make_source
from measured import begun, forget_peak, give_back, memory_gib, parser_for, provenance, seconds_of
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from training_step import (
    CLASSES,
    COMPILING,
    Way,
    gflop_per_clip,
    make_step,
    matrix_tflops,
    what_happened,
)

from stabn.errors import UserError
from stabn.training.build import build_model
from stabn.training.config import RunConfig
from stabn.training.process import Process, usable_precision
from stabn.training.records import write_record
from stabn.training.step import set_up, take_step

QUESTION = "How fast does a GPU train the full-size networks, fed from memory and from videos?"
TRAINED = ("channels_last", "fused", "cudnn_benchmark")
FULL = {"backbones": ("resnet50", "resnet101"), "frames": 32, "size": 224, "batch": 8}
FULL |= {"videos": 512, "seconds": 8.0, "steps": 10, "matrix": 8192, "workers": None}
TOY = {"backbones": ("small",), "frames": 4, "size": 32, "batch": 2}
TOY |= {"videos": 4, "seconds": 0.1, "steps": 1, "matrix": 256, "workers": 0}
ROW = 20.0  # seconds that a row may take


class Case(NamedTuple):
    """A row: which network, how its steps are run, and whether its clips are decoded meanwhile."""

    backbone: str
    model: str
    way: Way
    decoded: bool = False

    def names(self) -> dict[str, Any]:
        """As the row has it."""
        plain = {"model": self.model, "backbone": self.backbone, "precision": self.way.precision}
        return plain | {"options": list(self.way.options), "decoded": self.decoded}

    @property
    def spare(self) -> float:
        """Seconds that must be left to begin it."""
        return COMPILING if "compile" in self.way.options else ROW


def cases(backbones: Iterable[str], device: torch.device) -> list[Case]:
    """What is measured, in this order; what takes minutes, compiling, comes last."""
    best = usable_precision("bf16", device)
    networks = [(b, m) for b in backbones for m in ("baseline", "st_abn")]
    tf32 = [Way("tf32", TRAINED)] if device.type == "cuda" else []
    ways = [Way(best, TRAINED), *tf32, Way("fp32")]
    compiled = Way(best, (*TRAINED, "compile"))
    return [
        *(Case(*network, way) for way in ways for network in networks),
        *(Case(*network, ways[0], decoded=True) for network in networks),
        *(Case(*network, compiled) for network in networks),
    ]


def busy_seconds(spans: Iterable[tuple[float, float]]) -> float:
    """How long at least one of some spans (begin, end) lasted."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def busy_of(step: Callable[[], None], device: torch.device, times: int = 3) -> float | None:
    """Seconds of a step in which the GPU works; None on a CPU."""
    if device.type != "cuda":
        return None
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        for _ in range(times):
            step()
        wait_for(device)
    spans = [
        (event.time_range.start / 1e6, event.time_range.end / 1e6)
        for event in seen.events()
        if event.device_type == DeviceType.CUDA
        and not getattr(event, "is_user_annotation", False)  # spans that hold gaps
    ]
    return busy_seconds(spans) / times


def in_memory(case: Case, config: RunConfig, args: Namespace, device: torch.device) -> dict:
    """Figures of steps on a batch that lies on the device."""
    model = build_model(config, CLASSES).to(device).train()
    step = make_step(model, case.way, args.batch, args.frames, args.size, device)
    for _ in range(3):  # cuDNN tries its kernels
        step()
    forget_peak(device)
    seconds = median(seconds_of(step, device)[1] for _ in range(args.steps))
    peak = memory_gib(device, "VmHWM")
    return told(args.batch / seconds, args.batch, peak, busy_of(step, device))


def while_decoding(config: RunConfig, args: Namespace, device: torch.device) -> dict:
    """Figures of training itself: the product's steps, fed by its loader."""
    torch.backends.cudnn.benchmark = True
    run = set_up(config, Process(0, 1, device))
    run.network.train()
    clips, spent = 0, 0.0
    forget_peak(device)
    while not clips or spent < args.seconds:
        batches = iter(run.loader)
        take_step(run, next(batches))  # workers that start are no part of a long epoch
        wait_for(device)
        since = time.monotonic()
        for batch in batches:
            take_step(run, batch)
            clips += len(batch)
        wait_for(device)
        spent += time.monotonic() - since
        run.loader.batch_sampler.epoch += 1
    peak = memory_gib(device, "VmHWM")
    busy = busy_of(lambda: take_step(run, batch), device)
    return told(clips / spent, args.batch, peak, busy) | {"workers": run.loader.num_workers}


def wait_for(device: torch.device) -> None:
    """Until a GPU has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def told(rate: float, batch: int, peak: float | None, busy: float | None) -> dict:
    """The measured part of a row, of so many clips a second."""
    idle = None if busy is None else max(0.0, 1 - busy * rate / batch)
    return {"clips_per_second": rate, "peak_gib": peak, "idle_share": idle, "note": None}


def measured(case: Case, args: Namespace, device: torch.device, root: Path) -> dict:
    """A row of the record."""
    sides = {"image_size": args.size, "short_side": args.size}
    config = RunConfig(
        **{"name": "gpu", "model": case.model, "backbone": case.backbone, "out_dir": str(root)},
        **{"data_root": str(root), "eval_split": "train", "report_split": "train", **sides},
        **{"train_short_side": (round(args.size * 8 / 7), round(args.size * 10 / 7))},
        **{"num_frames": args.frames, "batch_size": args.batch, "workers": args.workers},
        **{"epochs": 1, "precision": case.way.precision if case.decoded else "fp32"},
    )
    gflop = gflop_per_clip(config)
    row = case.names() | {"frames": args.frames, "size": args.size, "batch": args.batch}
    row |= {"gflop_per_clip": gflop, "clips_per_second": None}
    try:
        if case.decoded:
            row |= while_decoding(config, args, device)
        else:
            row |= in_memory(case, config, args, device)
    except UserError as error:
        row["note"] = str(error)
    except RuntimeError as error:
        row["note"] = what_happened(error, case.way)
    give_back(device)
    rate = matrix_tflops(case.way.precision, args.matrix, device)
    done = row["clips_per_second"]
    share = None if done is None else done * gflop / 1e3 / rate
    return row | {"matrix_tflops": rate, "share_of_matrix_rate": share}


def in_words(row: dict) -> str:
    """A line of the printed table."""
    how = " + ".join((row["precision"], *row["options"])) + ", decoded" * row["decoded"]
    start = f"{row['backbone']:>9} {row['model']:<8} {how:<54}"
    if row["clips_per_second"] is None:
        return f"{start} {row['note']}"
    peak = "–" if row["peak_gib"] is None else f"{row['peak_gib']:.1f}"
    idle = "–" if row["idle_share"] is None else f"{row['idle_share']:.0%}"
    return (
        f"{start} {row['clips_per_second']:8.2f} clips/s  {peak:>5} GiB  idle {idle:>4}"
        f"  {row['share_of_matrix_rate']:4.0%} of {row['matrix_tflops']:.0f} TFLOP/s"
    )


def main() -> None:
    """The command line."""
    parser = parser_for(QUESTION)
    parser.set_defaults(out=Path("_build/gpu.json"))
    parser.add_argument("--minutes", type=float, default=9.0, help="begin nothing new after these")
    parser.add_argument("--quick", action="store_true", help="a toy network, seconds")
    args = parser.parse_args()
    if not (args.quick or torch.cuda.is_available()):
        parser.error("PyTorch finds no GPU here; --quick tries it out on the CPU")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    vars(args).update(TOY if args.quick else FULL)
    torch.manual_seed(0)
    record = begun(args.out, provenance(QUESTION, args.note) | {"rows": []})
    end = time.monotonic() + 60 * args.minutes
    left = cases(args.backbones, device)
    known = [{name: row[name] for name in left[0].names()} for row in record["rows"]]
    left = [case for case in left if case.names() not in known]
    print("\n".join(map(in_words, record["rows"])))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "videos"
        if any(case.decoded for case in left):
            make_source(root, args.videos, None)
        while left and time.monotonic() + left[0].spare < end:
            row = measured(left.pop(0), args, device, root)
            print(in_words(row), flush=True)
            record["rows"].append(row)
            write_record(args.out, record)
    print(f"record: {args.out}" + f"; {len(left)} rows are left: the same again" * bool(left))


if __name__ == "__main__":
    main()
