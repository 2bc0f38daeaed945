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
# # Stimulation: does the map matter for the field?
#
# **The claim.** Fields by the estimated and by the uniform map are very consistent; the difference is largest in the
# hand motor area; and the estimated map gives fewer staircase artefacts (section IV-B, Table III, Figs. 10 and 11 of
# {cite}`rashed2020`).
#
# **What you will be able to do.** Put a coil over C3 of any head; compare two fields with measures that see an error;
# ask which map is nearer to a refined solution; weigh the map against the hand that holds the coil.
#
# **Success** for the smooth map is not that it looks smoother, but that its field is *nearer to a solution on a finer
# grid* of the same head.
#
# **Time.** Two to three minutes at `demo`, after the maps of the earlier pages.
#
# **Limits.** Coil turns, direction, gap and current are not in the paper: our choices, under
# [deviations](../../book/deviations.md). The pulse changes faster than a stimulator's, so that V/m are of an arbitrary
# rate: the field is proportional to it, and only ratios of fields mean anything. The finer solution has uniform tissues
# too; a living head may be smoother.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or synthseg_heads, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name, e.g. {"stimulation.angle_deg": 0.0}

# %%
import numpy as np
from matplotlib import pyplot as plt

from mrrepro.metrics.electric_fields import magnitude
from mrrepro.metrics.evidence import claim_rows, record_claims, record_values
from mrrepro.papers.condnet import pictures, planes, plots
from mrrepro.papers.condnet.evidence import RecordedSweeps, global_error, knob_over_rest, relative_l2
from mrrepro.papers.condnet.heads import HEADS, read_heads
from mrrepro.papers.condnet.refinement import REFINED
from mrrepro.papers.condnet.result_values import REGIONS, TABLE3, table3_values
from mrrepro.papers.condnet.settings import CondNetSettings
from mrrepro.papers.condnet.stimulation import COIL_SWEEP, FIELDS, motor_area, read_fields, site_on
from mrrepro.papers.condnet.tables import inner_share, mean_over_maximum, nearer_words, refined_rows, staircase_rows
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run

# %%
run = open_run("condnet", "05_stimulation", CondNetSettings, globals())
sweeps = RecordedSweeps("demo")

# %%
made = run.make(FIELDS)
entries, fields = made.json("fields.json")["heads"], read_fields(made)
heads = read_heads(run.artifacts[HEADS.name], "testing")
head, field, entry = heads[-1], fields[-1], entries[-1]
voxel_mm = 1e3 * head.voxel_size

# %% [markdown]
# ## Coil over C3
#
# C3 lies at 30 % of the arc from the left ear over the vertex to the right one; the landmarks are carried from MNI by
# the box of the brain. The coil lies tangentially at a gap above it, its current at 45 degrees to the midline.

