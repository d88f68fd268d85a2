"""Does attention cost more than its arithmetic?

Times a training step (forward, backward, SGD) of ST-ABN and of its plain backbone in turns in one
run, and prints the ratio of the times beside the ratio of the multiply–adds. A time ratio near the
arithmetic ratio means that nothing is lost around it.

    python benchmarks/attention_cost.py                    # small network, and R50 at 8×112²
    python benchmarks/attention_cost.py --frames 32 --size 224 --device cuda
"""

import torch
from measured import in_turns, r50_parser
from torch.utils.benchmark import Timer

from stabn.losses import classification_loss
from stabn.models.resnet3d import ResNet3d, count_multiply_adds
from stabn.models.st_abn import STABN


def training_step(model, clip, labels):
    """A function that does one step; the plain backbone has no attention loss."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        output = model(clip)
        logits, attention_logits = output[:2] if isinstance(model, STABN) else (output, None)
        classification_loss(logits, attention_logits, labels).total.backward()
        optimizer.step()

    return step


def compare(backbone: str, num_classes: int, batch: int, frames: int, size: int, device: str):
    clip = torch.randn(batch, 3, frames, size, size, device=device)
    labels = torch.arange(batch, device=device) % num_classes
    models = {
        "baseline": ResNet3d(backbone, num_classes),
        "ST-ABN": STABN(backbone, num_classes, frames),
    }
    macs, timers = {}, {}
    for name, model in models.items():
        model.to(device).train()
        macs[name] = count_multiply_adds(model, clip)
        step = training_step(model, clip, labels)
        step()  # warm-up: memory and kernels
        timers[name] = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
    best = in_turns(timers)
    print(
        f"{backbone:>9} {batch}×{frames}×{size}²  baseline {best['baseline'] * 1e3:8.1f} ms"
        f"  ST-ABN {best['ST-ABN'] * 1e3:8.1f} ms"
        f"  time ratio {best['ST-ABN'] / best['baseline']:.2f}"
        f"  arithmetic ratio {macs['ST-ABN'] / macs['baseline']:.2f}"
    )


def main():
    parser = r50_parser(__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.manual_seed(0)
    compare("small", 14, batch=16, frames=16, size=56, device=args.device)
    compare("resnet50", 174, batch=2, frames=args.frames, size=args.size, device=args.device)


if __name__ == "__main__":
    main()
