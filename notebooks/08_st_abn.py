# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8. ST-ABN assembled
#
# *Any laptop, no GPU: about 15 seconds on two CPU cores.*
#
# **The question.** We have an extractor, a branch with three heads, a fusion, a perception branch
# and two losses. Do they make one network that is the paper's Figure 1, and what does it cost?

# %% tags=["hide-input"]
import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from stabn.data.transforms import MEAN, STD
from stabn.figures import architecture, curves
from stabn.figures.sheet import COLOURS, Sheet, styled
from stabn.losses import classification_loss
from stabn.models.attention import ClassHead, Fusion, SpatialHead, TemporalHead
from stabn.models.official import load_official, official_name, our_name
from stabn.models.resnet3d import (
    ResNet3d,
    count_multiply_adds,
    count_parameters,
    residual_stage,
)
from stabn.models.st_abn import OFFICIAL, STABN
from stabn.models.weights import WeightsError

torch.set_num_threads(1)  # these tensors are small: a second thread would only wait
_ = torch.manual_seed(0)

# %% [markdown]
# ## The branch
#
# A copy of the perception branch's residual stage, with stride 1, reads f. Two batch
# normalisations around a 1×1×1 convolution make h, one map a class and frame. Three heads read h.
#
# Dropout stands in two places: in the class head between pooling and its linear layer, and in the
# perception branch before its last linear layer. M_s, M_t and the `"gap"` head have none. The paper's rate
# is 0.5, our small network's 0.2.


# %%
class OpenAttentionBranch(nn.Module):
    """f (N, C, T, H, W) → attention logits (N, K), M_s (N, 1, T, H, W), M_t (N, T)."""

    def __init__(self, channels, stage, num_classes, num_frames, dropout):
        super().__init__()
        self.stage = residual_stage(channels, stage, stride=1)
        self.to_classes = nn.Sequential(
            nn.BatchNorm3d(stage.channels),
            nn.Conv3d(stage.channels, num_classes, kernel_size=1, bias=False),
            nn.BatchNorm3d(num_classes),
            nn.ReLU(),
        )
        self.class_head = ClassHead(num_classes, num_frames, "fc", dropout)
        self.spatial_head = SpatialHead(num_classes)
        self.temporal_head = TemporalHead(num_classes, num_frames)

    def forward(self, f):
        h = self.to_classes(self.stage(f))  # (N, K, T, H, W)
        return self.class_head(h), self.spatial_head(h), self.temporal_head(h)


# %% [markdown]
# ## The network
#
# The 3-D ResNet is cut in two before its last stage. The branch and the fusion stand in the cut.


# %%
class OpenSTABN(nn.Module):
    """Clips (N, 3, T, H, W) → logits, attention logits, M_s, M_t."""

    def __init__(self, backbone, num_classes, num_frames, dropout=0.5):
        super().__init__()
        self.backbone = ResNet3d(backbone, num_classes, dropout)
        spec = self.backbone.backbone
        self.attention_branch = OpenAttentionBranch(
            spec.feature_channels, spec.stages[-1], num_classes, num_frames, dropout
        )
        self.fusion = Fusion(spec.feature_channels)

    def forward(self, clip):
        f = self.backbone.features(clip)  # (N, C, T, H', W')
        attention_logits, m_s, m_t = self.attention_branch(f)
        weighted = self.fusion(f, m_s, m_t)  # equations (1) to (3), the shape of f
        return self.backbone.perception(weighted), attention_logits, m_s, m_t


# %% [markdown]
# ## Equal to the library's
#
# We copy the library's weights over. The names are the same, so no tensor may be left out. All
# four outputs must agree, in evaluation and in training mode, where dropout draws the same
# numbers from the same seed.

# %%
N, K, T = 2, 6, 8
model, opened = STABN("small", K, T), OpenSTABN("small", K, T)
opened.load_state_dict(model.state_dict())  # strict: every name, every shape
clip = torch.randn(N, 3, T, 64, 64)  # (N, C, T, H, W)
names = ("logits", "attention logits", "M_s", "M_t")
for training in (False, True):
    model.train(training)
    opened.train(training)
    answers = []
    for network in (opened, model):
        torch.manual_seed(1)
        answers.append(tuple(network(clip)))
    torch.testing.assert_close(*answers)
for name, value in zip(names, answers[0], strict=True):
    print(f"{name:17s} {tuple(value.shape)}")

# %% [markdown]
# Forward is half of it. The gradients of equation (4) must agree too, for every parameter. We take
# them in double precision: what is left between the two is then a fault, and cannot be rounding.

