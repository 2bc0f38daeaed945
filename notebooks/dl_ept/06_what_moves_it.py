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
# # What moves the result
#
# **The claim.** The reconstruction is robust to noise and needs no transmit phase ({cite}`mandija2019`, Discussion and
# supplement). Of tissue that training has not seen the paper speaks with care: a-priori knowledge 'could also create
# biased reconstructions for cases not included in the training phase', and 'preliminary results at 3 Tesla seem to
# indicate' a better contrast of a tumour. **And what a sceptic asks:** do the maps follow the properties of the body,
# or are they a segmentation filled with remembered means?
#
# **What you will be able to do.** Tell a measurement from a look-up by changing the properties; break a network by
# giving it another body's fields; find the SNR at which it gives up; and move coil, voxel and contrast.
#
# **Time.** Half a minute at `demo` after the trainings.
#
# **Limits.** One architecture, short trainings at `demo`, simulated fields. That a small network fails a test here does
# not say that the paper's would.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or synthseg_heads, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name, e.g. {"evaluation.unseen_sets": 20}

# %% tags=["hide-input"]
import numpy as np
from matplotlib import pyplot as plt

from mrrepro.metrics.evidence import claim_rows, record_claims, record_values, undecided_of
from mrrepro.papers.dl_ept import plots
from mrrepro.papers.dl_ept.cases import TEST_HEAD, VARIED
from mrrepro.papers.dl_ept.evidence import (
    CLAIMS,
    RecordedSweeps,
    anatomy_error,
    select_rows,
    slope_of,
)
from mrrepro.papers.dl_ept.experiments import COILS, NOISE_LEVELS, OTHER_ANATOMY, OTHER_CONDITIONS, UNSEEN_SETS
from mrrepro.papers.dl_ept.field_reading import field_response, reads_fields, response_over
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES
from mrrepro.papers.dl_ept.result_values import noise_values
from mrrepro.papers.dl_ept.settings import DlEptSettings
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run

# %%
run = open_run("dl_ept", "06_what_moves_it", DlEptSettings, globals())
recorded = RecordedSweeps("demo")
evidence, undecided = recorded.claims(), undecided_of(recorded, CLAIMS)

# %% [markdown]
# ## Is it more than segmentation?
#
# The test head of the paper has the reference properties; our training heads are spread around them. So take the first
# anatomy, which training knows, with sets of properties that no training case has, and plot what comes out against what
# was put in: a network that measures lies on the diagonal, one that recalls lies flat.

# %%
unseen = run.make(UNSEEN_SETS).json("unseen_sets.json")

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 3, figsize=(10, 6), layout="constrained")
for row, quantity in enumerate(QUANTITIES):
    for column, tissue in enumerate(VARIED):
        panel, true = axes[row, column], np.array(unseen[quantity]["truth"][tissue])
        for method, colour in (("mask", "C1"), ("tissue", "C2")):
            for kind, marker in (("own fields", "o"), ("fields of another case", "x")):
                found = unseen[quantity][f"{method}, {kind}"][tissue]
                panel.plot(true, found, marker, color=colour, markersize=4, label=f"{plots.METHODS[method]}, {kind}")
        limits = (0.9 * true.min(), 1.1 * true.max())
        panel.plot(limits, limits, color="gray", linestyle=":")
        panel.axhline(unseen["means"][tissue][quantity], color="gray", linewidth=0.8)
        panel.set_title(tissue.replace("_", " "), fontsize=9)
        if row == 1:
            panel.set_xlabel("true")
    axes[row, 0].set_ylabel(f"reconstructed {plots.QUANTITY_LABELS[quantity]}", fontsize=9)
axes[0, 0].legend(fontsize=6)
show(
    figure,
    alt="Six panels, conductivity above and permittivity below, for three tissues: reconstructed against true means "
    "for "
    "both networks, with their own fields and with those of another case, the diagonal dotted and the training mean as "
    "a line.",
    caption="New sets of properties on a known anatomy. Dotted: identity. Line: the mean of the training heads, "
    "which a look-up would give. Crosses: magnitude and phase of another case.",
    name="fig-ept-slopes",
)

