"""Physics checks of the solver, the coil and the network of the CondNet chapter, for ``mrrepro verify``.

A sphere under a coil does not depend on sigma(r): those checks test the discretisation, and only electrodes and
eccentric spheres test that the conductivity is used rightly. Wherever a field is compared, it is the vector field in
the brain (radius below 78 mm) at random voxels.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from mrrepro.networks.condnet import CondNet, CondNetDesign
from mrrepro.papers.condnet.benchmarks import BENCHMARKS as BENCHMARKS
from mrrepro.papers.condnet.eccentric import eccentric_errors, harmonic
from mrrepro.papers.condnet.reference_models import (
    LayeredSphere,
    coil_above_sphere,
    coil_field_in_sphere,
    electrode_nodes,
    head_like,
    relative_error,
    sample_voxels,
)
from mrrepro.papers.condnet.table1 import largest_cole_cole_deviation
from mrrepro.papers.condnet.table2 import table_parameter_count, table_sizes
from mrrepro.runs.checks import Check
from mrrepro.simulators.tms_coil import FigureEight, PlacedCoil, place_coil
from mrrepro.solvers import sphere_fields
from mrrepro.solvers.potential_algebraic import sparse_operator
from mrrepro.solvers.potential_multigrid import Tolerances, solve_potential
from mrrepro.solvers.potential_sources import (
    EdgeIntegrals,
    edge_line_integrals,
    electric_field,
    electrode_source,
    grid_affine,
    induced_source,
)
from mrrepro.solvers.potential_system import PotentialSystem, build_system
from mrrepro.solvers.sphere_fields import SurfaceElectrode

_SAMPLES = 2000
_CAP = 0.15
_ELECTRODES = (SurfaceElectrode((0.0, 0.0, 1.0), 1e-3, _CAP), SurfaceElectrode((1.0, 0.0, 0.2), -1e-3, _CAP))


def induced_field(system: PotentialSystem, integrals: EdgeIntegrals) -> Float32[np.ndarray, "n0 n1 n2 3"]:
    """Field of one primary field, solved to 1e-8; a solver that falls short raises."""
    result = solve_potential(system, [induced_source(system, integrals)], Tolerances(1e-8))[0]
    if not result.converged:
        raise RuntimeError(f"the solver {result.reason} at a residual of {result.true_residual:g}")
    return electric_field(system, result.potential, integrals)


def coil_error(sphere: LayeredSphere, conductivity: Float32[np.ndarray, "n n n"], voxel_size: float) -> float:
    """Relative error of the coil's field in a sphere against its closed form."""
    placed = coil_above_sphere(sphere)
    system = build_system(conductivity, voxel_size)
    field = induced_field(system, edge_line_integrals(system, placed.vector_potential))
    brain = LayeredSphere().radii[0]
    index, points = sample_voxels(sphere.distances(voxel_size), brain, voxel_size, _SAMPLES)
    return relative_error(field[index], coil_field_in_sphere(points, placed))


def layered_electrodes_error(voxel_size: float = 1e-3) -> float:
    """Potential of two electrodes on the four-shell sphere against its Legendre series, in the brain, zero mean."""
    sphere = LayeredSphere()
    system = build_system(sphere.binary(voxel_size), voxel_size)
    nodes = [electrode_nodes(system, electrode, sphere.radii[-1]) for electrode in _ELECTRODES]
    source = electrode_source(system, nodes, [electrode.current for electrode in _ELECTRODES])
    result = solve_potential(system, [source], Tolerances(1e-8))[0]
    box = np.indices(system.node_shape).reshape(3, -1).T + system.start
    points = (box - 0.5 * np.asarray(system.shape)) * voxel_size
    inside = np.flatnonzero(np.linalg.norm(points, axis=1) < sphere.radii[0])
    chosen = np.random.default_rng(0).choice(inside, _SAMPLES, replace=False)
    found = result.potential.ravel()[chosen]
    exact = sphere_fields.layered_sphere_potential(points[chosen], sphere.radii, sphere.conductivities, _ELECTRODES)
    return relative_error(found - found.mean(), exact - exact.mean())


