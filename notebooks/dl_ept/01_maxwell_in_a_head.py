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
# # Maxwell's equations in a head
#
# **The claim.** DL-EPT learns from simulated fields: the paper takes them from a commercial finite-difference code with
# a realistic body coil and licensed bodies (section 'Database construction' of {cite}`mandija2019`). What that code
# does can be done in the open, from the equation up, accurately enough to learn from.
#
# **What would count as a success.** The relative error of B1+ against Mie's series below 1 % at 5 mm, falling with the
# voxel size; two dipoles that see each other alike; power that adds up; B1+, B1− and transceive phase of a phantom
# and of a head, with their convention settled.
#
# **What you will be able to do.** Derive the volume integral equation and say why its discretisation decides over its
# error; check a solver against a closed form; tell which of a birdcage's polarisations makes B1+; and say what is lost
# when half the transceive phase stands for the phase of B1+.
#
# **Time.** A few seconds at `smoke`, less than a minute at `demo`.
#
# **Limits.** The coil's currents are forced: no capacitors, no tuning, no reaction of the body on the coil, and a
# shield without ends. Heads are made from a template, not segmented from a person, and end at the neck.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or synthseg_heads, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name, e.g. {"simulation.shield_radius_mm": 700.0}

# %% tags=["hide-input"]
import math
from dataclasses import replace

import numpy as np
import torch
from matplotlib import pyplot as plt

from mrrepro.papers.dl_ept import checks, field_plots, held_out_fields, verification
from mrrepro.papers.dl_ept.piecewise_constant import solve_piecewise_constant
from mrrepro.papers.dl_ept.settings import DlEptSettings
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run
from mrrepro.simulators.birdcage import incident_field
from mrrepro.simulators.rf_fields import receive_field, transmit_field
from mrrepro.solvers.krylov import GmresSettings
from mrrepro.solvers.volume_integral import solve_scattering

# %%
run = open_run("dl_ept", "01_maxwell_in_a_head", DlEptSettings, globals())
simulation = run.settings.simulation
coil = simulation.coil()
steps = [factor * simulation.voxel_size for factor in (1.25, 1.5, 1.75, 2.0)]

# %% [markdown]
# ## Symbols
#
# | symbol | meaning | unit |
# |---|---|---|
# | $\mathbf{E}, \mathbf{B}$ | phasors of the fields, with $\exp(+\mathrm{j}\omega t)$ | V/m, T |
# | $\omega, k = \omega/c$ | angular frequency, wavenumber of free space | rad/s, 1/m |
# | $\sigma, \varepsilon_r$ | conductivity, relative permittivity | S/m, 1 |
# | $\kappa = \varepsilon_r - \mathrm{j}\sigma/(\omega\varepsilon_0)$ | complex relative permittivity | 1 |
# | $\mathbf{P} = (\kappa - 1)\,\mathbf{E}$ | polarisation over $\varepsilon_0$ | V/m |
# | $G = \exp(-\mathrm{j}kR)/(4\pi R)$ | Green's function of free space | 1/m |
# | $h$ | edge of a voxel | m |
# | $B_1^\pm = \tfrac12(B_x \mp \mathrm{j}B_y)$ | circular components, $\mathbf{B}_0$ along $+z$ | T |
#
# ## The volume integral equation
#
# Tissue in a field is free space with currents in it. Ampère's law,
# $\nabla\times\mathbf{B} = (\mathrm{j}k/c)\,\kappa\,\mathbf{E}$, is that of free space with the additional current
# $\mathbf{J} = \mathrm{j}\omega\varepsilon_0(\kappa-1)\mathbf{E} = \mathrm{j}\omega\varepsilon_0\mathbf{P}$, and what a
# current radiates into free space is known. With $\mathbf{A} = \int G\,\mathbf{P}\,\mathrm{d}^3r'$,
#
# $$
# \mathbf{E} = \mathbf{E}_\text{inc} + (k^2 + \nabla\nabla\cdot)\,\mathbf{A}, \qquad
# \mathbf{B} = \mathbf{B}_\text{inc} + \frac{\mathrm{j}k}{c}\,\nabla\times\mathbf{A} .
# $$ (eq-volume-integral)
#
# Multiplied by $\kappa - 1$ the first of these is an equation for $\mathbf{P}$ in the body alone. A finite-difference
# code meshes the room, the coil and the air; this meshes the head. On a regular grid the integral is a convolution,
# so that a product with the matrix costs a few Fourier transforms, and GMRES needs some tens of products. Both
# polarisations of the coil are solved at once.
#
# ## Where the error comes from
#
# Inside homogeneous tissue there is no charge: $\nabla\cdot\mathbf{P} = 0$. The textbook's choice, a $\mathbf{P}$ that
# is constant in each voxel, jumps at every face, and each jump is a sheet of charge that nature does not have.
# $\nabla\nabla\cdot$ turns it into a field, and $\kappa$, which is near one hundred in a head at 128 MHz, multiplies
# what it does. Two measures remove it:
#
# - *A Yee grid.* Components of $\mathbf{P}$ and $\mathbf{E}$ live on the edges of the voxels, those of $\mathbf{B}$ on
#   the faces. Differences of neighbours are then exact gradients, curls and divergences of the grid:
#   $\nabla\cdot\nabla\times = 0$ holds to rounding.
# - *The lattice's own Green's function.* With $G_h$ such that the seven-point Laplacian obeys
#   $-\Delta_h G_h = \delta / h^3$ exactly, a $\mathbf{P}$ without divergence radiates no charge at all. Sampled values
#   of $1/(4\pi R)$ do that only far away; for $k=0$,
#
# $$
# G_h(l, m, n) = \frac{1}{h}\int_0^\infty e^{-6t} I_l(2t)\, I_m(2t)\, I_n(2t)\,\mathrm{d}t ,
# $$
#
# with the modified Bessel functions $I$; the wave's part, $(\exp(-\mathrm{j}kR) - 1)/(4\pi R)$, is smooth and is added
# as it stands. An edge gets the mean $\kappa$ of the four voxels around it.
#
# What is left is the staircase that stands for a curved surface: an error of first order in $h$.
#
# ## Against Mie's series
#
# **The sanity case.** A plane wave on a sphere has a closed form. The sphere has the size and the contrast of a head.

