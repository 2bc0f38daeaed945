"""What ``mrrepro verify`` and ``mrrepro bench`` run for this chapter."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from mrrepro.networks.wavelet import DB4, analyse, synthesise
from mrrepro.phantoms.shapes import Body, Cylinder, Shape, Sphere, concentration_volume
from mrrepro.runs.checks import Benchmark, Check, Measurement
from mrrepro.simulators.closed_forms import finite_cylinder_field, sphere_field
from mrrepro.simulators.dipole_field import field_in_slice
from mrrepro.simulators.padded_fft import field_by_padded_fft
from mrrepro.simulators.spio_samples import BodyDistribution, IronOxide, SampleStream, SpioSimulator
from mrrepro.simulators.view_line import Excitation, ViewLineSequence, simulate_view_lines
from mrrepro.simulators.view_line_bloch import bloch_line

FIELD_OF_VIEW = 0.05
CLEARANCE = 1.5
"""The smooth edge of a body reaches half a voxel's diagonal; the closed forms are compared further out [voxels]."""


def field_of(shape: Shape, size: int, half_depth: int) -> torch.Tensor:
    """Field in the slice of a shape with mu_0 M = 1, in float64."""
    voxel = FIELD_OF_VIEW / size
    volume = concentration_volume((Body(shape, 1.0),), size, half_depth, voxel).double()
    return field_in_slice(volume, voxel)


