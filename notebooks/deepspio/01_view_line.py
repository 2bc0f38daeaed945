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
# # View Line: an image whose geometry is the field
#
# **The claim.** The paper encodes the field of iron-oxide particles in the *shape* of an image. Lines are excited
# across a slice, each line bends where the field deviates, and nothing of this needs the phase, which is lost near a
# strong source (section 1 and section 3.1 of {cite}`dellamaggiora2022`).
#
# **What you will be able to do.** Say what each of the three gradients does to a stripe; compute the field of a body
# in one slice and check it against closed forms; predict where a stripe is shifted, thinned or folded; and tell how
# far the fast simulator is from the Bloch equations.
#
# **Time.** Seconds at every scale.
#
# **Limits.** Everything on this page is simulated. The paper gives neither gradients nor line spacing nor the
# magnetisation of its particles, so the size of the shifts is our choice; their form is not.

# %% tags=["parameters"]
scale = "demo"  # smoke, demo, colab or paper
seed = 0
data = "simulated"  # or ixi_pd, hcp_mni152, or a folder
artifacts = ""  # folder for results; empty: the default
overrides = {}  # settings by dotted name, e.g. {"sequence.readout_gradient_mt_per_m": 100.0}

# %%
from dataclasses import replace

import numpy as np
import torch
from matplotlib import pyplot as plt

from mrrepro.papers.deepspio import checks, plots
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.runs.figures import show, show_receipt, show_table, show_text
from mrrepro.runs.notebook import open_run
from mrrepro.simulators.closed_forms import sphere_field
from mrrepro.simulators.view_line import Excitation, simulate_view_lines
from mrrepro.simulators.view_line_bloch import bloch_line

# %%
run = open_run("deepspio", "01_view_line", DeepSpioSettings, globals())
sequence = run.settings.sequence.sequence()
iron = run.settings.iron.iron()

# %% [markdown]
# ## Symbols
#
# | symbol | meaning | unit |
# |---|---|---|
# | $x, z$ | phase encoding and readout; $\mathbf{B}_0$ points along $z$ | m |
# | $y$ | across the imaged slice, which lies at $y = 0$ | m |
# | $\Delta B(x, z)$ | deviation of the field in the slice | T |
# | $G_s, G_r$ | gradients along $z$ during excitation and readout | T/m |
# | $z_k$ | centre of line $k$ | m |
# | $P$ | profile of an excited line | 1 |
# | $C$ | concentration of iron | µg/mm³, the same number in kg/m³ |
#
# ## The field of a body in one slice
#
# A saturated suspension with concentration $C$ has the magnetisation $M = C\,\sigma_s$ along $\mathbf{B}_0$, and at
# the nuclei the field
#
# $$
# \Delta B(\mathbf{r}) = \mu_0 \sum_{\mathbf{r}'} \Big[ \tfrac13 \delta_{\mathbf{r}\mathbf{r}'} -
# N_{zz}(\mathbf{r} - \mathbf{r}') \Big] M(\mathbf{r}'),
# $$
#
# where $N_{zz}$ is the demagnetising factor of a voxel, known in closed form {cite}`newell1993`. The
# paper writes the same as a convolution with the dipole kernel in $k$-space (its equation 1). Only the slice $y = 0$
# is imaged, and seen from there the kernel's dependence on $y'$ is so smooth that a handful of weighted projections
# of the body along $y$ carry it: a few small 2D Fourier transforms replace a padded 3D one.
#
# **Sanity first.** Outside a sphere of radius $a$ the field is that of a dipole,
# $\tfrac13 \mu_0 M (a/r)^3 (3\cos^2\theta - 1)$; inside it is zero. Finite cylinders have no closed form, but a
# surface integral that a quadrature gives to eight digits.

# %%
results = [check.run() for check in checks.CHECKS if check.id.split(".")[1].startswith(("sphere", "cylinder"))]
meaning = {check.id: check.quantity for check in checks.CHECKS}
show_table(
    [{"check": meaning[r.id], "value": r.value, "limit": r.limit, "fine": "yes" if r.ok else "no"} for r in results],
    caption="The field in the slice against closed forms, measured in this run.",
    name="tab-field-checks",
)

# %% tags=["hide-input"]
radius, concentration = 4e-3, 5.0
axis = sequence.positions()
x, z = np.meshgrid(axis, axis, indexing="ij")
field = concentration * iron.tesla_per_concentration * sphere_field(x, 0 * x, z, radius)
ball = np.hypot(x, z) < radius

figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
half = run.settings.sequence.field_of_view_mm / 2
extent = (-half, half, -half, half)
drawn = panels[0].imshow(1e6 * field.T, origin="lower", extent=extent, cmap="RdBu_r", vmin=-400, vmax=400)
panels[0].set(xlabel="x [mm]", ylabel="z [mm]", title="field deviation")
figure.colorbar(drawn, ax=panels[0], label="ΔB [µT]")
panels[1].plot(1e3 * axis, 1e6 * field[sequence.size // 2], label="along z (x = 0)")
panels[1].plot(1e3 * axis, 1e6 * field[:, sequence.size // 2], label="along x (z = 0)")
panels[1].set(xlabel="distance from the centre [mm]", ylabel="ΔB [µT]")
panels[1].legend()
show(
    figure,
    alt="Left, a map with two positive lobes above and below a sphere and a negative belt around it. Right, profiles: "
    "zero inside the sphere, largest at its poles and falling with the third power of the distance.",
    caption="Field of a sphere of 4 mm radius with 5 µg/mm³ of iron, by the closed form. $\\mathbf{B}_0$ points up.",
    name="fig-sphere-field",
)

# %% [markdown]
# ## What each gradient does
#
# *Excitation.* A pulse with $G_s$ along $z$ excites the spins that answer as if they were at
# $u = z + \Delta B / G_s = z_k$. *Refocusing* happens in an oblique plane, so that only $y = 0$ contributes, whatever
# the deviation. *Readout* with $G_r$ along $z$ puts a spin at $v = z + \Delta B / G_r$. The image of line $k$ is the
# spin density weighted by $P(u - z_k)$ and pushed forward from $z$ to $v$. Two things follow:
#
# - A stripe moves by $\Delta B\,(1/G_r - 1/G_s)$. With equal gradients stripes stay straight: this is view angle
#   tilting {cite}`cho1988`, turned into its opposite by gradients of opposite sign.
# - The signal summed across it changes by $1 / |1 + \partial_z \Delta B / G_s|$, its brightness by
#   $1 / |1 + \partial_z \Delta B / G_r|$, with equal gradients too. A void near the poles of a source is a *thinned*
#   line, not a lost one.
#
# *Two channels.* The paper collects 'contiguous profiles' and gives the network even and odd lines apart 'to avoid
# overlapping of the profiles' (section 3.1): where lines of 1 mm touch, every bend pushes one onto its neighbour, which
# belongs to the other channel. Ours lie 2 mm apart, so that 25 of them span the 50 mm of the field of view (contiguous
# ones would cover 25 mm); between them half of the object is never excited, and overlaps are rarer than in the paper.


# %%
spins = Excitation(torch.tensor(field, dtype=torch.float32), torch.tensor(~ball, dtype=torch.float32))
readouts = (sequence.readout_gradient, -sequence.readout_gradient, sequence.slice_gradient)
pictures = [simulate_view_lines(spins, replace(sequence, readout_gradient=g)).numpy() for g in readouts]
even, odd = pictures[0]

# %% tags=["hide-input"]
show(
    plots.image_grid(
        [[even, odd, *(plots.combined(picture) for picture in pictures)]],
        ["signal"],
        ["even lines", "odd lines", *(f"$G_r = {1e3 * g:+.0f}$ mT/m" for g in readouts[:2]), "$G_r = G_s$"],
        field_of_view_mm=run.settings.sequence.field_of_view_mm,
        maps=[plots.SIGNAL],
        bars=["signal [1]"],
        ranges=[(0.0, 1.3)],
    ),
    alt="Five images of horizontal stripes around a dark disc. With a negative readout gradient stripes bend strongly "
    "towards and away from the disc; with a positive one less; with equal gradients all stripes are straight and only "
    "their brightness varies.",
    caption=f"The same sphere with three readout gradients, $G_s = {1e3 * sequence.slice_gradient:g}$ mT/m. Even and "
    "odd lines are the two channels that the network gets; beside them both together.",
    name="fig-three-readouts",
)

# %% [markdown]
# ## Against the Bloch equations
#
# The fast model takes spins as carriers of signal that land where $v$ says. The Bloch equations know nothing of $u$
# and $v$: below, every pulse is played piece by piece on spins in a $(y, z)$ plane, the oblique refocusing pulse
# included, and the echo is sampled in time and Fourier transformed. One line at one $x$ takes the Bloch simulation
# seconds; the fast model makes a whole image of 25 lines in milliseconds.

# %%
one_line = replace(sequence, line_count=1)
column = sequence.size // 2 - sequence.size // 20
offset = concentration * iron.tesla_per_concentration * sphere_field(x, 0 * x, z - 6e-3, 2e-3)
uniform = torch.ones(sequence.size, sequence.size)
fast = simulate_view_lines(Excitation(torch.tensor(offset, dtype=torch.float32), uniform), one_line)[0, column].numpy()
exact = np.abs(bloch_line(offset[column], np.ones(sequence.size), one_line))
shifts = [checks.stripe_centroid(signal, axis) * 1e3 for signal in (fast, exact)]

# %% tags=["hide-input"]
figure, panel = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
panel.plot(1e3 * axis, exact, "k", linewidth=3, alpha=0.35, label="Bloch equations")
panel.plot(1e3 * axis, fast, "C3", linewidth=1.2, label="fast model")
panel.axvline(0, color="gray", linestyle=":", label="where the line was excited")
panel.set(xlim=(-4, 4), xlabel="v [mm]", ylabel="signal [1]")
panel.legend()
show(
    figure,
    alt="Two curves whose main lobes lie on each other, about one millimetre wide and a little to the left of the "
    "dotted line at zero. Beside the lobe the fast model rings around zero and the Bloch line has smooth tails.",
    caption="One stripe beside a sphere, by the fast model and by the Bloch equations.",
    name="fig-bloch-line",
)

# %%
show_text(
    f"The stripe's centre lies at {shifts[0]:.4f} mm by the fast model and at {shifts[1]:.4f} mm by the Bloch "
    f"equations: they differ by {abs(shifts[0] - shifts[1]) * 1e3:.2g} µm, where a pixel has "
    f"{sequence.voxel * 1e6:.0f} µm. The limit that `mrrepro verify` holds every run to is 50 µm. In the figure the "
    "fast model keeps the sign of its signal, where the line of the Bloch equations is a magnitude."
)

# %% [markdown]
# ## Exercises
#
# ```{exercise} Where is the signal?
# :label: ex-jacobian
# At the pole of a sphere the field is $\tfrac23 \mu_0 M$ and falls as $(a/r)^3$. For $G_s = 100$ mT/m, $a = 4$ mm and
# $C = 5$ µg/mm³, where along $z$ is a line thinned by half?
# ```
#
# ```{solution} ex-jacobian
# :class: dropdown
# On the axis $\Delta B = \tfrac23 \mu_0 M a^3/|z|^3$, so that with $z_0 = (2 \mu_0 M a^3 / G_s)^{1/4}$ the factor
# $1 + \partial_z \Delta B / G_s$ is $1 - (z_0/z)^4$ above the sphere and $1 + (z_0/z)^4$ below it; with
# $\sigma_s = 95$ A m²/kg $z_0$ is 5.26 mm. *Above*, the factor is negative from the pole up to $z_0$, where it is zero
# and the signal piles up: a fold. Farther out it lies between zero and one: the line is thickened. *Below*, it lies
# above one: the line is thinned, by half at $|z| = z_0$ and more between there and the pole.
# ```
#
# ```{exercise} A fold
# :label: ex-fold
# Set `overrides = {"sequence.readout_gradient_mt_per_m": -50.0}` and run this page again. Where do several $z$ land on
# the same $v$, and what does the first picture of {numref}`fig-three-readouts` show there?
# ```
#
# ```{solution} ex-fold
# :class: dropdown
# On the axis $\partial_z v = 1 + \partial_z \Delta B / G_r$ is now $1 + 2 (z_0/z)^4$ above the sphere, where nothing
# folds, and $1 - 2 (z_0/z)^4$ below it. It changes its sign at $|z| = 2^{1/4} z_0$, which is 6.25 mm: spins between the
# pole and there, and spins farther out, land on the same $v$. The turning point lands at $v = -8.3$ mm. Below it two
# parts of the sphere's surroundings lie on each other, brightest where a stripe passes the turn; above it the image is
# empty up to the signal that comes from above the sphere.
# ```

# %%
show_receipt(run.provenance().facts)
run.finish()