# %%
body = verification.sphere_body(steps[0])
wave = verification.plane_wave(body.grid, verification.SPHERE, torch.complex64)
sphere = solve_scattering(body, wave)
ours = transmit_field(sphere.field.magnetic_flux)[0].numpy()
exact = verification.series_transmit(body.grid)
inside = np.isfinite(exact)

# %%
coarse = verification.sphere_body(steps[-1])
fields = verification.SPHERE.incident(coarse.grid.voxel_centres())
electric, magnetic = (torch.as_tensor(field)[None].to(torch.complex64) for field in fields)
textbook = solve_piecewise_constant(coarse, electric, magnetic, GmresSettings())
constant = transmit_field(textbook.magnetic_flux)[0].numpy()
yee = solve_scattering(coarse, verification.plane_wave(coarse.grid, verification.SPHERE, torch.complex64))
staggered = transmit_field(yee.field.magnetic_flux)[0].numpy()
plane_of = field_plots.Plane.through("coronal", body.grid)

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for grid, field, style, label in (
    (body.grid, exact, "k-", "Mie's series"),
    (body.grid, ours, "C0o", f"Yee grid, {1e3 * steps[0]:.3g} mm"),
    (coarse.grid, staggered, "C2s", f"Yee grid, {1e3 * steps[-1]:.3g} mm"),
    (coarse.grid, constant, "C3x", f"piecewise constant, {1e3 * steps[-1]:.3g} mm"),
):
    middle, z = grid.shape[0] // 2, grid.voxel_axes()[2]
    deep = np.abs(z) < verification.SPHERE.radius
    values = field[middle, middle][deep]
    panels[0].plot(1e3 * z[deep], 1e9 * np.abs(values), style, markersize=4, label=label)
    panels[1].plot(1e3 * z[deep], np.unwrap(np.angle(values)), style, markersize=4)
panels[0].set(xlabel="z, along the wave [mm]", ylabel="|B1+| [nT] for 1 V/m", ylim=(0, None))
panels[1].set(xlabel="z, along the wave [mm]", ylabel="phase of B1+ [rad]")
panels[0].legend(fontsize=8)
show(
    figure,
    alt="Magnitude and phase of B1+ along the axis of a sphere. The points of the Yee grid lie on the curve of Mie's "
    "series at both voxel sizes; those of the piecewise constant equation are off, in phase most of all.",
    caption="B1+ along a line through a sphere (8 cm radius, $\\varepsilon_r = 78$, 0.6 S/m, 128 MHz).",
    name="fig-mie-line",
)