def sphere_deviation(size: int = 128) -> tuple[float, float]:
    """Relative L2 error outside a sphere of 8 mm radius, and the size of the mean field inside."""
    voxel, radius = FIELD_OF_VIEW / size, 8e-3
    field = field_of(Sphere((0.0, 0.0, 0.0), radius), size, size // 2 - 1).numpy()
    axis = (np.arange(size) - size // 2) * voxel
    x, z = np.meshgrid(axis, axis, indexing="ij")
    exact = sphere_field(x, np.zeros_like(x), z, radius)
    distance = np.hypot(x, z)
    outside = distance > radius + CLEARANCE * voxel
    inside = distance < radius - CLEARANCE * voxel
    error = np.linalg.norm((field - exact)[outside]) / np.linalg.norm(exact[outside])
    return float(error), float(abs(field[inside].mean()))


def cylinder_deviation(size: int = 128) -> float:
    """Largest relative L2 error outside finite cylinders along z, x and y, at 60 points each."""
    voxel, radius, length = FIELD_OF_VIEW / size, 5e-3, 16e-3
    axis = (np.arange(size) - size // 2) * voxel
    generator = np.random.default_rng(0)
    errors = []
    for along in ("z", "x", "y"):
        shape = Cylinder((0.0, 0.0, 0.0), radius, length, along)
        field = field_of(shape, size, size // 4).numpy()
        x, z = np.meshgrid(axis, axis, indexing="ij")
        tensors = [torch.tensor(a)[..., None] for a in (x, np.zeros_like(x), z)]
        distance = shape.signed_distance(*tensors)[..., 0].numpy()
        candidates = np.argwhere((distance > CLEARANCE * voxel) & (distance < 8e-3))
        chosen = candidates[generator.choice(len(candidates), 60, replace=False)]
        points = np.stack([axis[chosen[:, 0]], np.zeros(60), axis[chosen[:, 1]]], axis=1)
        exact = finite_cylinder_field(points, radius, length, along)
        found = field[chosen[:, 0], chosen[:, 1]]
        errors.append(float(np.linalg.norm(found - exact) / np.linalg.norm(exact)))
    return max(errors)


def bloch_centroid_deviation(size: int = 256, columns: tuple[int, ...] = (0, 10, 20, 38)) -> float:
    """Largest difference of a stripe's centroid between the fast model and the Bloch equations [mm].

    One line past a sphere of 2 mm with 5 ug/mm^3, 4, 6 and -7 mm from it, at four distances across; away from folds.
    """
    sequence = ViewLineSequence(size=size, line_count=1)
    axis = sequence.positions()
    x, z = np.meshgrid(axis, axis, indexing="ij")
    worst = 0.0
    for offset in (4e-3, 6e-3, -7e-3):
        field = 5.0 * IronOxide().tesla_per_concentration * sphere_field(x, np.zeros_like(x), z - offset, 2e-3)
        density = torch.ones(size, size)
        fast = simulate_view_lines(Excitation(torch.tensor(field, dtype=torch.float32), density), sequence)[0].numpy()
        for column in columns:
            row = size // 2 - column * size // 256
            exact = np.abs(bloch_line(field[row], np.ones(size), sequence))
            worst = max(worst, abs(stripe_centroid(fast[row], axis) - stripe_centroid(exact, axis)))
    return worst * 1e3


def stripe_centroid(signal: np.ndarray, axis: np.ndarray) -> float:
    """Centre of mass of the signal above a tenth of its maximum, in the unit of ``axis``."""
    kept = np.where(signal > 0.1 * signal.max(), signal, 0.0)
    return float((kept * axis).sum() / kept.sum())


def wavelet_roundtrip_deviation() -> float:
    """Largest difference of a random map and its synthesis, in float32, relative to its maximum."""
    maps = torch.randn(4, 256, 256, generator=torch.Generator().manual_seed(0))
    return float((synthesise(analyse(maps, DB4), DB4) - maps).abs().max() / maps.abs().max())


def simulator_rate(size: int, count: int) -> Measurement:
    """Samples per second of the stream with one to five bodies, and of the same with a padded 3D FFT for the field."""
    bodies = BodyDistribution()
    simulator = SpioSimulator(ViewLineSequence(size=size), IronOxide(), bodies.reach)
    stream = SampleStream(simulator, bodies, torch.ones(1, size, size), seed=0)
    stream.batch(0, 1)
    ours = _rate(lambda first: stream.batch(first, 1), count)
    half_depth, voxel = simulator.kernel.half_depth, simulator.sequence.voxel

    def peer(index: int) -> None:
        drawn = bodies.draw(np.random.default_rng([0, index]))
        volume = concentration_volume(drawn, size, half_depth, voxel)
        field = field_by_padded_fft(volume, voxel)[:, half_depth] * simulator.iron.tesla_per_concentration
        simulator.images(field, volume[:, half_depth], torch.ones(size, size))

    return Measurement(ours, _rate(peer, 2))


def _rate(work: Callable[[int], object], count: int) -> float:
    start = time.perf_counter()
    for index in range(count):
        work(index)
    return count / (time.perf_counter() - start)


CHECKS = [
    Check(
        "deepspio.sphere_exterior",
        "relative L2 error of the field outside a sphere at 128 x 128, against the dipole's closed form",
        0.005,
        "1",
        lambda: sphere_deviation()[0],
    ),
    Check(
        "deepspio.sphere_interior",
        "mean field inside a sphere, in parts of mu_0 M; 0 in theory",
        1e-3,
        "1",
        lambda: sphere_deviation()[1],
    ),
    Check(
        "deepspio.cylinder_exterior",
        "relative L2 error of the field outside a finite cylinder along z, x or y, against a surface integral",
        0.01,
        "1",
        cylinder_deviation,
    ),
    Check(
        "deepspio.bloch_centroid",
        "largest difference of a stripe's centroid from the Bloch equations, away from folds",
        0.05,
        "mm",
        bloch_centroid_deviation,
    ),
    Check(
        "deepspio.wavelet_roundtrip",
        "largest difference of a map and its synthesis from its wavelet coefficients, in float32",
        1e-6,
        "1",
        wavelet_roundtrip_deviation,
    ),
]

BENCHMARKS = [
    Benchmark(
        f"deepspio.simulator_{size}",
        f"samples made per second at {size} x {size}: bodies, field and View Line images",
        "samples/s",
        lambda size=size, count=count: simulator_rate(size, count),  # type: ignore[misc]
        peer_name="the same with a zero-padded 3D FFT for the field",
        higher_is_better=True,
        goal=10.0,
    )
    for size, count in ((128, 100), (256, 30))
]
