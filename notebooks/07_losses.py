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
# # 7. The losses
#
# *Any laptop, no GPU: about 10 seconds on two CPU cores.*
#
# **The question.** ST-ABN gives two answers, one from the attention branch and one from the
# perception branch, and two attentions that nobody has labelled. Which loss teaches which part?

# %% tags=["hide-input"]
import math

import torch
from matplotlib import colormaps
from matplotlib.patches import Rectangle
from torch import nn

from stabn.figures import temporal_figure
from stabn.figures.sheet import COLOURS, FAINT, LINES, MARKERS, Sheet, ink_on, styled
from stabn.losses import classification_loss, temporal_loss
from stabn.models.attention import TemporalHead
from stabn.models.st_abn import STABN

torch.set_num_threads(1)  # these tensors are small: a second thread would only wait
_ = torch.manual_seed(0)

# %% [markdown]
# ## Cross-entropy by hand
#
# Softmax turns logits into probabilities. Cross-entropy is minus the logarithm of the probability
# that the true class was given:
#
# $$ p_k = \frac{e^{z_k}}{\sum_l e^{z_l}}, \qquad \mathrm{CE}(z, y) = -\log p_y . $$
#
# Take two classes and the logits $(\log 3,\ 0)$. Then $p = (3/4,\ 1/4)$. If class 0 is true the
# loss is $\log(4/3)$; if class 1 is true it is $\log 4$. Being sure and wrong costs more.


# %%
def cross_entropy_of_one(z: torch.Tensor, y: int) -> torch.Tensor:
    """Logits (K,) and the true class → scalar."""
    p = z.exp() / z.exp().sum()  # (K,)
    return -p[y].log()


z = torch.tensor([math.log(3), 0.0])
for y, by_hand in ((0, math.log(4 / 3)), (1, math.log(4))):
    found = cross_entropy_of_one(z, y)
    print(f"true class {y}: by hand {by_hand:.4f}, in code {found:.4f}")
    assert math.isclose(found, by_hand, rel_tol=1e-6)

# %% [markdown]
# Its gradient is the simplest there is: the probabilities, less 1 at the true class. The true
# class is pulled up by what it lacks, every other class is pushed down by what it has.

# %%
z.requires_grad_()
cross_entropy_of_one(z, 0).backward()
print("expected  p − onehot =", [3 / 4 - 1, 1 / 4])
print("found              ∇ =", z.grad.tolist())
torch.testing.assert_close(z.grad, torch.tensor([-0.25, 0.25]))

# %% [markdown]
# ## Equation (4): two cross-entropies, one sum
#
# $$ \mathcal{L}(x_i) = \mathcal{L}_{att}(x_i) + \mathcal{L}_{per}(x_i) \tag{4} $$
#
# Both branches answer the same question, and both losses compare with the same label. They have
# equal weight, and each is averaged over the batch.


# %%
def open_classification_loss(logits, attention_logits, labels):
    """Both logits (N, K), labels (N,) → L, L_att, L_per."""
    n = len(labels)
    l_att = sum(cross_entropy_of_one(attention_logits[i], labels[i]) for i in range(n)) / n
    l_per = sum(cross_entropy_of_one(logits[i], labels[i]) for i in range(n)) / n
    return l_att + l_per, l_att, l_per


N, K, T = 4, 6, 8
logits, attention_logits = torch.randn(2, N, K)
labels = torch.tensor([0, 1, 2, 3])
ours = open_classification_loss(logits, attention_logits, labels)
library = classification_loss(logits, attention_logits, labels)
torch.testing.assert_close(ours, tuple(library))
print("logits", tuple(logits.shape), "→ L, L_att, L_per =", [round(v.item(), 4) for v in library])

# %% [markdown]
# A number worth knowing by heart: a network that knows nothing gives every class $1/K$, and its
# loss is $\log K$ in each branch. A first loss far above $2 \log K$ says that something is wrong.

