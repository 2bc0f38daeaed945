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
# # A solver for the induced field, against closed forms
#
# **The claim.** The field that a coil induces follows from one scalar equation, solved by finite differences and
# multigrid (section III-C of {cite}`rashed2020`); steps of a binary conductivity make *staircase artefacts*, which a
# smooth conductivity avoids (sections II and IV-B).
#
# **What you will be able to do.** Derive the discrete equation from Kirchhoff's law; say which tests see the
# conductivity and which do not; tell what binary, averaged and blurred boundaries do to a field whose closed form is
# known.
#
# **Success** is an error that falls with the voxel, a field that does not change with the gauge, and a current that is
# conserved to rounding.
#
# **Time.** Seconds at every scale: spheres of 4 mm voxels. `mrrepro verify` repeats all of it at 1 mm, and `mrrepro
# bench` sets the solver beside pyamg's and Jacobi's at $256^3$.
#
# **Limits.** Isotropic conductivity, no capacitive currents, thin wires.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or synthseg_heads, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name

# %%
import numpy as np
from matplotlib import pyplot as plt

from mrrepro.papers.condnet import checks, plots
from mrrepro.papers.condnet.eccentric import BOUNDARIES, MODEL, POLAR, eccentric_errors
from mrrepro.papers.condnet.evidence import RecordedSweeps
from mrrepro.papers.condnet.reference_models import LayeredSphere, coil_above_sphere, head_like
from mrrepro.papers.condnet.settings import CondNetSettings
from mrrepro.papers.condnet.tables import coil_words, percentile_words
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run
from mrrepro.solvers.potential_multigrid import Tolerances, solve_potential
from mrrepro.solvers.potential_sources import edge_line_integrals, induced_source
from mrrepro.solvers.potential_system import build_system
from mrrepro.solvers.sphere_fields import eccentric_sphere_field

# %%
run = open_run("condnet", "04_solver", CondNetSettings, globals())
recorded = RecordedSweeps("demo").documents("spheres", "spheres", "spheres")

# %% [markdown]
# ## From Faraday to Kirchhoff
#
# With $\mathbf{E} = -\nabla\psi - \partial_t \mathbf{A}$ and $\nabla \cdot \sigma \mathbf{E} = 0$,
#
# $$ \nabla \cdot \sigma \nabla \psi = -\nabla \cdot \sigma \, \partial_t \mathbf{A} . $$
#
# Put $\psi$ on the corners of the voxels. The edge between two corners conducts with $g = h \bar\sigma$, $\bar\sigma$
# the mean of the four voxels around it, and drives a current with the *line integral* $a = \int \partial_t \mathbf{A}
# \cdot \mathrm{d}\mathbf{l}$. Kirchhoff's law at each corner,
#
# $$ \sum_\text{edges} g \, (\psi_\text{there} - \psi_\text{here} + a) = 0 , $$
#
# is the discrete equation. Because $a$ is an integral along the edge, adding a gradient to $\mathbf{A}$ only adds node
# values to $\psi$: the field does not change. Air has no edges and no unknowns.

# %%
conductivity, size = head_like(64)
system = build_system(conductivity, size)
integrals = edge_line_integrals(system, checks.coil_above_head().vector_potential)
result = solve_potential(system, [induced_source(system, integrals)], Tolerances(1e-10))[0]
invariants = {
    "current conserved (rows and total), relative": checks.conservation_error(),
    "change of the field with the gauge, relative": checks.gauge_dependence(),
    "coil and electrodes: reciprocity, relative": checks.reciprocity_error(),
}
show_table(
    [{"invariant": name, "found": f"{value:.1e}"} for name, value in invariants.items()],
    caption="Invariants of the discrete equation on a folded, layered conductor of $64^3$ voxels.",
    name="tab-invariants",
)

# %% tags=["hide-input"]
figure, panel = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
panel.semilogy(result.residual_history, "o-", markersize=3)
panel.set(xlabel="cycle", ylabel="relative residual")
show(
    figure,
    alt="The residual falls on a logarithmic axis along a nearly straight line over about twenty cycles.",
    caption="Conjugate gradients, preconditioned by one multigrid cycle each.",
    name="fig-residual",
)

# %% [markdown]
# ## A sphere under a coil does not see its conductivity
#
# For any spherically symmetric $\sigma(r)$ the field of a magnetic dipole $\mathbf{m}$ outside has a closed form
# without $\sigma$, and no radial component {cite}`heller1992`. So this test is blind to a solver that ignored the
# conductivity; but it shows what voxels do. Layers of a head, coil 10 mm above it:

