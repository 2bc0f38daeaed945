"""Features against the benchmark of the Image Biomarker Standardisation Initiative, closed forms and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mrrepro.radiomics.cooccurrence import DIRECTIONS, cooccurrence_features, cooccurrence_matrix
from mrrepro.radiomics.feature_set import feature_table, patient_features
from mrrepro.radiomics.intensity import grey_levels, histogram_statistics, intensity_statistics
from mrrepro.radiomics.morphology import centre_of_mass_shift, shape_features

from . import ibsi_phantom as ibsi

pytest.importorskip("skimage.measure", reason="the surface mesh needs scikit-image")


def rounded(value):
    """The benchmark prints three significant digits."""
    return float(f"{value:.3g}")


def test_phantom_is_the_published_one():
    assert ibsi.MASK.sum() == 74
    assert sorted(set(ibsi.LEVELS[ibsi.MASK].tolist())) == [1, 3, 4, 6]


def test_intensity_statistics_equal_the_benchmark():
    found = intensity_statistics(ibsi.LEVELS[ibsi.MASK].astype(float))
    assert {name: rounded(value) for name, value in found.items()} == ibsi.INTENSITY


def test_histogram_statistics_equal_the_benchmark():
    found = histogram_statistics(ibsi.LEVELS[ibsi.MASK])
    assert {name: rounded(value) for name, value in found.items()} == ibsi.HISTOGRAM


def test_texture_equals_the_benchmark():
    found = cooccurrence_features(cooccurrence_matrix(ibsi.LEVELS, ibsi.MASK, 6))
    assert {name: rounded(value) for name, value in found.items()} == ibsi.COOCCURRENCE


def test_shape_lies_within_the_benchmark_s_tolerance():
    found = shape_features(ibsi.MASK, ibsi.VOXEL_SIDES_MM)
    assert set(found) == set(ibsi.SHAPE)
    for name, (value, tolerance) in ibsi.SHAPE.items():
        assert found[name] == pytest.approx(value, abs=tolerance), name
    axes = {name: rounded(found[name]) for name in ibsi.SHAPE if name.endswith("axis_length")}
    assert axes == {name: ibsi.SHAPE[name][0] for name in axes}


def test_centre_of_mass_shift_equals_the_benchmark():
    found = centre_of_mass_shift(ibsi.LEVELS.astype(float), ibsi.MASK, ibsi.VOXEL_SIDES_MM)
    assert rounded(found) == ibsi.CENTRE_OF_MASS_SHIFT[0]


def test_six_bins_leave_the_phantom_as_it_is():
    values = ibsi.LEVELS[ibsi.MASK]
    assert grey_levels(values.astype(float), 6).tolist() == values.tolist()


def test_grey_levels_by_hand():
    assert grey_levels(np.array([0.0, 0.24, 0.25, 0.5, 0.99, 1.0]), 4).tolist() == [1, 1, 2, 3, 4, 4]
    assert grey_levels(np.array([3.0, 3.0]), 8).tolist() == [1, 1]


def test_cooccurrence_by_hand():
    # Two voxels side by side, levels 1 and 2: one pair, counted in both orders.
    levels, mask = np.array([[[1, 2]]]), np.ones((1, 1, 2), dtype=bool)
    np.testing.assert_array_equal(cooccurrence_matrix(levels, mask, 2), [[0, 1], [1, 0]])
    # A block of n^3 voxels of one level has (3n - 2)^3 - n^3 ordered pairs of neighbours.
    block = cooccurrence_matrix(np.ones((3, 3, 3), dtype=int), np.ones((3, 3, 3), dtype=bool), 2)
    assert block.tolist() == [[7**3 - 3**3, 0], [0, 0]]
    assert len({tuple(sign * c for c in d) for d in DIRECTIONS for sign in (1, -1)}) == 26


def test_a_ball_is_round():
    grid = np.stack(np.meshgrid(*[np.arange(41) - 20.0] * 3, indexing="ij"))
    ball = (grid**2).sum(0) <= 15.0**2
    shape = shape_features(ball, (0.5, 0.5, 0.5))
    radius = 7.5
    assert shape["mesh_volume"] == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.01)
    assert shape["elongation"] == pytest.approx(1.0, abs=1e-6)
    assert shape["major_axis_length"] == pytest.approx(4 * radius / math.sqrt(5), rel=0.01)  # variance r^2/5
    assert 0.9 < shape["sphericity"] < 1.0


def textured_patient(seed=0):
    rng = np.random.default_rng(seed)
    mask = np.zeros((12, 13, 14), dtype=bool)
    mask[3:9, 2:9, 4:10] = True
    mask[3, 2, 4] = False
    return {"t1": rng.normal(size=mask.shape), "t2": rng.normal(size=mask.shape)}, mask


def test_a_patient_has_shape_once_and_the_rest_for_each_image():
    images, mask = textured_patient()
    features = patient_features(images, mask, (1.0, 1.0, 1.0))
    kinds = [name.split(".")[0] for name in features]
    assert (kinds.count("shape"), kinds.count("t1"), kinds.count("t2")) == (13, 46, 46)
    assert all(math.isfinite(value) for value in features.values())


def test_texture_does_not_depend_on_the_scanner_s_units_nor_shape_on_the_axes():
    images, mask = textured_patient()
    features = patient_features(images, mask, (1.0, 2.0, 3.0))
    units = patient_features({name: 40 * image + 300 for name, image in images.items()}, mask, (1.0, 2.0, 3.0))
    turned = patient_features(
        {name: image.transpose(2, 0, 1) for name, image in images.items()}, mask.transpose(2, 0, 1), (3.0, 1.0, 2.0)
    )
    for name in ("t1.joint_entropy", "t2.correlation", "t1.skewness", "t1.entropy", "t1.centre_of_mass_shift"):
        assert units[name] == pytest.approx(features[name], rel=1e-9), name
    for name in features:
        assert turned[name] == pytest.approx(features[name], rel=1e-6, abs=1e-9), name


def test_only_the_region_counts():
    images, mask = textured_patient()
    features = patient_features(images, mask, (1.0, 1.0, 1.0))
    disturbed = {name: np.where(mask, image, np.nan) for name, image in images.items()}
    assert patient_features(disturbed, mask, (1.0, 1.0, 1.0)) == features


def test_a_constant_region_has_no_undefined_feature():
    _, mask = textured_patient()
    features = patient_features({"flat": np.full(mask.shape, 2.0)}, mask, (1.0, 1.0, 1.0))
    assert all(math.isfinite(value) for value in features.values())
    assert features["flat.entropy"] == 0.0
    assert features["flat.correlation"] == 1.0
    assert features["flat.centre_of_mass_shift"] == 0.0


def test_table_has_a_row_for_each_patient():
    table, names = feature_table([{"a": 1.0, "b": 2.0}, {"b": 4.0, "a": 3.0}])
    assert names == ("a", "b")
    np.testing.assert_array_equal(table, [[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images, mask: ({}, mask), "images must hold"),
        (lambda images, mask: (images, mask.astype(int)), "mask must be a boolean volume"),
        (lambda images, mask: (images, mask & False), "at least 2 voxels wide"),
        (lambda images, mask: (images, mask & (np.arange(12) == 4)[:, None, None]), "at least 2 voxels wide"),
        (lambda images, mask: ({"t1": images["t1"][1:]}, mask), "image 't1' must have the mask's shape"),
        (lambda images, mask: ({"t1": images["t1"] * np.nan}, mask), "image 't1' must be finite"),
    ],
)
def test_bad_patients_are_refused_by_name(change, message):
    images, mask = change(*textured_patient())
    with pytest.raises(ValueError, match=message):
        patient_features(images, mask, (1.0, 1.0, 1.0))


def test_other_bad_input_is_refused_by_name():
    images, mask = textured_patient()
    with pytest.raises(ValueError, match=r"voxel_sides\[1\] must lie in"):
        patient_features(images, mask, (1.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="at least 2 grey levels"):
        grey_levels(np.zeros(3), 1)
    with pytest.raises(ValueError, match="the region is too small"):
        cooccurrence_features(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="weights must be at least 0"):
        centre_of_mass_shift(images["t1"], mask, (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"patients\[1\] must have the features"):
        feature_table([{"a": 1.0}, {"b": 1.0}])
    with pytest.raises(ValueError, match="patients must hold"):
        feature_table([])
