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
# # 4. The spatial head: where
#
# *Hardware: any laptop, one CPU core, about 11 seconds.*
#
# **The question.** [Chapter 3](03_resnet3d.ipynb) ended with feature maps $f$: many channels for
# every frame, and no picture a person could read. How does the network make from them one map a
# frame that says *where* it looks, and in what sense is that map an answer and not a decoration?

# %% tags=["hide-input"]
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stabn.data.mini.make import example
from stabn.data.sampling import segment_indices
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import upsample
from stabn.figures.sheet import SEQUENTIAL, Sheet, bare, styled
from stabn.metrics import pointing_game
from stabn.models.attention import ClassHead, SpatialHead
from stabn.models.resnet3d import BACKBONES, residual_stage
from stabn.training.checkpoint import load_trained

_ = torch.manual_seed(0)
torch.set_num_threads(1)  # small tensors: a second thread would only wait
_ = torch.set_grad_enabled(False)  # nothing is trained in this chapter

# %% [markdown]
# ## A network and a clip
#
# We read the maps of a small ST-ABN. The next cell says where its weights come from.

# %%
trained = load_trained("mini_st_abn")
model, config = trained.model, trained.config
branch = model.attention_branch
K, T = len(trained.classes), config.num_frames
print("weights:", trained.origin)
print(f"K = {K} classes, T = {T} frames")

# %% [markdown]
# The clip is synthetic: one video of mini-SSv2, drawn in memory from photographs that the training
# set never uses. It comes with the truth: which pixels belong to the moved object and to the hand.

# %%
class_id = trained.classes.index("Moving something from left to right")
video = example(class_id, seed=0, split="validation")
indices = segment_indices(len(video.frames), T)
transform = eval_transform(config.image_size, short_side=config.short_side)
top, left, height, width = transform.crop(*video.frames.shape[1:3], None)


def cropped(pictures):
    """What the network sees of (n, H, W, …), for the sampled frames, at full resolution."""
    return pictures[indices, top : top + height, left : left + width]


clip, _ = transform(video.frames[indices])  # uint8 (3, T, H, W)
clip = normalise(clip[None])  # float (N, 3, T, H, W), N = 1
frames, target = cropped(video.frames), cropped(video.actor | video.hand)
print(f"“{video.caption}”: {len(video.frames)} frames, sampled {indices.tolist()}")
print("clip", tuple(clip.shape))

# %% [markdown]
# ## From $f$ to $h$: maps with a meaning
#
# $f$ goes through a copy of the perception branch's residual stage. The copy's first stride is 1
# where the original's is 2 (Section 3.1.1 of the paper), so the maps keep their size: a finer
# answer to *where*.

# %%
f = model.features(clip)  # (N, C, T, H', W')
spec = BACKBONES[config.backbone].stages[-1]
for stride in (spec.stride, 1):
    out = residual_stage(f.shape[1], spec, stride)(f)
    print(f"f {tuple(f.shape)} → stage with stride {stride} → {tuple(out.shape)}")

# %% [markdown]
# Then batch normalisation, a 1×1×1 convolution down to $K$ channels, batch normalisation and ReLU:
#
# $$ h = \mathrm{ReLU}\Bigl(\mathrm{BN}\bigl(\mathrm{conv}_{1\times1\times1}
#        (\mathrm{BN}(\mathrm{stage}(f)))\bigr)\Bigr), \qquad h \in \mathbb{R}_{\ge 0}^{K \times T
#        \times H' \times W'} . $$
#
# $K$ is the number of classes, and that is the point: the class head below turns channel $k$ of $h$
# into evidence about the classes, so each channel is pushed to mean something.

# %%
stage = residual_stage(f.shape[1], spec, stride=1).eval()  # (N, C, T, H', W') → (N, C", T, H', W')
to_classes = nn.Sequential(
    nn.BatchNorm3d(spec.channels),
    nn.Conv3d(spec.channels, K, kernel_size=1, bias=False),  # → (N, K, T, H', W')
    nn.BatchNorm3d(K),
    nn.ReLU(),
).eval()
stage.load_state_dict(branch.stage.state_dict())
to_classes.load_state_dict(branch.to_classes.state_dict())