# %%
nothing = classification_loss(torch.zeros(N, K), torch.zeros(N, K), labels)
for classes, name in ((K, "here"), (174, "Something-Something v2")):
    print(f"K = {classes:3d}, {name}: 2·log K = {2 * math.log(classes):.3f}")
print(f"found for all-zero logits, K = {K}: {nothing.total:.3f}")
assert math.isclose(nothing.total, 2 * math.log(K), rel_tol=1e-6)

# %% [markdown]
# ## Which loss reaches which part
#
# Nobody labels the attention. M_s and M_t are good if the answer that was made *with* them is
# good. So it matters where each gradient can go. Here is a small ST-ABN, a batch of noise, and
# the two losses. Dropout is off, so that every run of this cell gives the same numbers.

# %%
model = STABN("small", K, T, dropout=0.0)
clip = torch.randn(N, 3, T, 48, 48)  # (N, C, T, H, W)
out = model(clip)
loss = classification_loss(out.logits, out.attention_logits, labels)
print("logits", tuple(out.logits.shape), " attention logits", tuple(out.attention_logits.shape))
print("M_s", tuple(out.spatial_attention.shape), " M_t", tuple(out.temporal_attention.shape))
print(f"L_att {loss.attention:.3f} + L_per {loss.perception:.3f} = {loss.total:.3f}")

# %% [markdown]
# For each part of the network we take the length of the gradient of all its parameters together.
# `None` means that no path leads from the loss back to that part: it has no gradient at
# all.

# %%
PARTS = {  # in the order in which the data meets them
    "extractor: stem": ("backbone.conv1.", "backbone.bn1."),
    "extractor: stages": ("backbone.layer1.", "backbone.layer2."),
    "branch: stage": ("attention_branch.stage.",),
    "branch: to h": ("attention_branch.to_classes.",),
    "branch: class head": ("attention_branch.class_head.",),
    "branch: spatial head": ("attention_branch.spatial_head.",),
    "branch: temporal head": ("attention_branch.temporal_head.",),
    "fusion": ("fusion.",),
    "perception branch": ("backbone.layer3.", "backbone.norm.", "backbone.fc."),
}


def gradients(model: nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor | None]:
    """Part → gradient of all its parameters in one row, or None where the loss does not reach."""
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    grads = torch.autograd.grad(loss, named.values(), retain_graph=True, allow_unused=True)
    found = {}
    for part, prefixes in PARTS.items():
        own = [g for n, g in zip(named, grads, strict=True) if n.startswith(prefixes)]
        reached = [g.flatten() for g in own if g is not None]
        found[part] = torch.cat(reached) if reached else None
    return found


# %% [markdown]
# Two more columns, to see what would happen otherwise. **Maps detached:** M_s and M_t are used in
# the fusion, but the gradient is stopped at them. **Control:** the matched control of Table 1,
# whose attention is held constant. Both are one argument in the library.

# %%
f = model.features(clip)  # (N, C, T, H', W')
branch = model.attention_branch(f)
detached = model.from_features(
    f,
    spatial_attention=branch.spatial_attention.detach(),
    temporal_attention=branch.temporal_attention.detach(),
)
stopped = classification_loss(detached.logits, branch.logits, labels)

control = STABN("small", K, T, dropout=0.0, constant_attention=(0.5, 0.5))
control.load_state_dict(model.state_dict())
held = control(clip)
held_loss = classification_loss(held.logits, held.attention_logits, labels)

flow = {
    "$L_{att}$": gradients(model, loss.attention),
    "$L_{per}$": gradients(model, loss.perception),
    "$L_{att}+L_{per}$": gradients(model, loss.total),
    "$L_{per}$, maps\ndetached": gradients(model, stopped.perception),
    "$L_{per}$,\ncontrol": gradients(control, held_loss.perception),
}

# %% [markdown]
# What must come out follows from the wiring alone. 1: the gradient arrives; 0: it cannot.