# %%
labels = torch.tensor([1, 4])
grads = []
for network in (opened, model):
    torch.manual_seed(1)
    logits, attention_logits, _, _ = network.double()(clip.double())
    loss = classification_loss(logits, attention_logits, labels).total
    grads.append(torch.autograd.grad(loss, list(network.parameters())))
torch.testing.assert_close(*grads)
opened.float(), model.float()
print(len(grads[0]), "parameter tensors, the same gradient in both")

# %% [markdown]
# ## Figure 1, drawn from the network
#
# The paper's Figure 1 at the paper's size: ResNet-50, 174 classes, 32 frames of 224×224. Every
# shape in it comes from a pass through the network itself. On PyTorch's `meta` device tensors
# have shapes but no numbers, so this takes no memory and next to no time.

# %%
with torch.device("meta"):
    paper = STABN("resnet50", 174, 32).eval()

# %%
#| fig-alt: Block diagram of ST-ABN-50: extractor, attention branch, fusion and perception branch
architecture(paper)

# %% [markdown]
# Left, the extractor takes a clip to f, 1024 channels of 32×14×14. Above, the attention branch
# makes h, the class logits for L_att, M_s and M_t. Below, the fusion weighs f by both maps, and
# the perception branch answers. Time is 32 frames from the first box to the last: nothing is
# pooled in time before the end, so M_t has one weight a frame.

# %%
#| fig-alt: The same diagram for the small network of this book, sixteen frames of 56 by 56
architecture(STABN("small", 14, 16))

# %% [markdown]
# The same drawing for the small network that this book trains on a laptop. One definition serves
# both; only the sizes differ.
#
# ## What it costs
#
# We count parameters, and multiply–adds of one forward pass. The expected figures are the
# published network's at this size; ours must be within 1 %.

# %%
EXPECTED = {  # parameters in millions, multiply–adds in thousand millions, T = 32, 224×224, K = 174
    ("ResNet3d", "resnet50"): (32.0, 167),
    ("STABN", "resnet50"): (55.7, 309),
    ("ResNet3d", "resnet101"): (59.9, 342),
    ("STABN", "resnet101"): (83.6, 484),
}
big = torch.empty(1, 3, 32, 224, 224, device="meta")
for (kind, backbone), expected in EXPECTED.items():
    with torch.device("meta"):
        network = ResNet3d(backbone, 174) if kind == "ResNet3d" else STABN(backbone, 174, 32)
    found = count_parameters(network) / 1e6, count_multiply_adds(network, big) / 1e9
    print(f"{kind:8s} {backbone:9s} expected {expected[0]:5.1f} M, {expected[1]:3d} G", end="   ")
    print(f"found {found[0]:6.2f} M, {found[1]:6.1f} G")
    assert all(abs(a / b - 1) < 0.01 for a, b in zip(found, expected, strict=True))

# %% [markdown]
# ST-ABN-50 does nearly twice the work of its backbone. Where does it go? We count part by part,
# and check that the parts add up to the whole.


# %%
def parts(model: STABN, clip: torch.Tensor) -> dict[str, int]:
    """Multiply–adds of the four parts of one forward pass."""
    backbone, f = model.backbone, model.features(clip)
    branch = model.attention_branch(f)
    m_s, m_t = branch.spatial_attention, branch.temporal_attention
    extractor = count_multiply_adds(nn.Sequential(*backbone.extractor_modules()), clip)
    return {
        "extractor": extractor,
        "attention branch": count_multiply_adds(model.attention_branch, f),
        "fusion": count_multiply_adds(model.fusion, f, m_s, m_t),
        "perception branch": count_multiply_adds(backbone, clip) - extractor,
    }


# %%
costs = {
    "ST-ABN-50": parts(paper, big),
    "ST-ABN small": parts(STABN("small", 14, 16).eval(), torch.randn(1, 3, 16, 56, 56)),
}
for name, cost in costs.items():
    total = sum(cost.values())
    shares = ", ".join(f"{part} {value / total:.1%}" for part, value in cost.items())
    print(f"{name}: {total / 1e9:.4g} G = {shares}")
assert sum(costs["ST-ABN-50"].values()) == count_multiply_adds(paper, big)

# %% [markdown]
# Nearly all of the branch is its residual stage. It does the work of the backbone's last stage at
# four times the places, because its stride is 1. The two heads that make the attention are tiny.

