"""Pairs of View Line images and concentration maps, made on the fly from random bodies.

A sample is a pure function of (seed, index): a run that was interrupted goes on with the sample it
would have drawn, and no sample is ever stored.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mrrepro.constants import IRON_MOLAR_MASS, VACUUM_PERMEABILITY
from mrrepro.phantoms.shapes import (
    HIGHEST_CONCENTRATION,
    METABALL_UNIT,
    Body,
    Metaballs,
    Shape,
    Torus,
    occupancy,
    voxel_box,
)
from mrrepro.simulators.body_projection import packed_bodies, uploaded
from mrrepro.simulators.dipole_field import require_uncut, slice_kernel
from mrrepro.simulators.view_line import Excitation, ViewLineSequence, simulate_view_lines
from mrrepro.validation import require_finite, require_range, require_shape


@dataclass(frozen=True)
class IronOxide:
    """What a concentration of iron does to field and signal.

    Parameters
    ----------
    saturation_magnetisation : float
        sigma_s [A m^2 per kg of iron]; 95 +- 15 for ferucarbotran at 7 T is an assumption of ours. 0 takes the field
        away and leaves the void: the failing control.
    transverse_relaxivity : float
        r_2 [m^3/(mol s) = 1/(mM s)]; 175 is ours (150 to 200 are reported for ferucarbotran). 0 leaves the signal
        inside the source.
    """

    saturation_magnetisation: float = 95.0
    transverse_relaxivity: float = 175.0

    def __post_init__(self) -> None:
        require_range("saturation_magnetisation", self.saturation_magnetisation, 0.0, 250.0, unit="A m^2/kg")
        require_range("transverse_relaxivity", self.transverse_relaxivity, 0.0, 1e4, unit="1/(mM s)")

    @property
    def tesla_per_concentration(self) -> float:
        """mu_0 M per concentration [T m^3/kg]; SPIO is saturated at 7 T, so M does not depend on B_0."""
        return VACUUM_PERMEABILITY * self.saturation_magnetisation

    def remaining_signal(self, concentration: Float[Tensor, ...], echo_time: float) -> Float[Tensor, ...]:
        """exp(-TE r_2 C): what transverse relaxation leaves at the echo."""
        rate = self.transverse_relaxivity / IRON_MOLAR_MASS
        return torch.exp(concentration * (-echo_time * rate))


@dataclass(frozen=True)
class BodyDistribution:
    """How bodies are drawn (section 3.2). Lengths in metres; a range is (lowest, highest).

    Parameters
    ----------
    concentration : (float, float)
        [kg/m^3 = ug/mm^3], uniform, one value for all bodies of a sample; 0.22 to 17.5 in the paper.
    count : (int, int)
        Bodies in a sample; 1 to 5 in the paper.
    threshold : (float, float)
        l of equation 2.
    tube_radius, revolution_radius : (float, float)
        r and R of equation 3, in units of `METABALL_UNIT`.
    balls : (int, int)
        Balls in a metaball; not stated.
    ball_spread : float
        Half the edge of the cube in which the balls' centres lie [m]; not stated.
    position : float
        Bodies' centres lie within +- this along x and z [m]; not stated.
    depth : float
        ... and within +- this along y [m]; not stated.
    metaball_share : float
        Part of the bodies that are metaballs; not stated.
    """

    concentration: tuple[float, float] = (0.22, 17.5)
    count: tuple[int, int] = (1, 5)
    threshold: tuple[float, float] = (0.01, 0.05)
    tube_radius: tuple[float, float] = (2.0, 4.0)
    revolution_radius: tuple[float, float] = (5.0, 10.0)
    balls: tuple[int, int] = (2, 3)
    ball_spread: float = 1.5e-3
    position: float = 12e-3
    depth: float = 1.5e-3
    metaball_share: float = 0.5

    def __post_init__(self) -> None:
        for name in ("concentration", "count", "threshold", "tube_radius", "revolution_radius", "balls"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be a range (lowest, highest) above 0, but is ({low!r}, {high!r}).")
        require_range("concentration", self.concentration[1], 0.0, HIGHEST_CONCENTRATION, unit="kg/m^3 (= ug/mm^3)")
        require_range("metaball_share", self.metaball_share, 0.0, 1.0)

    @property
    def reach(self) -> float:
        """No body extends further from the slice than this [m]."""
        ball = METABALL_UNIT * math.sqrt(self.balls[1] / self.threshold[0]) + self.ball_spread
        torus = METABALL_UNIT * (self.tube_radius[1] + self.revolution_radius[1])
        return self.depth + max(ball, torus)

    def draw(self, generator: np.random.Generator) -> tuple[Body, ...]:
        """One sample's bodies, all with the same concentration."""
        concentration = generator.uniform(*self.concentration)
        count = generator.integers(self.count[0], self.count[1] + 1)
        return tuple(Body(self._draw_shape(generator), concentration) for _ in range(count))

    def _draw_shape(self, generator: np.random.Generator) -> Shape:
        spread = np.array([self.position, self.depth, self.position])
        centre = generator.uniform(-spread, spread)
        if generator.uniform() < self.metaball_share:
            count = generator.integers(self.balls[0], self.balls[1] + 1)
            offsets = generator.uniform(-self.ball_spread, self.ball_spread, (count, 3))
            centres = tuple(tuple(float(v) for v in centre + offset) for offset in offsets)
            return Metaballs(centres, generator.uniform(*self.threshold))  # type: ignore[arg-type]
        tube, revolution = generator.uniform(*self.tube_radius), generator.uniform(*self.revolution_radius)
        place = tuple(float(v) for v in centre)
        return Torus(place, METABALL_UNIT * tube, METABALL_UNIT * revolution)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Batch:
    """Samples: what the scanner gives and what is asked.

    Attributes
    ----------
    images : tensor, (batch, 2, size, size)
        View Line images without noise, even and odd lines.
    concentration : tensor, (batch, size, size)
        Concentration in the slice y = 0 [kg/m^3 = ug/mm^3].
    """

    images: Float[Tensor, "batch 2 x z"]
    concentration: Float[Tensor, "batch x z"]