# %%
EXPECTED = {  #               L_att L_per both detached control
    "extractor: stem": "       1     1     1     1       1",
    "extractor: stages": "     1     1     1     1       1",
    "branch: stage": "         1     1     1     0       0",
    "branch: to h": "          1     1     1     0       0",
    "branch: class head": "    1     0     1     0       0",
    "branch: spatial head": "  0     1     1     0       0",
    "branch: temporal head": " 0     1     1     0       0",
    "fusion": "                0     1     1     1       1",
    "perception branch": "     0     1     1     1       1",
}
for part, row in EXPECTED.items():
    found = [int(column[part] is not None) for column in flow.values()]
    assert found == [int(mark) for mark in row.split()], part
print("all", len(EXPECTED) * len(flow), "cells as expected")


# %% tags=["hide-input"]
@styled
def flow_figure(flow: dict) -> Sheet:
    """Gradient norms, parts by losses; a hatched cell is one that the loss cannot reach."""
    sheet = Sheet(3.9, layout="constrained")
    axes = sheet.subplots()
    low, high = -2.0, 2.0  # powers of ten at the ends of the colour scale
    for x, column in enumerate(flow.values()):
        for y, gradient in enumerate(column.values()):
            box = {"xy": (x - 0.48, y - 0.46), "width": 0.96, "height": 0.92}
            if gradient is None:
                axes.add_patch(Rectangle(**box, fc="white", ec=FAINT, hatch="///"))
                continue
            norm = gradient.norm().item()
            shade = min(max((math.log10(norm) - low) / (high - low), 0), 1)
            axes.add_patch(Rectangle(**box, fc=colormaps["viridis"](shade)))
            axes.text(x, y, f"{norm:.2g}", ha="center", va="center", color=ink_on(shade))
    axes.set(xlim=(-0.5, len(flow) - 0.5), ylim=(len(PARTS) - 0.5, -0.5))
    axes.set_xticks(range(len(flow)), flow.keys())
    axes.set_yticks(range(len(PARTS)), PARTS.keys())
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    return sheet


# %%
#| fig-alt: Gradient norms of nine parts under five losses; hatched cells cannot be reached
flow_figure(flow)

# %% [markdown]
# Read it column by column. Numbers are gradient norms of this untrained network, yellow is
# largest; hatched cells cannot be reached.
#
# - **L_att** trains the extractor, the branch's stage, h and the class head, and stops there. It
#   knows nothing of the two maps. It is what makes h a stack of *class* maps.
# - **L_per** trains the perception branch and the fusion, then goes back on two roads: through f,
#   and through M_s and M_t into both heads and on into h. It skips only the class head.
# - **Maps detached:** the second road is closed. The heads are then reached by *neither* loss and
#   would stay the random functions that they were at the start.
# - **Control:** the same picture, for another reason. Constant maps have nothing to pass on.
#
# Closing the second road changes no answer, only the learning: the forward pass is the same.

# %%
torch.testing.assert_close(detached.logits, out.logits)
gap = flow["$L_{per}$"]["extractor: stem"] - flow["$L_{per}$, maps\ndetached"]["extractor: stem"]
share = gap.norm() / flow["$L_{per}$"]["extractor: stem"].norm()
print("logits with the maps detached: the same")
print(
    f"gradient of L_per at the stem: the part through the maps is {share:.0%} as long as all of it"
)

# %% [markdown]
# Gradients add, so the third column is the sum of the first two, vector by vector. The norms in
# the figure do not add: two gradients may pull in different directions. In the parts that both
# losses reach, the cosine between the two pulls says how far they agree (1: same way, 0:
# unrelated).

# %%
l_att, l_per, both = list(flow.values())[:3]
for part in PARTS:
    parts = [g for g in (l_att[part], l_per[part]) if g is not None]
    torch.testing.assert_close(both[part], sum(parts), rtol=1e-3, atol=1e-5)
    if len(parts) == 2:
        cosine = torch.cosine_similarity(*parts, dim=0)
        print(f"{part:20s} cosine(∇L_att, ∇L_per) = {cosine:+.2f}")

