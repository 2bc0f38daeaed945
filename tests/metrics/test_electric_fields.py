"""Measures of fields against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.metrics.electric_fields import field_difference, hot_spot, roughness
from mrrepro.solvers.potential_sources import grid_affine


def along_x(values: np.ndarray) -> np.ndarray:
    return np.stack([values, 0 * values, 0 * values], axis=-1)


def test_global_error_divides_by_the_largest_of_both() -> None:
    reference = along_x(np.array([[[1.0, 2.0, 4.0]]]))
    field = along_x(np.array([[[1.5, 2.0, 5.0]]]))
    found = field_difference(field, reference, np.ones((1, 1, 3), bool))
    # |difference| is 0.5, 0, 1 and the largest value of both is 5.
    assert found.global_error.mean == pytest.approx(100 * (0.5 + 0.0 + 1.0) / 3 / 5)
    assert found.global_error.sd == pytest.approx(100 * np.std([0.1, 0.0, 0.2]))
    assert found.relative_l2 == pytest.approx(np.sqrt(1.25 / 21))
    assert found.mag == pytest.approx(np.sqrt((2.25 + 4 + 25) / 21))
    assert found.voxels == 3


def test_a_scaled_field_has_its_factor_as_mag_and_no_rdm() -> None:
    field = np.random.default_rng(0).normal(size=(4, 4, 4, 3))
    found = field_difference(3.0 * field, field, np.ones((4, 4, 4), bool))
    assert found.mag == pytest.approx(3.0)
    assert found.percentile_ratio == pytest.approx(3.0)
    assert found.rdm == pytest.approx(0.0, abs=1e-12)
    assert field_difference(-field, field, np.ones((4, 4, 4), bool)).rdm == pytest.approx(2.0)


def test_global_error_hides_what_relative_l2_shows() -> None:
    reference = along_x(np.full((10, 10, 10), 0.01))
    reference[0, 0, 0, 0] = 10.0  # one voxel decides the denominator
    wrong = reference * np.where(np.arange(10)[:, None, None, None] == 0, 1.0, 2.0)
    region = np.ones((10, 10, 10), bool)
    region[0, 1:] = region[0, 0, 1:] = False
    assert field_difference(wrong, reference, region).global_error.mean < 0.2
    assert field_difference(wrong[1:], reference[1:], region[1:]).relative_l2 == pytest.approx(1.0)


def test_hot_spot_is_the_weighted_centre_of_the_strongest_voxels() -> None:
    values = np.ones((9, 9, 9))
    values[4, 4, 4], values[4, 4, 6] = 30.0, 10.0
    affine = grid_affine((9, 9, 9), 2e-3)
    found = hot_spot(along_x(values), np.ones(values.shape, bool), affine, 100.0 * (1.0 - 2.0 / 729.0))
    np.testing.assert_allclose(found, [0.0, 0.0, 1e-3], atol=1e-12)  # a quarter of 4 mm


def test_roughness_is_zero_for_a_linear_field_and_known_for_a_chequerboard() -> None:
    x, y, z = np.indices((6, 6, 6)).astype(float)
    region = np.ones((6, 6, 6), bool)
    assert roughness(along_x(10.0 + x + 2 * y - z), region) == pytest.approx(0.0, abs=1e-12)
    board = 2.0 + (-1.0) ** (x + y + z)
    # values 3 and 1: the magnitude minus its neighbours' mean is +-2, its mean square (9 + 1) / 2.
    assert roughness(along_x(board), region) == pytest.approx(2.0 / np.sqrt(5.0))


@pytest.mark.parametrize(
    ("region", "said"),
    [(np.zeros((3, 3, 3), bool), "empty"), (np.ones((2, 3, 3), bool), "shape"), (np.ones((3, 3, 3), bool), "zero")],
)
def test_what_cannot_be_compared_is_refused(region: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        field_difference(np.zeros((3, 3, 3, 3)), np.zeros((3, 3, 3, 3)), region)
