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
# # The database: 62 bodies in a birdcage
#
# **The claim.** Electromagnetic simulation can supply the training data: 42 homogeneous cylinders and 20 heads, as we
# read it of two anatomies with ten sets of properties each, give 2170 slices of $|B_1^+|$ and transceive phase
# ({cite}`mandija2019`, Materials and Methods).
#
# **What you will be able to do.** Simulate such a database in minutes; say what differs from case to case; stop it in
# the middle and go on; spread it over a cluster; read a case from its file.
#
# **Time.** Some seconds at `smoke`; two to four minutes at `demo`, once: later pages find the result.
#
# **Limits.** The paper's bodies are licensed and its table of properties is in a supplement. Two anatomies built from a
# public template stand in for Duke and Ella, and the properties are ours, spread evenly; see
# [deviations](../../book/deviations.md). All fields here are simulated.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or synthseg_heads, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name, e.g. {"simulation.voxel_size_mm": 3.0}

# %%
import numpy as np
import torch
from matplotlib import pyplot as plt

from mrrepro.papers.dl_ept import cases, plots
from mrrepro.papers.dl_ept.database import ANATOMIES, DATABASE, INDEX, read_head
from mrrepro.papers.dl_ept.experiments import middle_slice
from mrrepro.papers.dl_ept.network_inputs import add_noise, measurement_of
from mrrepro.papers.dl_ept.settings import DlEptSettings
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run
from mrrepro.tissues import tissue_properties

# %%
run = open_run("dl_ept", "02_database", DlEptSettings, globals())
bodies, simulation = run.settings.bodies, run.settings.simulation
voxel_size = simulation.voxel_size

# %% [markdown]
# ## Tissue
#
# Between 10 Hz and 100 GHz, the properties of tissue follow four Cole-Cole terms {cite}`gabriel1996`. At the Larmor
# frequency they give what the paper calls its reference (last line of its Table 1):

# %%
short = {"white_matter": "wm", "grey_matter": "gm", "csf": "csf"}
rows = []
for tissue, name in short.items():
    found = tissue_properties(tissue, simulation.frequency)
    rows.append(
        {"tissue": tissue.replace("_", " "), "σ [S/m]": found.conductivity, "ε_r [1]": found.relative_permittivity}
    )
    for symbol, value in (("sigma", found.conductivity), ("eps", found.relative_permittivity)):
        run.record(f"dl_ept.table1.reference.{symbol}_{name}", value, basis="none needed", by=(tissue_properties,))
show_table(rows, caption="Gabriel's tissues at the Larmor frequency of the run.", name="tab-ept-tissue")

# %% [markdown]
# ## Heads
#
# Both anatomies come from the MNI152 template that nilearn ships: brain from its probability maps, the layers around it
# grown outwards, the second one deformed smoothly. A third is drawn: a folded cortex on an ellipsoidal brain, no warp
# of the template. It is kept for a test of another anatomy with its ground truth: the paper's test head has the anatomy
# of half of its training heads, and of its three volunteers the truth is not known.

# %%
anatomies = run.make(ANATOMIES)
heads = {name: read_head(anatomies, name) for name in (cases.FIRST, cases.SECOND, cases.UNSEEN)}

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 3, figsize=(9, 6), layout="constrained")
colours = plt.get_cmap("tab20", len(HEAD_TISSUES))
for column, (name, head) in enumerate(heads.items()):
    x, y, z = (axis * 100 for axis in head.grid.voxel_axes())
    middle = [int(np.argmin(np.abs(axis))) for axis in (x, y, z)]
    views = {
        "x [cm], y [cm]": (head.labels[:, :, middle[2] + round(0.01 / voxel_size)], x, y),
        "y [cm], z [cm]": (head.labels[middle[0], :, :], y, z),
    }
    for row, (label, (labels, across, up)) in enumerate(views.items()):
        extent = (across[0], across[-1], up[0], up[-1])
        drawn = axes[row, column].imshow(
            labels.T, origin="lower", extent=extent, cmap=colours, vmin=-0.5, vmax=len(HEAD_TISSUES) - 0.5
        )
        axes[row, column].set(xlabel=label.split(", ")[0], ylabel=label.split(", ")[1])
    axes[0, column].set_title(f"{name} anatomy")
bar = figure.colorbar(drawn, ax=axes, ticks=range(len(HEAD_TISSUES)))
bar.set_ticklabels([tissue.replace("_", " ") for tissue in HEAD_TISSUES], fontsize=7)
show(
    figure,
    alt="Axial and sagittal sections of three heads with white and grey matter, cerebrospinal fluid, skull and scalp "
    "in different colours; the third has another outline and other folds than the first two.",
    caption="The heads, by tissue. The first stands in for Duke, the second for Ella; the third is drawn, for tests.",
    name="fig-ept-heads",
)

