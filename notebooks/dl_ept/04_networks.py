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
# # Two conditional GANs
#
# **The claim.** A conditional GAN with L1 and L2 terms learns to read conductivity and permittivity off magnitude,
# phase and a mask (cGANmask), and better still off magnitude, phase and an image with tissue contrast (cGANtissue)
# ({cite}`mandija2019`, Materials and Methods).
#
# **What you will be able to do.** Build generator and discriminator and count their weights; train the four networks of
# the chapter, stop them and go on; read the loss curves of a GAN; compare weights of the three terms, and a U-Net.
#
# **Time.** Some seconds at `smoke`; three to five minutes at `demo`, nearly all of it the training. `colab` is laid out
# for a small GPU and has not been timed; what `paper` took on a large one stands under
# [paper scale](../../book/paper_scale.md).
#
# **Limits.** Learning rate, batch and number of epochs are in no part of the paper that is at hand; see
# [deviations](../../book/deviations.md). At `demo`, slices have a quarter of the pixels along each side, the generator
# a fraction of the weights, and the training is short.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or synthseg_heads, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name, e.g. {"training.gan_weight": 0.0}

# %% tags=["hide-input"]
import time

import numpy as np
import torch
from matplotlib import pyplot as plt

from mrrepro.metrics.evidence import record_claims, undecided_of
from mrrepro.networks.network_size import count_weights
from mrrepro.networks.pix2pix import DiscriminatorSize, PatchDiscriminator
from mrrepro.papers.dl_ept.evidence import CLAIMS, RecordedSweeps
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES
from mrrepro.papers.dl_ept.networks import TRAININGS, new_network
from mrrepro.papers.dl_ept.recipe import VARIANTS
from mrrepro.papers.dl_ept.settings import DlEptSettings
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run

# %%
run = open_run("dl_ept", "04_networks", DlEptSettings, globals())
recorded = RecordedSweeps("demo")

# %% [markdown]
# ## Generator and discriminator
#
# The generator $G$ is the U-Net of pix2pix {cite}`isola2017`: strided convolutions down to a single pixel, transposed
# ones up, a skip at each level. The discriminator $D$ judges overlapping patches. The paper's equation 1 is
# $F = \arg\min_G \max_D \, \lambda_\text{cGAN} \mathcal{L}_\text{cGAN}(G, D) + \lambda_{L1} \mathcal{L}_{L1}(G) +
# \lambda_{L2} \mathcal{L}_{L2}(G)$, and its terms are named, not written out: 'the GAN objective' and 'the L1 and L2
# distance between the ground truth and the output'. With $x$ the three inputs and $y$ the true map, we read it after
# pix2pix as two losses, which $G$ and $D$ minimise in turn:
#
# $$
# \begin{aligned}
# \text{loss of } G &= -\lambda_\text{GAN} \, \mathbb{E} \log D(x, G(x))
# + \lambda_{L1} \, \mathbb{E} \lvert y - G(x) \rvert + \lambda_{L2} \, \mathbb{E} \, (y - G(x))^2 , \\
# \text{loss of } D &= -\tfrac12 \left( \mathbb{E} \log D(x, y) + \mathbb{E} \log (1 - D(x, G(x))) \right) ,
# \end{aligned}
# $$
#
# with means over pixels and patches. $G$ maximises $\log D$ rather than minimising $\log(1 - D)$, which saturates; the
# half slows $D$ down. Both are of pix2pix; the mean square is our reading of the L2 distance.
# Noise is drawn anew whenever a slice is seen, where the paper's slices seem to have one draw each. See
# [deviations](../../book/deviations.md).
#
# Maps enter them in units of a typical value, 1 S/m and 50, so that the weights mean the same for both quantities.

# %%
rows = []
for name, settings in (("this run", run.settings), ("the paper's size", DlEptSettings.at_scale("paper"))):
    size = settings.network
    discriminator = PatchDiscriminator(
        DiscriminatorSize(base_filters=size.base_filters, strided_layers=size.discriminator_layers)
    )
    pixels = settings.measurement.image_size
    weights = [count_weights(part) / 1e6 for part in (new_network("conductivity", size), discriminator)]
    rows.append({"network": name, "image": f"{pixels} x {pixels}"})
    rows[-1] |= dict(zip(("generator [million]", "discriminator [million]"), weights, strict=True))
show_table(rows, caption="Weights of the networks.", name="tab-ept-networks")

# %% [markdown]
# ### How long does a volume take?
#
# The paper reconstructs 56 slices of 256 by 256 pixels in less than a minute, conductivity and permittivity, each by a
# network of its own. One network of its size, untrained, on two such slices here, and twice that for both:

# %%
paper = DlEptSettings.at_scale("paper")
pixels = paper.measurement.image_size
generator = new_network("conductivity", paper.network).eval()
began = time.perf_counter()
with torch.no_grad():
    generator(torch.zeros(2, 3, pixels, pixels))
minutes = len(QUANTITIES) * (time.perf_counter() - began) / 2 * paper.measurement.slices_per_head / 60
_ = run.record("dl_ept.methods.reconstruction_time", minutes, basis="none needed", by=(new_network,))
show_text(f"At this pace both maps of a volume take {60 * minutes:.0f} s on this machine.")

# %% [markdown]
# ## Training
#
# Four networks: two third inputs, two quantities. A batch is a pure function of its number (which slices, which noise),
# so that a training which was killed goes on with the same bits. Errors of this chapter are NRMSE,
# $\lVert \hat c - c \rVert_2 / \lVert c \rVert_2$ over the voxels of a region where the estimate $\hat c$ is defined;
# an estimate of zero has 1 ([conventions](../../book/conventions.md)).

