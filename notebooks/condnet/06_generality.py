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
# # Other scanners, a lens, a tumour
#
# **The claim.** The network that was trained on one scanner's images gives reasonably consistent conductivities on
# others (section V, Tables IV and V, Figs. 12 and 13 of {cite}`rashed2020`), and shows structures that training never
# saw: the lens of the eye between 0.31 and 0.55 S/m (section VI), a tumour (in a supplement that is not at hand).
# <!-- typed: 0.31, 0.55: the paper's values, as the claim states them -->
#
# **What you will be able to do.** Image the same head by several scanners; tell a tissue that is estimated well from
# one that is only estimated consistently; test what a network does with what it was not taught.
#
# **Time.** A minute at `demo`, after the trainings.
#
# **Limits.** Three simulated scanners stand for those of Table IV; their sequences are our choice. Nobody knows the
# true conductivity of the lens and the tumour simulated here: their images are all there is. `mrrepro apply condnet`
# takes real images.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or synthseg_heads, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name

# %%
import numpy as np
from matplotlib import pyplot as plt

from mrrepro.metrics.evidence import claim_rows, record_claims, record_values
from mrrepro.papers.condnet import plots, real_heads, table1, tables
from mrrepro.papers.condnet.evidence import RecordedSweeps
from mrrepro.papers.condnet.generality import PRESENT, ROI_TISSUES, SCANNERS, UNSEEN
from mrrepro.papers.condnet.planes import middle_of
from mrrepro.papers.condnet.result_values import SCANS, lens_values, table5_id, table5_values, tissue_means
from mrrepro.papers.condnet.settings import CondNetSettings
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run

run = open_run("condnet", "06_generality", CondNetSettings, globals())

# %%
made = run.make(SCANNERS)
document, pictures = made.json("scanners.json"), made.arrays("scanners.npz")
variants, heads = document["variants"], document["heads"]
voxel_mm = run.settings.heads.voxel_size_mm

# %% [markdown]
# ## The same head by four scanners
#
# Table IV names three scanners and their fields, not the times of their sequences; those are ours.

# %%
paper = {number.id: number for number in run.ledger.numbers}
show_table(
    tables.scanner_rows({scan.upper().replace("_", "-"): paper[f"condnet.table4.{scan}"].value for scan in SCANS}),
    caption="Scanners simulated here, and what Table IV has of the paper's scans.",
    name="tab-table4",
)

# %% tags=["hide-input"]
rows = ("T1-weighted", "T2-weighted", "CondNet")
figure, axes = plt.subplots(3, len(variants), figsize=(2.3 * len(variants), 7.2), layout="constrained")
for column, name in enumerate(variants):
    images, estimate = pictures["images"][column], pictures["estimates"][column]
    parts = ((images[0], plots.SIGNAL, 1.6), (images[1], plots.SIGNAL, 5.0), (estimate, plots.CONDUCTIVITY, 2.0))
    for row, (part, colours, high) in enumerate(parts):
        drawn = plots.draw(axes[row, column], part, voxel_mm, colours, 0.0, high)
    axes[0, column].set_title(name.replace(": ", "\n"), fontsize=8)
for row, name in enumerate(rows):
    axes[row, 0].set_ylabel(f"{name}\n[mm]", fontsize=9)
figure.colorbar(drawn, ax=list(axes[2]), label=plots.CONDUCTIVITY_LABEL, shrink=0.9)
show(
    figure,
    alt="Axial slices of one head: T1- and T2-weighted images of four scanners with different contrast and "
    "sharpness, and the "
    "estimated conductivity below each, which keeps its layers and changes in brightness.",
    caption="One test head by four scanners (the counterpart of the paper's Fig. 12).",
    name="fig-scanners",
)

# %% [markdown]
# ## Table V
#
# Means over voxels that one tissue fills. What a patient's tissues conduct is not known; what the network was trained
# with is.

# %%
means = [tissue_means(heads, place) for place in range(len(variants))]
record_values(run, table5_values(heads))
show_text(tables.table5_words({t: [float(paper[table5_id(scan, t)].value) for scan in SCANS] for t in ROI_TISSUES}))

