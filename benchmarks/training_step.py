"""How many clips a second does a training step do, and what share of the matrix rate is that?

Trains baseline and ST-ABN on one batch that lies on the device, each way of running the step in
turns in one run: plain fp32, every option by itself, all of them together as ``train.py`` has them,
and with checkpointed or compiled activations. Prints clips a second, their ratio to the plain row,
peak memory, and the share of the rate at which the same device multiplies large matrices.

    python benchmarks/training_step.py                     # CPU: R50, 8×112², two to four minutes
    python benchmarks/training_step.py --quick             # a toy network, seconds
    python benchmarks/training_step.py --frames 32 --size 224 --batch 1 --minutes 60

On a GPU, R50 and R101 at 32×224², 8 clips, within about 8 minutes:

    python benchmarks/training_step.py --out book/results/cost/step_h100.json

"fp32" is IEEE's here. PyTorch lets convolutions use TF32 where there is one unless told otherwise,
so on such a GPU a run with ``precision: fp32`` is close to the rows called "tf32". SyncBN is not
measured: with one process it is BN. On a CPU a step's time is its CPU time over the number of
threads, on which other work falls little; the record has the clock's figure, too.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

import torch
from measured import finish, forget_peak, give_back, memory_gib, parser_for, provenance, seconds_of
from torch import Tensor, nn

from stabn.data.transforms import normalise
from stabn.losses import classification_loss
from stabn.models.resnet3d import ResidualStage, count_multiply_adds
from stabn.training.build import build_model
from stabn.training.config import ConfigError, RunConfig, parse
from stabn.training.process import autocast, usable_precision

QUESTION = "How many clips a second does a training step do, at what share of the matrix rate?"
CLASSES = 174
TURNS = 5
COMPILING = 60  # seconds that must be left to begin it
GPU = {"backbones": ["resnet50", "resnet101"], "frames": 32, "size": 224, "batch": 8, "minutes": 7}
CPU = {"backbones": ["resnet50"], "frames": 8, "size": 112, "batch": 2, "minutes": 2}
QUICK = {"backbones": ["small"], "frames": 4, "size": 32, "batch": 2, "minutes": 0.2}


class Way(NamedTuple):
    """One way to run a step: its precision and the options that are switched on."""

    precision: str
    options: tuple[str, ...] = ()


def ways(device: torch.device) -> list[Way]:
    """Plain; each option and precision alone; all together as ``train.py`` has them; and more."""
    on_gpu = device.type == "cuda"
    trained = ("channels_last", "fused", *(["cudnn_benchmark"] if on_gpu else []))
    lower = [p for p in ("bf16", "fp16") if usable_precision(p, device) == p]
    tf32 = ["tf32"] if on_gpu and torch.cuda.get_device_capability(device) >= (8, 0) else []
    best = [*lower, "fp32"][0]
    return [
        Way("fp32"),
        *(Way("fp32", (option,)) for option in (*trained, "checkpoint_activations")),
        *(Way(precision) for precision in (*tf32, *lower)),
        *(Way(precision, trained) for precision in ("fp32", *tf32, *lower)),
        Way(best, (*trained, "checkpoint_activations")),
        *([Way(best, (*trained, "compile"))] if on_gpu else []),  # last: it takes a minute or two
    ]


def make_step(
    model: nn.Module, way: Way, batch: int, frames: int, size: int, device: torch.device
) -> Callable[[], None]:
    """A function that does one training step, as ``train.py`` does it, on a batch of its own."""
    torch.backends.cudnn.benchmark = "cudnn_benchmark" in way.options
    torch.backends.cudnn.allow_tf32 = way.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = way.precision == "tf32"
    for module in model.modules():
        if isinstance(module, ResidualStage):
            module.checkpoint = "checkpoint_activations" in way.options
    network = torch.compile(model) if "compile" in way.options else model
    half = way.precision if way.precision in ("bf16", "fp16") else "fp32"
    # A tensor that is too large to make must fail first, so the clips come before their labels.
    video = torch.randint(256, (batch, 3, frames, size, size), dtype=torch.uint8, device=device)
    labels = torch.arange(batch, device=device) % CLASSES
    optimizer = torch.optim.SGD(
        model.parameters(),
        1e-3,
        0.9,
        weight_decay=5e-4,
        nesterov=True,
        fused="fused" in way.options,
    )
    # So low a scale that no step overflows: one that does is skipped, and would be too quick.
    scaler = torch.amp.GradScaler(device.type, init_scale=1024.0, enabled=half == "fp16")

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast(half, device):
            clip = normalise(video)  # channels last
            output = network(clip if "channels_last" in way.options else clip.contiguous())
            logits, attention = (output, None) if isinstance(output, Tensor) else output[:2]
            loss = classification_loss(logits, attention, labels).total
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


def matrix_tflops(precision: str, n: int, device: torch.device) -> float:
    """Rate of a product of two n×n matrices at ``precision``, the best of three."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    torch.mm(a, b)
    return 2 * n**3 / min(seconds_of(lambda: torch.mm(a, b), device)[0] for _ in range(3)) / 1e12


