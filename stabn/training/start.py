"""Where a run's first weights come from: whose they are, and which tensor goes where."""

import logging
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from stabn.models import kinetics
from stabn.models.inflation import imagenet_state_dict, load_inflated
from stabn.models.official import load_official
from stabn.models.st_abn import STABN
from stabn.models.weights import read_content, state_dict_in
from stabn.training.checkpoint import FORMAT, CheckpointError, check_finite
from stabn.training.config import RunConfig
from stabn.training.networks import SMALL

RESNETS = {"baseline", "st_abn"}  # whose convolutions are a 3-D ResNet's

log = logging.getLogger(__name__)


def start_from(model: nn.Module, config: RunConfig) -> None:
    """Fill ``model`` with ``config.weights``; the log says what stays as initialised.

    What they are is told by their names, whatever they are wrapped in: a checkpoint of ours, of a
    network of the same backbone; one of the 2022 release; a slow network's weights from Kinetics;
    ImageNet's, in torchvision's format or by ``"imagenet"``, which are inflated along time.

    Raises:
        CheckpointError: nothing in it fits, or it holds NaN.
        WeightsError: a file that cannot be read, or that is of another network.
    """
    source = config.weights
    if config.network is not None:
        start_alike(model, config)
        return
    backbone = model.backbone if isinstance(model, STABN) else model
    if source == "imagenet":
        load_inflated(backbone, imagenet_state_dict(config.backbone), source)
        tell("ImageNet weights, inflated along time", model, backbone)
        return
    content = read_content(source)
    state = state_dict_in(content, source)
    check_finite(state, source)
    check_model(content, config)
    theirs = content.get("config", {}).get("backbone") if content.get("format") == FORMAT else None
    if theirs not in (None, config.backbone):
        raise CheckpointError(
            f"{source}: is of a network on {theirs}, this one is on {config.backbone}; give "
            f"weights of the same backbone, or null"
        )
    if content.get("format") == FORMAT or any(name.startswith("backbone.") for name in state):
        load_fitting(model, state, config)
    elif "layer_att_common.0.conv1.weight" in state and isinstance(model, STABN):
        load_official(model, Path(source))
        log.info("started from %s, a checkpoint of the 2022 release", source)
    elif kinetics.is_theirs(state):
        load_inflated(backbone, kinetics.turned(kinetics.renamed(state, source)), source)
        tell(f"{source}, a slow network's weights from Kinetics", model, backbone)
    else:
        load_inflated(backbone, state, source)
        tell(f"{source}, 2-D kernels inflated along time", model, backbone)


def start_alike(model: nn.Module, config: RunConfig) -> None:
    """Fill a network beside ST-ABN and its baseline with a checkpoint of one of its kind.

    Or, behind the small encoder, of the 3-D ResNet whose convolutions this is, or of an ST-ABN.

    Raises:
        CheckpointError: it is something else, nothing in it fits, or it holds NaN.
        WeightsError: a file that cannot be read.
    """
    content = {} if config.weights == "imagenet" else read_content(config.weights)
    resnet = f" or of a 3-D ResNet ({SMALL})" if config.encoder_is_trained else ""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(
            f"{config.weights}: a {config.model} starts from a checkpoint of its own kind{resnet}, "
            f"which training wrote; give one, or null"
        )
    check_model(content, config)
    theirs = content["config"]
    if theirs.get("model") in RESNETS and theirs.get("backbone") != SMALL:
        raise CheckpointError(
            f"{config.weights}: is of a network on {theirs.get('backbone')}, and the convolutions "
            f"before this {config.model} are those of {SMALL}; give weights of {SMALL}, or null"
        )
    state = state_dict_in(content, config.weights)
    check_finite(state, config.weights)
    load_fitting(model, state, config)


def check_model(content: Any, config: RunConfig) -> None:
    """Whether a checkpoint of ours is of a network like this one.

    ST-ABN, the baseline, and the convolutions behind which another network stands are alike.

    Raises:
        CheckpointError: it is of another one.
    """
    ours = isinstance(content, dict) and content.get("format") == FORMAT
    theirs = content["config"].get("model") if ours else None
    mine = "baseline" if config.encoder_is_trained else config.model
    if theirs in (None, config.model) or {theirs, mine} <= RESNETS:
        return
    raise CheckpointError(
        f"{config.weights}: is of a {theirs}, this network is a {config.model}; give weights of "
        f"the same kind, or null"
    )


def load_fitting(model: nn.Module, state: dict[str, Tensor], config: RunConfig) -> None:
    """Copy all tensors whose name and shape agree.

    The baseline's ``layer1…`` is ST-ABN's ``backbone.layer1…``, and ``encoder.layer1…`` of a
    network behind the small encoder; heads of another size keep their fresh values.

    Raises:
        CheckpointError: no kernel fits.
    """
    plain = {_plain(name): tensor for name, tensor in state.items()}
    fitting, fresh = {}, []
    for name, target in model.state_dict().items():
        tensor = plain.get(_plain(name))
        if tensor is not None and tensor.shape == target.shape:
            fitting[name] = tensor
        else:
            fresh.append(name)
    if not any(t.dim() > 1 for t in fitting.values()):
        field, value = "backbone", config.backbone
        if config.network is not None:
            field, value = "network.encoder", getattr(config.network, "encoder", "none")
        raise CheckpointError(
            f"{config.weights}: no weight of it fits this {config.model} ({field}: {value}); give "
            f"weights of a network with the same {field}, or null"
        )
    model.load_state_dict(fitting, strict=False)
    modules = sorted({name.rpartition(".")[0] for name in fresh})
    log.info(
        "started from %s: %d of %d tensors; left as initialised: %s",
        *(config.weights, len(fitting), len(fitting) + len(fresh), ", ".join(modules) or "none"),
    )


def _plain(name: str) -> str:
    return name.removeprefix("backbone.").removeprefix("encoder.")


def tell(source: str, model: nn.Module, backbone: nn.Module) -> None:
    """Log where a network's backbone came from, and what has its fresh values still."""
    fresh = [name for name, module in model.named_modules() if module is backbone.fc]
    if backbone is not model:
        parts = [(name, part) for name, part in model.named_children() if part is not backbone]
        fresh += [name for name, part in parts if any(True for _ in part.parameters())]
    log.info("started from %s; left as initialised: %s", source, ", ".join(fresh))