h = to_classes(stage(f))
torch.testing.assert_close(h, branch.to_classes(branch.stage(f)))
print("stage(f)", tuple(stage(f).shape))
print("h       ", tuple(h.shape), f"smallest value {h.min():.2f}: ReLU leaves nothing below 0")

# %% [markdown]
# The same lines at the paper's size, on PyTorch's `meta` device, which works out shapes and
# computes nothing:

# %%
with torch.device("meta"):
    large = BACKBONES["resnet50"]
    f_large = torch.empty(1, large.feature_channels, 32, 14, 14)
    wide = residual_stage(large.feature_channels, large.stages[-1], stride=1)(f_large)
    h_large = nn.Conv3d(wide.shape[1], 174, kernel_size=1, bias=False)(wide)
print("f", tuple(f_large.shape), "→", tuple(wide.shape), "→ h", tuple(h_large.shape))

# %% [markdown]
# ## $M_s$: one map a frame
#
# "We aggregate the $K$ feature maps with respect to each video frame into a single feature map"
# (Section 3.1.1): a weighted sum over the $K$ maps, then a sigmoid. The published code puts a batch
# normalisation between the two, and so do we:
#
# $$ M_s(t, y, x) = \sigma\Bigl(\mathrm{BN}\Bigl(\sum_{k=1}^{K} w_k\, h_k(t, y, x)\Bigr)\Bigr) . $$


# %%
class OpenSpatialHead(nn.Module):
    """h (N, K, T, H', W') → M_s (N, 1, T, H', W') in (0, 1)."""

    def __init__(self, num_classes: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes))  # w_k
        self.bn = nn.BatchNorm3d(1)

    def forward(self, h):
        total = torch.einsum("k,nkthw->nthw", self.weight, h)  # sum over classes
        return torch.sigmoid(self.bn(total[:, None]))  # (N, 1, T, H', W')


mine, library = OpenSpatialHead(K).eval(), SpatialHead(K).eval()
library.load_state_dict(branch.spatial_head.state_dict())
mine.weight.copy_(library.conv.weight.view(K))
mine.bn.load_state_dict(library.bn.state_dict())
m_s = mine(h)
torch.testing.assert_close(m_s, library(h))
torch.testing.assert_close(m_s, model(clip).spatial_attention)
print("M_s", tuple(m_s.shape), f"from {m_s.min():.2f} to {m_s.max():.2f}: equal to the library's")

# %% [markdown]
# Nobody draws these maps for the network. $M_s$ multiplies $f$ on its way to the answer
# ([chapter 6](06_fusion.ipynb)), so the loss on the class is what shapes it.
#
# ## What "1×T×1×1" means
#
# The paper calls this a "$1 \times T \times 1 \times 1$ 3D convolution". Read it as *out-channels ×
# frames × kernel height × kernel width*: the kernel has size 1 in time and is applied in all $T$
# frames. A kernel of length $T$ would have given one map for the whole clip; Figure 3 of the paper
# shows one for every frame.

# %%
print("spatial head's kernel (out, in, t, h, w):", tuple(library.conv.weight.shape))
whole = nn.Conv3d(K, 1, kernel_size=(T, 1, 1))(h)
print("with a kernel of length T it would be: h", tuple(h.shape), "→", tuple(whole.shape))

# %% [markdown]
# So a frame's map depends on that frame of $h$ and on no other. We change one frame of $h$.
# Expected: exactly one map changes.


# %%
def changed_frames(a, b):
    """Positions t at which two (N, 1, T, H', W') differ by more than rounding."""
    return ((a - b).abs() > 1e-6).flatten(3).any(dim=3)[0, 0].nonzero().flatten().tolist()