# %%
sphere = LayeredSphere()
named = zip(("brain", "fluid", "skull", "scalp"), sphere.radii, sphere.conductivities, strict=True)
layers = ", ".join(f"{name} to {1e3 * radius:.0f} mm ({sigma:g} S/m)" for name, radius, sigma in named)
show_text(f"From the centre: {layers}.")

# %%
maps = {"homogeneous": lambda h: sphere.homogeneous().binary(h), "binary": sphere.binary,
        "partial volume": sphere.partial_volume, "Gaussian, one voxel": lambda h: sphere.gaussian(h, h)}  # fmt: skip
rows = [
    {"conductivity": name, **{f"{1e3 * h:g} mm": checks.coil_error(sphere, make(h), h) for h in (8e-3, 4e-3)}}
    for name, make in maps.items()
]
show_table(
    rows,
    caption="Relative L2 error of the coil's field in the brain of a layered sphere against the closed form.",
    name="tab-layered",
)

# %% [markdown]
# Finer voxels take longer than a page should; from a recorded run:


# %%
coil_rows, electrode_rows, growth = (recorded[0][part] if recorded else [] for part in ("coil", "electrodes", "growth"))
show_table(
    plots.by_voxel(coil_rows, "conductivity", "relative_l2"),
    caption="Relative L2 error of the coil's field in the brain of a layered sphere (recorded).",
    name="tab-layered-fine",
)

# %%
thin = 1e3 * (sphere.radii[1] - sphere.radii[0])
eight, four = (next(row for row in rows if row["conductivity"] == "binary")[f"{size} mm"] for size in (8, 4))
binary = {e["voxel_mm"]: e["relative_l2"] for e in coil_rows if e["conductivity"] == "binary" and e["voxel_mm"] <= thin}
errors = [binary[size] for size in sorted(binary, reverse=True)]
show_text(
    f"The fluid is {thin:.0f} mm thick. Coarser binary voxels leave holes in it, and the error of the binary map "
    f"{'does not fall' if four >= eight else 'falls'} from 8 to 4 mm ({eight:.2f} and {four:.2f})."
    + (f" From {thin:.0f} mm on it falls." if len(errors) > 1 and errors == sorted(errors, reverse=True) else "")
)
show_text(coil_words(coil_rows))

# %%
show_table(
    plots.by_voxel(coil_rows, "conductivity", "percentile_99"),
    caption="99th percentile of |E| there over that of the closed form (recorded). " + percentile_words(coil_rows),
    name="tab-percentile",
)

# %%
show_table(
    [{"voxels": f"${entry['voxels']}^3$", "cycles": entry["cycles"], "residual": f"{entry['true_residual']:.1e}"}
     for entry in growth] or [{"voxels": "nothing is recorded at this scale"}],
    caption="Cycles to a relative residual of 1e-8 on a head-like conductor, as the grid grows (recorded).",
    name="tab-growth",
)  # fmt: skip

# %% [markdown]
# ## Where the conductivity matters: a sphere in a sphere, off centre
#
# A ball of fluid (2 S/m) in a larger one of grey matter's conductivity (0.1 S/m), between two electrodes. Its potential
# is a translated series. Now the current *crosses* a curved boundary of twenty to one, and the way in which voxels
# represent it decides. Four ways:
#
# - *binary*: the voxel takes the value at its centre;
# - *arithmetic mean* over the voxel: right for a current along the boundary;
# - *harmonic mean*: right for a current across it;
# - *Gaussian*: the binary map convolved with a Gaussian of one voxel.

# %%
voxel = 4e-3
found = {name: eccentric_errors(boundary, voxel) for name, boundary in BOUNDARIES.items()}

# %%
show_table(
    [
        {
            "boundary": name,
            "voxels not cut": e.uncut,
            "all, at centres": e.all_at_centres,
            "all, voxel means": e.all_means,
        }
        for name, e in found.items()
    ],
    caption=f"Relative L2 error of the electrodes' field at {1e3 * voxel:g} mm. A voxel that the boundary cuts "
    "holds two "
    "fields: at its centre one of them, in its mean both.",
    name="tab-eccentric",
)

# %%
show_table(
    plots.by_voxel(electrode_rows, "boundary", "all"),
    caption="All voxels, voxel means, at finer voxels (recorded).",
    name="tab-eccentric-fine",
)

