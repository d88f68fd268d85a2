"""What does fine-tuning save by its frozen extractor, and by features that are kept?

Times three steps of one ST-ABN (forward, backward, SGD) in turns in one run: of the whole network;
with its extractor frozen; and of what follows the attention point alone, its features at hand.
Reading is in none of them.

    python benchmarks/finetuning_cost.py                   # small network, and R50 at 8×112²
    python benchmarks/finetuning_cost.py --frames 32 --size 224
"""

import torch
from measured import in_turns, r50_parser
from torch.utils.benchmark import Timer

from stabn.knowledge.finetuning.arms import trainable_copy
from stabn.losses import classification_loss
from stabn.models.st_abn import STABN


def step_of(model: STABN, answer):
    """A function that does one step on what ``answer`` gives."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1e-4, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        output = answer(model)
        labels = torch.arange(len(output.logits)) % output.logits.shape[1]
        classification_loss(output.logits, output.attention_logits, labels).total.backward()
        optimizer.step()

    return step


def compare(backbone: str, num_classes: int, batch: int, frames: int, size: int) -> None:
    """Print the three times, and the latter two over the first."""
    clip = torch.randn(batch, 3, frames, size, size)
    clip = clip.contiguous(memory_format=torch.channels_last_3d)
    whole = STABN(backbone, num_classes, frames).train()
    frozen = trainable_copy(STABN(backbone, num_classes, frames))

    def features():
        with torch.no_grad():
            return frozen.features(clip)

    kept = features()
    steps = {
        "whole": step_of(whole, lambda model: model(clip)),
        "frozen": step_of(frozen, lambda model: model.from_features(features())),
        "kept": step_of(frozen, lambda model: model.from_features(kept)),
    }
    for step in steps.values():
        step()  # warm-up: memory and kernels
    threads = torch.get_num_threads()
    best = in_turns(
        {n: Timer("step()", globals={"step": s}, num_threads=threads) for n, s in steps.items()}
    )
    told = "  ".join(f"{name} {seconds * 1e3:8.1f} ms" for name, seconds in best.items())
    ratios = "  ".join(f"{name} {best[name] / best['whole']:.2f}" for name in ("frozen", "kept"))
    print(f"{backbone:>9} {batch}×{frames}×{size}²  {told}  of the whole: {ratios}")


def main() -> None:
    """The command line."""
    args = r50_parser(__doc__.splitlines()[0]).parse_args()
    torch.manual_seed(0)
    compare("small", 14, batch=16, frames=16, size=56)
    compare("resnet50", 174, batch=2, frames=args.frames, size=args.size)


if __name__ == "__main__":
    main()