# %%
table = []
for quantity in QUANTITIES:
    found = unseen[quantity]
    line = {"quantity": plots.QUANTITY_LABELS[quantity], "look-up of training means": np.mean(found["lookup_nrmse"])}
    for method in ("mask", "tissue"):
        for kind in ("own fields", "fields of another case"):
            line[f"{plots.METHODS[method]}, {kind}"] = np.mean(found[f"{method}, {kind}"]["nrmse"])
    table.append(line)

# %%
show_table(table, caption="NRMSE in the brain over the new sets, in this run.", name="tab-ept-unseen")
slopes = [
    {"tissue": tissue.replace("_", " "), "quantity": plots.QUANTITY_LABELS[quantity]}
    | {plots.METHODS[m]: slope_of(unseen, m, quantity, tissue) for m in ("mask", "tissue")}
    for quantity in QUANTITIES
    for tissue in VARIED
]
show_table(slopes, caption="Slope of reconstructed on true means, in this run; 1 measures.", name="tab-ept-slopes")

# %% [markdown]
# ### Are the fields read?
#
# In these sets the mask, the image and the noise stay the same; the fields alone differ. So whatever a map changes by
# when the fields of another case are put in, it has from the fields. We take the slope of that change on the change of
# the truth, over the three tissues: 1 for a network that follows its fields in full, 0 for one that reads none of them.
# Unlike the error with another case's fields over that with its own, it does not ask how accurate a map is: a network
# with a large error of its own hardly adds to it by the wrong fields, though it may read them.

# %%
responses = []
for place, sweep in (("demo", recorded), ("the paper's sizes", RecordedSweeps("paper"))):
    documents = sweep.documents("headline", "unseen_sets", "unseen_sets")
    for method in ("mask", "tissue") if documents else ():
        line = {"recorded at": place, "seeds": len(documents), "method": plots.METHODS[method]}
        for quantity in QUANTITIES:
            found = response_over(documents, method, quantity)
            line[plots.QUANTITY_LABELS[quantity]] = f"{found.estimate:.2f} ({found.low:.2f} to {found.high:.2f})"
        responses.append(line)
caption = "Change of the reconstructed means with another case's fields over the true change, with its interval: over "
caption += "seeds at demo, over the cases of one training at the paper's sizes (simulated)."
if responses:
    show_table(responses, caption=caption, name="tab-ept-response")

# %%
sceptic = [f"slope_{symbol}_{tissue}" for symbol in ("sigma", "eps") for tissue in ("wm", "gm", "csf")]
sceptic += ["beats_lookup", "needs_fields"]
record_claims(run, evidence, sceptic)
caption = "The sceptic's claims, of cGANtissue (simulated)."
show_table(claim_rows(run, evidence, sceptic), caption=caption, name="tab-ept-sceptic")

# %% [markdown]
# ## An anatomy that was never seen
#
# The third head is drawn: a folded cortex on an ellipsoidal brain, no warp of the template. It differs from the two of
# the training in more than one person does from another.

# %%
rows = run.make(OTHER_ANATOMY).json("anatomies.json")["rows"]

# %%
places = [(a, r) for a in ("first", "unseen") for r in ("interior", "boundary")]
show_table(
    [
        {"method": label, "quantity": plots.QUANTITY_LABELS[quantity]}
        | {f"{a} anatomy, {r}": anatomy_error(rows, a, method, quantity, r) for a, r in places}
        for method, label in plots.METHODS.items()
        for quantity in QUANTITIES
    ],
    caption="NRMSE with new properties, away from and at tissue boundaries, in this run. Unseen: a drawn head.",
    name="tab-ept-anatomy",
)
on_anatomies = ["unseen_anatomy", "boundaries_preserved"]
record_claims(run, evidence, on_anatomies)
show_table(claim_rows(run, evidence, on_anatomies), caption="Over seeds (simulated).", name="tab-ept-anatomy-claim")

