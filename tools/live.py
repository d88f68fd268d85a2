"""What a figure that answers is made of: clips, networks as ONNX, and recorded answers.

``python -m tools.live NAME OUT`` writes into the folder OUT:

- ``NAME.recorded.js``: what stands on the page from the start; ``NAME-i.jpg``: clip i's frames;
- ``NAME.network.js``: the networks' two parts and the clips' pixels, loaded at the first touch;
- ``NAME.html``: the first clip's recorded answer, for pages without JavaScript.
"""

import hashlib
import html
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stabn.data.transforms import MEAN, STD, normalise
from stabn.export.graphs import graphs
from stabn.training.checkpoint import Trained, load_trained
from tools.live_clips import CHOSEN, Clip
from tools.runtime import packed

# figure → its networks, each with its title: run, checkpoint
FIGURES = {"when": {"": ("mini_st_abn", "best")}}
HALVES = ("extractor", "answer")
QUALITY = 88  # of the pictures; the network reads the pixels, which are kept as they are


@torch.no_grad()
def answers(trained: Trained, clip: Clip, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    """A network's own M_t (T,) for a clip; its probabilities (E, K) with each of E weights (T,)."""
    features = trained.model.features(normalise(clip.pixels[None]))
    own = trained.model.from_features(features)
    logits = [
        trained.model.from_features(
            features, spatial_attention=own.spatial_attention, temporal_attention=given[None]
        ).logits[0]
        for given in [own.temporal_attention[0], *weights]
    ]
    return own.temporal_attention[0], torch.stack(logits).softmax(dim=1)


def edits(clip: Clip, own: Tensor) -> list[Tensor]:
    """Weights (T,) that page and library are compared with: a network's own, and far from it."""
    return [own, 1 - own, torch.from_numpy(clip.levels), torch.zeros_like(own), own.flip(0)]


def recorded(clip: Clip, networks: list[Trained], strip: str) -> dict[str, Any]:
    """What is known of a clip before anybody touches it, as plain values.

    Every number is rounded as far as a page's comparison with it allows.
    """
    first = answers(networks[0], clip, [])[0]
    given = edits(clip, first)
    found = [answers(trained, clip, given) for trained in networks]
    plain = [[[round(p, 7) for p in row] for row in one.tolist()] for _, one in found]
    return {
        "title": clip.title,
        "label": clip.label,
        "strip": strip,
        "frames": clip.frames.tolist(),
        "levels": clip.levels.tolist(),
        "answers": [
            {"temporal": own.tolist(), "probabilities": rows[0]}
            for (own, _), rows in zip(found, plain, strict=True)
        ],
        "edits": [
            {"temporal": weights.tolist(), "probabilities": [rows[e + 1] for rows in plain]}
            for e, weights in enumerate(given)
        ],
    }


def halves(trained: Trained) -> dict[str, tuple[str, str]]:
    """The two parts of a network: the hash of each, and its ONNX, packed."""
    whole = graphs(trained)
    found = {}
    for half in HALVES:
        content = whole[f"{half}.onnx"].SerializeToString()
        found[half] = hashlib.sha256(content).hexdigest()[:12], packed(content)
    return found


def without_script(name: str, known: dict[str, Any]) -> str:
    """The first clip's recorded answer as HTML: what stands where no script runs."""
    clip, networks = known["clips"][0], known["networks"]
    heads = [f'<th scope="col">{html.escape(n["title"] or "probability")}</th>' for n in networks]
    shares = np.array([one["probabilities"] for one in clip["answers"]])  # (networks, K)
    rows = []
    for k in np.argsort(-shares[0])[:5]:
        cells = "".join(f"<td>{share:.0%}</td>" for share in shares[:, k])
        rows.append(f'<tr><th scope="row">{html.escape(known["classes"][k])}</th>{cells}</tr>')
    return (
        f'<img src="../_static/live/{clip["strip"]}" '
        f'alt="{len(clip["frames"])} frames of a synthetic clip: {html.escape(clip["title"])}">'
        f"<p>The recorded answer for “{html.escape(clip['title'])}”. With JavaScript, this figure "
        "can be turned.</p>"
        f'<table class="live-answers"><thead><tr><th scope="col">class</th>{"".join(heads)}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def write(name: str, out: Path) -> None:
    """Make the files of a figure."""
    named = {
        title: load_trained(run, checkpoint=arm) for title, (run, arm) in FIGURES[name].items()
    }
    networks = list(named.values())
    clips = CHOSEN[name](networks[0])
    out.mkdir(parents=True, exist_ok=True)
    for i, clip in enumerate(clips):
        strip = clip.pixels.permute(2, 1, 3, 0).flatten(1, 2)  # (3, T, S, S) → (S, T·S, 3)
        Image.fromarray(strip.numpy()).save(out / f"{name}-{i}.jpg", quality=QUALITY)
    parts: dict[str, str] = {}
    listed = []
    for title, trained in named.items():
        found = halves(trained)
        parts |= dict(found.values())
        listed.append({"title": title} | {half: found[half][0] for half in HALVES})
    config = networks[0].config
    shape = [1, 3, config.num_frames, config.image_size, config.image_size]
    network = {
        "clip": shape,
        "mean": list(MEAN),
        "std": list(STD),
        "parts": parts,
        "clips": [packed(clip.pixels.numpy().tobytes()) for clip in clips],
    }
    known = {
        "classes": list(networks[0].classes),
        "networks": listed,
        "clips": [recorded(clip, networks, f"{name}-{i}.jpg") for i, clip in enumerate(clips)],
    }
    (out / f"{name}.network.js").write_text(f"live.networks.{name} = {json.dumps(network)};\n")
    (out / f"{name}.recorded.js").write_text(f"live.recorded.{name} = {json.dumps(known)};\n")
    (out / f"{name}.html").write_text(without_script(name, known))


def main(arguments: list[str]) -> int:
    """``python -m tools.live NAME OUT``."""
    name, out = arguments
    torch.set_num_threads(1)  # small tensors: a second thread would only wait
    write(name, Path(out))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
