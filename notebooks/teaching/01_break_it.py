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
# # Break it: five faults, and the verdicts that catch them
#
# **The claim.** A result may look right and be wrong. Each of the faults below has been made by careful people, runs
# without an error, and leaves pictures that look like results. Each is put in here on purpose, into the true code, and
# one verdict of this book is asked for before and after.
#
# **What counts as a success.** Every fault turns a verdict: a check of `mrrepro verify` that held falls short or the
# other way round, or a claim of the [ledger](../../book/scorecard.md) changes its word.
#
# **What you will be able to do.** Say for each fault what you would have seen without a check, choose the check that
# sees it, and put a fault of your own into the library to find out whether anything notices.
#
# **Time.** Under a minute; the sizes are the same at every scale.
#
# **Limits.** Five faults are not all faults. The claims are decided from one network and fewer cases than in the
# chapters, so the words here are not those of the scorecard, and nothing of this page enters the ledger.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name, e.g. {"permutations": 30}

# %%
import numpy as np
from matplotlib import pyplot as plt

from mrrepro.papers.deepspio import checks as deepspio_checks
from mrrepro.papers.deepspio import plots
from mrrepro.papers.dl_ept import verification
from mrrepro.phantoms.shapes import Sphere
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run
from mrrepro.teaching import evidence, faults
from mrrepro.teaching.lessons import LESSONS, break_it
from mrrepro.teaching.recipe import TeachingSettings

# %%
run = open_run("teaching", "01_break_it", TeachingSettings, globals())
flips = {}


def verdicts(name: str) -> list[dict[str, object]]:
    """Break it, keep the flips for the end, and return the rows of a table."""
    flips[name] = break_it(name, run.settings)
    return [{key: cell for key, cell in flip.row().items() if key != "fault"} for flip in flips[name]]


# %% [markdown]
# ## How a fault is put in
#
# `break_it` measures, replaces a function of the library by a faulty one, measures again with the same numbers drawn,
# and puts the true function back. While a function is replaced the library refuses to keep anything:
# artifacts are found again by the code that made them, and that code would not have run.

# %%
with faults.scaled_by_maximum():
    try:
        run.record("deepspio.claim.ranks_concentrations")
    except RuntimeError as error:
        show_text(f"*Recording inside a fault:* {error}")

# %% [markdown]
# ## A missing fftshift
#
# **The fault.** A kernel is drawn around the middle of a grid, as one likes to look at it. A discrete Fourier transform
# takes the *first* element for the origin. Forget `ifftshift`, and the convolution moves by half of the grid: the
# spectrum is multiplied by $(-1)^{k_x + k_z}$.
#
# **What you would see.** On a padded grid the whole field moves into the padding, which is cut off. What is left of the
# [field of a sphere](#fig-break-shift) is nearly nothing, so View Line images have straight stripes around a void. They
# look like images. A network trained on them converges: it learns the void.