# %%
histories = {key: run.make(stage).json("history.json") for key, stage in TRAININGS.items()}

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 4, figsize=(11, 5), layout="constrained", sharex=True)
for column, ((third, quantity), history) in enumerate(histories.items()):
    entries = history["record"]["history"]
    losses = [entry for entry in entries if "validation" not in entry]
    for name in ("l1", "l2", "gan", "discriminator"):
        if all(name in entry for entry in losses):
            axes[0, column].semilogy([e["step"] for e in losses], [e[name] for e in losses], label=name)
    judged = [entry for entry in entries if "validation" in entry]
    axes[1, column].plot([e["step"] for e in judged], [e["validation"]["score"] for e in judged], "k-o", markersize=3)
    axes[1, column].set(xlabel="step", ylim=(0, None))
    axes[0, column].set_title(f"cGAN{third}, {quantity.replace('relative_', '')}", fontsize=9)
axes[0, 0].set_ylabel("terms of the loss [1]")
axes[1, 0].set_ylabel("NRMSE while training [1]")
axes[0, 0].legend(fontsize=7)
show(
    figure,
    alt="Eight panels. Above, four networks' loss terms against the step: L1 and L2 fall, and as the discriminator's "
    "term falls the generator's adversarial one rises. Below, the error while training: that of cGANtissue falls, that "
    "of cGANmask may jump up on its way.",
    caption="Above: terms of the loss before weighting. Below: error while training, of cGANmask on the validation "
    "phantoms, of cGANtissue on the test head, where it chooses nothing: the last weights are kept.",
    name="fig-ept-training",
)

# %%
seconds = sum(history["record"]["seconds"] for history in histories.values())
slices = {third: histories[third, "conductivity"]["slices"] for third in ("mask", "tissue")}
seen = histories["mask", "conductivity"]["record"]["samples_seen"]
show_text(
    f"cGANmask is trained on {slices['mask']} slices, cGANtissue on {slices['tissue']} of heads alone; each saw {seen} "
    f"of them with repetition. The four trainings took {seconds:.0f} s."
)

# %% [markdown]
# The error of cGANmask on the validation phantoms may jump and need not be lowest at the end. The last weights are kept
# all the same: the learning rate has fallen to zero there, the paper tells of no other choice, and the best of a few
# jumping values on two phantoms would be a choice by chance, made on what is no head.

# %% [markdown]
# ## Which weights, and is a GAN needed?
#
# The paper chose $\lambda$ by the error on phantoms 12 and 24, averaged over both quantities, and tried a U-Net
# ($\lambda_\text{GAN} = 0$), whose outcome stands in its supplement. These are *recorded* runs of cGANmask over several
# seeds, made with `mrrepro record dl_ept`; they do not depend on the parameters of this page. All but the first line
# are trained for a shorter time, so that there can be many.

# %%
short = recorded.documents("reference", "mask_conductivity", "history")
length = ""
if short:
    of_short = short[0]["record"]
    passes = of_short["samples_seen"] / short[0]["slices"]
    length = f" All but the first: {of_short['steps']} steps, {passes:.1f} passes over the slices."

# %%
rows = []
for variant in VARIANTS:
    documents = recorded.documents(variant.name, "mask_networks", "mask_networks")
    if not documents:
        continue
    row = {"variant": variant.meaning, "seeds": len(documents)}
    for group in ("validation", "test phantoms", "test head"):
        errors = [np.mean(list(document["errors"][group].values())) for document in documents]
        row[f"NRMSE, {group}"] = f"{np.mean(errors):.3f} ± {np.std(errors, ddof=1) if len(errors) > 1 else 0:.3f}"
    rows.append(row)
show_table(
    rows or [{"variant": "nothing is recorded at demo"}],
    caption=f"Weights of the loss, phase and a U-Net: NRMSE of both quantities, mean and sd over seeds.{length}",
    name="tab-ept-lambda",
)

# %%
evidence = recorded.claims()
decided = [
    "chosen_weights_lowest_on_validation",
    "unet_worse_than_gan",
    "gan_sharper_than_unet",
    "heavier_weights_help_the_head",
    "transceive_phase_suffices",
]
record_claims(run, evidence, decided)
for name in [name for name in decided if name in evidence]:
    statistic = evidence[name].statistic
    show_text(f"*{statistic.name}*: {statistic.value:.3f} ({statistic.low:.3f} to {statistic.high:.3f}).")

# %%
undecided = undecided_of(recorded, CLAIMS)
if "transceive_phase_suffices" in undecided:
    show_text(
        "Whether the transceive phase suffices is not decided at this scale, though the errors with either phase stand "
        f"above: {undecided['transceive_phase_suffices']}."
    )

# %% [markdown]
# ## Exercise
#
# ```{exercise} What does the discriminator see?
# :label: ex-ept-patch
# A discriminator of two strided layers sees patches of 34 pixels, one of three 70. How many centimetres is that at the
# voxel size of this run, and of the paper's size? What can a discriminator that sees a whole head learn that one that
# sees a gyrus cannot?
# ```
#
# ```{solution} ex-ept-patch
# :class: dropdown
# 34 pixels of 4 mm at `demo` are 13.6 cm, 70 of 2 mm at `paper` are 14 cm: either patch holds most of a head. Such a
# discriminator can demand that the map is that of a *known* anatomy, whatever the fields say: it rewards recall. One
# that sees a gyrus could only demand that edges are sharp and tissue is uniform. None here is one: even a single
# strided layer, 16 pixels, sees 3.2 cm in voxels of 2 mm.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
