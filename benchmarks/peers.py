"""No benchmark: a network of another library that ours are held to, where it is installed.

pytorchvideo asks for torchvision, of which its networks need a name that they never call: a
stand-in has it, here alone.
"""

import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from torch import nn

PLACE = Path(__file__).resolve().parent.parent / "_build" / "peers"
PACKAGES = "pytorchvideo==0.1.5 fvcore iopath portalocker termcolor tabulate"
COMMAND = f"python -m pip install --no-deps --target _build/peers {PACKAGES}"


class MissingPeer(Exception):
    """The other library is not here; the message has the command that brings it."""


def slow_r50(classes: int, frames: int, size: int) -> nn.Module:
    """pytorchvideo's slow_r50: clips (N, 3, T, H, W) → logits (N, K).

    Its head pools with a kernel of fixed size, which is that of its feature maps here.

    Raises:
        MissingPeer: it is not installed.
    """
    if str(PLACE) not in sys.path:
        sys.path.append(str(PLACE))
    if find_spec("pytorchvideo") is None:
        raise MissingPeer(f"pytorchvideo is not here; {COMMAND}")
    with _torchvision_stood_in_for():
        from pytorchvideo.models.resnet import create_resnet
    places = -(-size // 32)
    return create_resnet(
        model_depth=50,
        model_num_class=classes,
        stem_conv_kernel_size=(1, 7, 7),
        head_pool_kernel_size=(frames, places, places),
    )


@contextmanager
def _torchvision_stood_in_for():
    stand_ins = {name: ModuleType(name) for name in ("torchvision", "torchvision.ops")}
    stand_ins["torchvision.ops"].RoIAlign = None  # of its detection networks
    stand_ins["torchvision"].ops = stand_ins["torchvision.ops"]
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules |= stand_ins
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