# %% [markdown]
# ## What differs from case to case
#
# Cylinders differ in conductivity and permittivity; heads in the six numbers of white matter, grey matter and CSF. A
# sequence of low discrepancy spreads them: no two cases share a set, and no seed is involved.

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
phantoms = [case.cylinder for case in cases.database_cases(bodies) if case.cylinder]
held_out = cases.VALIDATION_PHANTOMS + cases.TEST_PHANTOMS
for phantom in phantoms:
    marker = {True: "C3s", False: "C0o"}[phantom.number in held_out]
    panels[0].plot(phantom.conductivity, phantom.relative_permittivity, marker, markersize=4)
panels[0].set(title="cylinders (squares: held out)", xlabel="conductivity [S/m]", ylabel="relative permittivity [1]")
sets = [case.property_set for case in cases.database_cases(bodies) if case.is_head]
for tissue in cases.VARIED:
    found = [cases.varied_properties(number, bodies, simulation.frequency)[tissue] for number in sets]
    panels[1].plot(
        [p.conductivity for p in found], [p.relative_permittivity for p in found], "o", markersize=4, label=tissue
    )
panels[1].set(title="tissues of the heads", xlabel="conductivity [S/m]", ylabel="relative permittivity [1]")
panels[1].legend(fontsize=7)
show(
    figure,
    alt="Left, the properties of the cylinders fill a rectangle evenly. Right, three clouds: white matter, grey matter "
    "and CSF, each spread around its reference.",
    caption="Properties of the database's bodies at the Larmor frequency.",
    name="fig-ept-properties",
)

# %% [markdown]
# ## The simulation
#
# Bodies of one shape differ in their properties alone, so that each is solved from the electric field of the first of
# its shape: the solver then only has to change what the properties change. A case is written down as soon as it is
# there; a killed simulation goes on with the next. With `MRREPRO_WORKERS=4`, or a Dask scheduler's address, the cases
# are spread over processes or a cluster.

# %%
database = run.make(DATABASE)
index = database.json(INDEX)
products = {name: facts["products"] for name, facts in index.items()}
firsts = [name for name in ("first_M0", "second_M0") if name in products]
others = [number for name, number in products.items() if index[name]["head"] and name not in firsts]
slices = {True: run.settings.measurement.slices_per_head, False: run.settings.measurement.slices_per_phantom}
count = {}
for name, facts in index.items():
    held = int((database.arrays(f"{name}.npz")["labels"] > 0).any(axis=(0, 1)).sum())
    count[name] = min(slices[facts["head"]], held)

# %%
show_text(
    f"{len(index)} bodies, {sum(count.values())} slices, {database.seconds:.0f} s. The two reference heads took "
    f"{' and '.join(str(products[name]) for name in firsts)} products with the integral operator, the other heads "
    f"{np.mean(others):.0f} on average: that is what starting from a neighbour's field is worth."
)

# %% [markdown]
# ## What a network gets
#
# Magnitude over its mean, transceive phase less its mean, and a mask (for cGANmask) or a spin-echo image (for
# cGANtissue); with Gaussian noise of the paper's strengths on magnitude and phase.

# %%
case = database.arrays("first_M0.npz")
measured = measurement_of(case, "tissue", "transceive")
at = middle_slice(case["labels"])
noise = run.settings.measurement
channels = add_noise(
    measured.channels(), noise.snr, noise.phase_sd_mrad * 1e-3, torch.Generator().manual_seed(run.seed)
)[at]

# %% tags=["hide-input"]
figure = plots.axial_grid(
    [[channels[0].numpy()], [channels[1].numpy()], [channels[2].numpy()]],
    ["|B1+|", "phase", "spin echo"],
    ["first_M0"],
    voxel_size=voxel_size,
    bars=["|B1+| / mean [1]", "transceive phase [rad]", "signal / mean [1]"],
    ranges=[(0.6, 1.4), (-1.0, 1.0), (0.0, 2.0)],
    colours=["viridis", "RdBu_r", "gray"],
    side=2.0,
)
show(
    figure,
    alt="Three axial maps of a head: the magnitude is largest in the middle, the phase rises from the middle to the "
    "rim, the spin-echo image shows grey and white matter and bright fluid.",
    caption="The three inputs of cGANtissue for one slice of the test head, with noise. Simulated.",
    name="fig-ept-inputs",
)

# %% [markdown]
# ## Exercise
#
# ```{exercise} A database without variation
# :label: ex-ept-database
# Set `overrides = {"bodies.conductivity_spread": 0.0, "bodies.permittivity_spread": 0.0}`. Which number of products do
# the other heads then take, and why is a network trained on such a database worthless, however small its error?
# ```
#
# ```{solution} ex-ept-database
# :class: dropdown
# Every head of an anatomy is then the same body, so the start already solves the equation and hardly a product is
# needed. A network could learn one map for each anatomy by heart: its error on the test head would be small, and it
# would measure nothing. The chapter's last page asks just that of the database above.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