# %%
f = paper.features(big)  # (1, 1024, 32, 14, 14), no numbers in it
stage = count_multiply_adds(paper.attention_branch.stage, f)
print(f"f {tuple(f.shape)}")
print(
    f"the stage: {stage / costs['ST-ABN-50']['attention branch']:.1%} of the branch's multiply–adds"
)
for name in ("class_head", "spatial_head", "temporal_head"):
    print(f"{name}: {count_parameters(getattr(paper.attention_branch, name)):,} parameters")

# %% [markdown]
# ## Attention that is passed in
#
# M_s and M_t may be given. They then replace what the heads say. Four properties must hold:
#
# 1. the network's own maps, passed in, change nothing;
# 2. with both given the branch has nothing left to do: no attention logits;
# 3. another M_t reaches the answer;
# 4. `invert_spatial` is equation (7), $M_{s\,\mathrm{invert}} = 1 - M_s$.

# %%
model.eval()
own = model(clip)
m_s, m_t = own.spatial_attention.detach(), own.temporal_attention.detach()

again = model(clip, spatial_attention=m_s, temporal_attention=m_t)
torch.testing.assert_close(again.logits, own.logits)
assert again.attention_logits is None

without_end = m_t.clone()
without_end[:, T // 2 :] = 0  # an edit: the second half does not matter
edited = model(clip, temporal_attention=without_end)
moved = (edited.logits - own.logits).abs().max().item()
assert moved > 0

inverted = model(clip, invert_spatial=True)
by_hand = model(clip, spatial_attention=1 - m_s)
torch.testing.assert_close(inverted.logits, by_hand.logits)
print("its own maps passed in: the same logits, attention_logits is", again.attention_logits)
print(f"M_t = 0 in the second half: logits move by up to {moved:.3f}")
print(f"1 − M_s: logits move by up to {(inverted.logits - own.logits).abs().max():.3f}")

# %% [markdown]
# The network is untrained, so the sizes of these moves mean nothing yet. That they are not zero
# does.
#
# ## What an edit costs to re-score
#
# Whoever edits M_t wants to see the new answer at once. `features` and `from_features` split the
# network at the attention point: f is computed once a clip, and only what follows runs again.

# %%
f = model.features(clip)  # once
rescored = model.from_features(f, spatial_attention=m_s, temporal_attention=without_end)
torch.testing.assert_close(rescored.logits, edited.logits)
print(f"f {tuple(f.shape)}, logits {tuple(rescored.logits.shape)}: as from the whole network")


# %%
def multiply_adds(run) -> int:
    """Multiply–adds of whatever `run` does."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


f = paper.features(big)
branch = paper.attention_branch(f)
given = {"temporal_attention": branch.temporal_attention}
runs = {
    "the whole network": multiply_adds(lambda: paper(big, **given)),
    "from f, M_t given": multiply_adds(lambda: paper.from_features(f, **given)),
    "from f, both maps given": multiply_adds(
        lambda: paper.from_features(f, spatial_attention=branch.spatial_attention, **given)
    ),
}

# %%
SKIPPED = {
    "the whole network": (),
    "from f, M_t given": ("extractor",),
    "from f, both maps given": ("extractor", "attention branch"),
}
for name, counted in runs.items():
    expected = sum(v for part, v in costs["ST-ABN-50"].items() if part not in SKIPPED[name])
    assert counted == expected  # counted while running = the parts that should have run
    print(f"{name:24s} {counted / 1e9:6.1f} G")


# %% tags=["hide-input"]
@styled
def cost_figure(cost: dict[str, int], skipped: dict[str, tuple]) -> Sheet:
    """One bar a way of running the network, cut into parts; the parts not run are left out."""
    sheet = Sheet(2.3, layout="constrained")
    axes = sheet.subplots()
    hatches = ("", "//", "xx", "..")
    for y, without in enumerate(skipped.values()):
        left = 0.0
        for i, (part, value) in enumerate(cost.items()):
            width = 0 if part in without else value / 1e9
            style = {"color": COLOURS[i], "edgecolor": "white", "hatch": hatches[i]}
            axes.barh(y, width, left=left, height=0.62, label=None if y else part, **style)
            left += width
        share = left / sum(v / 1e9 for v in cost.values())
        axes.text(left + 3, y, f"{left:.0f} G, {share:.0%}", va="center")
    axes.set(yticks=range(len(skipped)), yticklabels=list(skipped), ylim=(2.6, -0.6))
    axes.set(xlabel="multiply–adds of one clip, thousand millions", xlim=(0, 375))
    sheet.legend(loc="outside upper center", ncols=4)
    return sheet


# %%
#| fig-alt: Stacked bars of multiply–adds; re-scoring from f with both maps needs a sixth
cost_figure(costs["ST-ABN-50"], SKIPPED)

# %% [markdown]
# Three ways to answer after an edit of M_t. Top: everything again. Middle: f is kept, the branch
# runs again to make M_s. Bottom: f and M_s are kept, only fusion and perception run, about a
# sixth of the arithmetic. This is what makes an editor feel immediate.
#
# ## The variants
#
# The paper's text, its group's two releases of code (2021, 2022) and this book differ. Here is all that
# we know of; "same" is the column to the left, and a dash is what a text or a code does not say.
#
# | what | the paper | release of 2021 | release of 2022 | ours, and what else it offers |
# |---|---|---|---|---|
# | attention's class head | 3-D pooling | pooling in space, FC from K·T to K | same | `class_head`: `fc`, `gap` |
# | tail of M_t | FC, ReLU, sigmoid | a second FC before the sigmoid | same | `temporal_tail`: `two_fc`, `literal` |
# | fusion | (1 + M_s)·f beside M_t·f | same | same | `fusion`: `paper`, `gated` |
# | fusion ends with | "conv" | conv, BN, ReLU | conv, BN | `fusion_relu`: on, off |
# | BN in the branch | – | around the conv to h, in both heads | same | same |
# | start of the heads | – | random | same | `attention_start`: `random`, `evidence` |
# | "32" | 32 frames at random | TSN's rule | same | `segments`, `official_32` |
# | "32×2" | 32 frames of each half | one clip at stride 2 | same | `two_clip`, `official_32x2` |
# | colours | – | – | BGR | RGB |
# | flip | – | the label stays | vertical, the label stays | off, or the label is swapped |
# | order of the clips | – | – | the same in every epoch | another in every epoch |
# | optimiser | SGD, momentum 0.9 | Nesterov | same | Nesterov |
# | longest gradient | – | 20 | – | `clip_norm`, off |
# | rate falls | when the loss stops falling | after epochs 75 and 125 | same | `plateau`, `milestones` |
# | fine-tuning with edits | γ_t = 10, the divisor is not said | no code | no code | mean over edited clips, or all |
# | beside it | – | – | – | a control and a placebo |
#
# `fusion="gated"` is ours, not the paper's: there M_t also weighs the spatial half. The chapters
# on [the temporal head](05_temporal_head.ipynb) and [the fusion](06_fusion.ipynb) say what speaks
# for each.

# %%
VARIANTS = {
    "our default": {},
    'class_head="gap"': {"class_head": "gap"},
    'temporal_tail="literal"': {"temporal_tail": "literal"},
    'fusion="gated"': {"fusion": "gated"},
    "OFFICIAL (2022 code)": OFFICIAL,
}
with torch.device("meta"):
    counts = {
        name: count_parameters(STABN("resnet50", 174, 32, **v)) for name, v in VARIANTS.items()
    }
for name, count in counts.items():
    print(f"{name:24s} {count:>11,} parameters, {count - counts['our default']:+,}")
assert counts['class_head="gap"'] - counts["our default"] == -(174 * 32 * 174 + 174)
assert counts['temporal_tail="literal"'] - counts["our default"] == -(32 * 32 + 32)

# %% [markdown]
# Expected: `gap` saves the linear layer, $K T \cdot K + K$ numbers; `literal` saves $T^2 + T$;
# the rest change no parameter. Asserted above.
#
# ## Loading the 2022 release
#
# The release's checkpoints bear other names, and its network reads **BGR** frames. We make a
# small file in that form, load it, and look at both traps.

# %%
for name in ("conv_temp_att3.2.weight", "conv_att_mechanism.0.weight", "layer3.0.conv1.weight"):
    print(f"{name:28s} → {our_name(name)}")
with torch.device("meta"):
    state = STABN("resnet50", 174, 32, **OFFICIAL).state_dict()
assert all(our_name(official_name(name)) == name for name in state)
print(len(state), "tensors in the release's ResNet-50 network; each name maps there and back")

# %%
scratch = tempfile.TemporaryDirectory()
release = Path(scratch.name) / "release.pth"
trained = STABN("small", K, T, **OFFICIAL).eval()  # stands for the network they trained
released = {f"module.{official_name(n)}": t.clone() for n, t in trained.state_dict().items()}
released["module.conv1.weight"] = released["module.conv1.weight"].flip(1)  # it reads B, G, R
torch.save({"model_state_dict": released, "epoch": 150}, release)

loaded = STABN("small", K, T, **OFFICIAL).eval()
load_official(loaded, release)
torch.testing.assert_close(tuple(loaded(clip)), tuple(trained(clip)))
print("all four outputs are as before the round trip")

# %% [markdown]
# Loading turned the input channels of the first kernel, so the loaded network reads RGB like
# every other here. Turning the weights or turning the frames is the same thing; doing neither is
# a fault that raises no error.

# %%
bgr, theirs = clip.flip(1), STABN("small", K, T, **OFFICIAL).eval()
theirs.load_state_dict(loaded.state_dict())
theirs.backbone.conv1.weight.data = released["module.conv1.weight"]  # as they have it
torch.testing.assert_close(theirs(bgr).logits, loaded(clip).logits)
forgotten = (theirs(clip).logits - loaded(clip).logits).abs().max()
print("their weights on BGR = loaded weights on RGB")
print(f"their weights on RGB, the flip forgotten: logits off by up to {forgotten:.3f}, no error")
their_mean, their_std = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)  # B, G, R on 0…255
torch.testing.assert_close(torch.tensor(their_mean) / 255, torch.tensor(MEAN).flip(0))
torch.testing.assert_close(torch.tensor(their_std) / 255, torch.tensor(STD).flip(0))
print("their constants are ImageNet's in reverse order: those must be turned together")

# %% [markdown]
# `stabn adopt release.pth --config notebooks/launch/ssv2_st_abn_r50_official_32x2.yaml --out runs/theirs` does
# this and makes a run of it, so that every other command takes it. A file that does not fit is refused
# before anything is copied, with the reason.

# %%
try:
    load_official(STABN("small", K + 1, T, **OFFICIAL), release)
except WeightsError as error:
    print("WeightsError:", str(error).replace(str(release.parent), "…"))
scratch.cleanup()

# %% [markdown]
# ## Learning eight clips by heart
#
# A last check before real data: eight clips of pure noise with made-up labels. There is nothing
# to understand, but there are eight things to remember. A network whose gradients reach every
# part must bring both losses to nearly 0 and answer all eight rightly. With the labels shuffled,
# noise is as good as before, so the same must happen.


# %%
def memorise(clips: torch.Tensor, labels: torch.Tensor, steps: int = 50) -> tuple[list, float]:
    """Train a fresh network on one batch, over and over; losses, share right at the end."""
    torch.manual_seed(2)
    network = STABN("small", 4, T, dropout=0.0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    rows = []
    for step in range(steps):
        out = network(clips)
        loss = classification_loss(out.logits, out.attention_logits, labels)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        rows.append({"step": step, "L_att": loss.attention.item(), "L_per": loss.perception.item()})
    network.eval()  # batch normalisation now uses what it has collected
    right = (network(clips).logits.argmax(dim=1) == labels).float().mean().item()
    return rows, right


# %%
noise = torch.randn(8, 3, T, 32, 32)
made_up = torch.arange(8) % 4
shuffled = made_up[torch.tensor([3, 0, 1, 6, 2, 7, 4, 5])]
history = {}
for name, answers in (("as made up", made_up), ("shuffled", shuffled)):
    history[name], right = memorise(noise, answers)
    last = history[name][-1]
    print(
        f"labels {name:10s}: L_att {last['L_att']:.4f}, L_per {last['L_per']:.4f}, "
        f"{right:.0%} right"
    )
    assert right == 1
    assert last["L_att"] + last["L_per"] < 0.1

# %%
#| fig-alt: Both losses fall to nearly zero within fifty steps, whichever way the labels are shuffled
rows = [
    {"step": a["step"], "L_att": a["L_att"], "L_per": a["L_per"]}
    | {"shuffled_L_att": b["L_att"], "shuffled_L_per": b["L_per"]}
    for a, b in zip(*history.values(), strict=True)
]
panels = {
    "labels as made up": ["L_att", "L_per"],
    "labels shuffled": ["shuffled_L_att", "shuffled_L_per"],
}
figure = curves(rows, panels, x="step")
for axes in figure.axes:
    axes.set(yscale="log", ylim=(1e-3, 4))
figure

# %% [markdown]
# The vertical axis is logarithmic. Both losses fall to nearly 0 in both panels, L_per faster than
# L_att. So the parts fit together. It also warns us: a training loss near 0 says that a network
# can *remember*, nothing more. From here on only videos that it has not seen count ([mini-SSv2
# end to end](09_mini_ssv2.ipynb)).
#
# ## What we learned
#
# - ST-ABN is four parts in order: extractor, branch, fusion, perception branch. Written in the
#   open it equals the library's in all four outputs and in every gradient.
# - The branch's residual stage is most of what ST-ABN adds; the attention heads cost next to
#   nothing.
# - Attention can be passed in. Split at the attention point, an edit is re-scored with a small
#   share of the arithmetic.
# - Paper, releases and this book differ in named places, and each variant is one argument. The
#   2022 release's checkpoints load by name, with their first kernel turned from BGR to RGB.
# - The network can learn noise by heart: a sanity check, and a warning.

# %% [markdown]
# ## Questions
#
# **Question 1.** ST-ABN-50 does nearly twice the work of its backbone. Where does most of that go?
#
# 1. Into the two heads that make $M_s$ and $M_t$.
# 2. Into the fusion.
# 3. Into the branch's copy of the last stage.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: they are tiny: they read $K$ maps, and not hundreds of channels.
# 2. No: it is a single 1×1×1 convolution.
# 3. **Right:** it is as deep as the original, and runs at four times as many places.
#
# </details>
#
# **Question 2.** A person drags $M_t$ of one frame. What must be computed again for the new answer?
#
# 1. The whole network: another attention is another input.
# 2. The fusion and the perception branch.
# 3. The attention branch, and all that follows.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: $M_t$ enters *after* the extractor. $f$ is what it was.
# 2. **Right:** nothing before the fusion depends on the $M_t$ that is put in.
# 3. No: $M_s$ is made from $f$, which has not changed.
#
# </details>
#
# **Question 3.** The network learns eight clips of noise with made-up labels by heart. What does
# that show?
#
# 1. That gradients reach every part it needs.
# 2. That it will do well on real clips.
# 3. That it is too large for real data.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** it is a check of the wiring, and no more.
# 2. No: there was nothing to understand. Memory says nothing about clips that it has not seen.
# 3. No: any network of use can remember eight clips.
#
# </details>
#
# **Question 4.** The branch's stage has stride 1 where the original has stride 2, in height and in
# width. At how many times as many places does it compute?
#
# <details class="answers"><summary>The answer</summary>
#
# **4**, that is `2 * 2`: twice as many rows, and twice as many columns.
#
# - **2:** this counts one direction. The stride acts in height and in width.
# - **8:** there is no stride in time, in either of the two.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Count the parameters of the temporal head by hand for K = 174 and T = 32.

# %% tags=["hide-cell"]
conv, norm, mix, fc = 174 * 3 * 3 * 3, 2, 32 * 32, 32 * 32 + 32
by_hand = conv + norm + mix + 2 * fc
found = count_parameters(TemporalHead(174, 32))
print(f"by hand {conv} + {norm} + {mix} + 2·{fc} = {by_hand}; found {found}")
assert by_hand == found

# %% [markdown]
# **2.** Set M_t to 0 in every frame. Does the network go blind? Find out which half of the
# fusion's kernel still matters.

# %% tags=["hide-cell"]
nothing = torch.zeros(N, T)
before = model(clip, temporal_attention=nothing).logits
channels = model.backbone.backbone.feature_channels
kernel = model.fusion.conv.weight.data.clone()
model.fusion.conv.weight.data[:, channels:] = 0  # the temporal half's columns
torch.testing.assert_close(model(clip, temporal_attention=nothing).logits, before)
model.fusion.conv.weight.data = kernel
print("The temporal half adds nothing then, and its columns do not matter.")
print("The spatial half (1 + M_s)·f stays: the network still sees every frame.")

# %% [markdown]
# **3.** Fine-tuning freezes the extractor. How many of ST-ABN-50's parameters still learn, and
# what share of the multiply–adds need no backward pass?

# %% tags=["hide-cell"]
frozen = sum(count_parameters(module) for module in paper.backbone.extractor_modules())
total = count_parameters(paper)
share = costs["ST-ABN-50"]["extractor"] / sum(costs["ST-ABN-50"].values())
print(f"{(total - frozen) / 1e6:.1f} M of {total / 1e6:.1f} M parameters still learn")
print(f"{share:.0%} of the multiply–adds belong to the extractor and need no backward pass")

# %% [markdown]
# **4.** Give the network a clip of another length. What happens, and why can it not simply work?

# %% tags=["hide-cell"]
try:
    model(clip[:, :, : T - 1])
except ValueError as error:
    print("ValueError:", error)
print("The temporal head's layers and the class head's linear layer have T inputs.")