def dipole_closed_form_error(step: float = 2e-4) -> float:
    """Largest of |curl E + dB/dt|, |div E| and |E . r| of the closed form, relative; fourth-order differences."""
    rng = np.random.default_rng(3)
    points = rng.normal(size=(200, 3))
    points *= (70e-3 * rng.random(200) ** (1 / 3) / np.linalg.norm(points, axis=1))[:, None]
    position, rate = np.array([0.03, -0.04, 0.10]), np.array([1.0, 2.0, -0.5])

    def field(where: Float64[np.ndarray, "points 3"]) -> Float64[np.ndarray, "points 3"]:
        return sphere_fields.magnetic_dipole_field(where, position, rate)

    def derivative(axis: int) -> Float64[np.ndarray, "points 3"]:
        shift = step * np.eye(3)[axis]
        near = field(points + shift) - field(points - shift)
        return (8.0 * near - (field(points + 2.0 * shift) - field(points - 2.0 * shift))) / (12.0 * step)

    gradient = np.stack([derivative(axis) for axis in range(3)], axis=1)
    curl = np.stack([gradient[:, a, b] - gradient[:, b, a] for a, b in ((1, 2), (2, 0), (0, 1))], axis=1)
    offset = points - position
    distance = np.linalg.norm(offset, axis=1)[:, None]
    flux_rate = 1e-7 * (3.0 * offset * (offset @ rate)[:, None] / distance**5 - rate / distance**3)
    radial = (field(points) * points).sum(axis=1) / np.linalg.norm(points, axis=1)
    return float(
        max(
            np.abs(curl + flux_rate).max() / np.abs(flux_rate).max(),
            np.abs(np.trace(gradient, axis1=1, axis2=2)).max() / np.abs(gradient).max(),
            np.abs(radial).max() / np.abs(field(points)).max(),
        )
    )


def profile_dependence(voxel_size: float = 1e-3) -> float:
    """Relative difference in the brain between the fields of a smooth layered profile and of a homogeneous sphere."""
    sphere = LayeredSphere()
    placed = coil_above_sphere(sphere)
    fields = []
    for conductivity in (sphere.gaussian(voxel_size), sphere.homogeneous().binary(voxel_size)):
        system = build_system(conductivity, voxel_size)
        fields.append(induced_field(system, edge_line_integrals(system, placed.vector_potential)))
    index, _ = sample_voxels(sphere.distances(voxel_size), sphere.radii[0], voxel_size, 100_000)
    return relative_error(fields[0][index], fields[1][index].astype(np.float64))


def coil_above_head() -> PlacedCoil:
    """The paper's figure of eight, oblique above the left of the head-like conductor."""
    return place_coil(FigureEight(), np.array([-0.066, -0.015, 0.078]), np.array([-0.7, -0.1, 0.9]), 20e-3, np.pi / 4)


def _norm(integrals: EdgeIntegrals) -> float:
    return float(np.sqrt(sum(np.sum(part**2) for part in (integrals.x, integrals.y, integrals.z))))


def gauge_dependence(voxels: int = 64) -> float:
    """Relative change of the field when dA/dt gains the gradient of a function as large as itself."""
    conductivity, size = head_like(voxels)
    system = build_system(conductivity, size)
    affine = grid_affine(system.shape, size)
    placed = coil_above_head()
    integrals = edge_line_integrals(system, placed.vector_potential, affine)
    nodes = np.indices(system.node_shape).astype(np.float64)
    world = (nodes + np.reshape(system.start, (3, 1, 1, 1)) - 0.5) * size + affine[:3, 3].reshape(3, 1, 1, 1)
    scalar = np.sin(30.0 * world[0] + 20.0 * world[1]) + np.cos(25.0 * world[2] - 10.0 * world[0])
    gradient = EdgeIntegrals(*(np.diff(scalar, axis=axis) for axis in range(3)))
    factor = _norm(integrals) / _norm(gradient)
    tolerances = Tolerances(1e-10)
    fields = []
    for primary in (integrals, integrals + gradient.scaled(factor)):
        result = solve_potential(system, [induced_source(system, primary)], tolerances)[0]
        fields.append(electric_field(system, result.potential, primary).astype(np.float64))
    return relative_error(fields[1], fields[0])


