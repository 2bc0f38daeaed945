# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["install", "remove-cell"]
import importlib.util

if importlib.util.find_spec("mrrepro") is None:
    raise SystemExit(
        "mrrepro is not installed, and this copy names no address to install it from: "
        "its owner has not yet set repository and release in pyproject.toml. "
        "Clone the project and run this notebook there (python3 tasks.py setup)."
    )

# %% [markdown]
# # The network and its three trainings
#
# **The claim.** A track of encoders for each image and a track of decoders for each conductor, joined at every level,
# maps slices of images to slices of conductivity. Three networks, one a slice direction, are trained with a
# cross-entropy in minutes, and the mean of their volumes is the result (section III-B, section IV-A and Fig. 4 of
# {cite}`rashed2020`).
#
# **What you will be able to do.** Build the network from Table II, which contradicts itself in eight places; say what a
# cross-entropy means for a target that is no class; train, stop and go on; read a validation curve that is measured on
# neighbours of the training slices.
#
# **Time.** Seconds at `smoke`, two to three minutes at `demo`; what `paper` took on a large GPU
# stands under [paper scale](../../book/paper_scale.md).
#
# **Limits.** Rate, initialisation and augmentation are not in the paper. The rate at `paper` is the optimiser's
# default. The shorter trainings of the other scales take a larger one that falls to zero along half a cosine, and start
# at the mean of the targets: both are measured below.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or synthseg_heads, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name, e.g. {"training.epochs": 2.0, "network.depth": 5}

# %%
import numpy as np
from matplotlib import pyplot as plt

from mrrepro.metrics.evidence import claim_rows, record_claims
from mrrepro.networks.condnet import CondNet
from mrrepro.papers.condnet.checks import measured_sizes, table2_mismatches
from mrrepro.papers.condnet.evidence import RecordedSweeps, excess_loss
from mrrepro.papers.condnet.maps import DIRECTIONS
from mrrepro.papers.condnet.settings import CondNetSettings
from mrrepro.papers.condnet.stages import TRAININGS
from mrrepro.papers.condnet.table2 import CONTRADICTIONS, table_parameter_count, table_sizes
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run

# %%
run = open_run("condnet", "02_network", CondNetSettings, globals())
recorded = RecordedSweeps("demo")

# %% [markdown]
# ## Table II, resolved
#
# With $U$ images, $V$ conductors and depth $I$: encoder $i$ of each image has $2^{i+1}$ filters of $R \times R$ and
# halves the slice; a deconvolution brings the deepest features to the hub; from there each conductor's track convolves
# ($S \times S$, $2^{i+2}$ filters), doubles the slice, and makes *maps* ($T \times T$, a sigmoid), which are joined
# with the encoders' features of that level. The last map is the normalised conductivity. The printed table cannot be
# built:

# %%
show_table(
    [
        {"row": c.row.replace("|", ""), "printed": c.printed, "in conflict with": c.conflict, "built here": c.resolved}
        for c in CONTRADICTIONS
    ],
    caption="Where the printed Table II contradicts itself, and what is built.",
    name="tab-contradictions",
)

# %%
import torch

design = run.settings.network.design(1)
side = 2 ** (design.depth + 2)
network = CondNet(design).eval()
sizes = measured_sizes(network, torch.zeros(1, design.inputs, side, side))
expected = table_sizes(design, side)
weights = sum(parameter.numel() for parameter in network.parameters())
show_text(
    f"The network of this run has {weights} weights, as the table's formulas say ({table_parameter_count(design)}); "
    f"{sum(sizes[name] == size for name, size in expected.items())} of {len(expected)} layer outputs have the "
    "table's "
    f"size, and over four designs with other $U$, $V$, $I$ and kernels {table2_mismatches():.0f} do not."
)

# %% [markdown]
# ## A cross-entropy for numbers
#
# The target $t \in [0, 1 - \tau]$ is the conductivity over the largest of the table, times $1 - \tau$ with $\tau =
# 0.1$; the output $p \in (0, 1)$ is a sigmoid. The loss is
#
# $$ -t \ln p - (1 - t) \ln (1 - p), $$
#
# whose minimum over $p$ lies at $p = t$. It is linear in $t$, so that where the images leave $t$ open the best output
# is its mean ({ref}`ex-unbiased`). The minimum is the entropy of $t$ and not zero: what is to be watched is the
# *excess* over it. Its curvature at $p = t$ is $1 / (t (1 - t))$: an error of given size weighs most where $t$ is near
# 0, as in bone and fat, or near 1. That is one difference to a squared error.
# <!-- typed: 0.1: tau of the paper -->

# %% tags=["hide-input"]
target = np.array([0.9 * 0.02 / 2.0, 0.9 * 0.1 / 2.0, 0.45, 0.9])
output = np.linspace(1e-3, 0.999, 400)
figure, panel = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for t, name in zip(target, ("cortical bone", "grey matter", "half of the range", "fluid"), strict=True):
    entropy = -t * np.log(t) - (1 - t) * np.log(1 - t)
    panel.plot(output, -t * np.log(output) - (1 - t) * np.log(1 - output) - entropy, label=f"{name}, t = {t:.3g}")
panel.set(xlabel="output p", ylabel="excess loss [nat]", ylim=(0, 1))
panel.legend(fontsize=8)
show(
    figure,
    alt="Four curves of loss against output, each zero at its target. Those of small targets are steep to the "
    "left of "
    "it and rise slowly to the right; the one at half of the range is symmetric.",
    caption="Cross-entropy above its minimum, for four targets.",
    name="fig-cross-entropy",
)

