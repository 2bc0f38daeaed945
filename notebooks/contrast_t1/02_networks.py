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
# # Five networks side by side
#
# **The claim.** Four variations of a pix2pix generator {cite}`isola2017` address what might limit it:
# initialisation, the last layers, a filter bank for each image, attention, residual blocks. None changes the result
# (section 4.2 of {cite}`vanoosterhoudt2023`).
#
# **What you will be able to do.** Read five architectures off one table; say what each costs at the thesis' size
# without running it; see why filters of three taps with stride two favour a checkerboard, and that four taps do not
# rule one out.
#
# **Time.** Seconds.
#
# **Limits.** The thesis does not state the depth, and its figures leave details open; what is chosen here stands in
# the register of deviations.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or open_ms, egd, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name

# %%
import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import nn

from mrrepro.networks.network_size import network_cost, receptive_field
from mrrepro.networks.unet3d import MODELS, UnetSize
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run

run = open_run("contrast_t1", "02_networks", ContrastT1Settings, globals())
NAMES = ("pix2pix generator in 3D", "fine-tuned", "modality specific", "attention", "residual")

# %% [markdown]
# ## One family
#
# Model 0 halves the volume with strided convolutions of four taps, doubles it with transposed ones, and joins both
# ways by skips. Models 1 to 4 are one body with other parts:
#
# | model | front | on each skip | before each (de)convolution |
# |---|---|---|---|
# | 1 | one stem at full resolution | nothing | nothing |
# | 2 | a branch for each image | nothing | nothing |
# | 3 | a branch for each image | attention gate {cite}`oktay2018` | nothing |
# | 4 | a branch for each image | nothing | residual block {cite}`he2016` |
#
# The cost at the thesis' size is found without running anything: on a device where tensors have shapes but no values.

# %%
paper, here = UnetSize(), run.settings.network.size()
volume = (1, 3, 160, 192, 160)
rows = []
for number, name in enumerate(NAMES):
    cost = network_cost(lambda n=number: MODELS[n](paper), volume)
    small = network_cost(lambda n=number: MODELS[n](here), (1, 3, 40, 48, 40))
    row = {"model": f"{number}: {name}", "weights [10^6]": cost.weights / 1e6}
    row |= {
        "forward [10^12 operations]": cost.forward_operations / 1e12,
        "kept for the gradient [GiB]": cost.saved_bytes / 2**30,
    }
    rows.append(row | {"weights at this scale": small.weights})
show_table(
    rows, caption=f"At 64 filters, depth {paper.depth} and 160 x 192 x 160 voxels, and at this scale.", name="tab-cost"
)

# %% [markdown]
# ## How far a voxel sees
#
# If the tumor's surroundings hold the evidence, a voxel of the core must see them. The receptive field is the part
# of the input that can change one output voxel: it is found here by following the gradient of one output through
# networks whose weights are all positive, so that nothing cancels.

# %%
thin, step = UnetSize(1, here.depth), 2**here.depth  # the number of filters does not matter
probe = (16 * step, 2 * step, 2 * step)  # long enough along the one axis that is measured; all axes are alike
fields = [receptive_field(MODELS[number](thin), probe, 3)[0] for number in range(5)]
mm, longest = run.settings.cohort.voxel_mm, max(volume[2:])  # the thesis' voxels are of 1 mm
sizes = [f"{field * mm} mm{', wider than the volume' if field * mm > longest else ''}" for field in fields]
show_text(
    "Receptive fields at this scale, along each axis: "
    + "; ".join(f"model {k} {field} voxels ({size})" for k, (field, size) in enumerate(zip(fields, sizes, strict=True)))
    + f". Patches of 64 mm are {64 // mm} voxels wide."
)

# %% [markdown]
# ## Where a checkerboard comes from
#
# A transposed convolution of stride two spreads each value over as many outputs as it has taps. With four taps
# every output is reached by two along an axis, with three by one and two in turn {cite}`odena2016`. Feed a
# constant, with all weights equal. With four taps unequal weights, which training may well give, make a checkerboard,
# too: the last number is that of weights drawn at random.
#
# The thesis suspects another cause (section 2.4): too few filters, three of them, in its last upsampling. Its remedy is
# 64 filters and a convolution after them, in models 1 to 4. Both may be true. More filters let a network even out what
# uneven overlap brings, and a convolution can smooth it; neither makes the overlap even. By the same models filters of
# four taps became filters of three, so that cause and remedy were changed at once, and the thesis' pictures cannot tell
# the two apart.
# <!-- typed: 64: filters in the thesis' text -->

# %%
patterns = []
for taps, padding, extra in ((4, 1, 0), (3, 1, 1)):
    layer = nn.ConvTranspose3d(1, 1, taps, stride=2, padding=padding, output_padding=extra, bias=False)
    nn.init.ones_(layer.weight)
    with torch.no_grad():
        patterns.append(layer(torch.ones(1, 1, 10, 10, 10))[0, 0, 4:16, 4:16, 9].numpy())
drawn = np.random.default_rng(0).uniform(0.5, 1.5, (4, 4, 4))  # output k is reached by the taps k and k + 2 of an axis
uneven = drawn.reshape(2, 2, 2, 2, 2, 2).sum((0, 2, 4))
spread = [float(np.ptp(pattern) / pattern.mean()) for pattern in (*patterns, uneven)]
show_text(
    f"Spread over mean of the output: {spread[0]:.2f} with four taps, {spread[1]:.2f} with three; {spread[2]:.2f} with "
    f"four taps whose weights lie between one half and one and a half."
)

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
for panel, pattern, title in zip(panels, patterns, ("four taps: model 0", "three taps: models 1 to 4"), strict=True):
    panel.imshow(pattern / pattern.max(), cmap="gray", vmin=0, vmax=1)
    panel.set(title=title, xticks=[], yticks=[])
show(
    figure,
    alt="Left, an even grey square. Right, a regular grid of bright, grey and dark squares: a checkerboard.",
    caption="A constant through a transposed convolution of equal weights. Training can even the right one out, but "
    "has to learn to; and it can make the left one uneven. The thesis saw the checkerboard in model 0, which has four "
    "taps, and in models 2 and 3, which have three; in models 1 and 4, which have three as well, it saw none. The taps "
    "do not decide it alone.",
    name="fig-checkerboard",
)

# %% [markdown]
# ## Exercise
#
# ```{exercise} One halving more
# :label: ex-depth
# Depth 5 is the largest that 160, 192, 128, 96 and 64 voxels allow alike. The tutorial has 8. Which of the five
# sizes allow 6, and what would happen at a bottleneck of one voxel under batch normalisation with batches of one?
# ```
#
# ```{solution} ex-depth
# :class: dropdown
# 64 = 2^6, 128 and 192 = 3 · 2^6 divide by 64; 160 and 96 do not. With one voxel and one volume the variance over
# batch and space is that of a single number: zero, and so is its distance from the mean, so that every feature comes
# out as its offset and the bottleneck says nothing. PyTorch refuses it; TensorFlow, from whose pix2pix the thesis
# started, does not.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