# %% [markdown]
# In high dimensions two unrelated vectors are nearly at right angles. That is what an untrained
# network shows: the two losses have not yet found anything to agree on.
#
# ## Equation (6): a teacher for M_t
#
# When people edit M_t ([reading attention](12_reading_attention.ipynb) shows why they would), the
# edit M_t′ becomes a target. Fine-tuning adds a third loss, the mean squared error over the
# frames of the clip:
#
# $$ \mathcal{L}_{temp}(x_i) = \gamma_t \frac{1}{n} \sum_{j=1}^{n}
# \left( \{M_t'(x_i)\}_j - \{M_t(x_i)\}_j \right)^2 \tag{6} $$
#
# Here $n$ is "the number of input frames": the T frames of the clip, not the frames of the whole
# video and not the clips in the batch.


# %%
def open_temporal_loss(m_t: torch.Tensor, target: torch.Tensor, gamma: float) -> torch.Tensor:
    """Equation (6) for one clip: M_t (T,), M_t′ (T,) → scalar."""
    n = len(m_t)
    return gamma * sum((target[j] - m_t[j]) ** 2 for j in range(n)) / n


m_t = torch.tensor([0.2, 0.6], requires_grad=True)
target = torch.tensor([0.0, 1.0])
value = open_temporal_loss(m_t, target, gamma=10.0)
value.backward()
print(f"by hand 10 · (0.2² + 0.4²) / 2 = {10 * (0.2**2 + 0.4**2) / 2:.2f}; found {value:.2f}")
found = [round(g, 4) for g in m_t.grad.tolist()]
print(f"gradient by hand 10 · 2/2 · (M_t − M_t′) = [2, −4]; found {found}")
torch.testing.assert_close(m_t.grad, torch.tensor([2.0, -4.0]))

# %% [markdown]
# A batch mixes edited and unedited clips. The library averages over the *edited* clips; the
# others have no part in it. Below, the second clip is not edited, and its target is never read.

# %%
m_t = torch.tensor([[0.2, 0.6], [0.9, 0.9], [0.0, 1.0]])  # (N, T)
target = torch.tensor([[0.0, 1.0], [math.nan, math.nan], [0.5, 0.5]])
edited = torch.tensor([True, False, True])
by_hand = (10 * (0.2**2 + 0.4**2) / 2 + 10 * (0.5**2 + 0.5**2) / 2) / 2
looped = [open_temporal_loss(m_t[i], target[i], 10.0) for i in range(3) if edited[i]]
library = temporal_loss(m_t, target, edited, gamma=10.0)
torch.testing.assert_close(sum(looped) / len(looped), library)
print(f"by hand {by_hand:.3f}, clip by clip {sum(looped) / 2:.3f}, library {library:.3f}")

# %% [markdown]
# Which parts does it reach? The temporal head, h, the branch's stage, and the extractor too,
# unless that is frozen. In the paper it is: fine-tuning does not update the extractor.

# %%
edit, everyone = torch.rand(N, T), torch.ones(N, dtype=torch.bool)
free = temporal_loss(out.temporal_attention, edit, everyone, gamma=10.0)
frozen = model.from_features(model.features(clip).detach())  # f is given, not learnt
fixed = temporal_loss(frozen.temporal_attention, edit, everyone, gamma=10.0)
columns = gradients(model, free), gradients(model, fixed)
print(f"{'norm of the gradient':22s} {'L_temp':>8s} {'extractor frozen':>18s}")
for part in PARTS:
    cells = ["none" if c[part] is None else f"{c[part].norm():.3f}" for c in columns]
    print(f"{part:22s} {cells[0]:>8s} {cells[1]:>18s}")