# %% tags=["hide-input"]
relative = 100 * np.abs(ours - exact) / np.abs(exact[inside]).mean()
shown = np.where(inside, np.abs(ours), np.nan)
show(
    field_plots.planes(
        [
            (
                field_plots.Row("|B1+| [nT]", field_plots.MAGNITUDE, 0.0),
                [1e9 * plane_of.of(values) for values in (np.abs(exact), shown)],
            )
        ],
        ["Mie's series", "Yee grid"],
        [plane_of] * 2,
        side=2.4,
    ),
    alt="Two maps of a disc that look the same: bright a little above the middle, darker towards the rim.",
    caption=f"|B1+| in the plane of wave and polarisation, voxels of {1e3 * steps[0]:.3g} mm. The wave runs upwards.",
    name="fig-mie-maps",
)

# %% tags=["hide-input"]
planes = [field_plots.Plane.through(name, body.grid) for name in ("coronal", "axial")]
show(
    field_plots.planes(
        [(field_plots.Row("error [% of mean |B1+|]", "magma", 0.0, 5.0), [p.of(relative) for p in planes])],
        ["coronal", "axial"],
        planes,
        side=2.4,
    ),
    alt="Error maps of two planes through the sphere: dark inside, with bright voxels at the stair-cased surface.",
    caption="Error of the complex B1+ on the Yee grid. It sits in the outermost voxels, where the surface is a "
    "staircase.",
    name="fig-mie-error",
)

# %% [markdown]
# A staircase's error depends on where the sphere lies in the grid, so it is squared and averaged over four positions
# before an order is fitted. Voxels less than $2h$ below the surface are left out.

# %%
offsets = verification.ORDER_OFFSETS
squares = [np.mean([verification.sphere_error(h, o).relative ** 2 for o in offsets]) for h in steps]
errors = np.sqrt(squares)
order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
deep = np.sqrt((coarse.grid.voxel_centres() ** 2).sum(axis=0)) < verification.SPHERE.radius - 2 * steps[-1]
series = verification.series_transmit(coarse.grid)[deep]
peers = {steps[-1]: float(np.linalg.norm(constant[deep] - series) / np.linalg.norm(series))}
peers[steps[-2]] = verification.piecewise_constant_error(steps[-2]).relative

# %% tags=["hide-input"]
figure, panel = plt.subplots(figsize=(6, 3.6), layout="constrained")
millimetres = 1e3 * np.array(steps)
panel.loglog(millimetres, 100 * errors, "C0o-", label="Yee grid and lattice Green's function")
panel.loglog([1e3 * h for h in peers], [100 * e for e in peers.values()], "C3x-", label="piecewise constant currents")
panel.loglog(millimetres, 100 * errors[-1] * millimetres / millimetres[-1], "k:", label="first order")
panel.set(xlabel="voxel size [mm]", ylabel="relative error of B1+ [%]")
panel.set_xticks(millimetres, [f"{tick:.3g}" for tick in millimetres])
panel.minorticks_off()
panel.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
panel.legend(fontsize=8)
show(
    figure,
    alt="Error against voxel size on logarithmic axes. The Yee grid's error falls about in proportion to the voxel "
    "size; that of piecewise constant currents is more than ten times larger at the same size.",
    caption="Relative error of the complex B1+ against Mie's series; mean square over four positions of the sphere.",
    name="fig-mie-order",
)

# %%
ratio = peers[steps[-1]] / errors[-1]
show_text(
    f"At {millimetres[0]:.3g} mm the error is {100 * errors[0]:.2g} %, and over these sizes it falls with the power "
    f"{order:.2f} of the voxel size. On voxels of {millimetres[-1]:.3g} mm the same number of unknowns of the "
    f"textbook's equation leaves {100 * peers[steps[-1]]:.0f} %, {ratio:.0f} times as much."
)

# %% [markdown]
# ## Invariants
#
# Mie's sphere is symmetric; an irregular body with an inclusion has no closed form, but laws that it must keep.
# *Reciprocity*: what dipole $a$ does to dipole $b$ through the body equals what $b$ does to $a$. *Power*: what is
# taken from a plane wave is absorbed or scattered, the latter computed from the far field. And the Fourier transforms
# must do what the matrix does, here with a kernel that was integrated numerically.