def conservation_error(voxels: int = 64) -> float:
    """Largest relative imbalance: each row sum of the operator, and the total of an induced right-hand side."""
    conductivity, size = head_like(voxels)
    system = build_system(conductivity, size)
    matrix, _ = sparse_operator(system)
    rows = np.abs(np.asarray(matrix.sum(axis=1)).ravel()) / matrix.diagonal()
    placed = coil_above_head()
    source = induced_source(system, edge_line_integrals(system, placed.vector_potential))
    return float(max(rows.max(), abs(source.sum()) / np.abs(source).sum()))


def reciprocity_error(voxels: int = 64) -> float:
    """Mismatch of the voltage that a coil induces between two electrodes and the coil's reaction to their current.

    For the electrodes' potential phi at current I and the primary integrals a on edges of conductance g,
    I (psi_1 - psi_2) = sum over edges of g a (phi_start - phi_end) [V A].
    """
    conductivity, size = head_like(voxels)
    system = build_system(conductivity, size)
    placed = coil_above_head()
    integrals = edge_line_integrals(system, placed.vector_potential)
    nodes = [electrode_nodes_of_head(system, axis) for axis in (0, 1)]
    electrodes = electrode_source(system, nodes, [1e-3, -1e-3])
    coil = induced_source(system, integrals)
    induced, injected = solve_potential(system, [coil, electrodes], Tolerances(1e-10))
    voltage = float((electrodes * induced.potential).sum())
    level = system.levels[0]
    reaction = 0.0
    for axis, (g, a) in enumerate(
        zip((level.gx, level.gy, level.gz), (integrals.x, integrals.y, integrals.z), strict=True)
    ):
        kept = g[system.unpadded][tuple(slice(0, n) for n in a.shape)].astype(np.float64)
        reaction -= float((kept * a * np.diff(injected.potential, axis=axis)).sum())
    return abs(voltage - reaction) / abs(reaction)