def gflop_per_clip(config: RunConfig) -> float:
    """Arithmetic of a training step: 3 times the forward pass, 2 for a multiply–add."""
    with torch.device("meta"):
        clip = torch.empty(1, 3, config.num_frames, config.image_size, config.image_size)
        return 3 * 2 * count_multiply_adds(build_model(config, CLASSES), clip) / 1e9


def what_happened(error: RuntimeError, way: Way) -> str:
    """The note on a row that could not be measured; anything unexpected is raised again."""
    text = str(error)
    failed = ("can't allocate memory", "ALLOC_FAILED")  # the CPU's, cuBLAS's and cuDNN's words
    if isinstance(error, torch.OutOfMemoryError) or any(words in text for words in failed):
        return "out of memory"
    if "compile" in way.options:
        return f"does not compile: {text.strip().splitlines()[0][:200]}"
    raise error


@dataclass
class Measured:
    """What is known of one way: seconds of its steps, peak in GiB, and why it has none.

    ``clock`` are the same steps' seconds by the clock.
    """

    seconds: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)
    peak: float | None = None
    note: str | None = None


def measure(
    config: RunConfig, args: Namespace, device: torch.device, floor: float, until: float
) -> tuple[dict[Way, Measured], dict[str, float]]:
    """Every way to train one network, in complete turns while there is time; matrix rates.

    Args:
        config: the network, frames and size.
        args: the command line.
        device: where to.
        floor: GiB that the process held before there was a network; peaks are counted from it.
        until: time (monotonic) after which nothing is begun, but for the plain way's first turn.
    """
    model = build_model(config, CLASSES).to(device).train()
    warm_up, timed = (2, 5) if device.type == "cuda" else (1, 1)
    n = 256 if args.quick else 8192 if device.type == "cuda" else 4096
    found, rates = {way: Measured() for way in ways(device)}, {}
    for turn in range(TURNS):
        left = {way: known for way, known in found.items() if known.note is None}
        expected = sum((warm_up + timed) * median(k.clock) for k in left.values() if k.clock)
        if turn and time.monotonic() + expected > until:
            break
        for precision in {way.precision: None for way in found}:
            rate = matrix_tflops(precision, n, device)
            rates[precision] = max(rates.get(precision, 0.0), rate)
        for number, (way, known) in enumerate(left.items()):
            spare = COMPILING if "compile" in way.options else 0
            if not turn and number and time.monotonic() + spare > until:
                known.note = "not measured: no time left"
                continue
            try:
                step = make_step(model, way, args.batch, args.frames, args.size, device)
                for _ in range(warm_up):
                    step()
                forget_peak(device)
                for _ in range(timed):
                    seconds, clock = seconds_of(step, device)
                    known.seconds.append(seconds)
                    known.clock.append(clock)
                peak = memory_gib(device, "VmHWM")
                known.peak = None if peak is None else max(known.peak or 0, peak - floor)
            except RuntimeError as error:
                known.note = what_happened(error, way)
            step = None  # its optimizer's state goes with it
            model.zero_grad(set_to_none=True)
            give_back(device)
    return found, rates