middle = T // 2
other = h.clone()
other[:, :, middle] = torch.rand(h.shape[3:])
found = changed_frames(mine(h), mine(other))
print(f"changed h at t = {middle}; maps that changed: {found}")
assert found == [middle]

# %% [markdown]
# That does not make $M_s$ blind to motion: $h$ itself looks across frames. Every layer before it
# whose kernel is 3 in time lets a frame see one neighbour further on each side. Add them up by hand
# and you know how far a changed *pixel* frame can reach.

# %%
backbone = BACKBONES[config.backbone]
layers = [backbone.stem_kernel[0]] + [
    s.temporal_kernel for s in backbone.stages for _ in range(s.depth)
]
radius = sum(k // 2 for k in layers)  # the last stage's kernel is the attention branch's copy
expected = [t for t in range(T) if abs(t - middle) <= radius]
print("temporal kernels on the way to h:", layers, "→ reach of", radius, "frames to each side")

other = clip.clone()
other[:, :, middle] = torch.randn(clip.shape[3:])
found = changed_frames(m_s, model(other).spatial_attention)
print(f"changed frame {middle} of the clip; maps that changed: {found}")
assert set(found) <= set(expected), "a map changed that is out of reach"

# %% [markdown]
# ## The class head, which gives $h$ its meaning
#
# The same $h$ is classified on the spot. The paper's text says 3-D global average pooling (`gap`);
# the published code pools over space only and puts a linear layer over all $K \cdot T$ numbers
# (`fc`, our default):
#
# $$ \text{gap:}\quad z_k = \frac1{T H' W'} \sum_{t,y,x} (Vh)_k
#    \qquad\qquad \text{fc:}\quad z = A\,\mathrm{vec}\Bigl(\frac1{H' W'} \sum_{y,x} Vh\Bigr) + b $$
#
# with $V$ a 1×1×1 convolution from $K$ to $K$ channels.


# %%
def open_class_head(h, v, fc=None):
    """h (N, K, T, H', W'), V (K, K), optionally the linear layer (A, b) → logits (N, K)."""
    per_frame = torch.einsum("jk,nkthw->njt", v, h) / (h.shape[3] * h.shape[4])  # (N, K, T)
    if fc is None:
        return per_frame.mean(dim=2)  # gap: (N, K)
    a, b = fc
    return per_frame.flatten(1) @ a.T + b  # (N, K·T) → (N, K)


gap = ClassHead(K, T, "gap", dropout=0.5).eval()
fc = ClassHead(K, T, "fc", dropout=0.5).eval()
v = [head.conv.weight.view(K, K) for head in (gap, fc)]
torch.testing.assert_close(gap(h), open_class_head(h, v[0]))
torch.testing.assert_close(fc(h), open_class_head(h, v[1], (fc.fc.weight, fc.fc.bias)))
for name, head in (("gap", gap), ("fc", fc)):
    print(name, tuple(head(h).shape), sum(p.numel() for p in head.parameters()), "parameters")

# %% [markdown]
# The difference is order. Averaging over time forgets which frame came first; a linear layer has a
# weight for every class *and frame*. We play $h$ backwards. Expected: `gap` gives the same logits,
# `fc` does not. For *left to right* against *right to left*, that matters.

# %%
backwards = h.flip(2)
for name, head in (("gap", gap), ("fc", fc)):
    change = (head(h) - head(backwards)).abs().max()
    print(f"{name}: largest change of a logit, h played backwards: {change:.1e}")
torch.testing.assert_close(gap(h), gap(backwards))
assert not torch.allclose(fc(h), fc(backwards))

# %% [markdown]
# ## A known truth: plant a blob, find the peak
#
# If $h$ is zero everywhere but in one channel $k$ and one cell a frame, the formula can be worked
# by hand. With $a$ the planted value, the map must be
#
# $$ \sigma\Bigl(\gamma\,\frac{w_k a - \mu}{\sqrt{v + \epsilon}} + \beta\Bigr)
#    \ \text{at the blob}, \qquad
#    \sigma\Bigl(\gamma\,\frac{0 - \mu}{\sqrt{v + \epsilon}} + \beta\Bigr) \ \text{elsewhere,} $$
#
# with $\mu, v, \gamma, \beta$ the mean, variance, scale and shift of the batch normalisation. The
# sign of $\gamma w_k$ decides whether channel $k$ raises the map or lowers it. We take the channel
# that raises it most and let the blob walk along a diagonal.

# %%
bn = library.bn
slope = bn.weight * mine.weight / torch.sqrt(bn.running_var + bn.eps)  # (K,): γ w_k / √(v + ε)
k, a = int(slope.argmax()), 1.0
rest = bn.bias - bn.weight * bn.running_mean / torch.sqrt(bn.running_var + bn.eps)
by_hand = torch.sigmoid(slope[k] * a + rest), torch.sigmoid(rest)

size = h.shape[-1]
place = [t * (size - 1) // (T - 1) for t in range(T)]  # row = column = place[t]
planted = torch.zeros_like(h)
for t, cell in enumerate(place):
    planted[0, k, t, cell, cell] = a
found = library(planted)[0, 0]  # (T, H', W')
peaks = [divmod(int(found[t].argmax()), size) for t in range(T)]
print(f"by hand: {by_hand[0].item():.4f} at the blob, {by_hand[1].item():.4f} elsewhere")
print(f"found:   {found.max():.4f} at the blob, {found.min():.4f} elsewhere")
assert peaks == [(cell, cell) for cell in place]
torch.testing.assert_close(found.max(), by_hand[0][0])
torch.testing.assert_close(found.min(), by_hand[1][0])

# %% [markdown]
# The peak follows the blob in every frame. Note the value *elsewhere*: where $h$ is silent the map
# is not 0 but $\sigma$ of a constant. A sigmoid map has no natural black.
#
# Which channels raise the map in this network, and which lower it?

# %%
order = slope.argsort(descending=True).tolist()
for k in (*order[:3], *order[-3:]):
    print(f"{slope[k]:+.2f}  channel {k:2d}  ({trained.classes[k]})")

# %% [markdown]
# The class names are hints only: the class head's convolution $V$ mixes the channels once more
# before it speaks of classes.
#
# ## From a small map to a frame
#
# A map has far fewer cells than the frame has pixels: in the paper 14×14 for 224×224. To lay one
# over the other we interpolate, and must put a cell's value where the cell *is*. Cell $i$ of 14
# covers pixels $16i$ to $16i + 15$, so its centre lies at $16i + 7.5$. `align_corners=False` does
# that; `align_corners=True` pins the outer cells to the frame's very edge and shifts the rest.

# %%
cells = torch.zeros(1, 1, 14, 14)
cells[0, 0, 2, 9] = 1
pixels = torch.arange(224.0)
print(f"by hand: row {16 * 2 + 7.5}, column {16 * 9 + 7.5}")
for aligned in (False, True):
    big = F.interpolate(cells, size=(224, 224), mode="bilinear", align_corners=aligned)[0, 0]
    row, column = (big.sum(1) @ pixels) / big.sum(), (big.sum(0) @ pixels) / big.sum()
    print(f"align_corners={aligned}: centre of mass at row {row:.1f}, column {column:.1f}")
laid_over = torch.from_numpy(upsample(cells[0], (224, 224)))
torch.testing.assert_close(
    laid_over, F.interpolate(cells, size=(224, 224), mode="bilinear", align_corners=False)[0]
)
print(f"values stay between those of the cells: {laid_over.min():.2f} to {laid_over.max():.2f}")

# %% [markdown]
# ## Show the values, not their ranks
#
# Many tools stretch each map to its own minimum and maximum before colouring it. Then every map
# spans the whole colour scale, and a map that says *nothing in particular* looks like one that is
# sure. We make the two: the network's own map of a frame, and the same map shrunk to a hundredth of
# its range around one half. After min–max they cannot be told apart.

# %%
acting = [t for t in range(T) if video.levels[indices[t]] == 1]  # the object moves
moment = acting[len(acting) // 2]
strong = m_s[0, 0, moment]
weak = 0.5 + 0.01 * (strong - strong.mean())


def minmax(m):
    return (m - m.min()) / (m.max() - m.min())


for name, m in (("the network's map", strong), ("the same, 100 times weaker", weak)):
    stretched = minmax(m)
    print(f"{name}: raw {m.min():.3f} to {m.max():.3f}", end=", ")
    print(f"stretched {stretched.min():.0f} to {stretched.max():.0f}")
difference = (minmax(strong) - minmax(weak)).abs().max()
print(f"largest difference between the two stretched maps: {difference:.1e}")
assert difference < 1e-3


# %% tags=["hide-input"]
#| fig-alt: Two attention maps, one of them a hundred times weaker. Drawn raw, on the scale from 0 to 1, the weak one is one even colour near 0.5; stretched to its own range it looks exactly like the strong one
@styled
def four_maps() -> Sheet:
    """Raw and stretched, strong and weak."""
    sheet = Sheet(4.3)
    rows = (("network's map", strong), ("100 times weaker", weak))
    columns = (("raw, on the scale 0 to 1", lambda m: m), ("stretched to its own range", minmax))
    for i, (row, m) in enumerate(rows):
        for j, (column, show) in enumerate(columns):
            x, y = 1.55 + 2.5 * j, 0.3 + 2.0 * i
            shown = show(m)
            axes = bare(sheet.box(x, y, 1.75, 1.75))
            image = axes.imshow(shown, cmap=SEQUENTIAL, vmin=0, vmax=1)
            sheet.note(x + 0.87, 0.16, column, ha="center", va="center") if i == 0 else None
            text = f"{shown.min():.3f} to {shown.max():.3f}"
            sheet.note(x + 0.87, y + 1.84, text, ha="center", va="center")
        sheet.note(1.45, 0.3 + 2.0 * i + 0.87, row, ha="right", va="center")
    sheet.colorbar(image, cax=sheet.box(6.2, 0.3, 0.14, 3.75), ticks=(0, 0.5, 1))
    return sheet


four_maps()

# %% [markdown]
# Four maps of one frame. On the left, raw values: the network's map has structure, the weakened
# one is a flat square. On the right, after min–max: two pictures that look the same, although one
# of them holds a hundredth of the contrast. The numbers below each map give its range. In this
# book maps are raw, on one scale from 0 to 1, and a figure that stretches says so.
#
# ## The maps of a clip


# %% tags=["hide-input"]
#| fig-alt: Five frames of the clip, and under each its map M_s with a cross at the peak, the dashed outline of object and hand, and the smallest and largest value of the map
@styled
def maps_over_frames(shown: list[int]) -> Sheet:
    """Frames, and M_s over them in grey, with its peak and the truth's outline."""
    cell = 6.5 / len(shown)
    sheet, big = Sheet(1.1 + 2 * cell), upsample(m_s[0, 0], frames.shape[1:3])
    rows = ("frame", 0.2 + cell / 2), ("$M_s$", 0.2 + 1.5 * cell), ("range", 0.35 + 2 * cell)
    for name, y in rows:
        sheet.note(0.55, y, name, ha="right", va="center")
    for i, t in enumerate(shown):
        x, w, low, high = 0.62 + i * cell, cell - 0.04, m_s[0, 0, t].min(), m_s[0, 0, t].max()
        sheet.note(x + w / 2, 0.12, str(indices[t]), ha="center", va="center")
        bare(sheet.box(x, 0.24, w, w)).imshow(frames[t])
        axes = bare(sheet.box(x, 0.24 + cell, w, w))
        axes.imshow(frames[t].mean(-1), cmap="gray", vmin=0, vmax=255)
        heat = axes.imshow(big[t], cmap=SEQUENTIAL, vmin=0, vmax=1, alpha=0.55)
        axes.contour(target[t], levels=[0.5], colors="white", linewidths=1.2, linestyles="--")
        row, column = divmod(int(big[t].argmax()), big[t].shape[1])
        axes.plot(column, row, "P", color="white", markeredgecolor="black", markersize=7)
        sheet.note(x + w / 2, 0.35 + 2 * cell, f"{low:.2f}–{high:.2f}", ha="center", va="center")
    scale = sheet.box(2.6, 0.62 + 2 * cell, 2, 0.1)
    sheet.colorbar(heat, cax=scale, orientation="horizontal", ticks=(0, 0.5, 1))
    return sheet


maps_over_frames(sorted({acting[i * (len(acting) - 1) // 4] for i in range(5)}))

# %% [markdown]
# Frames of the clip while the object moves, under their source indices. Below each, $M_s$ over the
# frame in grey: a cross at its peak, its range in numbers, and as a dashed line the truth, the
# outline of the moved object and the hand.
#
# One clip proves nothing, so the next cell counts. The *pointing game* asks in how many frames the
# peak lies on the truth, and sets beside it what a peak placed blindly would score. We count twice:
# strictly, and forgiving a miss by one cell of the map, which cannot point any finer.

# %%
maps, masks, moving = [], [], []
for class_id in range(K):
    for number in range(3):
        v = example(class_id, (class_id, number), split="validation")  # a seed of its own
        chosen = segment_indices(len(v.frames), T)
        x = normalise(transform(v.frames[chosen])[0][None])
        maps.append(model(x).spatial_attention[0, 0])
        masks.append((v.actor | v.hand)[chosen, top : top + height, left : left + width])
        moving.append(v.levels[chosen] == 1)
cell = height / m_s.shape[-1]  # pixels
for tolerance in (0, cell):
    score = pointing_game(
        torch.stack(maps), np.stack(masks), active=np.stack(moving), tolerance=tolerance
    )
    print(f"{score.n} fresh clips, miss of {tolerance:.0f} px forgiven:", end=" ")
    print(f"{score.value:.0%} of the moving frames hit; a blind peak {score.chance:.0%}")

# %% [markdown]
# Read both lines with the picture. A map may light up *beside* an object, where it is going or
# where it has been, because $h$ sees several frames at once; and nothing in the loss asks the peak
# to sit on the object. What the maps are worth to the answer is another question, asked in
# [chapter 6](06_fusion.ipynb) and [chapter 12](12_reading_attention.ipynb). To take a brush to a map and
# watch the answer, go to [Table 3](results_table3.ipynb).

# %% [markdown]
# ## What we learned
#
# - $M_s$ is a weighted sum of $K$ class maps, squashed into $(0, 1)$: $K$ weights and a batch
#   normalisation. What it can show was made by the stage before it and the class head beside it.
# - Its kernel is 1 in time. A frame's map reads one frame of $h$; $h$ reads its neighbours, so the
#   map knows about motion.
# - The class head `fc` hears the order of the frames, `gap` does not.
# - A peak can be predicted by hand from the weights, and so can the value where nothing is: not 0.
# - Stretching every map to its own range hides whether the network was sure.

# %% [markdown]
# ## Questions
#
# **Question 1.** One frame of $h$ is changed, and nothing else. Which maps of $M_s$ change, in
# evaluation?
#
# 1. All $T$ of them.
# 2. The map of that frame.
# 3. That frame's, and its two neighbours'.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: the head that mixes all frames is the temporal one.
# 2. **Right:** the head's kernel has size 1 in time, and batch normalisation in evaluation is a
#    fixed line.
# 3. No: it is the layers *before* $h$ that look at neighbours. Exercise 1 tries a head that does.
#
# </details>
#
# **Question 2.** At some place $h$ is 0 in all $K$ channels. How high is $M_s$ there?
#
# 1. 0, as $h$ is.
# 2. ½, the sigmoid of 0.
# 3. A constant that batch normalisation decides.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: a sigmoid is never 0, however small its argument.
# 2. No: between the sum and the sigmoid stands batch normalisation, whose shift moves the 0.
# 3. **Right:** it is $\sigma(\beta - \gamma\mu/\sqrt{v + \epsilon})$, the same at all such places.
#
# </details>
#
# **Question 3.** Each frame's map was stretched to its own minimum and maximum. It shows one bright
# spot on the object. What do you know?
#
# 1. Where the map is highest, not by how much.
# 2. That the network is sure where the object is.
# 3. That the map has found the object.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** stretching keeps the order of the values and throws their size away.
# 2. No: a map whose values lie between 0.500 and 0.501 looks the same after stretching.
# 3. No: the highest value of any map lies somewhere; one frame may be luck. The pointing game
#    counts, beside chance.
#
# </details>
#
# **Question 4.** A frame of 224 pixels has a map of 14 cells, of 16 pixels each; pixels and cells
# count from 0. At which pixel coordinate lies the centre of cell 3?
#
# <details class="answers"><summary>The answer</summary>
#
# **55.5**, that is `(16 * 3 + 16 * 3 + 15) / 2`: the cell covers pixels 48 to 63, and their middle
# is 55.5.
#
# - **48:** this is the cell's first pixel.
# - **51.5:** this is where `align_corners=True` puts it: the outer cells' centres on the frame's
#   very edge.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Replace the kernel 1×1×1 by 3×1×1 and change one frame of $h$ again. Which maps change?

# %% tags=["hide-cell"]
long = nn.Conv3d(K, 1, kernel_size=(3, 1, 1), padding=(1, 0, 0), bias=False)
other = h.clone()
other[:, :, middle] = torch.rand(h.shape[3:])
found = changed_frames(torch.sigmoid(long(h)), torch.sigmoid(long(other)))
print(f"changed h at t = {middle}; maps that changed: {found}")
assert found == [middle - 1, middle, middle + 1]

# %% [markdown]
# **2.** Replace the sigmoid by a softmax over the $H' W'$ cells of a frame. Plant one blob, then
# two equal ones. What happens to the peak's value, and why is that awkward for $(1 + M_s) \cdot f$?

# %% tags=["hide-cell"]
for count in (1, 2, 8):
    score = torch.zeros(size * size)
    score[:count] = 6.0
    print(
        f"{count} blobs: sigmoid peak {torch.sigmoid(score).max():.3f}, "
        f"softmax peak {score.softmax(0).max():.3f}"
    )
print(
    "Softmax shares one unit among all cells: two objects get half each, and on a larger map every"
)
print("value shrinks, so that 1 + M_s would be almost 1. The sigmoid judges every cell by itself.")

# %% [markdown]
# **3.** Weigh $h$ with one row of $V$, the class head's convolution, instead of with $w$: a class
# activation map (Zhou et al., 2016). Draw it for the class the branch believes in, beside $M_s$.
# Are they the same picture?

# %% tags=["hide-cell"]
row = branch.class_head.conv.weight.view(K, K)[model(clip).attention_logits.argmax()]
cam = torch.einsum("k,kthw->thw", row, h[0])  # any real number, not in [0, 1]
pairs = torch.stack([cam[moment].flatten(), m_s[0, 0, moment].flatten()])
print(f"frame {indices[moment]}: correlation of the two maps {torch.corrcoef(pairs)[0, 1]:+.2f}")


@styled
def side_by_side() -> Sheet:
    sheet = Sheet(2.5)
    names = ("class activation map (own scale)", "$M_s$ (scale 0 to 1)")
    for i, (name, m) in enumerate(zip(names, (cam[moment], m_s[0, 0, moment]), strict=True)):
        limits = {"vmin": 0, "vmax": 1} if i else {}
        axes = bare(sheet.box(0.9 + 3.1 * i, 0.3, 2, 2))
        image = axes.imshow(m, cmap=SEQUENTIAL, **limits)
        sheet.colorbar(image, cax=sheet.box(2.98 + 3.1 * i, 0.3, 0.1, 2))
        sheet.note(1.9 + 3.1 * i, 0.16, name, ha="center", va="center")
    return sheet


side_by_side()
