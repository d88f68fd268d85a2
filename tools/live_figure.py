"""The files of a figure that answers, from what its page shows and computes with.

- ``NAME.recorded.js``: what stands on the page from the start; ``NAME-i.jpg``: clip i's frames;
- ``NAME.network.js``: the networks' parts and the clips' pixels, loaded at the first touch;
- ``NAME.html``: the first clip's recorded answer, for pages without JavaScript.
"""

import hashlib
import html
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from onnx import ModelProto
from PIL import Image
from torch import Tensor

from tools.runtime import packed

QUALITY = 88  # of the pictures; the network reads the pixels, which are kept as they are


class Figure(NamedTuple):
    """What a page shows, and what it computes with.

    Attributes:
        classes: their names (K,).
        networks: of each title (empty where there is one network only) its parts: "extractor"
            (clip → features and attentions), or "extractor" (clip → features) and "attention"
            (features → attentions); and "answer" (all these → logits).
        clip: the shape that a network reads, (1, C, T, S, S), or (1, C, S, S) for pictures.
        mean: of each of the C colours, as `normalise` takes it off.
        std: by what it then divides.
        pixels: uint8 (C, T, S, S) of each clip, or (C, S, S).
        strips: uint8 (h, T·w, 3) of each clip, its frames side by side, or (h, w) grey.
        clips: of each what is recorded, as plain values: its title, label, frames, answers, edits.
        takes: how a video of the reader's is read, where one is wanted: its `frames`, their `size`,
            and the `fraction` of the short side that the central square has.
        note: what else is to be said of the clips, in a sentence.
    """

    classes: list[str]
    networks: dict[str, dict[str, ModelProto]]
    clip: list[int]
    mean: list[float]
    std: list[float]
    pixels: list[Tensor]
    strips: list[np.ndarray]
    clips: list[dict[str, Any]]
    takes: dict[str, float] | None = None
    note: str | None = None


def write(figure: Figure, name: str, out: Path) -> None:
    """Make the files in the folder ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    pictures = [f"{name}-{i}.jpg" for i in range(len(figure.strips))]
    for picture, strip in zip(pictures, figure.strips, strict=True):
        Image.fromarray(strip).save(out / picture, quality=QUALITY)
    parts: dict[str, str] = {}  # by hash: what networks share is written once
    listed = []
    for title, graphs in figure.networks.items():
        found = {name: _part(graph) for name, graph in graphs.items()}
        parts |= dict(found.values())
        listed.append({"title": title} | {name: key for name, (key, _) in found.items()})
    network = {
        "clip": figure.clip,
        "mean": figure.mean,
        "std": figure.std,
        "parts": parts,
        # (C, T, clips, S, S): gzip finds the frames of one scene in the clip beside
        "clips": packed(torch.stack(figure.pixels, dim=-3).numpy().tobytes()),
    }
    known = {
        "classes": figure.classes,
        "networks": listed,
        "takes": figure.takes,
        "note": figure.note,
        "clips": [
            {"strip": picture} | clip for picture, clip in zip(pictures, figure.clips, strict=True)
        ],
    }
    (out / f"{name}.network.js").write_text(f"live.networks.{name} = {json.dumps(network)};\n")
    (out / f"{name}.recorded.js").write_text(f"live.recorded.{name} = {json.dumps(known)};\n")
    (out / f"{name}.html").write_text(without_script(known))


def _part(graph: ModelProto) -> tuple[str, str]:
    """The hash of a part of a network, and its ONNX, packed."""
    content = graph.SerializeToString()
    return hashlib.sha256(content).hexdigest()[:12], packed(content)


def without_script(known: dict[str, Any]) -> str:
    """The first clip's recorded answer as HTML: what stands where no script runs."""
    clip, networks = known["clips"][0], known["networks"]
    heads = [f'<th scope="col">{html.escape(n["title"] or "probability")}</th>' for n in networks]
    shares = np.array([one["probabilities"] for one in clip["answers"]])  # (networks, K)
    rows = []
    for k in np.argsort(-shares[0])[:5]:
        cells = "".join(f"<td>{share:.0%}</td>" for share in shares[:, k])
        rows.append(f'<tr><th scope="row">{html.escape(known["classes"][k])}</th>{cells}</tr>')
    count = len(clip["frames"])
    kind = "real video" if clip["label"] is None else "synthetic clip"
    shown = f"{count} frames of a {kind}" if count > 1 else "A synthetic picture"
    return (
        f'<img src="../_static/live/{clip["strip"]}" '
        f'alt="{shown}: {html.escape(clip["title"])}">'
        f"<p>The recorded answer for “{html.escape(clip['title'])}”. With JavaScript, this figure "
        "can be turned.</p>"
        f'<table class="live-answers"><thead><tr><th scope="col">class</th>{"".join(heads)}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )
