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
# # 5. The temporal head: when
#
# *Hardware: any laptop, one CPU core, about 13 seconds.*
#
# **The question.** [Chapter 4](04_spatial_head.ipynb) made one map a frame. Now we want one
# *number* a frame, $M_t$, that says how much the frame counts. It is the number a person will
# edit. So what exactly does it depend on, and can it take every value a person may ask for?

# %% tags=["hide-input"]
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stabn.data.mini.make import example
from stabn.data.sampling import interleaved_indices, segment_indices
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import temporal_figure
from stabn.figures.sheet import COLOURS, LINES, MARKERS, Sheet, styled
from stabn.metrics import beyond_habit, fixed_curve, rank_correlation
from stabn.models.attention import TemporalHead
from stabn.models.st_abn import STABN
from stabn.training.checkpoint import REPOSITORY, load_trained
from stabn.training.records import read_record

_ = torch.manual_seed(0)
torch.set_num_threads(1)  # small tensors: a second thread would only wait

# %% [markdown]
# ## A network and a clip

# %%
trained = load_trained("mini_st_abn")
model, config = trained.model, trained.config
branch = model.attention_branch
K, T = len(trained.classes), config.num_frames
print("weights:", trained.origin)
print(f"K = {K} classes, T = {T} frames")

# %%
transform = eval_transform(config.image_size, short_side=config.short_side)


def to_clip(frames, indices):
    """Source frames at these indices → what the network reads, float (1, 3, T, H, W)."""
    return normalise(transform(frames[indices])[0][None])


video = example(trained.classes.index("Dropping something"), seed=1, split="validation")
indices = segment_indices(len(video.frames), T)
clip = to_clip(video.frames, indices)
with torch.no_grad():
    f = model.features(clip)  # (N, C, T, H', W')
    h = branch.to_classes(branch.stage(f))  # (N, K, T, H', W')
print(f"“{video.caption}” (synthetic): {len(video.frames)} frames")
print("clip", tuple(clip.shape), "→ f", tuple(f.shape), "→ h", tuple(h.shape))

# %% [markdown]
# ## From $h$ to $M_t$, step by step
#
# Section 3.1.1 of the paper, with the layers of the published code:
#
# $$ a = \mathrm{ReLU}\bigl(\mathrm{BN}(\mathrm{conv}_{3\times3\times3}\, h)\bigr), \qquad
#    b = \mathrm{ReLU}(U a), \qquad
#    s = \mathrm{GAP}(b), \qquad
#    M_t = \sigma\bigl(W_2\, \mathrm{ReLU}(W_1 s + b_1) + b_2\bigr) . $$
#
# The first convolution folds the $K$ class maps into one. Its channel axis, now of size 1, is
# dropped, and **the frames take the place of the channels**: $U$ is a 1×1 convolution from $T$ to
# $T$ channels, a $T \times T$ matrix over frames. The rest is the gate of a squeeze-and-excitation
# network (Hu et al., 2018): squeeze by averaging, excite by FC–ReLU–FC–sigmoid.


# %%
class OpenTemporalHead(nn.Module):
    """h (N, K, T, H', W') → M_t (N, T) in (0, 1)."""

    def __init__(self, num_classes: int, num_frames: int, tail: str = "two_fc"):
        super().__init__()
        self.conv = nn.Conv3d(num_classes, 1, kernel_size=3, padding=1, bias=False)
        self.bn = nn.BatchNorm3d(1)
        self.mix = nn.Conv2d(num_frames, num_frames, kernel_size=1, bias=False)  # U
        self.fc1 = nn.Linear(num_frames, num_frames)
        self.fc2 = nn.Linear(num_frames, num_frames) if tail == "two_fc" else None

    def steps(self, h):
        """Every stage of the computation, by name."""
        a = F.relu(self.bn(self.conv(h)))  # (N, 1, T, H', W')
        a = a.squeeze(1)  # (N, T, H', W'): frames are channels from here on
        b = F.relu(self.mix(a))  # (N, T, H', W')
        s = b.mean(dim=(2, 3))  # (N, T)
        x = F.relu(self.fc1(s))  # (N, T)
        x = x if self.fc2 is None else self.fc2(x)
        return {"a": a, "b": b, "s": s, "score": x, "M_t": torch.sigmoid(x)}

    def forward(self, h):
        return self.steps(h)["M_t"]


# %% [markdown]
# The weights go over and the two must agree, for the trained head and, with fresh weights, for the
# shorter tail that we come to below.

# %%
head = OpenTemporalHead(K, T).eval()
head.load_state_dict(branch.temporal_head.state_dict())
with torch.no_grad():
    torch.testing.assert_close(head(h), branch.temporal_head(h))
    torch.testing.assert_close(head(h), model(clip).temporal_attention)
    for name, value in head.steps(h).items():
        print(f"{name:6}", tuple(value.shape))

    literal = TemporalHead(K, T, tail="literal").eval()
    open_literal = OpenTemporalHead(K, T, tail="literal").eval()
    open_literal.load_state_dict(literal.state_dict())
    torch.testing.assert_close(open_literal(h), literal(h))
m_t = head(h).detach()[0]
print("M_t =", [round(v, 2) for v in m_t.tolist()])

# %% [markdown]
# ## Why a sigmoid and not a softmax
#
# "This enables the ST-ABN to emphasize multiple frames instead of only a single frame." A softmax
# shares one unit of weight among all frames: with six frames that matter equally, none can get
# more than $1/6$. A sigmoid turns each score into a weight by itself. We give six of sixteen
# frames a high score.

# %%
score = torch.full((16,), -3.0)
score[5:11] = 3.0
gate, share = torch.sigmoid(score), torch.softmax(score, dim=0)
print(f"by hand: sigmoid {1 / (1 + np.exp(-3)):.3f}, softmax {1 / (6 + 10 * np.exp(-6)):.3f}")
print(f"found:   sigmoid {gate[5]:.3f}, softmax {share[5]:.3f}; softmax sums to {share.sum():.1f}")

# %%
#| fig-alt: Two curves over the frames: each sigmoid weight has its own height, whatever the other frames weigh; the softmax weights share a sum of 1 and stay far lower
figure = temporal_figure({"sigmoid": gate.numpy(), "softmax": share.numpy()})
figure.axes[0].set_xlabel("frame")
figure

# %% [markdown]
# The solid line (sigmoid) stands near 1 over all six frames that matter; the dashed line (softmax)
# has to split and stays below 0.2. With three times as many such frames it would fall to a third;
# the sigmoid would not move.
#
# ## Why the tail needs a second FC
#
# The paper's sentence reads "the fully connected layer, rectified linear unit (ReLU), and a sigmoid
# function". Taken literally that is $M_t = \sigma(\mathrm{ReLU}(W_1 s + b_1))$, and one line shows
# what it cannot do:
#
# $$ \mathrm{ReLU}(x) \ge 0 \;\Rightarrow\; \sigma(\mathrm{ReLU}(x)) \ge \sigma(0) = \tfrac12 . $$
#
# A frame that a person sets to 0 would stay at ½ or above, and cost at least $(\tfrac12 - 0)^2 =
# 0.25$ in the loss of equation (6), for ever. The published code puts another FC before the
# sigmoid. Here is the experiment: both tails, the same random $h$, gradient descent (Adam) on the
# mean squared error to a target. Two targets: all zeros, and the levels of an edit.


# %%
def fit(tail, target, steps=200):
    """Loss (equation (6), γ = 1) at every step, and M_t (T,) at the end, for one target (T,)."""
    torch.manual_seed(1)
    fitted = TemporalHead(5, len(target), tail)
    inputs = torch.rand(8, 5, len(target), 6, 6)
    optimiser = torch.optim.Adam(fitted.parameters(), lr=0.01)
    losses = []
    for _ in range(steps):
        loss = F.mse_loss(fitted(inputs), target.expand(8, -1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return np.array(losses), fitted(inputs).mean(dim=0).tolist()


# %% [markdown]
# The floors by hand: zeros, $0.25$ for each frame, so $0.25$. The edit below has $z$ frames at 0,
# and levels ½ and 1 cost nothing, so $0.25 \cdot z / T$.

# %%
edit = torch.tensor([0, 0, 0, 0, 0.5, 0.5, 1, 1, 1, 1, 1, 0.5, 0, 0, 0, 0])
fits = {}
for name, target in (("zeros", torch.zeros(16)), ("edit", edit)):
    floor = 0.25 * (target == 0).float().mean().item()
    for tail in ("literal", "two_fc"):
        losses, reached = fit(tail, target)
        fits[name, tail] = (losses, floor, reached)
        print(f"target {name:5}  tail {tail:7}  floor of the literal {floor:.4f}", end="  ")
        print(f"loss at the end {losses[-1]:.4f}")
        assert tail == "two_fc" or losses.min() >= floor - 1e-6
        assert tail == "literal" or losses[-1] < 0.01


# %% tags=["hide-input"]
#| fig-alt: Loss of both tails against the step, for the target zeros and for an edit: the tail of two layers comes down to the dotted floor, the literal tail stays above it
@styled
def loss_curves() -> Sheet:
    """Both tails, both targets, and the floors."""
    sheet = Sheet(2.6, layout="constrained")
    for axes, name in zip(sheet.subplots(1, 2, sharey=True), ("zeros", "edit"), strict=True):
        for i, tail in enumerate(("literal", "two_fc")):
            losses, floor, _ = fits[name, tail]
            look = {"linestyle": LINES[i], "color": COLOURS[i], "marker": MARKERS[i]}
            axes.plot(losses, label=f"{tail} tail", markevery=25, ms=4, **look)
        axes.axhline(floor, color="black", linewidth=0.9, linestyle=":")
        axes.text(200, floor + 0.008, f"floor {floor:.3f}", ha="right", va="bottom")
        axes.set(xlabel="step", title=f"target: {name}", ylim=(-0.01, 0.42))
    axes.legend()
    sheet.axes[0].set_ylabel("loss")
    return sheet


loss_curves()

# %% [markdown]
# Loss against steps, for the target of zeros on the left and the edit on the right. The dashed
# curve (two FCs) goes to 0. The solid one (literal) comes down to its dotted floor, or above it,
# and stays.
#
# Above its floor? Frames that the edit sets to 1 can be stuck at ½ too (exercise 1 says why):

# %%
reached = fits["edit", "literal"][2]
print("edit:        ", edit.tolist())
print("literal tail:", [round(v, 2) for v in reached])
stuck = sum(level == 1 and value < 0.51 for level, value in zip(edit, reached, strict=True))
print(f"frames of level 1 that stayed at one half: {stuck}")

# %% [markdown]
# The default here is `temporal_tail="two_fc"`; `"literal"` exists for comparison. With it an edit
# to 0 would be out of reach, and the network itself could never say "this frame does not matter".
#
# ## What $M_t$ depends on: the picture *and* its position
#
# $U$, $W_1$ and $W_2$ have one row and one column for every frame *position*. Position 3 has
# weights of its own. We shuffle the frames of $h$. Were $M_t$ a property of each frame, it would
# be shuffled along. $M_s$, whose head treats all frames alike, is. Expected: 0 for $M_s$, not 0
# for $M_t$.

# %%
order = torch.randperm(T, generator=torch.Generator().manual_seed(3))
shuffled = h[:, :, order]
with torch.no_grad():
    for name, of, axis in (("M_s", branch.spatial_head, 2), ("M_t", branch.temporal_head, 1)):
        along = of(h).index_select(axis, order)  # what it would be if it went with the frames
        gap = (of(shuffled) - along).abs().max().item()
        print(f"{name}: head of shuffled h against shuffled {name}: differs by up to {gap:.3g}")
        assert gap == 0 if name == "M_s" else gap > 1e-4

# %% [markdown]
# The plainest case is a clip in which nothing happens: one frame, repeated $T$ times. No moment is
# different from any other, so a head that looks only at pictures would weigh them all the same.
#
# One thing must be kept apart. The convolutions pad with zeros in time, so near both ends of the
# clip $h$ differs even here. We therefore also hand the head an $h$ that is the same at every
# position, and look only at positions whose 3×3×3 window lies inside the clip: what remains is
# $U$, $W_1$, $W_2$.

# %%
still_clip = to_clip(video.frames, np.full(T, indices[T // 2]))
with torch.no_grad():
    still = model(still_clip).temporal_attention[0]
    constant = head.steps(h[:, :, T // 2 : T // 2 + 1].expand(-1, -1, T, -1, -1))
inside = slice(1, T - 1)
spread = (constant["a"][:, inside] - constant["a"][:, 1:2]).abs().max().item()
print(f"still h: a inside the clip differs between positions by {spread:.1g}")
ends = constant["M_t"][0, inside].min().item(), constant["M_t"][0, inside].max().item()
print(f"still h: M_t inside the clip spans {ends[0]:.2f} to {ends[1]:.2f}")
print(f"still clip through the whole network: M_t spans {still.min():.2f} to {still.max():.2f}")
print(f"the moving clip:                      M_t spans {m_t.min():.2f} to {m_t.max():.2f}")
assert spread < 1e-5
assert min(ends[1] - ends[0], still.max() - still.min()) > 1e-4

# %%
#| fig-alt: Three curves of M_t over the position in the clip: of the clip itself, of one still frame repeated, and of the shuffled clip with its weights sorted back to their frames, over the true levels
with torch.no_grad():
    mixed = model(to_clip(video.frames, indices[order])).temporal_attention[0]
back = torch.empty(T)
back[order] = mixed  # to every frame, the weight it got in the shuffled clip
three = {"clip": m_t.numpy(), "still": still.numpy(), "shuffled, sorted back": back.numpy()}
figure = temporal_figure(three, levels=video.levels[indices])
figure.axes[0].set_xlabel("position in the clip")
figure

# %% [markdown]
# $M_t$ of three clips against position. Circles on a solid line: the clip as it is. Squares,
# dashed: one of its frames, repeated; the line is not flat, although nothing happens. Triangles,
# dotted: the frames in another order, each weight drawn where its frame stands in the true order;
# it does not fall on the solid line. The hatched steps are the truth: 1 while the object moves.
#
# How strong is position in this network? We take fresh clips and ask how much of $M_t$'s variance
# is there before any picture is looked at: the variance, over positions, of the mean over clips.

# %%
weights, truth = [], []
for class_id in range(K):
    for number in range(4):
        v = example(class_id, (class_id, number), split="validation")  # a seed of its own
        chosen = segment_indices(len(v.frames), T)
        with torch.no_grad():
            weights.append(model(to_clip(v.frames, chosen)).temporal_attention[0].numpy())
        truth.append(v.levels[chosen])
weights, truth = np.stack(weights), np.stack(truth)  # (clips, T)
for name, of in (("M_t", weights), ("the truth", truth)):
    share = of.mean(axis=0).var() / of.var()
    print(f"{len(of)} fresh clips: position alone explains {share:.0%} of the variance of {name}")

# %% [markdown]
# The truth has a habit too: actions seldom begin in a clip's first frame. So a high agreement
# between $M_t$ and the truth need not mean that the network saw anything. Three numbers belong
# beside it: the agreement with *other clips'* truth (`exchanged`), what one fixed curve would
# earn, and how far chance alone carries when clips and truths are paired at random.

# %%
agreement = rank_correlation(weights, truth)
fixed = fixed_curve(truth)  # for each clip: the mean truth of the others
rng = np.random.default_rng(0)
pairings = [
    rank_correlation(weights, rng.permutation(truth), permutations=1).value for _ in range(300)
]
low, high = np.quantile(pairings, [0.025, 0.975])
print(f"M_t with the truth of its own clip:  {agreement.value:+.2f}")
print(f"M_t with the truth of other clips:   {agreement.exchanged:+.2f}")
print(f"random pairings, 95 %:               {low:+.2f} to {high:+.2f}")
print(f"one fixed curve, the usual truth:    {fixed.value:+.2f}")

# %% [markdown]
# **The rule:** above the truth of other clips, $M_t$ follows its own clip; only above a fixed curve too
# does it show more of *when* than habit does. For this network:

# %%
print(beyond_habit(agreement, fixed))

# %% [markdown]
# A habit is no fault: position is a fair guess. But it is no sign that the network looked. Remember the
# rule whenever an $M_t$ looks convincing; chapters [9](09_mini_ssv2.ipynb) and
# [12](12_reading_attention.ipynb) apply it.
#
# ## Where $M_t$ begins
#
# $U$, $W_1$ and $W_2$ can learn habits; can they also learn to look? With random layers, every weight
# begins as a mixture of *all* frames, and to tell frame 5 from frame 6 training must first find its way
# through three $T \times T$ matrices. The published code begins so. Our small networks begin elsewhere:
# the convolution as a plain mean over class maps and neighbours, $U$ and $W_1$ as the identity, $W_2$ as
# four times that. The bias of $W_1$ is 0, and that of $W_2$ is $-4 \cdot 0.4$: of values with mean 0 and
# variance 1 ReLU leaves 0.4 in the mean, so a usual frame begins at $M_t = ½$. Then $M_t$ begins as the
# *evidence* in a frame, each frame for itself, and training may change all of it.
# (`attention_start: evidence`; $M_s$ begins in the same way.)
#
# Two fresh heads, both untrained, on the $h$ of the trained network:

# %%
maps, truth = [], []
for class_id in range(K):
    for number in range(4):
        v = example(class_id, (class_id, number), split="validation")
        chosen = segment_indices(len(v.frames), T)
        with torch.no_grad():
            maps.append(branch.to_classes(branch.stage(model.features(to_clip(v.frames, chosen)))))
        truth.append(v.levels[chosen])
maps, truth = torch.cat(maps), np.stack(truth)  # (clips, K, T, H, W), (clips, T)
for start in ("random", "evidence"):
    fresh = TemporalHead(K, T)
    if start == "evidence":
        fresh.start_from_evidence()
    with torch.no_grad():
        weights = fresh(maps)  # in training mode: BN standardises by this batch
    score, own = rank_correlation(weights, truth), weights.std(dim=0).mean()
    print(
        f"{start:9s} M_t with its own truth {score.value:+.2f}, "
        f"with others' {score.exchanged:+.2f}; differs between clips by {own:.3f}"
    )

# %% [markdown]
# Does training make up for the start? These are whole training runs on mini-SSv2, alike in all but the
# start, from their records:

# %%
print("start     seed  top-1   M_t with its own truth   with others'")
for start, study in (("random", "attention_start"), ("evidence", "table1")):
    for path in sorted((REPOSITORY / "book/results" / study).glob("mini_st_abn_*.json")):
        record = read_record(path)
        figures = record["results"][record["config"]["report_split"]]
        score = figures["rank_correlation"]
        print(
            f"{start:9s} {record['seed']}    {figures['top1']:6.1%}   {score['value']:+.2f}"
            f"                    {score['exchanged']:+.2f}"
        )

# %% [markdown]
# Where the two last columns agree, $M_t$ is a habit: one curve for all clips. The start is part of the
# recipe, so the book's small networks say which one they had, and the parameter files for
# Something-Something v2 keep the published one.
#
# ## $T$ is fixed
#
# The sizes of $U$, $W_1$, $W_2$ are $T \times T$. A head built for $T$ frames cannot read $T + 2$.
# The network says so before a matrix product fails.

# %%
sizes = {n: tuple(p.shape) for n, p in head.named_parameters() if p.ndim > 1 and n != "conv.weight"}
print("sizes tied to T:", sizes)
small = STABN("small", num_classes=K, num_frames=T).eval()
try:
    small(torch.zeros(1, 3, T + 2, 32, 32))
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# ## What this means for a person who edits
#
# A person who edits says "frame 17 of this video matters". A weight says "position 6 of this clip".
# The two are joined by the sampled *source frame indices*:
#
# $$ M_t'(\mathbf{x})_j = \mathrm{edit}\bigl[\, i_j \,\bigr], \qquad i_1 \le \dots \le i_T
#    \ \text{the frames this clip was sampled from.} $$
#
# So an edit is kept once for every source frame of the video, and each clip looks its targets up.
# The truth of our synthetic video stands in for a person here.

# %%
levels = video.levels  # (n,), one level for every source frame
for seed in (0, 1):
    drawn = segment_indices(len(levels), T, np.random.default_rng(seed))  # a training draw
    print(f"draw {seed}: frames  {drawn.tolist()}")
    print(f"        targets {[float(v) for v in levels[drawn]]}")

# %% [markdown]
# Two draws of one video: other frames, other targets, one edit.
#
# The way back is the same. To show a person the attention of *all* frames, we must not run windows
# of $T$ neighbouring frames: the network was trained on clips that span the video, and position
# means position in the video. Instead $J$ segment samples together visit every frame.

# %%
clips = interleaved_indices(len(video.frames), T)  # (J, T)
total, count = np.zeros(len(video.frames)), np.zeros(len(video.frames))
for chosen in clips:
    with torch.no_grad():
        weight = model(to_clip(video.frames, chosen)).temporal_attention[0].numpy()
    np.add.at(total, chosen, weight)
    np.add.at(count, chosen, 1)
assert (count > 0).all(), "a frame was never visited"
whole = total / count  # (n,), the mean where a frame was visited twice
print(f"{len(clips)} clips of {T} frames cover all {len(whole)} frames of the video")
temporal_figure({"M_t of every source frame": whole}, levels=levels)

# %% [markdown]
# $M_t$ for every source frame of the video, over the truth (hatched). This is the curve that a
# person would be shown and would correct.
#
# ## What we learned
#
# - The temporal head turns frames into channels and gates them as a squeeze-and-excitation network
#   gates channels: FC–ReLU–FC–sigmoid. The weights need not share, so several frames can be strong.
# - Read literally, the paper's tail cannot go below ½. A target of 0 then costs 0.25 a frame,
#   however long one trains.
# - $M_t$ depends on a frame's position by construction. Shuffled frames do not take their weights
#   along; a still clip is not weighed evenly. Much of a good-looking $M_t$ may be habit: compare
#   with other clips' truth and with a fixed curve.
# - Where $M_t$ begins decides whether it learns to look at the clip at all.
# - $T$ is part of the weights.
# - Edits belong to source frames and reach the network through the sampled indices.

# %% [markdown]
# ## Questions
#
# **Question 1.** The temporal head ends literally, in ReLU and sigmoid. An edit asks for 0 in every
# frame. What does the loss of equation (6) do, with $\gamma_t = 1$?
#
# 1. It falls to 0, but slowly.
# 2. It never falls below 0.25.
# 3. It falls to 0 with a larger $\gamma_t$.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: no weights reach below ½: $\sigma(\mathrm{ReLU}(x)) \ge \sigma(0)$.
# 2. **Right:** each frame stays at ½ or above, and costs $(½)^2$ or more.
# 3. No: $\gamma_t$ multiplies the loss. It does not change which values the tail can give.
#
# </details>
#
# **Question 2.** One frame is repeated $T$ times. What is $M_t$ of this clip?
#
# 1. It may differ from position to position.
# 2. The same for all positions, for the frames are equal.
# 3. 0, for nothing happens.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** $U$, $W_1$ and $W_2$ have weights of their own for each position, and zeros lie
#    beyond the ends.
# 2. No: so it would be if the head saw each frame by itself. This one has a row of weights for each
#    position.
# 3. No: no loss asks the head to be 0 where nothing moves.
#
# </details>
#
# **Question 3.** Over many clips, $M_t$ agrees with the truth of its own clip by 0.60, with that of
# other clips by 0.58. What do you conclude?
#
# 1. It looks at the right time.
# 2. It looks at the wrong clips.
# 3. Most of its agreement is habit.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: nearly all of the 0.60 is earned with the truth of clips that it has not seen.
# 2. No: $M_t$ of a clip comes from this clip alone. It is the truths that were exchanged.
# 3. **Right:** whoever says "the middle matters" of each clip earns as much with others' truth as
#    with its own.
#
# </details>
#
# **Question 4.** Eight of 16 frames matter equally. What is the most that a *softmax* over time can
# give to each of them at once?
#
# <details class="answers"><summary>The answer</summary>
#
# **0.125**, that is `1 / 8`: one unit of weight is shared by eight.
#
# - **1:** a sigmoid could. The weights of a softmax add up to 1.
# - **0.0625:** this is the share of *all* 16 frames. The eight that do not matter may get nothing.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** A literal head whose pre-activation is negative at a frame gives exactly ½ there. What
# gradient does a target of 1 send back to it? What follows for a frame that starts on the wrong
# side?

# %% tags=["hide-cell"]
x = torch.tensor([-2.0, -0.1, 0.1, 2.0], requires_grad=True)
F.mse_loss(torch.sigmoid(F.relu(x)), torch.ones(4), reduction="sum").backward()
print("pre-activation:", x.tolist())
print("gradient:      ", [round(g, 3) for g in x.grad.tolist()])
print("Left of 0 no gradient comes through ReLU. If that holds for every clip, the frame stays at")
print("one half whatever the target: the literal tail may also miss levels above one half.")

# %% [markdown]
# **2.** Build a temporal head that treats every position alike: score each frame from its own $h$
# with shared weights, then a sigmoid. Show that it passes the two tests that $M_t$ fails. What can
# it not do that ours can?


# %% tags=["hide-cell"]
class PerFrameHead(nn.Module):
    """h (N, K, T, H', W') → (N, T): GAP over space, then one FC–ReLU–FC for all frames."""

    def __init__(self, num_classes, hidden=16):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(num_classes, hidden), nn.Linear(hidden, 1)

    def forward(self, h):
        s = h.mean(dim=(3, 4)).transpose(1, 2)  # (N, T, K)
        return torch.sigmoid(self.fc2(F.relu(self.fc1(s)))).squeeze(2)  # (N, T)


alike = PerFrameHead(K)
with torch.no_grad():
    torch.testing.assert_close(alike(h[:, :, order]), alike(h)[:, order])
    flat = alike(h[:, :, :1].expand(-1, -1, T, -1, -1))
print(f"shuffled along: yes. Still h: weights span {flat.min():.4f} to {flat.max():.4f}")
print("It reads any T. But it cannot compare a frame with the rest of the clip, nor learn that")
print("some part of a clip tends to matter more.")

# %% [markdown]
# **3.** An edit of a video of 32 frames has 20 frames at level 0, 4 at 0.25 and 8 at 1. What is the
# literal tail's floor? Check it without training: the best it could do is known for each frame.

# %% tags=["hide-cell"]
target = torch.tensor([0.0] * 20 + [0.25] * 4 + [1.0] * 8)
best = target.clamp(min=0.5)  # the nearest value the tail can give
print(f"by hand: (20 · 0.25 + 4 · 0.0625 + 8 · 0) / 32 = {(20 * 0.25 + 4 * 0.0625) / 32:.5f}")
print(f"found:   {F.mse_loss(best, target):.5f}")