reached = {part for part in PARTS if columns[1][part] is not None}
assert reached == {"branch: stage", "branch: to h", "branch: temporal head"}

# %% [markdown]
# Two things to note. L_temp never touches the spatial head itself: if M_s changes after
# fine-tuning, it does so through h, which both heads read, or through L_per. And the fusion and
# the perception branch are not told to *use* the new M_t; only L_per can teach them that.
#
# ## What γ_t means depends on the divisor
#
# The paper sets γ_t = 10 and does not say by what the sum over a batch is divided. With $E$
# edited clips in a batch of $N$ there are two readings:
#
# - divide by $E$, as here: L_temp weighs $\gamma_t$ in every batch that holds an edited clip;
# - divide by $N$: it weighs $\gamma_t E / N$.
#
# The paper edited 2,396 of 168,913 training videos. If all of them are trained on, in batches of
# 64, $E$ follows a binomial distribution, and the two readings can be worked out.

# %%
n_edited, n_train, batch, gamma = 2396, 168_913, 64, 10.0
rate = n_edited / n_train
counts = range(batch + 1)
probability = [math.comb(batch, e) * rate**e * (1 - rate) ** (batch - e) for e in counts]
per_edited = sum(p * gamma for e, p in zip(counts, probability, strict=True) if e > 0)
per_batch = sum(p * gamma * e / batch for e, p in zip(counts, probability, strict=True))
print(f"edited clips: {rate:.2%} of train; batches without any: {probability[0]:.1%}")
print(f"mean weight of L_temp, divided by edited clips: {per_edited:.2f}")
print(f"mean weight of L_temp, divided by the batch:    {per_batch:.2f}")
print(f"the same γ_t = {gamma:.0f}, a factor of {per_edited / per_batch:.0f} between them")
assert math.isclose(per_batch, gamma * rate)  # its mean is γ_t times the edited share, exactly


# %% tags=["hide-input"]
@styled
def divisor_figure(probability: list, gamma: float, batch: int, most: int = 6) -> Sheet:
    """Left: how often a batch holds E edited clips. Right: the weight of L_temp in that batch."""
    sheet = Sheet(2.6, layout="constrained")
    left, right = sheet.subplots(1, 2)
    edited = list(range(most + 1))
    left.bar(edited, probability[: most + 1], color=COLOURS[0], edgecolor="white", hatch="//")
    for e in edited:
        left.text(e, probability[e] + 0.01, f"{probability[e]:.1%}", ha="center", fontsize=8.5)
    left.set(xlabel=f"edited clips E in a batch of {batch}", ylabel="share of batches")
    weights = {
        "divided by E": [gamma if e else 0.0 for e in edited],
        "divided by N": [gamma * e / batch for e in edited],
    }
    for i, (name, values) in enumerate(weights.items()):
        style = {"color": COLOURS[i], "linestyle": LINES[i], "marker": MARKERS[i]}
        right.plot(edited, values, label=name, **style)
        right.text(edited[-1], values[-1] + 0.35, f"{values[-1]:.2f}", ha="right", fontsize=8.5)
    right.set(
        xlabel="edited clips E in the batch", ylabel="weight of L_temp", ylim=(-0.4, gamma + 1.2)
    )
    right.legend(loc="center right")
    return sheet


# %%
#| fig-alt: Left, most batches hold no or one edited clip; right, weight of L_temp for two divisors
divisor_figure(probability, gamma, batch)

# %% [markdown]
# Left: how often a batch of 64 holds $E$ edited clips; most hold none or one. Right: divided by
# $E$ the weight is γ_t as soon as there is one edited clip; divided by $N$ it is a small fraction
# of that, even with six. A γ_t without its divisor says little, so both must be stated.
#
# ## A floor that γ_t cannot lower
#
# A loss can ask only for what the network can say. The paper's sentence puts M_t behind a ReLU
# and a sigmoid, so M_t ≥ 0.5 ([the temporal head](05_temporal_head.ipynb)). An edit may have any
# level in $[0, 1]$. Each frame edited to 0 then costs at least $0.5^2$, whatever the weights. We let both
# tails learn one edit by heart.

