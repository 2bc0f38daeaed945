"""The kernel that projects all bodies at once against one body after the other: on CUDA, else in the interpreter."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from mrrepro.phantoms.shapes import Body, Metaballs, Sphere, Torus
from mrrepro.simulators import spio_samples
from mrrepro.simulators.body_projection import ROW_WORDS
from mrrepro.simulators.spio_samples import BodyDistribution, IronOxide, SampleStream, SpioSimulator
from mrrepro.simulators.view_line import ViewLineSequence
from tests.triton_device import (
    CUDA,
    DEVICE,
    INTERPRETED,
    run_in_the_interpreter,
    skip_without_triton,
    starts_the_interpreter,
    with_kernels,
)

skip_without_triton()

REACH = BodyDistribution().reach

if CUDA or INTERPRETED:
    from mrrepro.simulators import body_projection_triton


@starts_the_interpreter
def test_kernel_in_the_interpreter() -> None:
    run_in_the_interpreter(__file__)


def drawn(count: tuple[int, int], samples: int, **changes) -> list[tuple[Body, ...]]:
    distribution = BodyDistribution(count=count, **changes)
    return [distribution.draw(np.random.default_rng([3, index])) for index in range(samples)]


def overlapping() -> tuple[Body, ...]:
    """A torus through metaballs of four and one ball, off the slice and across the borders of tiles."""
    place = (1.1e-3, 0.4e-3, -0.3e-3)
    four = tuple((x, 0.5e-3, z) for x in (-1e-3, 2e-3) for z in (-2e-3, 1e-3))
    return (
        Body(Torus(place, 1.5e-3, 4e-3), 5.0),
        Body(Metaballs(four, 0.04), 17.0),
        Body(Metaballs((place,), 0.02), 0.3),
        Body(Torus((0.0, 3e-3, 0.0), 2e-3, 0.0), 200.0),
    )


def assert_projects(samples: list[tuple[Body, ...]], size: int, monkeypatch) -> None:
    """The same as `SpioSimulator.project` to the rounding of coordinates, a part of a voxel times eps size."""
    sequence = ViewLineSequence(size=size)
    simulator, slow = (SpioSimulator(sequence, IronOxide(), REACH, device) for device in (DEVICE, "cpu"))
    calls = []
    project = body_projection_triton.project_bodies
    monkeypatch.setattr(spio_samples, "_fuses", lambda device: True)
    monkeypatch.setattr(
        body_projection_triton, "project_bodies", lambda *given: (calls.append(given), project(*given))[1]
    )
    projections, concentration = simulator.project_batch(samples)
    assert len(calls) == 1
    for bodies, *found in zip(samples, projections, concentration, strict=True):
        tolerance = 4 * torch.finfo(torch.float32).eps * size * sum(body.concentration for body in bodies)
        for array, expected in zip(found, slow.project(bodies), strict=True):
            assert bodies == () or float(expected.abs().max()) > 1e3 * tolerance
            torch.testing.assert_close(array.cpu(), expected, rtol=0.0, atol=tolerance)


@with_kernels
@pytest.mark.parametrize("size", [40, 64])  # 40 pixels fill no whole number of tiles
def test_batch_of_samples(size, monkeypatch) -> None:
    samples = [*drawn((1, 1), 2), (), *drawn((5, 5), 1), *drawn((1, 5), 1), overlapping()]
    assert_projects(samples, size, monkeypatch)


@with_kernels
@pytest.mark.parametrize(("size", "count"), [(128, (3, 3)), (256, (1, 1))])
def test_fine_grids(size, count, monkeypatch) -> None:
    if INTERPRETED:
        monkeypatch.setattr(body_projection_triton, "_TILE", (64, 64))  # few programs: each takes its time
    assert_projects(drawn(count, 2, depth=0.2e-3), size, monkeypatch)


@with_kernels
def test_a_sample_does_not_depend_on_its_batch(monkeypatch) -> None:
    monkeypatch.setattr(spio_samples, "_fuses", lambda device: True)
    simulator = SpioSimulator(ViewLineSequence(size=64), IronOxide(), REACH, DEVICE)
    samples = drawn((1, 3), 3)
    together, alone = simulator.project_batch(samples), simulator.project_batch(samples[1:2])
    assert all(torch.equal(many[1], one[0]) for many, one in zip(together, alone, strict=True))


@with_kernels
def test_other_shapes_go_one_by_one_and_bodies_that_leave_the_grid_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(spio_samples, "_fuses", lambda device: True)
    simulator = SpioSimulator(ViewLineSequence(size=64), IronOxide(), REACH, DEVICE)
    samples = [overlapping(), (Body(Sphere((0.0, 0.0, 0.0), 4e-3), 6.0),)]
    one_by_one = [simulator.project(bodies) for bodies in samples]
    for found, expected in zip(simulator.project_batch(samples), zip(*one_by_one, strict=True), strict=True):
        assert torch.equal(found, torch.stack(expected))
    with pytest.raises(ValueError, match="along x, but the grid holds"):
        simulator.project_batch([(Body(Torus((24e-3, 0.0, 0.0), 1e-3, 2e-3), 1.0),)])


@pytest.mark.skipif(INTERPRETED, reason="the interpreter builds nothing; outside it this test runs wherever Triton is")
@pytest.mark.parametrize("capability", [75, 80, 90])  # T4, A100, H100
def test_builds_without_a_device(capability) -> None:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from triton.compiler import compile as compile_kernel

    from mrrepro.simulators.body_projection_triton import _project_kernel

    kinds = dict.fromkeys(_project_kernel.arg_names, "i32")
    kinds |= {"out": "*fp32", "words": "*i32", "reals": "*fp32", "weights": "*fp32", "voxel": "fp32"}
    kinds |= {"inverse_voxel": "fp32"}
    constants = {"ROW": ROW_WORDS, "COLUMNS": 16, "TILE_X": 8, "TILE_Z": 32}
    source = ASTSource(_project_kernel, kinds | dict.fromkeys(constants, "constexpr"), constants)
    built = compile_kernel(source, target=GPUTarget("cuda", capability, 32))
    assert f".target sm_{capability}" in built.asm["ptx"]


@pytest.mark.skipif(not CUDA, reason="no CUDA device: which kernel it takes and what it waits for stay untested")
def test_cuda_takes_the_kernel_and_waits_once_a_pass(monkeypatch) -> None:
    assert spio_samples._fuses(DEVICE)
    images = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    streams = []
    for device in (DEVICE, torch.device("cpu")):
        simulator = SpioSimulator(ViewLineSequence(size=64), IronOxide(), REACH, device)
        streams.append(SampleStream(simulator, BodyDistribution(), images.to(device), 0))
    found, expected = (stream.batch(0, 8) for stream in streams)
    torch.testing.assert_close(found.concentration.cpu(), expected.concentration, rtol=0.0, atol=1e-3)
    assert float((found.images.cpu() - expected.images).abs().mean()) < 1e-4
    monkeypatch.setattr(streams[0].simulator, "samples_per_pass", 4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            streams[0].batch(8, 8)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert sum("synchronizing CUDA operation" in str(each.message) for each in caught) == 2