# %% [markdown]
# ## Three trainings
#
# All slices of the training heads that hold a part of a head, shuffled and split 9:1. Note what that validates: a slice
# is one voxel from its neighbours of the same head, which are trained on. The paper does the same; we keep the curve
# for [Fig. 4](#fig-losses) and judge everything else on heads apart.

# %%
histories = {}
for direction, stage in zip(DIRECTIONS, TRAININGS, strict=True):
    histories[direction] = run.make(stage).json("history.json")

# %% tags=["hide-input"]
figure, panel = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
for number, (direction, history) in enumerate(histories.items()):
    entries = history["record"]["history"]
    epoch = run.settings.training.batch_size / history["slices"]
    steps = [(e["step"] * epoch, e["loss"] - history["entropy"]) for e in entries if "loss" in e]
    seen = [(e["step"] * epoch, e["validation"]["score"] - history["validation_entropy"]) for e in entries
            if "validation" in e]  # fmt: skip
    panel.semilogy(*zip(*steps, strict=True), color=f"C{number}", alpha=0.35, linewidth=0.8)
    panel.semilogy(*zip(*seen, strict=True), "o-", color=f"C{number}", markersize=3, label=direction)
panel.set(xlabel="epoch", ylabel="loss above the entropy [nat]")
panel.legend(fontsize=8, title="validation; faint: training")
show(
    figure,
    alt="Loss over epochs on a logarithmic axis for sagittal, coronal and axial slices: all fall steeply in "
    "the first "
    "epoch and slowly afterwards, and validation follows training.",
    caption="Training and validation loss of the three directions (the counterpart of the paper's Fig. 4).",
    name="fig-losses",
)

# %%
rows = []
for direction, history in histories.items():
    record = history["record"]
    last = [e["validation"]["score"] for e in record["history"] if "validation" in e][-1]
    rows.append({"direction": direction, "slices": history["slices"], "steps": record["steps"],
                 "seconds": record["seconds"], "validation loss": last,
                 "above the entropy": last - history["validation_entropy"]})  # fmt: skip
show_table(rows, caption="The three trainings of this run.", name="tab-trainings")

# %% [markdown]
# ## Where a training starts, and how fast it goes
#
# Four fifths of a slice are air, and the mean of the scaled conductivity is a few hundredths, where the sigmoid of a
# zero bias gives one half. A training that starts there spends its first steps on the mean, and the sigmoids *between*
# the levels, whose inputs are small at first, pass little on. With He's rule for the weights and the last bias at the
# log-odds of the mean, $b = \ln\bigl(\bar t / (1 - \bar t)\bigr)$, it starts where the other one arrives. Three
# trainings of the axial network with equally many steps, over seeds:

# %%
starts = {
    "headline": "at the mean, cosine",
    "drawn_start": "torch's rule, cosine",
    "default_rate": "at the mean, Adam's default rate",
}
rows = [
    {"start and rate": what, "excess validation loss [nat], by seed":
     " ".join(f"{value:.4f}" for value in excess_loss(recorded, "axial", variant))}
    for variant, what in starts.items() if recorded.runs(variant)
]  # fmt: skip
show_table(
    rows or [{"start and rate": "nothing is recorded at this scale"}],
    caption="Axial network, recorded at `demo`.",
    name="tab-starts",
)

# %% [markdown]
# ## Does a neck without image disturb the axial network?
#
# The paper's axial curve validates differently, which it explains by labels of a neck that the images do not show. That
# can be tried: let the images end higher than the labels (`images.images_end_below_mm`), train again, and compare the
# axial network's excess loss with that of the other two. Over seeds, from recorded runs:

# %%
compared = [
    {"labels end": where, **{d: " ".join(f"{v:.4f}" for v in excess_loss(recorded, d, variant)) for d in DIRECTIONS}}
    for variant, where in (("headline", "with the images"), ("neck", "below the images"))
    if recorded.runs(variant)
]
if compared:
    show_table(compared, caption="Excess validation loss [nat] by seed (recorded at `demo`).", name="tab-neck")

# %%
claims = recorded.claims()
record_claims(run, claims, ["neck_disturbs_axial"])
show_table(
    claim_rows(run, claims, ["neck_disturbs_axial"]),
    caption="What the recorded runs say of the neck.",
    name="tab-neck-claim",
)

# %% [markdown]
# ## Exercises
#
# ```{exercise} Unbiased
# :label: ex-unbiased
# A voxel is fluid with probability $q$ and grey matter otherwise, as far as the images tell. Which output minimises the
# expected cross-entropy? What does the map show there, and what would a segmentation?
# ```
#
# ```{solution} ex-unbiased
# :class: dropdown
# The expected loss is linear in $t$, so its minimum is at $p = \mathrm{E}\,t = q t_1 + (1 - q) t_2$: the mean. The map
# is smooth where the images are ambiguous. A segmentation takes one of the two and is wrong in the fraction $\min(q, 1
# - q)$ of such voxels, by the full contrast.
# ```
#
# ```{exercise} Fewer weights
# :label: ex-direction
# Set `overrides = {"network.map_kernel": 3}` or another depth and train again. What changes first: the loss, or the
# number of weights?
# ```
#
# ```{solution} ex-direction
# :class: dropdown
# The number of weights, before the first step. The smaller kernel of the maps takes off few of them; one level less
# takes off most, for the deepest level holds most, and halves the reach of the deepest features. The loss
# changes only as far as what was taken off was needed: compare the excess over the entropy, over several seeds.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