def rows_of(
    config: RunConfig, batch: int, found: dict[Way, Measured], rates: dict[str, float]
) -> list[dict]:
    """The record's rows of one network; the first way is the one that the others are held to."""
    gflop = gflop_per_clip(config)
    done = {way: batch / median(k.seconds) if k.seconds else None for way, k in found.items()}
    plain = next(iter(done.values()))
    return [
        {
            "model": config.model,
            "backbone": config.backbone,
            "frames": config.num_frames,
            "size": config.image_size,
            "batch": batch,
            "precision": way.precision,
            "options": list(way.options),
            "clips_per_second": done[way],
            "ratio": done[way] / plain if done[way] and plain else None,
            "peak_gib": known.peak,
            "gflop_per_clip": gflop,
            "matrix_tflops": rates[way.precision],
            "share_of_matrix_rate": done[way] and done[way] * gflop / 1e3 / rates[way.precision],
            "note": known.note,
            "clips_per_second_by_the_clock": batch / median(known.clock) if known.clock else None,
            "steps": len(known.seconds),
        }
        for way, known in found.items()
    ]


def in_words(row: dict) -> str:
    """A line of the printed table."""
    name = " + ".join((row["precision"], *row["options"]))
    start = f"{row['backbone']:>9} {row['model']:<8} {name:<58}"
    if row["clips_per_second"] is None:
        return f"{start} {row['note']}"
    ratio, memory = (
        "–" if row[name] is None else f"{row[name]:.{digits}f}"
        for name, digits in (("ratio", 2), ("peak_gib", 1))
    )
    return (
        f"{start} {row['clips_per_second']:8.3f} clips/s  ratio {ratio:>4}  {memory:>4} GiB"
        f"  {row['share_of_matrix_rate']:4.0%} of {row['matrix_tflops']:.2f} TFLOP/s"
    )


def main() -> None:
    """The command line."""
    parser = parser_for(QUESTION)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--backbones", nargs="+", help="resnet50, resnet101, small")
    parser.add_argument("--frames", type=int, help="T")
    parser.add_argument("--size", type=int, help="pixels")
    parser.add_argument("--batch", type=int, help="clips a step")
    parser.add_argument("--minutes", type=float, help="begin nothing new after these")
    parser.add_argument("--quick", action="store_true", help="a toy network, seconds")
    args = parser.parse_args()
    device = torch.device(args.device)
    for name, value in (QUICK if args.quick else GPU if device.type == "cuda" else CPU).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    torch.manual_seed(0)
    on_gpu = device.type == "cuda"
    record = provenance(QUESTION, args.note) | {
        "threads": torch.get_num_threads(),
        "seconds_are": "by the clock" if on_gpu else "CPU time over the number of threads",
        "peak_is": "allocated by PyTorch on the GPU, network included"
        if on_gpu
        else "growth of the process's resident memory since before the first network was made",
        "gflop_is": "3 × 2 × multiply–adds of convolutions and linear layers in one forward pass; "
        "what checkpointing computes a second time is not counted",
        "rows": [],
    }
    floor = 0.0 if on_gpu else memory_gib(device, "VmRSS") or 0.0
    networks = [(b, m) for b in args.backbones for m in ("baseline", "st_abn")]
    end = time.monotonic() + 60 * args.minutes
    for number, (backbone, model) in enumerate(networks):
        size = {"image_size": args.size, "short_side": args.size}
        values = {"model": model, "backbone": backbone, "num_frames": args.frames, **size}
        values |= {"name": "benchmark", "train_short_side": (args.size, args.size)}
        try:
            config = parse(RunConfig, values, "command line")
        except ConfigError as error:
            parser.error(str(error))
        now = time.monotonic()
        until = now + (end - now) / (len(networks) - number)  # an equal share of what is left
        rows = rows_of(config, args.batch, *measure(config, args, device, floor, until))
        give_back(device)
        print("\n".join(map(in_words, rows)), flush=True)
        record["rows"] += rows
        finish(record, args.out)  # what is done is kept, whatever becomes of the rest


if __name__ == "__main__":
    main()
