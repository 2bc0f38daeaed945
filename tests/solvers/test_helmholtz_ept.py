import io
import math
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from mrrepro.papers.dl_ept.helmholtz_verification import (
    KERNELS,
    cylinder_error,
    helmholtz_order_deviation,
    worst_cylinder_error,
)
from mrrepro.solvers.helmholtz_ept import (
    helmholtz_ept,
    helmholtz_ept_at_boundaries,
    laplacian,
    phase_only_ept,
    transmit_from_measurement,
    valid_voxels,
)
from mrrepro.solvers.laplacian_kernels import (
    axis_noise_robust,
    savitzky_golay_cuboid,
    savitzky_golay_ellipsoid,
    smoothed_noise_robust,
)

ANISOTROPIC = (0.002, 0.0025, 0.004)
MU_0 = 4e-7 * math.pi


def _quadratic(shape=(11, 11, 9), steps=ANISOTROPIC):
    x, y, z = np.meshgrid(*(np.arange(n) * h for n, h in zip(shape, steps, strict=True)), indexing="ij")
    field = 2.0 + (3.0 + 1j) * x**2 - 2.0 * y**2 + 0.5j * z**2 + x * y - 4.0 * y * z + 0.3 * x - z
    return torch.as_tensor(field), 2.0 * (3.0 + 1j) - 4.0 + 1j


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size", [(7, 7, 5), (5, 3, 7)])
def test_kernels_are_exact_for_quadratics_on_anisotropic_voxels(kernel, size):
    field, expected = _quadratic()
    found = laplacian(field, kernel(ANISOTROPIC, size))[3:-3, 3:-3, 3:-3]
    assert (found - expected).abs().max() < 1e-9


def test_kernels_have_their_support_and_ranking_of_noise():
    edge = (0.003,) * 3
    cross = axis_noise_robust(edge)
    # [1 2 -1 -4 -1 2 1] / 16 and, for five points, [1 0 -2 0 1] / 4, after Holoborodko
    assert np.allclose(cross.weights[0, 3, 2] * 9e-6, 1 / 16)
    assert np.allclose(cross.weights[3, 3, 0] * 9e-6, 1 / 4)
    assert cross.support.sum() <= 7 + 7 + 5 - 2
    assert savitzky_golay_ellipsoid(edge).support.sum() < savitzky_golay_cuboid(edge).support.sum() <= 7 * 7 * 5
    # integer points within a ball of radius 2
    assert savitzky_golay_ellipsoid(edge, (5, 5, 5)).support.sum() <= 33
    assert not savitzky_golay_ellipsoid(edge, (5, 5, 5)).support[0, 1, 2]
    noise = [np.linalg.norm(k(edge).weights) for k in (axis_noise_robust, smoothed_noise_robust, savitzky_golay_cuboid)]
    assert noise[0] > 2 * noise[1] > 2 * noise[2]
    assert np.linalg.norm(axis_noise_robust((0.0015,) * 3).weights) == pytest.approx(4 * noise[0])


def test_cylinder():
    assert worst_cylinder_error() < 1e-3
    assert helmholtz_order_deviation() < 0.2
    assert cylinder_error(savitzky_golay_cuboid((1e-3,) * 3), 2.1, 84.0) < 3e-3


def test_phase_only_is_the_laplacian_of_half_the_phase():
    field, _ = _quadratic()
    phase = field.real
    mask = torch.ones(phase.shape, dtype=torch.bool)
    kernel = savitzky_golay_cuboid(ANISOTROPIC)
    maps = phase_only_ept(phase, 128e6, kernel, mask)
    expected = 0.5 * (6.0 - 4.0) / (2 * math.pi * 128e6 * MU_0)
    assert maps.relative_permittivity is None
    assert torch.allclose(maps.conductivity[maps.valid], torch.full((), expected, dtype=torch.float64), rtol=1e-6)
    # a field of constant magnitude and linear phase: nothing to see for the phase, k^2 for the complex field
    slope = 4.0 * torch.linspace(0, 1, 11, dtype=torch.float64)[:, None, None]
    ramp = transmit_from_measurement(torch.ones_like(phase), slope * torch.ones_like(phase), mask)
    k = 0.5 * 4.0 / (10 * ANISOTROPIC[0])
    maps = helmholtz_ept(ramp, 128e6, axis_noise_robust(ANISOTROPIC, (3, 3, 3)), mask)
    permittivity = (k * 299792458.0 / (2 * math.pi * 128e6)) ** 2
    assert float((maps.relative_permittivity[maps.valid] / permittivity - 1).abs().max()) < 5e-3
    assert float(maps.conductivity[maps.valid].abs().max()) < 1e-9


