import math

import numpy as np
import pytest
import torch

from mrrepro.phantoms.cylinders import Cylinder
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.simulators.birdcage import Birdcage, field_of_current_elements, incident_field, simulate_b1
from mrrepro.simulators.rf_fields import receive_field, transmit_field

COIL = Birdcage()
FREQUENCY = 128e6


def _field(points, coil=COIL, sense=1):
    positions, elements = coil.current_elements(sense)
    electric, magnetic = field_of_current_elements(np.atleast_2d(points), positions, elements[None], FREQUENCY)
    return electric[0], magnetic[0]


def test_incident_field_obeys_maxwell():
    # current that does not close would show as a divergence of E and in the curl of B
    step, omega = 1e-3, 2 * math.pi * FREQUENCY
    centre = np.array([0.05, -0.07, 0.04])

    def slopes(which):
        near = [(_field(centre + s)[which] - _field(centre - s)[which])[0] for s in step * np.eye(3)]
        far = [(_field(centre + s)[which] - _field(centre - s)[which])[0] for s in 2 * step * np.eye(3)]
        return (8 * np.array(near) - np.array(far)) / (12 * step)  # direction, component

    def curl(slope):
        return np.array([slope[1, 2] - slope[2, 1], slope[2, 0] - slope[0, 2], slope[0, 1] - slope[1, 0]])

    electric, magnetic = (field[0] for field in _field(centre))
    for which, expected in ((0, -1j * omega * magnetic), (1, 1j * omega / 299792458.0**2 * electric)):
        slope = slopes(which)
        assert abs(np.trace(slope)) < 1e-7 * np.abs(slope).max()
        assert np.allclose(curl(slope), expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())


def test_polarisations_are_pure_at_the_centre_and_real():
    for sense, pure, none in ((1, transmit_field, receive_field), (-1, receive_field, transmit_field)):
        flux = torch.as_tensor(_field(np.zeros(3), sense=sense)[1].reshape(3, 1, 1, 1))
        assert abs(none(flux)) < 1e-12 * abs(pure(flux))
        # all rungs are equally far: the phase is that of retardation over 0.352 to 0.415 m, less the image's
        assert pure(flux).real > 0
        assert abs(torch.angle(pure(flux))) < 0.6


def test_long_coil_has_the_two_dimensional_field():
    # infinitely long wires of cos phi: B = mu_0 N I / (4 pi R) (1 - R^2 / R_s^2), quasi-static; here at a low frequency
    coil = Birdcage(radius=0.1, length=3.0, shield_radius=0.15)
    positions, elements = coil.current_elements(1)
    flux = field_of_current_elements(np.zeros((1, 3)), positions, elements[None], 1e4)[1][0, 0]
    expected = 4e-7 * math.pi * 16 / (4 * math.pi * 0.1) * (1 - (0.1 / 0.15) ** 2)
    assert abs(0.5 * (flux[0] - 1j * flux[1])) == pytest.approx(expected, rel=0.01)


def test_interpolation_reproduces_the_sum():
    grid = YeeGrid.centred((20, 24, 22), 0.01)
    field = incident_field(COIL, grid, FREQUENCY, dtype=torch.complex128)
    for mode, sense in enumerate((1, -1)):
        points = grid.voxel_centres()[:, ::6, ::7, ::8]
        expected = _field(points.reshape(3, -1).T, sense=sense)[1].T.reshape(points.shape)
        found = field.magnetic_flux[mode].numpy()[:, ::6, ::7, ::8]
        assert np.abs(found - expected).max() < 1e-7 * np.abs(expected).max()
        for component in range(3):
            points = grid.edge_centres(component)[:, ::6, ::7, ::8]
            expected = _field(points.reshape(3, -1).T, sense=sense)[0][:, component].reshape(points.shape[1:])
            found = field.electric[mode, component].numpy()[::6, ::7, ::8]
            assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()


def test_cached_field_is_not_shared():
    grid = YeeGrid.centred((4, 4, 4), 0.01)
    first = incident_field(COIL, grid, FREQUENCY, dtype=torch.complex128)
    kept = first.electric.clone()
    first.electric.zero_()
    assert torch.equal(incident_field(COIL, grid, FREQUENCY, dtype=torch.complex128).electric, kept)


def test_symmetric_phantom_has_equal_transmit_and_receive_phase():
    # the mirror image in the plane y = 0 exchanges the polarisations: B1-(x, y, z) = B1+(x, -y, z)
    phantom = Cylinder(1, 0.88, 80.0)
    body = phantom.body(0.012, FREQUENCY)
    maps = simulate_b1(body, COIL)
    inside = phantom.inside(body.grid)
    assert maps.scattering.converged
    # to the tolerance of the solver: the Yee grid's edges and faces are mirrored onto others only up to averaging
    difference = (maps.receive - maps.transmit.flip(1)).numpy()[inside]
    assert np.abs(difference).max() < 0.03 * np.abs(maps.transmit.numpy()[inside]).max()
    # and, of B1+, half the transceive phase stands for its own
    assert np.abs(0.5 * maps.transceive_phase.numpy() - np.angle(maps.transmit.numpy()))[inside].max() < 0.06


@pytest.mark.parametrize(
    ("change", "message"),
    [({"radius": 352.0}, "metres"), ({"shield_radius": 0.3}, "shield_radius"), ({"rungs": 15}, "rungs")],
)
def test_rejects_coils(change, message):
    with pytest.raises(ValueError, match=message):
        Birdcage(**change)


def test_rejects_grids_that_reach_the_coil_and_frequencies_in_megahertz():
    with pytest.raises(ValueError, match="crop the grid"):
        incident_field(COIL, YeeGrid.centred((60, 60, 10), 0.01), FREQUENCY)
    with pytest.raises(ValueError, match="hertz"):
        incident_field(COIL, YeeGrid.centred((4, 4, 4), 0.01), 128.0)
