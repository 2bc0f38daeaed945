"""Noise and boundary studies of Helmholtz EPT, and the fields of the held-out bodies that its page reads."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mrrepro.papers.dl_ept import helmholtz_study as study
from mrrepro.papers.dl_ept.cases import Case
from mrrepro.papers.dl_ept.field_plots import Plane
from mrrepro.papers.dl_ept.held_out_fields import half_transceive_error, simulate_both_fields
from mrrepro.papers.dl_ept.settings import BodySettings, SimulationSettings
from mrrepro.papers.dl_ept.verification import SPHERE, series_transmit, sphere_body
from mrrepro.phantoms.cylinders import Cylinder
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.simulators.birdcage import simulate_b1
from mrrepro.solvers.laplacian_kernels import savitzky_golay_cuboid
from mrrepro.tissues import DielectricProperties

AGAR = DielectricProperties(relative_permittivity=80.0, conductivity=0.88)
SIZE = (7, 7, 5)


def test_noise_has_the_strengths_asked_for() -> None:
    field = torch.full((40, 40, 40), 2.0 + 0j, dtype=torch.complex128)
    mask = torch.ones(field.shape, dtype=torch.bool)
    noisy = study.Noise(snr=50.0, phase_sd=4e-3).add(field, mask, seed=3)
    assert float(noisy.abs().std()) == pytest.approx(2.0 / 50.0, rel=0.02)
    assert float(noisy.angle().std()) == pytest.approx(4e-3, rel=0.02)


def test_one_complex_field_has_the_same_noise_in_phase_as_in_magnitude() -> None:
    field = torch.full((40, 40, 40), 2.0 + 0j, dtype=torch.complex128)
    mask = torch.ones(field.shape, dtype=torch.bool)
    noisy = study.one_complex_field(field, mask, snr=90.0, seed=3)
    assert float(noisy.angle().std()) == pytest.approx(1.0 / 90.0, rel=0.02)
    assert float(noisy.abs().std()) == pytest.approx(2.0 / 90.0, rel=0.02)


def test_drawn_noise_agrees_with_the_weights() -> None:
    """Neighbours share noise: some 200 independent values of the widest kernel give an SD to 5 %, taken twice."""
    rows = study.noise_of_kernels(AGAR, 128e6, study.Noise(90.0, 4.5e-3), (3e-3,), SIZE, seed=1)
    assert len(rows) == 4
    for row in rows:
        assert row["sigma_sd"] == pytest.approx(row["sigma_sd_closed"], rel=0.15)
        assert row["eps_sd"] == pytest.approx(row["eps_sd_closed"], rel=0.15)


def test_a_boundary_spoils_what_the_kernel_reaches_and_no_more() -> None:
    step = 2e-3
    profile = study.across_boundary(study.white_matter_in_fluid(128e6), savitzky_golay_cuboid, step, SIZE)
    beyond = np.abs(profile.distance) > 3.5 * step
    # away from the boundary the truth, but for the kernel's own error of second order
    np.testing.assert_allclose(profile.conductivity[beyond], profile.truth[beyond], rtol=0.02)
    assert 2.0 * step < profile.error_width <= 7.0 * step
    alone = study.across_boundary(study.white_matter_in_fluid(128e6), savitzky_golay_cuboid, step, SIZE, segmented=True)
    assert alone.error_width < 0.25 * profile.error_width


def test_tissues_apart_do_not_see_each_other() -> None:
    """Two halves with fields of different wavenumbers: each is as right as if the other were not there."""
    x, y, _ = np.meshgrid(*[np.arange(-8, 8) * 2e-3] * 3, indexing="ij")
    tissues = DielectricProperties(50.0, 0.3), DielectricProperties(80.0, 2.0)
    cylinders = [study.LayeredCylinder(0.1, tissue, tissue, 128e6) for tissue in tissues]
    radius = np.hypot(x, y)
    field = np.where(x < 0, cylinders[0].transmit(radius), cylinders[1].transmit(radius))
    labels = np.where(x < 0, 1, 2)
    maps = study.tissues_apart(torch.as_tensor(field), labels, 128e6, 2e-3, SIZE)
    for label, tissue in ((1, tissues[0]), (2, tissues[1])):
        found = maps.conductivity[torch.as_tensor(labels == label) & maps.valid]
        assert len(found) > 500
        assert float((found - tissue.conductivity).abs().max()) < 0.03 * tissue.conductivity


def test_rows_of_tissues_count_the_voxels_that_are_left() -> None:
    labels = np.zeros((14, 14, 14), dtype=np.uint8)
    labels[1:13, 1:13, 1:13] = HEAD_TISSUES.index("white_matter")
    maps = study.EptMaps(
        torch.full(labels.shape, 0.5), torch.full(labels.shape, 60.0), torch.ones(labels.shape, dtype=torch.bool)
    )
    rows = {row["tissue"]: row for row in study.tissue_rows({"flat": maps}, labels, 2)}
    assert rows["white_matter"] == {
        "method": "flat", "tissue": "white_matter", "erosion": 2, "n": 8**3,
        "sigma": 0.5, "sigma_sd": 0.0, "eps": 60.0, "eps_sd": 0.0,
    }  # fmt: skip
    assert rows["csf"]["n"] == 0


def test_both_fields_are_those_of_the_coil() -> None:
    case = Case("small", cylinder=Cylinder(0, 0.6, 70.0, diameter=0.08, length=0.08))
    simulation = SimulationSettings(voxel_size_mm=10.0)
    arrays, _ = simulate_both_fields(case, None, BodySettings(), simulation)
    assert case.cylinder is not None
    body = case.cylinder.body(simulation.voxel_size, simulation.frequency)
    expected = simulate_b1(body, simulation.coil(), simulation.gmres()).receive.abs().numpy()
    np.testing.assert_allclose(arrays["receive_magnitude"], expected, rtol=1e-5)
    # a body with the coil's symmetry has half the transceive phase for the phase of B1+
    assert np.nanmax(np.abs(half_transceive_error(arrays))) < 3e-3


def test_the_error_of_half_the_transceive_phase_by_hand() -> None:
    case = {
        "labels": np.array([[[0, 1, 1, 1]]]),
        "transceive_phase": np.array([[[9.0, 0.4, 0.4, 0.6]]]),
        "transmit_phase": np.array([[[9.0, 0.0, 0.1, 0.5]]]),
    }
    np.testing.assert_allclose(half_transceive_error(case), [[[math.nan, 1 / 6, 1 / 15, -7 / 30]]])


def test_the_series_is_given_inside_the_sphere_alone() -> None:
    grid = sphere_body(0.02).grid
    found = series_transmit(grid)
    inside = np.sum(grid.voxel_centres() ** 2, axis=0) < SPHERE.radius**2
    assert np.isfinite(found[inside]).all()
    assert np.isnan(found[~inside]).all()


def test_a_plane_has_the_place_that_its_axes_say() -> None:
    grid = YeeGrid((4, 6, 8), 0.01, (0.0, -0.03, -0.04))
    volume = np.broadcast_to(np.arange(6)[None, :, None], grid.shape)
    plane = Plane.through("coronal", grid, position=0.016)
    assert (plane.index, plane.shown) == (4, (0, 2))
    assert (plane.of(volume) == 4).all()
    np.testing.assert_allclose(plane.extent_mm(), (0.0, 40.0, -40.0, 40.0))