# %%
size = 128
sphere = Sphere((0.0, 0.0, 0.0), 8e-3)
right = deepspio_checks.field_of(sphere, size, size // 2 - 1).numpy()
with faults.missing_fftshift():
    shifted = deepspio_checks.field_of(sphere, size, size // 2 - 1).numpy()
    straight = evidence.samples(1).images[0].numpy()
bent = evidence.samples(1).images[0].numpy()

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
for panel, field, title in zip(panels[:2], (right, shifted), ("true field", "without the shift"), strict=True):
    drawn = panel.imshow(field.T, origin="lower", cmap="RdBu_r", vmin=-0.5, vmax=0.5)
    panel.set(title=title, xticks=[], yticks=[])
figure.colorbar(drawn, ax=panels[1], label="field over $\\mu_0 M$ [1]")
for panel, images, title in zip(panels[2:], (bent, straight), ("its images", "images without the shift"), strict=True):
    panel.imshow(plots.combined(images).T, origin="lower", cmap="gray")
    panel.set(title=title, xticks=[], yticks=[])
show(
    figure,
    alt="Four panels. The true field of a sphere has two positive lobes and a negative belt; without the shift the map "
    "is empty. The stripes of the true image bend around a body of iron; without the shift they are straight and end "
    "where the body lies.",
    caption="Left, the field of a magnetised sphere; right, the lines of one sample of the training stream. Each with "
    "the true code and with the shift forgotten.",
    name="fig-break-shift",
)

# %%
show_table(
    verdicts("missing_fftshift"),
    caption="A missing fftshift: the sphere's closed form sees it at once; so does a network that was trained with the "
    "true field.",
    name="tab-break-shift",
)

# %% [markdown]
# **What catches it.** A closed form. The mean of the map, its symmetry and the loss of a training do not: a field that
# is moved away is symmetric too.
#
# ## Leaked test subjects
#
# **The fault.** A cohort arrives as slices, and the split is made over slices. Slices of one patient are then in the
# training and in the test part, and a classifier that remembers a patient is rewarded for it.
#
# **What you would see.** A higher area under the curve. It looks like success, and nobody looks for the fault in a
# success.
#
# **What catches it.** A control that must *fail*. With permuted labels there is nothing to find, and a validation that
# finds something has let the answers in. The features here are noise; a patient's four slices differ by a tenth of a
# standard deviation.

# %%
show_table(
    verdicts("leaked_subjects"),
    caption="Leaked test subjects: the area under the curve with permuted labels, where one half is right.",
    name="tab-break-leak",
)

# %% [markdown]
# ## A wrong normalisation
#
# **The fault.** The network was trained on images divided by their root mean square. Whoever applies it divides by the
# maximum, which is just as common, and the numbers that enter are smaller throughout.
#
# **What you would see.** A map of about the right shape: where iron is, the image is dark, at any scale. Its values are
# wrong.
#
# **What catches it.** A score of the *values* apart from the shape: the rank correlation of mean concentrations. An
# overlap of shapes would have passed. The library keeps the scaling in the file of the weights for this reason.

# %%
show_table(
    verdicts("scaled_by_maximum"),
    caption="A wrong normalisation: the trained network that comes with the chapter, on the same images.",
    name="tab-break-scale",
)

# %% [markdown]
# ## Magnitude for complex error
#
# **The fault.** Two complex fields are compared by their sizes. This is a fault of the *measure*: the results stay as
# they are, and an error in them is no longer seen.
#
# So there must be an error to hide. A field that was solved for $\exp(-i\omega t)$ is taken for one of
# $\exp(+j\omega t)$: every phase has the wrong sign, every size is right. Helmholtz EPT would return a negative
# conductivity everywhere.

# %%
body = verification.sphere_body(0.004)
flux = verification.series_transmit(body.grid)
middle = flux[:, :, flux.shape[2] // 2]
pictures = {
    "size, both": np.abs(middle) / np.nanmax(np.abs(middle)),
    "phase, right": np.angle(middle),
    "phase, wrong sign": -np.angle(middle),
}

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 3, figsize=(9.5, 3.0), layout="constrained")
for panel, (title, values) in zip(panels, pictures.items(), strict=True):
    size_or_phase = {"cmap": "RdBu_r", "vmin": -np.pi, "vmax": np.pi}
    if title.startswith("size"):
        size_or_phase = {"cmap": "viridis", "vmin": 0, "vmax": 1}
    drawn = panel.imshow(values.T, origin="lower", **size_or_phase)
    panel.set(title=title, xticks=[], yticks=[])
    figure.colorbar(drawn, ax=panel, label="of its largest [1]" if title.startswith("size") else "[rad]")
show(
    figure,
    alt="Three maps of a disc. The size of B1+ is brightest in the middle. The two maps of its phase are negatives of "
    "each other.",
    caption="B1+ of a plane wave in a dielectric sphere, by Mie's series: its size, which the two conventions share, "
    "and its phase, which they do not.",
    name="fig-break-phase",
)

# %%
show_table(
    verdicts("magnitude_error"),
    caption="Magnitude for complex error, on a field whose phase has the wrong sign throughout. *Without* the "
    "fault the check falls short, as it must; *with* it the wrong field passes.",
    name="tab-break-magnitude",
)

# %% [markdown]
# **What catches it.** Break the thing that a check guards, once, and see the check fail. A check that has never been
# seen to fail may be one that cannot.
#
# ## A forgotten air mask
#
# **The fault.** An error is averaged over the whole volume instead of the tissue. In air both fields are zero and agree
# perfectly, so every voxel of air makes the result better.
#
# **What you would see.** A small error. How small depends on the field of view, which nobody reports with it.
# The paper on stimulation may have an example: its global error in the whole head is less than half of that in the
# brain and of that outside ([Table III](../condnet/05_stimulation.ipynb)).

# %%
rows = verdicts("forgotten_air_mask")
head, _, _ = evidence.coil_fields(0, run.settings.head_voxel_mm * 1e-3)
share = head.head.sum() * run.settings.head_voxel_mm**3 / 256**3
show_table(
    rows,
    caption="A forgotten air mask: the global error [%] of a field that is wrong by half in the brain.",
    name="tab-break-air",
)

# %%
show_text(
    f"The head fills {100 * share:.0f} % of a cube of 256 mm. **What catches it:** a measure is asked whether it can "
    "tell a wrong answer from a right one. A field that is wrong by half has to have an error to speak of."
)

# %% [markdown]
# ## All together

# %%
rows = [flip.row() for name in LESSONS for flip in flips[name]]
turned = sum(flip.flipped for name in LESSONS for flip in flips[name])
show_table(
    [
        {
            "fault": row["fault"],
            "verdict on": row["verdict on"],
            "without the fault": row["verdict without"],
            "with it": row["verdict with"],
        }
        for row in rows
    ],
    caption="Which verdict each fault turns, measured in this run.",
    name="tab-break-all",
)

# %%
show_text(
    f"{turned} of {len(rows)} verdicts turned. None of the faults raised an error, and none would have been found by "
    "looking at a loss curve. What caught them: closed forms, a control that must fail, values asked for apart from "
    "shapes, and measures that were put to the test themselves."
)

# %% [markdown]
# ## Exercises
#
# ```{exercise} A fault that nothing sees
# :label: ex-break-own
# Write a fault of your own with `mrrepro.runs.replaced.replaced`, for instance a dipole kernel that is 1 % too strong.
# Inside its block call `outcome_of_check` of `mrrepro.teaching.evidence` with the checks of the chapter: a command in a
# shell would not see the fault. Which is the smallest one that a verdict sees?
# ```
#
# ```{solution} ex-break-own
# :class: dropdown
# `deepspio.sphere_exterior` has a limit of half a per cent and a value below it. An error that is *uncorrelated* with
# what is there already adds to it in squares, so a kernel that is too strong by a little less than the limit is seen
# first. A limit says how large a fault may stay hidden.
# ```
#
# ```{exercise} Why permute?
# :label: ex-break-permute
# A colleague splits over slices, but reports that the test area with *permuted* labels is one half. How can that be,
# and is the split right then?
# ```
#
# ```{solution} ex-break-permute
# :class: dropdown
# If the labels are permuted over *slices*, slices of one patient get different labels, and remembering the patient does
# not help: the control passes although the split leaks. A control has to be broken in the way that the fault works:
# permute over patients.
# ```
#
# ```{exercise} The average of a part
# :label: ex-break-average
# Brain and the rest of the head have mean errors $a$ and $b$. Between which values does the mean error of the head
# lie, if all three are over the same maximum? And if each is divided by its own?
# ```
#
# ```{solution} ex-break-average
# :class: dropdown
# Over one maximum it is a weighted mean, between $a$ and $b$. Each divided by its own, it may be below both: the head's
# maximum is the larger of the two, so the part with the smaller maximum counts for less than its own error says. If the
# field is strongest outside the brain, the head's error is still at least the share of voxels outside times $b$. In
# Table III that would leave a third of the head outside the brain at most; a head has more. So air was probably
# counted, and that ours falls to the same size when air is counted makes it likely.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