# %%
edit = torch.tensor([[0, 0, 0, 0.5, 1, 1, 0.5, 0]])  # (1, T)
floor = 10.0 * (0.5 - edit).clamp(min=0).square().mean()
h = torch.rand(1, K, T, 4, 4, generator=torch.Generator().manual_seed(1))
learnt, final = {}, {}
for name, tail in (("FC–ReLU–FC–sigmoid", "two_fc"), ("FC–ReLU–sigmoid, literal", "literal")):
    torch.manual_seed(1)
    head = TemporalHead(K, T, tail)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.03)
    for _ in range(120):
        fit = temporal_loss(head(h), edit, torch.tensor([True]), gamma=10.0)
        optimiser.zero_grad()
        fit.backward()
        optimiser.step()
    learnt[name], final[name] = head(h)[0].detach().numpy(), fit.item()
    print(f"{name:25s} L_temp after 120 steps: {final[name]:.4f}")
print(f"floor of the literal tail, by hand 10 · {(edit == 0).sum()} · 0.5² / {T} = {floor:.4f}")
assert final["FC–ReLU–FC–sigmoid"] < 0.01
assert final["FC–ReLU–sigmoid, literal"] > floor - 1e-4

# %%
#| fig-alt: M_t of two tails fitted to one edit; the literal one stays at 0.5 where the edit is 0
temporal_figure(learnt, levels=edit[0].numpy(), levels_name="edit")

# %% [markdown]
# Hatched: the edit. The two-layer tail follows it everywhere. The literal tail reaches the ones
# and the halves and lies flat at 0.5 where the edit says 0. This is why the published code, and
# our default, has a second layer there.
#
# ## Where this leads
#
# Human knowledge is Part IV's subject. It begins with [reading
# attention](12_reading_attention.ipynb). Edits then become M_t′ by source frame index, and
# fine-tuning minimises $\mathcal{L}_{att} + \mathcal{L}_{per} + \mathcal{L}_{temp}$ (equation
# (5)) with the extractor frozen. Such a claim needs a second network beside it, fine-tuned in the
# same way but without L_temp: only the difference between the two is owed to human knowledge.
# Before that, all parts must stand together: [ST-ABN assembled](08_st_abn.ipynb).
#
# ## What we learned
#
# - Equation (4) is two cross-entropies on one label. A network that knows nothing starts near
#   $2\log K$.
# - L_att cannot reach the fusion, the perception branch or the two attention heads. The heads
#   learn from L_per alone, through M_s and M_t; with constant attention that road is closed.
# - Stopping the gradient at the maps leaves every answer as it is and leaves both heads
#   untrained.
# - In equation (6) $n$ is the number of frames in the clip. γ_t has a meaning only together with
#   the divisor over the batch; we divide by the edited clips.
# - The literal temporal tail has a floor under L_temp that no γ_t can lower.