def test_mask_limits_the_valid_voxels():
    mask = torch.zeros((15, 15, 15), dtype=torch.bool)
    mask[2:13, 1:14, :] = True
    valid = valid_voxels(mask, savitzky_golay_cuboid((0.002,) * 3))
    expected = torch.zeros_like(mask)
    expected[5:10, 4:11, 2:13] = True
    assert torch.equal(valid, expected)
    field = torch.ones(mask.shape, dtype=torch.complex128)
    field[0, 0, 0] = complex("nan")
    maps = helmholtz_ept(field, 128e6, savitzky_golay_cuboid((0.002,) * 3), mask)
    assert torch.equal(maps.valid, torch.isfinite(maps.conductivity))


def test_fit_at_boundaries_is_exact_for_quadratics_and_equals_the_cuboid_inside():
    field, expected = _quadratic((13, 13, 11))
    centre = torch.tensor([6.0, 6.0, 5.0])
    index = torch.stack(torch.meshgrid(*(torch.arange(n) for n in field.shape), indexing="ij"), dim=-1)
    mask = (index - centre).norm(dim=-1) < 5.5
    maps = helmholtz_ept_at_boundaries(field, 128e6, ANISOTROPIC, mask)
    kernel = helmholtz_ept(field, 128e6, savitzky_golay_cuboid(ANISOTROPIC), mask)
    assert kernel.valid.sum() < maps.valid.sum() <= mask.sum()
    conductivity = (expected / field).imag / (2 * math.pi * 128e6 * MU_0)
    assert float((maps.conductivity - conductivity)[maps.valid].abs().max()) < 1e-8 * float(conductivity.abs().max())
    both = kernel.valid
    assert torch.allclose(maps.conductivity[both], kernel.conductivity[both], rtol=1e-8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frequency": 128.0}, "hertz"),
        ({"mask": torch.zeros((9, 9, 9), dtype=torch.bool)}, "empty"),
        ({"mask": torch.ones((9, 9, 9))}, "boolean"),
        ({"phase": torch.full((9, 9, 9), 90.0)}, "radians"),
        ({"phase": torch.arange(9.0).fmod(2.0)[:, None, None].expand(9, 9, 9) * 6.0}, "unwrapped"),
        ({"phase": torch.full((9, 9, 9), float("nan"))}, "finite"),
    ],
)
def test_rejects(change, message):
    arguments = {
        "phase": torch.zeros((9, 9, 9)), "frequency": 128e6,
        "kernel": savitzky_golay_cuboid((0.002,) * 3), "mask": torch.ones((9, 9, 9), dtype=torch.bool),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        phase_only_ept(**{**arguments, **change})


@pytest.mark.parametrize(
    ("size", "edges", "message"), [((6, 7, 5), (0.002,) * 3, "odd"), ((7, 7, 5), (2.0,) * 3, "metres")]
)
def test_rejects_kernels(size, edges, message):
    for kernel in KERNELS:
        with pytest.raises(ValueError, match=message):
            kernel(edges, size)


def _tutorial():
    mirror = os.environ.get("MRREPRO_DATA_MIRROR")
    if not mirror:
        pytest.skip("MRREPRO_DATA_MIRROR is not set: EPTlib's tutorial data are not at hand")
    archive = Path(mirror) / "eptlib_tutorial" / "eptlib-tutorial.zip"
    if not archive.exists():
        pytest.skip(f"{archive.name} is not in the mirror")
    h5py = pytest.importorskip("h5py", reason="h5py reads EPTlib's tutorial data")
    with zipfile.ZipFile(archive) as files, h5py.File(io.BytesIO(files.read("data/15t-brain.h5"))) as data:
        return {name: torch.as_tensor(data[name][()].transpose(2, 1, 0).copy()) for name in data}


def test_eptlib_tutorial_brain():
    # mean and sd of white matter by EPTlib's Helmholtz method, cuboid of 7 x 7 x 5 voxels of 2 mm at 64 MHz
    data = _tutorial()
    magnitude, phase = data["tx-sens"].double(), data["trx-phase"].double()
    mask = torch.isfinite(magnitude) & torch.isfinite(phase)
    transmit = transmit_from_measurement(magnitude.nan_to_num(), phase.nan_to_num(), mask)
    maps = helmholtz_ept(transmit, 64e6, savitzky_golay_cuboid((0.002,) * 3), mask)
    white = maps.conductivity[maps.valid & (data["mask-wm"] > 0)]
    assert float(white.mean()) == pytest.approx(0.4641, abs=5e-5)
    assert float(white.std(correction=0)) == pytest.approx(0.4552, abs=5e-5)


def test_a_fit_on_two_planes_is_not_valid_but_does_not_raise():
    """Two layers of voxels determine no second derivative across them, whatever their number."""
    transmit = torch.ones((9, 9, 9), dtype=torch.complex64)
    mask = torch.zeros(transmit.shape, dtype=torch.bool)
    mask[:, :, 4:6] = True
    maps = helmholtz_ept_at_boundaries(transmit, 128e6, (2e-3,) * 3, mask, (3, 3, 3))
    assert not maps.valid.any()
    mask[:, :, 3] = True
    maps = helmholtz_ept_at_boundaries(transmit, 128e6, (2e-3,) * 3, mask, (3, 3, 3))
    assert maps.valid[4, 4, 4]