# %%
wanted = ("dl_ept.reciprocity", "dl_ept.power_balance", "dl_ept.dense_operator")
chosen = [check for check in checks.CHECKS if check.id in wanted]
results = [(check, check.run()) for check in chosen]
rows = [{"law": c.quantity, "deviation": f"{r.value:.1e}", "limit": f"{r.limit:.0e}"} for c, r in results]
show_table(
    [row | {"kept": "yes" if r.ok else "no"} for row, (_, r) in zip(rows, results, strict=True)],
    caption="Invariants of the solver, measured in this run with double precision.",
    name="tab-ept-invariants",
)

# %% [markdown]
# ## The birdcage
#
# Sixteen rungs carry currents of equal size whose phase goes once round the coil, $\exp(+\mathrm{j}\varphi)$; end rings
# close the circuit as Kirchhoff's law wants. With the phases of this book this mode transmits, and the reversed one,
# $\exp(-\mathrm{j}\varphi)$, receives. A shield around the coil carries image currents of the opposite sign.


# %%
def per_conductor(sense):
    """Currents in the rungs (up) and in the segments of the upper ring, with their azimuths."""
    positions, elements = replace(coil, shield_radius=math.inf).current_elements(sense)
    upright = elements[:, 2] != 0
    upper = ~upright & (positions[:, 2] > 0)
    azimuth = np.arctan2(positions[:, 1], positions[:, 0])
    rungs = elements[upright, 2].reshape(coil.rungs, -1).sum(axis=1) / coil.length
    along = elements[:, 1] * np.cos(azimuth) - elements[:, 0] * np.sin(azimuth)
    arc = 2 * math.pi * coil.radius / coil.rungs
    rings = along[upper].reshape(coil.rungs, -1).sum(axis=1) / arc
    return rungs, rings


rungs, rings = per_conductor(+1)
angles = 360 / coil.rungs * np.arange(coil.rungs)

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharex=True)
for panel, currents, shift, title in ((panels[0], rungs, 0.0, "rungs"), (panels[1], rings, 0.5, "upper end ring")):
    where = angles + shift * 360 / coil.rungs
    panel.plot(where, currents.real, "C0o-", label="at t = 0 (real part)")
    panel.plot(where, -currents.imag, "C1s-", label="a quarter period later")
    panel.plot(where, np.abs(currents), "k:", label="amplitude")
    panel.set(xlabel="azimuth [°]", ylabel="current [A]", title=title)
    panel.set_xticks(range(0, 361, 90))
panels[0].set_ylim(-1.7, 1.2)
panels[0].legend(fontsize=8, loc="lower left")
show(
    figure,
    alt="Currents against azimuth: sines of amplitude one in the rungs and of two and a half in the end ring, that "
    "move on by a quarter of the circumference in a quarter of a period.",
    caption="Current pattern of the mode $\\exp(+\\mathrm{j}\\varphi)$ for 1 A in a rung.",
    name="fig-birdcage-currents",
)

# %%
box = YeeGrid.centred((24, 24, 36), 0.01)
coils = {"with shield": coil, "without shield": replace(coil, shield_radius=math.inf)}
rows, empty = [], {}
near = np.sqrt((box.voxel_centres() ** 2).sum(axis=0)) < 0.1
for name, other in coils.items():
    flux = incident_field(other, box, simulation.frequency).magnetic_flux
    plus, minus = transmit_field(flux).abs().numpy(), receive_field(flux).abs().numpy()
    empty[name] = plus[0]
    for mode, label in enumerate(("exp(+jφ), transmits", "exp(−jφ), receives")):
        spread = empty[name][near].std() / empty[name][near].mean()
        means = {"|B1+| [µT]": 1e6 * plus[mode][near].mean(), "|B1−| [µT]": 1e6 * minus[mode][near].mean()}
        rows.append({"coil": name, "mode": label} | means)