# %% tags=["hide-input"]
site = site_on(head, run.settings.stimulation.position)
coil = site.coil(run.settings.stimulation.choice())
wires = 1e3 * coil.wire_points().reshape(-1, 64, 3)
index = np.argwhere(head.head)[:: max(1, head.head.sum() // 6000)]
world = 1e3 * (index @ head.affine[:3, :3].T + head.affine[:3, 3])
knob = 1e3 * (np.argwhere(motor_area(head)) @ head.affine[:3, :3].T + head.affine[:3, 3])
figure, axes = plt.subplots(1, 2, figsize=(8.6, 4.2), layout="constrained")
for panel, (a, b), (right, up) in zip(axes, ((1, 2), (0, 2)), (("y", "z"), ("x", "z")), strict=True):
    panel.plot(world[:, a], world[:, b], ".", color="0.8", markersize=2)
    for turn in wires:
        panel.plot(turn[:, a], turn[:, b], color="C1", linewidth=0.8)
    panel.plot(knob[:, a], knob[:, b], ".", color="C3", markersize=3)
    panel.set(xlabel=f"{right} [mm]", ylabel=f"{up} [mm]", aspect="equal")
show(
    figure,
    alt="A head from its side and from behind as grey points, the two wings of the coil above its left side, "
    "and a small red "
    "group of voxels in the cortex below the coil: the hand motor area.",
    caption="The coil above C3 (orange) and the hand motor area (red) of a drawn test head.",
    name="fig-placement",
)

# %%
pulse = run.settings.stimulation
rate, slow, fast = (1e-6 * pulse.rate_of_change() * f / pulse.frequency for f in (pulse.frequency, 2e3, 5e3))
show_text(
    f"{1e-3 * pulse.peak_current:g} kA as a sine of {1e-3 * pulse.frequency:g} kHz change by {rate:.0f} A/µs at the "
    f"onset; the same current in a pulse of 2 to 5 kHz changes by {slow:.0f} to {fast:.0f} A/µs. All fields of this "
    "page go with that rate, and ratios of them do not depend on it."
)

# %% [markdown]
# ## Two fields

# %% tags=["hide-input"]
strength = {name: magnitude(field[name]) for name in ("uniform", "estimated")}
top = float(np.percentile(strength["uniform"][head.brain], 99.9))
columns = {"uniform": strength["uniform"], "CondNet": strength["estimated"],
           "difference": strength["estimated"] - strength["uniform"]}  # fmt: skip
both = (plots.FIELD, 0.0, top)
ranges = {"uniform": both, "CondNet": both, "difference": (plots.DIFFERENCE, -0.3 * top, 0.3 * top)}
centre = planes.middle_of(motor_area(head))
show(
    plots.slice_rows(columns, centre, voxel_mm, ranges, dict.fromkeys(columns, plots.FIELD_LABEL)),
    alt="Field magnitude through the hand motor area by both maps and their difference, in three planes: "
    "strongest below the "
    "coil; the difference is largest at tissue boundaries near it.",
    caption="The field by uniform and by estimated conductivity in one test head, planes through the hand motor area "
    "(the counterpart of the sagittal sections of the paper's Fig. 10, which has eight subjects; its cortical surfaces "
    "are not drawn here).",
    name="fig-fields",
)

# %% tags=["hide-input"]
half = round(24.0 / voxel_mm)
near = {"uniform": [], "CondNet": []}
for one, found in list(zip(heads, fields, strict=True))[:4]:
    x, y, z = planes.middle_of(motor_area(one))
    for title, name in (("uniform", "uniform"), ("CondNet", "estimated")):
        near[title].append(plots.around(magnitude(found[name])[x], (y, z), half))
show(
    plots.magnified(near, [one.name for one in heads[:4]], voxel_mm, top),
    alt="Squares of sagittal slices around the hand motor area, one column a test head, uniform map above and CondNet "
    "below, in one scale of colours and in pixels as large as the voxels: bright folds below the scalp. At demo scale "
    "the two rows share their pattern in the warp of the template; in the drawn head CondNet's folds are brighter.",
    caption="The cortex around the hand motor area magnified, sagittal (the counterpart of the paper's Fig. 11, which "
    "has four subjects).",
    name="fig-fields-near",
)

# %% tags=["hide-input"]
slices = pictures.recorded_planes(pictures.FIELDS_FILE, {"uniform": "uniform", "estimated": "CondNet"})
if slices is not None:
    slices["difference"] = [ours - true for true, ours in zip(*slices.values(), strict=True)]
    high = float(np.percentile(np.concatenate([part[part > 0] for part in slices["uniform"]]), 99.5))
    whole = {"uniform": (plots.FIELD, 0.0, high), "CondNet": (plots.FIELD, 0.0, high),
             "difference": (plots.DIFFERENCE, -0.3 * high, 0.3 * high)}  # fmt: skip
    show(
        plots.plane_rows(
            slices,
            CondNetSettings.at_scale("paper").heads.voxel_size_mm,
            whole,
            dict.fromkeys(slices, plots.FIELD_LABEL),
        ),
        alt="The same in voxels of a millimetre: both fields have the same pattern, and the difference is largest in "
        "thin layers near the coil.",
        caption="The field in a test head at the paper's size, recorded.",
        name="fig-fields-paper",
    )

# %% tags=["hide-input"]
if slices is not None:
    paper_mm = CondNetSettings.at_scale("paper").heads.voxel_size_mm
    x, y, z = plots.crossing(slices["uniform"])
    near = {
        title: [
            plots.around(part, at, round(24.0 / paper_mm))
            for part, at in zip(slices[title], ((x, y), (y, z), (x, z)), strict=True)
        ]
        for title in ("uniform", "CondNet")
    }
    show(
        plots.magnified(near, planes.PLANES, paper_mm, high),
        alt="Squares of an axial, a sagittal and a coronal slice around the hand motor area in voxels of a "
        "millimetre, uniform map above and CondNet below, in one scale of colours: brightest towards the scalp on the "
        "left. Both rows have the same pattern and stripes as wide as a voxel where layers run askew to the grid; the "
        "lower one has a few black voxels.",
        caption="The same at the paper's size for one test head in three planes, recorded. Stripes as wide as a voxel "
        "show by both maps. Black voxels within the head are those of an estimate that counts as air.",
        name="fig-fields-near-paper",
    )

# %% [markdown]
# Is the field stronger in the hand motor area than in any of the other regions of Table III, on average over each? The
# uniform map answers, which rests on no training.

# %%
knobs = [knob_over_rest(one) for one in sweeps.pooled("strengths", "strengths", "strengths")]
show_text(
    "Mean |E| in the hand knob over that in the strongest other region, by recorded test head: "
    + ", ".join(f"{knob:.1f}" for knob in knobs) + "."
    if knobs else "Nothing is recorded at this scale."
)  # fmt: skip

# %% [markdown]
# ## Table III, and measures that see an error
#
# The paper's *global error*, eq. 6, is the mean of $|E_i - \hat E_i|$ over the largest field of the region. One voxel
# decides that maximum, and most voxels lie far from the coil, so that the error of the brain is small by what it is
# divided by: how small, and what a field has that is wrong by half, stands below. So beside it stand the relative L2
# difference of the vectors, RDM (the pattern alone) and MAG (the size alone).

# %%
record_values(run, table3_values(entries))

# %%
paper = {number.id: number for number in run.ledger.numbers}
rows = []
printed = {ours: paper[f"condnet.table3.average.{name}"] for name, ours in TABLE3.items()}
for region in (*REGIONS, "head_with_air"):
    reported = printed.get(region)
    ours = [one["regions"][region]["estimated"] for one in entries]
    row = {"region": region.replace("_", " "), "paper, GE [%]": reported.value if reported else ""}
    row["ours, GE [%]"] = float(np.mean([one["global_error"]["mean"] for one in ours]))
    for name in ("relative_l2", "rdm", "mag"):
        row[name.replace("_", " ")] = float(np.mean([one[name] for one in ours])) if name in ours[0] else ""
    rows.append(row)

# %%
show_table(
    rows,
    caption="Estimated against uniform conductivity, mean over the test heads. 'With air' counts the air of a cube of "
    "256 mm, in which nothing differs, as the paper's head seems to.",
    name="tab-table3",
)

# %%
every = [one for run_of_seed in sweeps.heads("fields", "fields") for one in run_of_seed]
GE = "{mean:.2f} ({sd:.2f})"
rows = [
    {"head": one["name"], "another anatomy": "yes" if one["another_anatomy"] else "no"}
    | {f"GE, {region.replace('_', ' ')}": GE.format(**one["regions"][region]["estimated"]["global_error"])
       for region in REGIONS}
    for one in every
]  # fmt: skip
show_table(
    rows or [{"head": "nothing is recorded at this scale"}],
    caption="GE [%] and its standard deviation, head by head, over the test heads of all recorded seeds (the "
    "counterpart of the paper's eight subjects; recorded at `demo`). A simulated head stands for no subject of the "
    "paper, so that the averages alone are compared.",
    name="tab-table3-heads",
)

# %%
half_wrong = float(np.mean([one["wrong_by_half"] for one in entries]))
air = float(np.mean([global_error(one, "head_with_air") for one in entries]))
show_text(
    "A field that is wrong by half in the brain (relative L2 of one half, made from two directions of the "
    "coil) has a global "
    f"error of {half_wrong:.2f} % there. The paper's whole head has less than both of its parts: the mean error of a "
    "whole lies between those of its parts, and only the larger maximum that it is divided by could lower it. With the "
    f"air of the box ours falls to {air:.2f} %, so air was probably counted."
)

# %%
knob, brain = (
    float(np.mean([mean_over_maximum(found, mask(one)) for one, found in zip(heads, fields, strict=True)]))
    for mask in (motor_area, lambda one: one.brain)
)
quotient = float(printed["motor_area"].value) / float(printed["brain"].value)
show_text(
    f"Mean over largest |E| is {knob:.2f} in the hand knob and {brain:.3f} in the brain, over the test heads. Two "
    f"fields that differ by the same percentage everywhere so have {knob / brain:.1f} times the global error in the "
    f"knob; the paper's own averages are in the ratio {quotient:.1f}. The global error of the brain does see a wrong "
    f"field, as the {half_wrong:.2f} % above show, in a scale of its own: a few hundredths of the relative difference."
)

# %% [markdown]
# ## Staircases in numbers
#
# The paper speaks of staircases at the borders of tissues, sees fewer of them in its Fig. 11, and gives no measure: its
# claim is not decided here. What is asked instead is how noisy the field is *inside* the cortex. *Roughness*: the
# field's magnitude minus the mean of its six neighbours over its own size, in voxels of grey matter whose six
# neighbours are grey matter. No voxel that touches fluid or white matter counts. And the 99th percentile with the ratio
# of the 99.9th to it, since artefacts are said to live in the highest values.

# %%
refined = run.make(REFINED).json("refined.json")["heads"]
show_table(
    [row for place in (0, -1) for row in staircase_rows(entries[place], refined[place])],
    caption="Roughness of |E| inside the cortex, also of the refined solution averaged to the same voxels; 99th "
    "percentile of |E| in the brain, and the tail beyond it.",
    name="tab-staircase",
)
shares = [100.0 * inner_share(one.mask("grey_matter")) for one in heads]
show_text(f"Of the grey matter {min(shares):.0f} to {max(shares):.0f} % of the voxels count, by test head.")

# %% [markdown]
# A folded cortex under fluid *has* a rough field: look at the refined solution's. Less roughness is less artefact only
# as long as it is not less than that.
#
# ## Which map is nearer to a refined solution?
#
# The same head is built with half the voxel, solved, and averaged to the coarse voxels. Against this stand the uniform
# map, the uniform map blurred, and the network's.

# %%
show_table(
    refined_rows(refined),
    caption="Relative L2 error of the field in the cortex against the refined solution; last: between estimated and "
    "uniform map in the brain.",
    name="tab-refined",
)

# %%
fine = sweeps.pooled("refined", "refined")
show_table(
    refined_rows(fine) or [{"head": "nothing is recorded at this scale"}],
    caption="The same for the test heads of all recorded seeds (recorded at `demo`).",
    name="tab-refined-recorded",
)
show_text(nearer_words(fine))

# %%
alone = refined[0]["solver_alone"]
uniform, estimated = (np.mean([f["errors"][name]["cortex"]["relative_l2"] for f in refined])
                      for name in ("uniform", "estimated"))  # fmt: skip
nearer = "estimated" if estimated < uniform else "uniform"
show_text(
    f"On average the **{nearer}** map's field is nearer to the refined solution in this run ({estimated:.3f} "
    "estimated, "
    f"{uniform:.3f} uniform). The solver by itself, with each voxel only divided, moves the field of "
    f"{refined[0]['name']} by "
    f"{alone['relative_l2']:.3f} in the brain (GE {alone['global_error']['mean']:.2f} %): this much of any "
    "difference between "
    "coarse maps is the grid's."
)

# %%
rebuilt = refined[0]["errors"]["uniform"]["brain"]["global_error"]["mean"]
show_text(
    f"In {refined[0]['name']} half the voxel, anatomy and grid together, changes the uniform map's field in the brain "
    f"by a GE of {rebuilt:.2f} %, the grid alone by {alone['global_error']['mean']:.2f} %. The claim below on half the "
    "voxel is of both together, for every recorded head has that; it is not one on the solver."
)

# %% [markdown]
# ## Map or hand?
#
# The hot spot is the centre of the strongest thousandth of the cortex. How far does it move when the map changes, and
# how far when the coil is turned by 10 degrees?

# %%
sweep = run.make(COIL_SWEEP).json("coil_sweep.json")
spots = np.array(sweep["hot_spots"])
by_map = 1e3 * np.linalg.norm(spots[1] - spots[0], axis=-1)
rows = [
    {"head": one["name"], **{f"{what} [mm]": 1e3 * one["hot_spot_shift"][key] for what, key in
     (("by the map", "estimated"), ("by a blur", "blurred"), ("by 10 degrees", "turned"))}}
    for one in entries
]  # fmt: skip
show_table(rows, caption="Shift of the hot spot in the cortex.", name="tab-hot-spot")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
angles = np.degrees(sweep["angles"])
for row, gap in enumerate(sweep["gaps_mm"]):
    axes[0].plot(angles, by_map[row], "o-", label=f"gap {gap:g} mm")
    for conductor, line in ((0, "-"), (1, "--")):
        label = f"{sweep['conductors'][conductor]}, {gap:g} mm"
        axes[1].plot(angles, np.array(sweep["strengths"])[conductor, row], line, color=f"C{row}", label=label)
axes[0].set(xlabel="angle of the coil [degrees]", ylabel="shift by the map [mm]")
axes[1].set(xlabel="angle of the coil [degrees]", ylabel="99th percentile of |E| [V/m]")
axes[1].set_ylim(0, None)
for panel in axes:
    panel.legend(fontsize=7, loc="lower left")
show(
    figure,
    alt="Left: the shift of the hot spot between the two maps over the coil's angle for each gap. Right: the "
    "field's 99th "
    "percentile in the cortex over angle, by both maps and gaps; larger gaps give weaker fields.",
    caption="Hot spot and strength over angle and gap in a drawn head.",
    name="fig-sweep",
)

# %% [markdown]
# ## The claims
#
# Each seed has persons of its own, and its test heads share its networks: what is averaged over a seed's heads is
# decided over the seeds. The global error decides the claim on the motor area, for the paper speaks of its Table III;
# the relative L2 difference, which does not divide by the region's own maximum, is asked here beside it.

# %%
of_the_paper = ["stronger_in_motor_area", "error_largest_in_motor_area_by_ge", "differences_vary_in_target",
                "global_error_small", "fields_consistent"]  # fmt: skip
asked = ["error_largest_in_motor_area", "smoother_within_cortex", "staircase_in_percentile", "smoother_is_nearer",
         "beats_a_blur", "ge_sees_errors", "solver_error_small", "hot_spot_stays",
         "placement_matters_more"]  # fmt: skip
claims, names = sweeps.claims(), [*of_the_paper, *asked]
record_claims(run, claims, names)

# %%
show_table(
    claim_rows(run, claims, names),
    caption="What decides each claim, over the recorded seeds (at `demo`); the last nine are asked here.",
    name="tab-claims-fields",
)
show_text("Fewer staircase artefacts: " + run.ledger.entries["condnet.claim.fewer_staircase_artefacts"].why)

# %%
l2 = {region: np.mean([relative_l2(one, region) for one in entries]) for region in REGIONS}
largest = max(l2, key=lambda region: l2[region])
show_text(f"By relative L2 the difference in this run is largest in: {largest.replace('_', ' ')} ({l2[largest]:.3f}).")

# %% [markdown]
# ## Exercise
#
# ```{exercise} A denominator
# :label: ex-denominator
# Why is the global error largest in the motor area for *any* two fields that differ by the same percentage in every
# voxel? Use that the region is small and close to the coil.
# ```
#
# ```{solution} ex-denominator
# :class: dropdown
# Then $|E_i - \hat E_i| = p E_i$ and GE is $p$ times mean over maximum. In a ball of 5 mm the field varies little: the
# mean is more than half of the maximum. In the whole brain most voxels are far from the coil, and it is a small part.
# Both quotients stand below Table III, with their ratio beside that of the paper's own averages: the percentage may be
# the same in both regions.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