# %%
rows = []
for tissue in ROI_TISSUES:
    row = {"tissue": tissue.replace("_", " "), "trained": table1.COLUMN_A[tissue]}
    for place, name in enumerate(variants):
        values = means[place][tissue]
        row[f"ours, {name.split(':')[0]}"] = float(np.mean(values)) if values else "no full voxel"
        if place:
            scan = SCANS[place - 1]
            row[f"paper, {scan[5:]}"] = paper[table5_id(scan, tissue)].value
    rows.append(row)

# %%
show_table(
    rows,
    caption="Mean conductivity [S/m] in regions of one tissue; the paper's are of three patients.",
    name="tab-table5",
)

# %% tags=["hide-input"]
first = heads[-1]["variants"]
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
for panel, kind, title in zip(axes, ("t1_weighted", "t2_weighted", "conductivity"),
                              ("T1-weighted", "T2-weighted", "conductivity"), strict=True):  # fmt: skip
    for place, variant in enumerate(first):
        shown = [t for t in ROI_TISSUES if t in variant["tissues"]]
        summaries = [variant["tissues"][t][kind] for t in shown]
        plots.boxes(panel, summaries, [ROI_TISSUES.index(t) + 0.2 * place - 0.3 for t in shown], f"C{place}")
    panel.set_xticks(range(len(ROI_TISSUES)), [t.replace("_", "\n") for t in ROI_TISSUES], fontsize=6)
    panel.set_title(title, fontsize=9)
axes[0].set_ylabel("signal over that of white matter")
axes[2].set(yscale="log", ylabel=plots.CONDUCTIVITY_LABEL)
axes[2].plot(range(len(ROI_TISSUES)), [table1.COLUMN_A[t] for t in ROI_TISSUES], "k_", markersize=16)
for place, name in enumerate(variants):
    axes[0].plot([], [], color=f"C{place}", label=name.split(":")[0])
axes[0].legend(fontsize=7)
show(
    figure,
    alt="Boxes of image brightness and of estimated conductivity by tissue for four scanners. Brightness differs by "
    "scanner; the conductivity's boxes lie close together, on a logarithmic axis, and those of fat and cortical bone "
    "above the bars of their trained values.",
    caption="Brightness and estimated conductivity by tissue and scanner; black bars: trained values (the counterpart "
    "of the paper's Fig. 13).",
    name="fig-table5",
)

# %% [markdown]
# ## A lens and a tumour that training never saw
#
# A lens (dark in T2-weighted images) is put into each eye, and a ball of bright tissue into the white matter. Neither
# is among the 13 tissues. What does a map show that was trained to name the mean over what the images could be?

# %%
unseen = run.make(UNSEEN)
found, parts = unseen.json("unseen.json")["heads"], unseen.arrays("unseen.npz")
rows = [
    {"head": one["name"], "object": what.replace("_", " "), "voxels": one[what]["with"]["voxels"],
     "with it": one[what]["with"]["mean"], "without it": one[what]["without"]["mean"]}
    for one in found for what in ("lens", "rest_of_eye", "tumour") if what in one
]  # fmt: skip
show_table(
    rows, caption="Mean estimated conductivity [S/m] where the object is, with and without it.", name="tab-unseen"
)

# %%
lens = lens_values(found)
record_values(run, lens)
show_text(
    f"The lens by Gabriel's terms has {table1.LENS.at(table1.FREQUENCY).conductivity:.2f} S/m; here it is "
    "estimated at "
    f"{lens[0].value:.2f} S/m, measured in voxels that it fills by more than {100 * PRESENT:.0f} %. A lower "
    "value than its "
    "surroundings' shows that the images are read; that it is the *right* one would be a coincidence, for "
    "nothing taught it."
    if lens
    else "At this scale the voxels are too large for a lens."
)

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 4, figsize=(9.4, 5.2), layout="constrained")
for row, name in enumerate(("lens", "tumour")):
    shown = (
        parts[f"{name}_images"][0],
        parts[f"{name}_images"][1],
        parts[f"{name}_without"],
        parts[f"{name}_estimate"],
    )
    kinds = ((plots.SIGNAL, 1.6), (plots.SIGNAL, 5.0), (plots.CONDUCTIVITY, 2.0), (plots.CONDUCTIVITY, 2.0))
    titles = ("T1-weighted", "T2-weighted", "CondNet without", "CondNet with")
    for panel, part, (colours, high), title in zip(axes[row], shown, kinds, titles, strict=True):
        drawn = plots.draw(panel, part, voxel_mm, colours, 0.0, high)
        panel.set_title(title, fontsize=9)
    axes[row, 0].set_ylabel(f"{name}\n[mm]", fontsize=9)
