import numpy as np
import pytest

from mrrepro.phantoms.dielectric_body import DielectricBody
from mrrepro.phantoms.yee_grid import YeeGrid


def test_edges_take_the_mean_of_their_four_voxels():
    permittivity = np.random.default_rng(2).uniform(1.0, 80.0, size=(6, 6, 6))
    permittivity[[0, -1]] = permittivity[:, [0, -1]] = permittivity[:, :, [0, -1]] = 1.0
    edges = DielectricBody(YeeGrid((6, 6, 6), 0.01), permittivity, np.zeros((6, 6, 6)), 128e6).edge_contrast()
    contrast = permittivity - 1.0
    assert edges[0, 2, 3, 4] == pytest.approx(contrast[2, 2:4, 3:5].mean())
    assert edges[1, 2, 3, 4] == pytest.approx(contrast[1:3, 3, 3:5].mean())
    assert edges[2, 2, 3, 4] == pytest.approx(contrast[1:3, 2:4, 4].mean())


def test_positions_on_the_grid():
    grid = YeeGrid((2, 3, 4), 0.01, (0.1, 0.2, 0.3))
    assert np.allclose(grid.voxel_centres()[:, 1, 2, 3], [0.115, 0.225, 0.335])
    assert np.allclose(grid.edge_centres(1)[:, 1, 2, 3], [0.11, 0.225, 0.33])
    assert np.allclose(grid.cropped((1, 1, 2), (1, 1, 1)).voxel_centres()[:, 0, 0, 0], [0.115, 0.215, 0.325])
    assert np.allclose(YeeGrid.centred((2, 3, 4), 0.01).voxel_centres().mean(axis=(1, 2, 3)), 0.0)


def test_contrast_has_the_sign_of_the_time_dependence():
    # exp(+j omega t): losses are a negative imaginary part, 1 / (2 pi 128e6 eps_0) = 140.43 ohm m
    permittivity, conductivity = np.ones((3, 3, 3)), np.zeros((3, 3, 3))
    permittivity[1, 1, 1], conductivity[1, 1, 1] = 51.0, 0.5
    body = DielectricBody(YeeGrid((3, 3, 3), 0.01), permittivity, conductivity, 128e6)
    assert body.contrast()[1, 1, 1] == pytest.approx(50.0 - 70.216j, rel=1e-4)
    assert body.wavenumber == pytest.approx(2.6827, rel=1e-4)