# %% [markdown]
# ## Noise
#
# Noise of the fields cannot move a network that does not read them: it would pass as robust, and no noise would make it
# erroneous. What the paper says of noise, of the phase and of a tumour is therefore decided only where cGANmask reads
# its fields: where the measure above lies over 0 with its whole interval. How much it reads says how much noise can
# move.

# %%
rows = run.make(NOISE_LEVELS).json("noise_levels.json")["rows"]

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for panel, quantity in zip(axes, QUANTITIES, strict=True):
    for method, label in plots.METHODS.items():
        chosen = select_rows(rows, case=TEST_HEAD, method=method, quantity=quantity)
        noisy = [row for row in chosen if row["snr"] != "inf"]
        (line,) = panel.loglog([row["snr"] for row in noisy], [row["nrmse"] for row in noisy], "o-", label=label)
        clean = next(row for row in chosen if row["snr"] == "inf")
        panel.axhline(clean["nrmse"], color=line.get_color(), linestyle=":", linewidth=0.9)
    panel.set(xlabel="SNR of |B1+| [1]", ylabel="NRMSE in the brain [1]")
    panel.set_title(plots.QUANTITY_LABELS[quantity], fontsize=9)
axes[0].legend(fontsize=7)
show(
    figure,
    alt="Error in the brain against the signal-to-noise ratio, on double logarithmic axes: Helmholtz EPT falls with "
    "the SNR, the networks are flat above some SNR and rise below it.",
    caption="Error against SNR, the phase's noise going with its inverse. Dotted: without noise.",
    name="fig-ept-snr",
)

# %%
(erroneous,) = noise_values(rows)
if reads_fields([unseen], "mask", "conductivity"):
    record_values(run, [erroneous])
show_text(
    f"cGANmask's conductivity has more than half as much error again at an SNR of {erroneous.value:g} and below."
    if erroneous.value
    else "cGANmask's conductivity nowhere has half as much error again as without noise: even the lowest SNR here does "
    "not make it worse than it is."
)
noise = ["noise_robust_at_100", "more_noise_robust_than_hept", "erroneous_at_snr_20"]
record_claims(run, evidence, noise)
if any(name in evidence for name in noise):
    show_table(claim_rows(run, evidence, noise), caption="The claims on noise (simulated).", name="tab-ept-noise")
for why in dict.fromkeys(undecided[name] for name in noise if name in undecided):
    show_text(f"None of the claims on noise is decided by the recorded seeds: {why}.")

# %%
answers = {m: field_response(unseen, m, "conductivity") for m in ("mask", "tissue")}
show_text(
    "In this run a change of the true conductivity is followed by "
    + " and ".join(f"{answer.estimate:.2f} of it in {plots.METHODS[m]}" for m, answer in answers.items())
    + (
        ", an interval of which holds 0 in both: robustness to the noise of the fields says nothing of them."
        if max(answer.low for answer in answers.values()) <= 0
        else ": the fields are read by one of them at least, so that its robustness says something."
    )
)

# %% [markdown]
# ## What the paper leaves open: another coil, another voxel, another contrast
#
# The paper asks 'whether a single network can be trained to generalize to other field strengths and coil setups'
# (Discussion). Here no network is trained for that; one trained in a single coil is tried in others. The same head with
# the same properties, measured under conditions that training never saw. Helmholtz EPT knows nothing of the coil and
# should not care; a network might have the coil it was trained in built into its weights. At 700 mm the images of the
# shield lie too far away for the model of long wavelengths to be exact: the wide shield stands for another coil and for
# no more.

# %%
rows = run.make(OTHER_CONDITIONS).json("conditions.json")["rows"]
conditions = list(dict.fromkeys(row["condition"] for row in rows))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
for panel, quantity in zip(axes, QUANTITIES, strict=True):
    for offset, (method, label) in enumerate(plots.METHODS.items()):
        errors = [
            next((r["nrmse"] for r in select_rows(rows, condition=c, method=method, quantity=quantity)), np.nan)
            for c in conditions
        ]
        panel.barh(np.arange(len(conditions)) + 0.26 * (offset - 1), errors, height=0.24, label=label)
    panel.set(xlabel="NRMSE in the brain [1]")
    panel.set_title(plots.QUANTITY_LABELS[quantity], fontsize=9)