figure.colorbar(drawn, ax=list(axes[:, 3]), label=plots.CONDUCTIVITY_LABEL, shrink=0.7)
show(
    figure,
    alt="Two rows of axial slices. Top, at the eyes: a dark lens in the T2-weighted image and the estimates "
    "without and with it. "
    "Bottom: a bright ball in the white matter of the T2-weighted image and a spot of higher conductivity.",
    caption="A lens and a tumour in a test head, and the estimates without and with them.",
    name="fig-unseen",
)

# %% [markdown]
# ## Real images
#
# All images so far were simulated. Below, the three networks that come with the chapter, which never saw a scan, take
# real ones where they are at hand: an average of 152 people, one patient with a glioma as the scanner left the images,
# a healthy person.

# %%
real, missing = real_heads.cases_at_hand()
show_text("At hand: " + ("; ".join(mapped.case.words for mapped in real) or "none of them") + ".")
for sentence in missing:
    show_text(f"Not shown, for lack of data: {sentence}")

# %% tags=["hide-input"]
titles = ("T1-weighted", "T2-weighted", "CondNet")
for mapped in real:
    columns = dict(zip(titles, (*mapped.images, mapped.estimate), strict=True))
    ranges = dict.fromkeys(titles[:2], (plots.SIGNAL, 0.0, 1.0)) | {"CondNet": (plots.CONDUCTIVITY, 0.0, 2.0)}
    show(
        plots.slice_rows(
            columns, middle_of(mapped.head), mapped.voxel_mm, ranges, {"CondNet": plots.CONDUCTIVITY_LABEL}
        ),
        alt="Three slices of a real head, T1- and T2-weighted, and the conductivity that the networks estimate: the "
        "ventricles and the fluid around the brain stand out, bone and fat are dark.",
        caption=f"{mapped.case.words}: real images and the estimated conductivity.",
        name=f"fig-real-{mapped.case.data_set.replace('_', '-')}",
    )

# %%
for mapped in real:
    if mapped.case is real_heads.AVERAGE:
        found = real_heads.template_regions(mapped)
        words = [
            f"{name.replace('_', ' ')} {part.median:.2f} ({part.low:.2f} to {part.high:.2f}) where training had "
            f"{table1.COLUMN_A[name]:.2f}"
            for name, part in found.items()
        ]
        show_text("Median and quartiles in the average head, S/m: " + "; ".join(words) + ".")
        order = sorted(found, key=lambda name: found[name].median) == sorted(found, key=table1.COLUMN_A.get)
        show_text(f"The order of the three tissues is {'kept' if order else 'lost'}.")

# %% [markdown]
# A network that names the mean over what its simulated images could be has no reason to be right on a scanner that it
# was not told of. What a tumour gets is arbitrary, for training knew none.

# %% [markdown]
# ## The claims
#
# Consistency is asked for in all tissues of Table V at once. One head in several simulated scanners says nothing of the
# spread between persons, which the paper's three scans hold too.

# %%
claims = RecordedSweeps("demo").claims()
names = ["generality", "generality_bone_and_skin", "lens_from_the_image"]
record_claims(run, claims, names)
show_table(
    claim_rows(run, claims, names),
    caption="What decides each claim, over the recorded seeds (at `demo`).",
    name="tab-claims-generality",
)

# %% [markdown]
# ## Exercise
#
# ```{exercise} Your images
# :label: ex-your-images
# `mrrepro apply condnet t1.nii.gz t2.nii.gz --output conductivity.nii.gz` takes real images. Before you believe a
# value, list which of the sources of error on this page the command cannot know.
# ```
#
# ```{solution} ex-your-images
# :class: dropdown
# The contrast: sequence, field strength and contrast agent, and how thick the slices were before they were resampled.
# What training never had: a lens, a tumour, an implant. And the person: training gives every head the values of Table
# I, so that the map tells which tissue the images look like, not what that tissue conducts in this person. None of the
# three leaves a mark in the map; an estimate that is the same for two scanners speaks against the first alone.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
