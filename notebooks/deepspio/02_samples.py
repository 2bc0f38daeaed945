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
# # Samples: metaballs, tori and an endless stream
#
# **The claim.** A network can be trained on simulated images alone: random bodies of iron in images of brains, put
# through the forward model of the page before (section 3.2 of {cite}`dellamaggiora2022`).
#
# **What you will be able to do.** Draw the paper's bodies; put them into a slice of a real template; say what the
# network gets and what it is asked for; and check the wavelet transform that its target is made with.
#
# **Time.** Seconds at every scale; the stream that the training draws from is timed below.
#
# **Limits.** The images are slices of the MNI152 template, one average anatomy of T1 contrast, where the paper has
# proton-density images of the IXI data set. Each is shrunk until its longer side fills nine tenths of the field of view
# of 50 mm: the axes below are millimetres of that field of view, in which a brain is 45 mm long. The iron is simulated.
# Sizes, places and numbers of the bodies that the paper leaves open are listed under
# [deviations](../../book/deviations.md).

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or ixi_pd, hcp_mni152, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name, e.g. {"bodies.most": 5}

# %%
import time

import numpy as np
import torch

from mrrepro.networks.wavelet import CHANNELS, analyse, synthesise, wavelet_named
from mrrepro.papers.deepspio import plots, real_images
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.stages import IMAGES, TRAINING, sample_stream
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run

run = open_run("deepspio", "02_samples", DeepSpioSettings, globals())
undistorted = torch.tensor(run.make(IMAGES).arrays("images.npz")["train"])
stream = sample_stream(TRAINING.select(run.settings), undistorted, seed=run.seed, device="cpu")

# %% [markdown]
# ## Bodies
#
# Two families of shapes {cite}`blinn1982`: *metaballs*, the points with
#
# $$
# \sum_{i=1}^{N} \frac{1}{\lVert \mathbf{r} - \mathbf{r}_i \rVert^2} \ge l,
# $$
#
# and *tori* of tube radius $r$ around a circle of radius $R$. The paper draws $l$ between 0.01 and 0.05, $r$ between
# 2 and 4 and $R$ between 5 and 10, without a unit; here a unit is half a millimetre. All bodies of a sample have the
# same concentration $c$, and where they overlap concentrations add.
# <!-- typed: 0.01, 0.05: ranges of equation 2's threshold, settings of the paper -->
#
# Edges are smooth: a voxel that the surface cuts is partly filled. Without that a body that moves by a tenth of a
# voxel would change its field in steps, and a network would learn the steps.

# %%
batch = stream.batch(0, 6)
wavelet = wavelet_named(run.settings.network.wavelet)
coefficients = analyse(batch.concentration, wavelet)

# %% tags=["hide-input"]
show(
    plots.image_grid(
        [list(plots.combined(batch.images.numpy())), list(batch.concentration.numpy())],
        ["View Line", "iron"],
        [f"sample {index}" for index in range(6)],
        field_of_view_mm=run.settings.sequence.field_of_view_mm,
        maps=[plots.SIGNAL, plots.CONCENTRATION],
        bars=["signal [1]", plots.CONCENTRATION_LABEL],
        ranges=[(0.0, 1.2), None],
    ),
    alt="Six samples in two rows. Above, striped brain slices whose stripes bend around dark holes with bright rims. "
    "Below, the concentration maps: discs and pairs of discs of uniform colour where the holes are.",
    caption="Samples of the stream: what the scanner gives (both channels together) and what is asked for.",
    name="fig-samples",
)

# %% [markdown]
# ## The target: one level of a wavelet transform
#
# The network does not predict the map but the four channels of its one-level wavelet transform, each of half the
# size {cite}`mallat1989`. Ours is a circular convolution with stride 2 in torch; it has to be what everybody else's is,
# and it has to be invertible.

# %%
import pywt

low, (horizontal, vertical, diagonal) = pywt.dwt2(batch.concentration.numpy(), wavelet.name, mode="periodization")
theirs = np.stack([low, horizontal, vertical, diagonal], axis=1)
difference = float(np.abs(coefficients.numpy() - theirs).max() / np.abs(theirs).max())
loss = float((synthesise(coefficients, wavelet) - batch.concentration).abs().max() / batch.concentration.max())
show_text(
    f"The largest difference from pywavelets is {difference:.1e} of the largest coefficient, and the map comes back "
    f"from its coefficients to {loss:.1e} of its maximum, both in single precision."
)