axes[0].set_yticks(np.arange(len(conditions)), [plots.CONDITION_LABELS.get(name, name) for name in conditions])
axes[0].invert_yaxis()
axes[1].legend(fontsize=7, loc="lower right")
show(
    figure,
    alt="Bars of the error in the brain for each method under several conditions: the coil of the training, a wide "
    "shield (700 mm), a wider and a narrower coil, larger voxels, and the contrast of another field strength.",
    caption="The test head under conditions that no training case had. Simulated.",
    name="fig-ept-conditions",
)

# %%
worst = max(select_rows(rows, method="tissue", quantity="conductivity"), key=lambda row: row["nrmse"])
as_trained = select_rows(rows, method="tissue", quantity="conductivity", condition="as trained")[0]
named = plots.CONDITION_LABELS.get(worst["condition"], worst["condition"])
show_text(
    f"In this run the conductivity of cGANtissue has its largest error under *{named}*: an NRMSE of "
    f"{worst['nrmse']:.2f} after {as_trained['nrmse']:.2f} as trained."
)

# %%
changes = {}
for document in recorded.documents("headline", "other_conditions", "conditions"):
    errors = [row for row in document["rows"] if row["method"] != "helmholtz"]
    trained = {(r["method"], r["quantity"]): r["nrmse"] for r in errors if r["condition"] == "as trained"}
    for r in errors:
        change = abs(r["nrmse"] / trained[r["method"], r["quantity"]] - 1)
        changes[r["condition"]] = max(change, changes.get(r["condition"], 0.0))

# %%
if changes:
    by_coil = max(changes[name] for name in COILS)
    kept = (*COILS, "as trained")
    others = [f"by up to {100 * changes[name]:.0f} % with *{name}*" for name in changes if name not in kept]
    show_text(
        f"Over the recorded seeds another coil changes a network's error by {100 * by_coil:.1f} % of itself at most; "
        f"it changes {' and '.join(others)}. "
        + (
            "The coil is not built into these weights. A network that hardly uses its fields could not notice it, nor "
            "any where another coil hardly changes their shape within the head."
            if by_coil < 0.05
            else "The coil is built into these weights."
        )
    )

# %% [markdown]
# ## Exercise
#
# ```{exercise} Where does the information sit?
# :label: ex-ept-phase
# Reconstruct the magnitude of one case with the phase of another:
#
#     from mrrepro.papers.dl_ept import database, network_inputs, networks, reconstruction
#
#     first, second = (run.make(database.TESTS).arrays(f"first_U{k}.npz") for k in (0, 1))
#     mixed = first | {"transceive_phase": second["transceive_phase"]}
#     measured = network_inputs.measurement_of(mixed, "mask", "transceive")
#     simulation = run.settings.simulation
#     maps = reconstruction.by_helmholtz(measured, simulation.voxel_size, simulation.frequency, run.settings.helmholtz)
#     network = networks.read_network(run.make(networks.TRAININGS["mask", "conductivity"]))
#     learned = reconstruction.by_network(network, measured, run.settings.measurement.image_size)
#
# Do the same with `first` and `second` in the place of `mixed`, and for the network of `"relative_permittivity"`. Is
# the conductivity of the mixed case nearer to that of the case whose magnitude it has, or whose phase? And the
# permittivity? Ask it of Helmholtz EPT and of cGANmask.
# ```
#
# ```{solution} ex-ept-phase
# :class: dropdown
# Helmholtz EPT: the conductivity, from the imaginary part of the equation, follows the phase; the permittivity, from
# the real part, the magnitude. A network need not: one whose slope above is near zero gives nearly the same map for all
# three. Where the slope is not, as for the conductivity of cGANmask at `demo`, the map may follow the phase as the
# equation does. With an image among the inputs (`"tissue"` for `"mask"`, twice) less of either is needed: cGANtissue
# follows neither in full.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