# %%
show_table(
    rows,
    caption="Empty coil, 1 A in a rung: means over a ball of 10 cm radius. Each mode has only one circular component.",
    name="tab-empty-coil",
)

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
for name, values in empty.items():
    i, j, k = (length // 2 for length in box.shape)
    for panel, line, axis in ((panels[0], values[:, j, k], 0), (panels[1], values[i, j], 2)):
        panel.plot(1e3 * box.voxel_axes()[axis], 1e6 * line, label=name)
panels[0].set(xlabel="x [mm]", ylabel="|B1+| [µT] for 1 A", ylim=(0, None))
panels[1].set(xlabel="z, along the axis [mm]")
panels[0].legend(fontsize=8)
show(
    figure,
    alt="B1+ of the empty coil: flat across the middle, falling along the axis towards the end rings. Without the "
    "shield it is many times stronger.",
    caption="Transmitting field of the empty birdcage. The shield, 2 cm outside the rungs, takes most of it away and "
    "leaves its shape.",
    name="fig-empty-coil",
)

# %% [markdown]
# ## A phantom and a head
#
# Phantom 42 is a cylinder with the properties of the agar that the paper scanned; the head is the stand-in for the
# paper's test head, Duke M0. Magnitudes are for 1 A in a rung; a scanner knows them up to its gain. Of the phases a
# scanner sees only their sum, the transceive phase.

# %%
fields = run.make(held_out_fields.HELD_OUT_FIELDS)
names = (held_out_fields.PHANTOM.name, held_out_fields.HEAD.name)
cases = {name: fields.arrays(f"{name}.npz") for name in names}
facts = {name: fields.json(f"{name}.json") for name in names}
grids = {name: field_plots.grid_of(facts[name], cases[name]) for name in names}
shown = [(names[0], "axial"), (names[0], "coronal"), (names[1], "axial"), (names[1], "coronal"), (names[1], "sagittal")]
where = [field_plots.Plane.through(plane, grids[name]) for name, plane in shown]


def images(quantity, factor=1.0):
    """The planes of one quantity, nothing outside the body."""
    maps = {n: np.where(c["labels"] > 0, factor * c[quantity], np.nan) for n, c in cases.items()}
    return [plane.of(maps[name]) for (name, _), plane in zip(shown, where, strict=True)]


# %% tags=["hide-input"]
titles = [f"{'phantom 42' if name == names[0] else 'head'}, {plane}" for name, plane in shown]
show(
    field_plots.planes(
        [
            (field_plots.Row("|B1+| [µT]", field_plots.MAGNITUDE), images("magnitude", 1e6)),
            (field_plots.Row("|B1−| [µT]", field_plots.MAGNITUDE), images("receive_magnitude", 1e6)),
            (field_plots.Row("transceive phase [rad]", field_plots.PHASE), images("transceive_phase")),
        ],
        titles,
        where,
        side=1.75,
    ),
    alt="Maps in a cylinder and in a head. B1+ and B1- are brightest in the middle; in axial planes of the head one is "
    "about the mirror image of the other. The transceive phase is a bowl that is deepest in the middle.",
    caption="Magnitudes of B1+ and of B1−, and the transceive phase, for 1 A in a rung. x points to the right hand, y "
    "to the front, z to the top of the head.",
    name="fig-b1-maps",
)

# %% tags=["hide-input"]
show_table(
    [
        {
            "body": name,
            "voxels [mm]": 1e3 * facts[name]["voxel_size"],
            "voxels in the body": int((case["labels"] > 0).sum()),
            "products of GMRES": facts[name]["products"],
            "relative residual": f"{facts[name]['relative_residual']:.1e}",
            "sd / mean of |B1+| [%]": 100
            * (case["magnitude"][case["labels"] > 0]).std()
            / case["magnitude"][case["labels"] > 0].mean(),
            "range of the transceive phase [rad]": float(np.ptp(case["transceive_phase"][case["labels"] > 0])),
        }
        for name, case in cases.items()
    ],
    caption="The two solutions: what they cost, and how far the fields are from uniform.",
    name="tab-solutions",
)

# %% [markdown]
# ## The assumption of the transceive phase
#
# Helmholtz EPT needs the phase $\varphi^+$ of B1+; a scanner sees $\varphi^\pm = \varphi^+ + \varphi^-$. Usually half
# of it is taken. In a body with the coil's symmetry that is right; in others it is an assumption. A constant is of no
# consequence, so the mean over the body is taken off.

# %%
differences = {name: held_out_fields.half_transceive_error(case) for name, case in cases.items()}
largest = 1e3 * max(np.nanmax(np.abs(d)) for d in differences.values())
rows = [
    {
        "body": name,
        "rms [mrad]": 1e3 * float(np.sqrt(np.nanmean(d**2))),
        "worst [mrad]": 1e3 * float(np.nanmax(np.abs(d))),
        "sd of the phase of B1+ [mrad]": 1e3 * float(cases[name]["transmit_phase"][np.isfinite(d)].std()),
    }
    for name, d in differences.items()
]

# %% tags=["hide-input"]
show(
    field_plots.planes(
        [
            (
                field_plots.Row("[mrad]", field_plots.ERROR, -largest / 2, largest / 2),
                [1e3 * plane.of(differences[name]) for (name, _), plane in zip(shown, where, strict=True)],
            )
        ],
        titles,
        where,
        side=1.9,
    ),
    alt="Difference maps: next to nothing in the cylinder; in the head smooth positive and negative regions that are "
    "largest near the surface.",
    caption="Half the transceive phase less the phase of B1+, each without its mean. The template's head is its own "
    "mirror image, and so the difference vanishes in its mid-plane.",
    name="fig-transceive-error",
)

# %%
show_table(rows, caption="Half the transceive phase for the phase of B1+.", name="tab-transceive-error")

# %%
noise = run.settings.measurement.phase_sd_mrad / 2  # of half the transceive phase
show_text(
    f"In the head the assumption costs {rows[1]['rms [mrad]']:.2g} mrad rms and {rows[1]['worst [mrad]']:.2g} mrad at "
    f"worst; noise of {2 * noise:.2g} mrad on the transceive phase is {noise:.2g} mrad in half of it. But noise "
    "is white and this is smooth, and only its Laplacian matters: the page on Helmholtz EPT says what it does to a "
    "conductivity. The chapter simulates the transceive phase from both fields and assumes nothing of it."
)

# %% [markdown]
# ## Exercises
#
# ```{exercise} Which way round?
# :label: ex-polarisation
# A thin long rung at azimuth $\varphi$ carries the current $I$ upwards. Its field at the axis is perpendicular to its
# direction, $\propto I\,(\sin\varphi, -\cos\varphi)$. Which of the currents $\exp(\pm\mathrm{j}\varphi)$ makes
# $B_1^+ = \tfrac12(B_x - \mathrm{j}B_y)$ at the axis, and what does the other one make of it?
# ```
#
# ```{solution} ex-polarisation
# :class: dropdown
# $B_x - \mathrm{j}B_y \propto I(\sin\varphi + \mathrm{j}\cos\varphi) = \mathrm{j} I \exp(-\mathrm{j}\varphi)$. With
# $I = \exp(+\mathrm{j}\varphi)$ all rungs add up; with $\exp(-\mathrm{j}\varphi)$ the sum of
# $\exp(-2\mathrm{j}\varphi)$ over the rungs is zero. Compare with {numref}`tab-empty-coil`. For the time dependence
# $\exp(-\mathrm{i}\omega t)$ everything is conjugate and the two are exchanged.
# ```
#
# ```{exercise} How fine a grid?
# :label: ex-voxels
# The wave in grey matter ($\varepsilon_r = 73$, 0.59 S/m) has the wavenumber $|\sqrt\kappa|\,k$. By how much does it
# turn in one voxel of 4 mm at 3 T and at 7 T (298 MHz), if the properties stay the same?
# ```
#
# ```{solution} ex-voxels
# :class: dropdown
# At 128 MHz $\sigma/(\omega\varepsilon_0) \approx 83$, so $|\kappa| \approx 110$ and $|\sqrt\kappa|\,kh \approx
# 10.5 \cdot 2.7 \cdot 0.004 \approx 0.11$. At 298 MHz $\sigma/(\omega\varepsilon_0) \approx 36$, $|\kappa| \approx 81$
# and $9 \cdot 6.2 \cdot 0.004 \approx 0.22$. Both are small against one: the staircase, not the wave, sets the error.
# ```
#
# ```{exercise} A wide shield
# :label: ex-shield
# Set `overrides = {"simulation.shield_radius_mm": 700.0}`, which is a wide shield, and run this page again. Which of
# the maps change, apart from their scale? Why might that matter to a network that was trained with one coil?
# ```
#
# ```{solution} ex-shield
# :class: dropdown
# The magnitude grows, which normalisation removes. The incident field falls less along the axis; little else changes
# in the maps' shapes. A network might take any systematic change of its inputs for one of the tissue: the
# chapter's last page measures whether it does. At 700 mm the images of the shield lie too far away for the model of
# long wavelengths to be exact, so that this condition stands for another coil and for no more.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