def electrode_nodes_of_head(system: PotentialSystem, axis: int) -> np.ndarray:
    """A few conducting nodes at the positive end of an axis through the middle of the box."""
    conducting = np.argwhere(system.conductivity > 0.0)
    middle = np.delete(np.asarray(system.conductivity.shape) // 2, axis)
    near = np.abs(np.delete(conducting, axis, axis=1) - middle).max(axis=1) <= 2
    end = conducting[near]
    top = end[end[:, axis] == end[:, axis].max()]
    return top + np.asarray(system.start)


def table2_mismatches() -> float:
    """Sizes and parameter counts of the built network that differ from the resolved Table II, over several designs."""
    designs = (
        CondNetDesign(),
        CondNetDesign(inputs=1, outputs=1, depth=3),
        CondNetDesign(inputs=2, outputs=2, depth=6),
        CondNetDesign(inputs=3, outputs=2, depth=4, encoder_kernel=5, convolution_kernel=3, map_kernel=3),
    )
    wrong = 0
    for design in designs:
        network = CondNet(design).eval()
        wrong += int(sum(p.numel() for p in network.parameters()) != table_parameter_count(design))
        sizes = measured_sizes(network, torch.zeros(1, design.inputs, 256, 256))
        expected = table_sizes(design, 256)
        wrong += sum(sizes.get(name) != size for name, size in expected.items()) + len(sizes.keys() ^ expected.keys())
    return float(wrong)


def measured_sizes(network: CondNet, images: Tensor) -> dict[str, tuple[int, int]]:
    """Channels and side of every layer's output in a forward pass, by the labels of Table II."""
    sizes: dict[str, tuple[int, int]] = {}

    def watch(label: str, module: torch.nn.Module) -> RemovableHandle:
        return module.register_forward_hook(
            lambda _module, _inputs, output: sizes.update({label: (output.shape[1], output.shape[2])})
        )

    names = {
        "hub": "Hub",
        "encoders.{}.bridge": "Bridge {}",
        "encoders.{}.convolutions.{}": "EncMod {},{} convolution",
        "encoders.{}.poolings.{}": "EncMod {},{} pooling",
        "decoders.{}.convolutions.{}": "CnvMod {},{}",
        "decoders.{}.deconvolutions.{}": "DecMod {},{}",
        "decoders.{}.maps.{}": "Map {},{}",
        "decoders.{}.concatenations.{}": "Concat {},{}",
    }
    handles = []
    for name, module in network.named_modules():
        parts = name.split(".")
        numbers = [int(part) + 1 for part in parts if part.isdigit()]
        pattern = ".".join("{}" if part.isdigit() else part for part in parts)
        if pattern in names:
            handles.append(watch(names[pattern].format(*numbers), module))
    with torch.no_grad():
        network(images)
    for handle in handles:
        handle.remove()
    return sizes


def _layered(kind: str) -> float:
    sphere = LayeredSphere()
    return coil_error(sphere, getattr(sphere, kind)(1e-3), 1e-3)


CHECKS = (
    Check(
        "condnet.layered_tES", "potential of electrodes on the four-shell sphere at 1 mm against its Legendre series",
        0.03, "1", layered_electrodes_error,
    ),
    Check(
        "condnet.eccentric", "field of electrodes, eccentric inner sphere, 1 mm, uncut voxels, against its series",
        0.05, "1", lambda: eccentric_errors().uncut,
    ),
    Check(
        "condnet.eccentric_all_voxels",
        "the same, harmonic means in cut voxels: all voxels against the exact field's mean over each",
        0.05, "1", lambda: eccentric_errors(harmonic).all_means,
    ),
    Check(
        "condnet.layered_binary_1mm", "coil's field in the layered sphere, binary voxels, against the closed form",
        0.07, "1", lambda: _layered("binary"),
    ),
    Check(
        "condnet.homogeneous_1mm", "coil's field in the homogeneous sphere against the closed form", 0.002, "1",
        lambda: coil_error(LayeredSphere(), LayeredSphere().homogeneous().binary(1e-3), 1e-3),
    ),
    Check(
        "condnet.partial_volume_1mm", "coil's field in the layered sphere, partial volume, against the closed form",
        0.04, "1", lambda: _layered("partial_volume"),
    ),
    Check(
        "condnet.dipole_closed_form", "Faraday's law, divergence and radial part of the dipole's closed form",
        1e-6, "1", dipole_closed_form_error,
    ),
    Check(
        "condnet.profile_independence", "coil's field in a smooth layered against a homogeneous sphere at 1 mm",
        0.025, "1", profile_dependence,
    ),
    Check("condnet.gauge", "change of the field with the gauge of the primary field", 1e-6, "1", gauge_dependence),
    Check(
        "condnet.conservation", "row sums of the operator and total of the right-hand side, relative", 1e-10, "1",
        conservation_error,
    ),
    Check(
        "condnet.reciprocity", "coil's voltage between electrodes against the electrodes' reaction on the coil",
        1e-6, "1", reciprocity_error,
    ),
    Check("condnet.table2_sizes", "sizes and parameter counts that differ from the resolved Table II", 0.0, "count",
          table2_mismatches),
    Check(
        "condnet.cole_cole_10kHz", "Gabriel's conductivity against Table I (A), ten tissues (not grey matter, mucosa, "
        "skin): half of the second decimal", 0.005, "S/m", largest_cole_cole_deviation,
    ),
)  # fmt: skip
"""Checks that concern the solver, the coil and the network."""