# %%
best = min(found, key=lambda name: found[name].all_means)
worst = max(found, key=lambda name: found[name].all_means)
show_text(
    f"Over all voxels the {best} map is nearest ({found[best].all_means:.3f}) and the {worst} one furthest "
    f"({found[worst].all_means:.3f}), where the binary map has {found['binary'].all_means:.3f}. **Where a current "
    "crosses a boundary, a smooth map is not by itself a better one.** What looks like a staircase is an error of the "
    "boundary; blurring hides it and adds another, for the exact conductivity has a step. Under the coil above, whose "
    "currents run along the boundaries, it took most of the error away. In a head they do both."
)

# %% tags=["hide-input"]
n = 50
axis = (np.arange(n) - 0.5 * (n - 1)) * voxel
x, z = np.meshgrid(axis, axis, indexing="ij")
inside = np.hypot(x, z) < MODEL.radius - voxel
points = np.stack([x, 0.5 * voxel + 0 * x, z], axis=-1)
exact = np.zeros((n, n, 3))
exact[inside] = eccentric_sphere_field(points[inside], MODEL, POLAR)
depth = MODEL.inner_radius - np.sqrt(x**2 + (z - MODEL.offset) ** 2)
figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
drawn = plots.draw(axes[0], np.linalg.norm(exact, axis=-1), 1e3 * voxel, plots.FIELD, 0.0, 1.0)
figure.colorbar(drawn, ax=axes[0], label="|E| for 1 mA [V/m]")
for name, boundary in BOUNDARIES.items():
    axes[1].plot(1e3 * axis, boundary(depth, voxel)[n // 2], label=name, drawstyle="steps-mid")
axes[1].set(xlabel="z [mm]", ylabel="σ [S/m]", title="boundaries")
axes[1].legend(fontsize=7)
show(
    figure,
    alt="Left: the exact field in a sphere, strong near both poles and weak inside an inner ball in the upper half. "
    "Right: conductivity along the axis by the four ways, steps of different softness.",
    caption="The eccentric sphere: exact field in a central plane, and the conductivity along its axis.",
    name="fig-eccentric",
)

# %% [markdown]
# ## A coil of two wings
#
# Two spirals of nine turns, 97 and 47 mm across, as thin circular wires. $\mathbf{A}$ of a circle is a pair of elliptic
# integrals, tabulated over distance and height. Below it the field of a homogeneous sphere, which is where the hot spot
# lies.

# %% tags=["hide-input"]
h = 4e-3
plain = sphere.homogeneous()
placed = coil_above_sphere(plain)
ball = build_system(plain.binary(h), h)
field = checks.induced_field(ball, edge_line_integrals(ball, placed.vector_potential))
pulse = run.settings.stimulation
strength = pulse.rate_of_change() * np.linalg.norm(field, axis=-1)
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
wires = 1e3 * placed.wire_points().reshape(-1, 64, 3)
for turn in wires:
    axes[0].plot(*np.vstack([turn, turn[:1]]).T[:2], color="C1", linewidth=0.8)
axes[0].set(xlabel="x [mm]", ylabel="y [mm]", aspect="equal", title="the wires")
top = int(np.flatnonzero(strength.any(axis=(0, 1)))[-3])
drawn = plots.draw(axes[1], strength[:, :, top], 1e3 * h, plots.FIELD, 0.0, float(strength[:, :, top].max()))
figure.colorbar(drawn, ax=axes[1], label=plots.FIELD_LABEL)
axes[1].set_title("field just below the surface")
show(
    figure,
    alt="Left: two sets of nine concentric circles side by side that touch in the middle. Right: the field's "
    "magnitude "
    "below it, one elongated maximum in the middle and weaker rims under both wings.",
    caption=f"The figure of eight and the field that it induces at {1e-3 * pulse.peak_current:g} kA and "
    f"{1e-3 * pulse.frequency:g} kHz. These make {1e-6 * pulse.rate_of_change():.0f} A/µs, faster than a pulse of a "
    "few kHz: the field is proportional to this rate, which is arbitrary, so that only ratios mean anything.",
    name="fig-coil",
)

# %% [markdown]
# ## Exercises
#
# ```{exercise} Why harmonic?
# :label: ex-harmonic
# A voxel is cut in half by a boundary at right angles to the current. Which single conductivity carries the same
# current for the same voltage? And if the boundary runs along the current?
# ```
#
# ```{solution} ex-harmonic
# :class: dropdown
# Across: resistances add, so the mean is that of $1/\sigma$: harmonic. Along: conductances add: arithmetic. A scalar
# per voxel cannot do both; that is why none of the rows is perfect.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