class SpioSimulator:
    """From bodies and an image to View Line images, on one grid and device.

    Parameters
    ----------
    sequence : ViewLineSequence
    iron : IronOxide
    reach : float
        Sources lie within +- this of the slice [m]; the grid is made deep enough to hold them.
    device : torch.device or str
    """

    def __init__(
        self, sequence: ViewLineSequence, iron: IronOxide, reach: float, device: torch.device | str = "cpu"
    ) -> None:
        require_range("reach", reach, 0.0, 0.5, unit="m", low_open=True)
        self.sequence = sequence
        self.iron = iron
        self.device = torch.device(device)
        # One sample at a time stays in a processor's cache. A GPU wants many: 64 of 256 x 256 pixels take 2 GB and
        # two launches each. The result is the same.
        self.samples_per_pass = 1 if self.device.type == "cpu" else 64
        half_depth = math.ceil(reach / sequence.voxel) + 2
        self.kernel = slice_kernel(sequence.size, sequence.voxel, half_depth).to(self.device)

    def project(self, bodies: tuple[Body, ...]) -> tuple[Float[Tensor, "rank x z"], Float[Tensor, "x z"]]:
        """Bodies as the field kernel needs them, and their concentration in the slice [kg/m^3]."""
        size, half_depth, voxel = self.sequence.size, self.kernel.half_depth, self.sequence.voxel
        projections = torch.zeros(self.kernel.rank, size, size, device=self.device)
        central = torch.zeros(size, size, device=self.device)
        for body in bodies:
            box = voxel_box(body.shape.bounds(), size, half_depth, voxel)
            filled = occupancy(body.shape, box, size, half_depth, voxel, self.device).mul_(body.concentration)
            projections[:, box[0], box[2]] += self.kernel.project(filled, box[1].start)
            if box[1].start <= half_depth < box[1].stop:
                central[box[0], box[2]] += filled[:, half_depth - box[1].start]
        return projections, central

    def project_batch(
        self, samples: Sequence[tuple[Body, ...]]
    ) -> tuple[Float[Tensor, "batch rank x z"], Float[Tensor, "batch x z"]]:
        """`project` of each sample; on CUDA in one kernel, where Triton is there and knows all shapes."""
        if _fuses(self.device):
            from mrrepro.simulators.body_projection_triton import project_bodies  # needs triton

            size, voxel = self.sequence.size, self.sequence.voxel
            words = packed_bodies(samples, size, self.kernel.half_depth, voxel)
            if words is not None:
                found = project_bodies(uploaded(words, self.device), len(samples), self._weights_and_slice, size, voxel)
                return found[:, :-1], found[:, -1]
        projected = [self.project(bodies) for bodies in samples]
        return torch.stack([pair[0] for pair in projected]), torch.stack([pair[1] for pair in projected])

    @functools.cached_property
    def _weights_and_slice(self) -> Float[Tensor, "slabs rank+1"]:
        """The kernel's functions of y and, as one more, that which is 1 in the slice and 0 elsewhere."""
        weights = torch.nn.functional.pad(self.kernel.slab_weights, (0, 1))
        weights[self.kernel.half_depth, -1] = 1.0
        return weights

    def field(self, projections: Float[Tensor, "*batch rank x z"]) -> Float[Tensor, "*batch x z"]:
        """dB in the slice [T]."""
        return self.kernel.field(projections) * self.iron.tesla_per_concentration

    def images(
        self,
        field: Float[Tensor, "*batch x z"],
        concentration: Float[Tensor, "*batch x z"],
        spin_density: Float[Tensor, "*batch x z"],
    ) -> Float[Tensor, "*batch 2 x z"]:
        """View Line images from the field [T], the concentration [kg/m^3] and the undistorted image."""
        remaining = self.iron.remaining_signal(concentration, self.sequence.echo_time)
        return simulate_view_lines(Excitation(field, spin_density * remaining), self.sequence)

    def simulate(self, samples: Sequence[tuple[Body, ...]], spin_density: Float[Tensor, "batch x z"]) -> Batch:
        """A batch of samples, one tuple of bodies each.

        Raises
        ------
        ValueError
            If the numbers of samples and images differ, the images do not fit the grid, or a body leaves it.
        """
        require_shape("spin_density", spin_density, (len(samples), self.sequence.size, self.sequence.size))
        images, maps = [], []
        for first in range(0, len(samples), self.samples_per_pass):
            part = slice(first, first + self.samples_per_pass)
            projections, concentration = self.project_batch(samples[part])
            maps.append(concentration)
            images.append(self.images(self.field(projections), concentration, spin_density[part].to(self.device)))
        return Batch(torch.cat(images), torch.cat(maps))

    def simulate_volume(self, concentration: Float[Tensor, "x slabs z"], spin_density: Float[Tensor, "x z"]) -> Batch:
        """One sample from a concentration map of one's own.

        Parameters
        ----------
        concentration : tensor, (size, odd number of slabs, size)
            [kg/m^3 = ug/mm^3]; 0 on all faces; the middle slab is imaged.
        spin_density : tensor, (size, size)

        Raises
        ------
        ValueError
            If the map is empty, negative, not finite, above 200 kg/m^3, of another size or cut by the grid.
        """
        checked_concentration(concentration, self.sequence.size)
        require_uncut("concentration", concentration)
        slabs = concentration.shape[1]
        kernel = slice_kernel(self.sequence.size, self.sequence.voxel, max(slabs // 2, 1)).to(self.device)
        volume = concentration.to(self.device, torch.float32)
        field = kernel.field(kernel.project(volume)) * self.iron.tesla_per_concentration
        central = volume[:, slabs // 2]
        images = self.images(field[None], central[None], spin_density[None].to(self.device, torch.float32))
        return Batch(images, central[None])


def _fuses(device: torch.device) -> bool:
    """Whether Triton is there for this device."""
    if device.type != "cuda" or find_spec("triton") is None:
        return False
    from mrrepro.simulators.body_projection_triton import kernel_builds  # needs triton

    return kernel_builds(device)


def checked_concentration(concentration: Tensor, size: int) -> None:
    """Raise ``ValueError`` unless this is a concentration map that the simulator can take."""
    if concentration.ndim != 3 or concentration.shape[0] != size or concentration.shape[2] != size:
        raise ValueError(
            f"concentration must have shape ({size}, odd number of slabs, {size}), but has "
            f"{tuple(concentration.shape)}: resample it to the sequence's grid."
        )
    if concentration.shape[1] % 2 == 0:
        raise ValueError(
            f"concentration must have an odd number of slabs along y, so that one is the slice, but has "
            f"{concentration.shape[1]}: pad one slab."
        )
    require_finite("concentration", concentration)
    low, high = float(concentration.min()), float(concentration.max())
    if low < 0:
        raise ValueError(f"concentration must not be negative, but its lowest value is {low:g} kg/m^3.")
    if high == 0:
        raise ValueError("concentration is 0 everywhere: there is nothing to estimate; give a map with a source.")
    if high > HIGHEST_CONCENTRATION:
        raise ValueError(
            f"concentration must be in kg/m^3 (the same number in ug/mm^3) and at most {HIGHEST_CONCENTRATION:g}, but "
            f"its highest value is {high:g}: undiluted ferucarbotran holds 27.9; a value in ug/mL is to be divided by "
            "1000."
        )


@dataclass(frozen=True)
class SampleStream:
    """The endless sequence of random samples of one seed.

    Parameters
    ----------
    simulator : SpioSimulator
    bodies : BodyDistribution
    images : tensor, (images, size, size)
        Undistorted images; one is drawn for each sample, turned and mirrored at random.
    seed : int
        The stream's seed; streams of different seeds share no sample.
    """

    simulator: SpioSimulator
    bodies: BodyDistribution
    images: Float[Tensor, "images x z"]
    seed: int

    def __post_init__(self) -> None:
        size = self.simulator.sequence.size
        require_shape("images, of which each spin_density is drawn,", self.images, (None, size, size))

    def batch(self, first: int, count: int) -> Batch:
        """Samples ``first`` to ``first + count - 1``."""
        samples, drawn = [], np.empty((2, count), np.int64)
        for number in range(count):
            generator = np.random.default_rng([self.seed, first + number])
            samples.append(self.bodies.draw(generator))
            drawn[0, number] = generator.integers(self.images.shape[0])
            drawn[1, number] = 2 * generator.integers(4) + generator.integers(2)
        numbers, orientations = uploaded(drawn, self.images.device)
        return self.simulator.simulate(samples, oriented_images(self.images, numbers, orientations))


def oriented_images(
    images: Float[Tensor, "images x z"], numbers: Int64[Tensor, " batch"], orientations: Int64[Tensor, " batch"]
) -> Float[Tensor, "batch x z"]:
    """Images ``numbers``, each turned by ``orientation // 2`` quarters, then mirrored along x if it is odd."""
    size = images.shape[-1]
    pixels = _pixels_by_orientation(size, images.device)[orientations]
    return torch.take(images, pixels.add_(numbers[:, None, None], alpha=size * size))


@functools.lru_cache(maxsize=4)
def _pixels_by_orientation(size: int, device: torch.device) -> Int64[Tensor, "8 x z"]:
    """Which pixel of an image, counted row by row, stands where in each orientation."""
    upright = torch.arange(size * size, device=device).view(size, size)
    turned = [torch.rot90(upright, quarters) for quarters in range(4)]
    return torch.stack([image for each in turned for image in (each, each.flip(0))])