# %% tags=["hide-input"]
show(
    plots.image_grid(
        [list(coefficients[0].numpy())],
        [wavelet.name],
        list(CHANNELS),
        field_of_view_mm=run.settings.sequence.field_of_view_mm,
        maps=[plots.DIFFERENCE],
        bars=["coefficient [µg/mm³]"],
        side=2.2,
    ),
    alt="Four maps: the first is a small copy of the body, the other three hold thin outlines of its edges along one "
    "axis, the other, and at corners.",
    caption="The four channels of the first sample's target: low-pass (LL), and details along $x$ (LH), $z$ (HL) and "
    "both (HH).",
    name="fig-wavelet-channels",
)

# %% [markdown]
# ## On the fly
#
# Four million samples of the paper's size would fill two to three terabytes. Here sample number $i$ of a stream is a
# pure function of the stream's seed and $i$: nothing is stored, no sample is ever seen twice, and a training that was
# killed goes on with the sample that it would have drawn.

# %%
again = stream.batch(3, 1)
same = bool(torch.equal(again.images[0], batch.images[3]))
start = time.perf_counter()
count = 32
stream.batch(100, count)
rate = count / (time.perf_counter() - start)
show_text(
    f"Sample 3 drawn alone {'equals' if same else 'differs from'} sample 3 of the batch, bit for bit. This machine "
    f"makes {rate:.0f} samples a second with {torch.get_num_threads()} thread(s) at {stream.images.shape[-1]} pixels; "
    f"`mrrepro bench deepspio` sets that beside a padded 3D Fourier transform."
)

# %%
drawn = stream.batch(0, 64).concentration
levels = [float(sample[sample > 0].median()) for sample in drawn]
show_table(
    [
        {"quantity": "samples", "value": len(levels)},
        {"quantity": "lowest concentration [µg/mm³]", "value": min(levels)},
        {"quantity": "highest concentration [µg/mm³]", "value": max(levels)},
        {"quantity": "share of pixels with iron", "value": float((drawn > 0).float().mean())},
    ],
    caption=f"What the first {len(levels)} samples of the stream hold.",
    name="tab-stream",
)

# %% [markdown]
# ## Real images
#
# The same bodies in images that a scanner made, where they are at hand. The paper distorted proton density images of
# IXI; `data="ixi_pd"` trains on them.

# %%
found, missing = real_images.images_at_hand(run.settings.sequence.size)
show_text("At hand: " + ("; ".join(found) or "none of them") + ".")
for sentence in missing:
    show_text(f"Not shown, for lack of data: {sentence}")

# %% tags=["hide-input"]
if found:
    undistorted = torch.tensor(np.stack(list(found.values())))
    real = sample_stream(TRAINING.select(run.settings), undistorted, seed=run.seed, device="cpu").batch(0, 3)
    show(
        plots.image_grid(
            [list(undistorted.numpy()), list(plots.combined(real.images.numpy())), list(real.concentration.numpy())],
            ["undistorted", "View Line image", "concentration"],
            [],
            maps=[plots.SIGNAL, plots.SIGNAL, plots.CONCENTRATION],
            bars=["signal", "signal", plots.CONCENTRATION_LABEL],
            field_of_view_mm=run.settings.sequence.field_of_view_mm,
        ),
        alt="Top row, axial slices of real heads. Below, striped images drawn from them, with dark bodies around which "
        "the stripes bend, and the concentrations of the bodies.",
        caption="Real images at hand: " + "; ".join(found) + ". Below, samples of the stream drawn from them.",
        name="fig-real-images",
    )

# %% [markdown]
# ## Exercises
#
# ```{exercise} The lowest concentration
# :label: ex-lowest
# How far does a stripe move at the pole of a sphere with $C = 0.22$ µg/mm³? Compare with a pixel, and say what the
# network can know of such a sample.
# ```
#
# ```{solution} ex-lowest
# :class: dropdown
# $\Delta B = \tfrac23 \mu_0 \sigma_s C$, which with $\mu_0 \sigma_s = 0.119$ mT per µg/mm³ is 17 µT. The shift is
# $\Delta B\,(1/G_r - 1/G_s)$, about a quarter of a millimetre: a little more than a pixel of 256. A stripe is
# about five pixels wide, so the
# shift can be seen, but only next to the surface.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