# %% [markdown]
# ## Questions
#
# **Question 1.** The gradient is stopped at $M_s$ and $M_t$. Which loss trains the temporal head?
#
# 1. $L_{att}$, for it is the attention branch's loss.
# 2. None.
# 3. $L_{per}$, through $f$.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: its way goes from $h$ to the class head. It does not pass the temporal head.
# 2. **Right:** $L_{per}$ reaches the head through $M_t$ alone, and this way is closed.
# 3. No: this road leads into the extractor, and passes no head.
#
# </details>
#
# **Question 2.** Fine-tuning brings $L_{temp}$ to nearly 0, and not one answer changes. Can that
# be?
#
# 1. No: $M_t$ is part of the computation.
# 2. Only if $\gamma_t$ was too small.
# 3. Yes: $L_{temp}$ does not ask that anything uses $M_t$.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: it is, and yet later layers may make little of it, or make up for it.
# 2. No: $L_{temp}$ near 0 says that it was large enough.
# 3. **Right:** only $L_{per}$ can teach that, and it may be content.
#
# </details>
#
# **Question 3.** Somebody divides $L_{temp}$ by all clips of a batch, with $\gamma_t = 10$. You
# divide by the edited ones, with the same $\gamma_t$. Few videos are edited. What follows?
#
# 1. Your edits pull much harder.
# 2. Nothing: $\gamma_t$ is the same.
# 3. Your edits pull more weakly.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** with one edited clip in 64 your weight is 64 times theirs.
# 2. No: $\gamma_t$ has a meaning only together with its divisor.
# 3. No: you divide by the smaller number.
#
# </details>
#
# **Question 4.** A fresh network has $K = 10$ classes and gives each the same probability. How
# large is the loss of equation (4)? (Two decimals.)
#
# <details class="answers"><summary>The answer</summary>
#
# **4.61**, that is `2 * math.log(10)`: $\log K$ in each of the two branches.
#
# - **2.30:** this is one branch. Equation (4) adds two.
# - **2:** this takes the logarithm to the base 10; cross-entropy has the natural one.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Cross-entropy's gradient is $p - \text{onehot}$. What do the K numbers of it add up to,
# and why? Check it on the batch above.

# %% tags=["hide-cell"]
free_logits = logits.clone().requires_grad_()
classification_loss(free_logits, None, labels).total.backward()
print("sums per clip:", [round(v, 7) + 0.0 for v in free_logits.grad.sum(dim=1).tolist()])
print("p adds up to 1, and so does the one-hot label: they cancel.")
assert free_logits.grad.sum(dim=1).abs().max() < 1e-6

# %% [markdown]
# **2.** Train the small network for five steps with the maps detached. Which parameters are
# exactly where they began?

# %% tags=["hide-cell"]
student = STABN("small", K, T, dropout=0.0)
before = {name: p.detach().clone() for name, p in student.named_parameters()}
optimiser = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9)
for _ in range(5):
    f = student.features(clip)
    branch = student.attention_branch(f)
    m_s, m_t = branch.spatial_attention.detach(), branch.temporal_attention.detach()
    answer = student.from_features(f, spatial_attention=m_s, temporal_attention=m_t)
    optimiser.zero_grad()
    classification_loss(answer.logits, branch.logits, labels).total.backward()
    optimiser.step()
same = {n.rpartition(".")[0] for n, p in student.named_parameters() if torch.equal(p, before[n])}
print("unmoved:", *sorted(same), sep="\n  ")
assert same
assert all(".spatial_head." in n or ".temporal_head." in n for n in same)

# %% [markdown]
# **3.** A frame has M_t = 0.999 and is edited to 0; another has M_t = 0.7 and is edited to 0.
# Which of the two does L_temp move faster? Work out the gradient *before* the sigmoid.

# %% tags=["hide-cell"]
pre = torch.logit(torch.tensor([[0.999, 0.7]])).requires_grad_()  # (1, T)
temporal_loss(pre.sigmoid(), torch.zeros(1, 2), torch.tensor([True]), gamma=10.0).backward()
by_hand = [10 * m * m * (1 - m) for m in (0.999, 0.7)]  # γ · 2/n · M_t · M_t(1 − M_t), n = 2
print(
    "by hand", [round(v, 4) for v in by_hand], " found", [round(v, 4) for v in pre.grad[0].tolist()]
)
print("The surest frame moves slowest: a saturated sigmoid hardly passes a gradient on.")

# %% [markdown]
# **4.** You want the divisor to be the batch, and the same mean weight of L_temp as with our
# divisor. Which γ_t do you set, at the paper's share of edited videos?

# %% tags=["hide-cell"]
print(f"γ_t = {gamma * per_edited / per_batch:.0f} in place of {gamma:.0f}")
