import numpy as np
import pytest
import torch

from mrrepro.papers.dl_ept import verification
from mrrepro.papers.dl_ept.verification import irregular_body, plane_wave, sphere_body, sphere_error
from mrrepro.phantoms.dielectric_body import DielectricBody
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.solvers.krylov import GmresSettings
from mrrepro.solvers.mie import PlaneWaveOnSphere
from mrrepro.solvers.volume_integral import FieldOnGrid, _require_memory, free_bytes, required_bytes, solve_scattering

TIGHT = GmresSettings(tolerance=1e-8, restart=200)


def _body(permittivity, conductivity=0.0, length=6, frequency=128e6):
    grid = YeeGrid.centred((length, length, length), 0.01)
    inside = np.zeros(grid.shape, dtype=bool)
    inside[1:-1, 1:-1, 1:-1] = True
    return DielectricBody(grid, np.where(inside, permittivity, 1.0), np.where(inside, conductivity, 0.0), frequency)


def test_operators_equal_matrices():
    assert verification.dense_operator_deviation() < 1e-10


def test_reciprocity():
    assert verification.reciprocity_deviation() < 1e-8


def test_power_balance():
    assert verification.power_balance_deviation() < 1e-5


def test_sphere_against_mies_series():
    # first order in the voxel size: 1 % at 5 mm allows 2 % at 1 cm
    error = sphere_error(0.010)
    assert error.relative < 0.02
    assert error.phase_rms < 0.02


def test_without_contrast_the_incident_field_comes_back():
    body = _body(1.0)
    wave = plane_wave(body.grid, verification.SPHERE, torch.complex128)
    found = solve_scattering(body, wave)
    assert found.converged
    assert torch.equal(found.field.electric, wave.electric)
    assert torch.equal(found.field.magnetic_flux, wave.magnetic_flux)


def test_quasi_static_sphere_is_uniform():
    # E = 3 / (eps + 2) E_inc; 12 voxels across leave a few per cent to the staircase
    sphere = PlaneWaveOnSphere(0.06, 4.0, 0.0, 1e6)
    body = sphere_body(0.01, sphere=sphere)
    found = solve_scattering(body, plane_wave(body.grid, sphere, torch.complex128), TIGHT)
    middle = found.field.electric[0, 0, 6:10, 6:10, 6:10]
    assert float((middle - 0.5).abs().max()) < 0.02


def test_unknowns_outside_the_body_are_zero_and_far_field_is_outgoing():
    body = irregular_body()
    found = solve_scattering(body, plane_wave(body.grid, verification.SPHERE, torch.complex128), TIGHT)
    assert not found.polarisation[0].numpy()[body.edge_contrast() == 0].any()
    # P = (eps - 1) E on every edge: the equation itself, evaluated on the whole grid instead of the box
    contrast = torch.as_tensor(body.edge_contrast())
    difference = (found.polarisation[0] - contrast * found.field.electric[0]).abs().max()
    assert float(difference / found.polarisation.abs().max()) < 1e-6


def test_batch_and_start():
    body = irregular_body()
    wave = plane_wave(body.grid, verification.SPHERE, torch.complex128)
    other = FieldOnGrid(wave.electric.conj().resolve_conj(), wave.magnetic_flux.conj().resolve_conj())
    both = FieldOnGrid(torch.cat([wave.electric, other.electric]), torch.cat([wave.magnetic_flux, other.magnetic_flux]))
    found = solve_scattering(body, both, TIGHT)
    single = solve_scattering(body, other, TIGHT)
    assert torch.allclose(found.polarisation[1], single.polarisation[0], atol=1e-6)
    again = solve_scattering(body, both, TIGHT, start=found.polarisation)
    assert again.products == 1


def test_single_precision_and_its_floor():
    body = irregular_body()
    wave = plane_wave(body.grid, verification.SPHERE, torch.complex64)
    found = solve_scattering(body, wave)
    exact = solve_scattering(body, plane_wave(body.grid, verification.SPHERE, torch.complex128), TIGHT)
    assert found.field.magnetic_flux.dtype == torch.complex64
    error = torch.linalg.vector_norm(found.field.magnetic_flux - exact.field.magnetic_flux)
    assert float(error / torch.linalg.vector_norm(exact.field.magnetic_flux)) < 1e-3
    beyond = solve_scattering(body, wave, GmresSettings(tolerance=1e-9))
    assert not beyond.converged
    assert beyond.status == "stagnated"
    assert beyond.relative_residual[0] > 1e-9


def test_record_tells_when_products_run_out():
    body = irregular_body()
    found = solve_scattering(
        body, plane_wave(body.grid, verification.SPHERE, torch.complex64), GmresSettings(largest_products=4)
    )
    assert (found.converged, found.status) == (False, "product limit")
    assert found.relative_residual[0] > 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frequency": 128.0}, "hertz"),
        ({"permittivity": 0.5}, "relative_permittivity"),
        ({"conductivity": -0.1}, "conductivity"),
        ({"permittivity": float("nan")}, "finite"),
    ],
)
def test_rejects_bodies(change, message):
    with pytest.raises(ValueError, match=message):
        _body(**{"permittivity": 50.0, **change})


def test_rejects_a_body_at_the_grids_edge():
    grid = YeeGrid((4, 4, 4), 0.01)
    permittivity = np.ones(grid.shape)
    permittivity[2, 2, 3] = 50.0
    with pytest.raises(ValueError, match="edge along axis 2"):
        DielectricBody(grid, permittivity, np.zeros(grid.shape), 128e6)


@pytest.mark.parametrize(("voxel_size", "message"), [((0.002, 0.002, 0.004), "resample"), (3.0, "metres")])
def test_rejects_voxels(voxel_size, message):
    with pytest.raises(ValueError, match=message):
        YeeGrid((4, 4, 4), voxel_size)


def test_rejects_incident_fields():
    body = irregular_body()
    wave = plane_wave(body.grid, verification.SPHERE, torch.complex64)
    with pytest.raises(ValueError, match=r"incident\.electric must have shape"):
        solve_scattering(body, FieldOnGrid(wave.electric[..., :-1], wave.magnetic_flux))
    spoiled = wave.electric.clone()
    spoiled[0, 0, 3, 3, 3] = float("nan")
    with pytest.raises(ValueError, match=r"incident\.electric must be finite"):
        solve_scattering(body, FieldOnGrid(spoiled, wave.magnetic_flux))


def test_memory_is_checked_before_the_work():
    need = required_bytes(3 * 10**8, (1000, 1000, 1000), 2, 120, 8)
    assert need > 2**38
    with pytest.raises(ValueError, match="take voxels of"):
        _require_memory(need, 2**33, YeeGrid((1000, 1000, 1000), 0.001), 120)
    assert required_bytes(480_000, (52, 66, 79), 2, 120, 8) < 3 * 2**30
    free = free_bytes(torch.device("cpu"))
    assert free is None or free > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_same_answer_on_cuda():
    body = irregular_body()
    wave = plane_wave(body.grid, verification.SPHERE, torch.complex128)
    here = solve_scattering(body, wave, TIGHT)
    there = solve_scattering(body, FieldOnGrid(wave.electric.cuda(), wave.magnetic_flux.cuda()), TIGHT)
    assert torch.allclose(there.polarisation.cpu(), here.polarisation, atol=1e-6)
