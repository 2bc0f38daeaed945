"""Intensity and texture features equal those of mirp, which is IBSI-compliant; skipped where it is not installed."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.radiomics.feature_set import patient_features

mirp = pytest.importorskip("mirp", reason="mirp is not installed: pip install 'mrrepro[mirp]' brings it, with 1.5 GB")
pytest.importorskip("skimage.measure", reason="the surface mesh needs scikit-image")

LEVELS = 8

STATISTICS = {
    "mean": "mean",
    "variance": "var",
    "skewness": "skew",
    "excess_kurtosis": "kurt",
    "median": "median",
    "minimum": "min",
    "maximum": "max",
    "range": "range",
    "mean_absolute_deviation": "mad",
    "median_absolute_deviation": "medad",
    "coefficient_of_variation": "cov",
    "energy": "energy",
    "root_mean_square": "rms",
}

TEXTURE = {
    "joint_maximum": "joint_max",
    "joint_average": "joint_avg",
    "joint_variance": "joint_var",
    "joint_entropy": "joint_entr",
    "difference_average": "diff_avg",
    "difference_variance": "diff_var",
    "difference_entropy": "diff_entr",
    "sum_average": "sum_avg",
    "sum_variance": "sum_var",
    "sum_entropy": "sum_entr",
    "angular_second_moment": "energy",
    "contrast": "contrast",
    "dissimilarity": "dissimilarity",
    "inverse_difference": "inv_diff",
    "normalised_inverse_difference": "inv_diff_norm",
    "inverse_difference_moment": "inv_diff_mom",
    "normalised_inverse_difference_moment": "inv_diff_mom_norm",
    "inverse_variance": "inv_var",
    "correlation": "corr",
    "autocorrelation": "auto_corr",
    "cluster_tendency": "clust_tend",
    "cluster_shade": "clust_shade",
    "cluster_prominence": "clust_prom",
    "information_correlation_1": "info_corr1",
    "information_correlation_2": "info_corr2",
}


def test_features_equal_those_of_mirp():
    generator = np.random.default_rng(0)
    image = generator.normal(10.0, 3.0, (12, 13, 14))
    mask = np.zeros(image.shape, dtype=bool)
    mask[3:9, 2:9, 4:10] = True
    mask[3, 2, 4] = mask[5, 5, 7] = False
    ours = patient_features({"t1": image}, mask, (1.0, 1.0, 1.0), LEVELS)
    (table,) = mirp.extract_features(
        image=image,
        mask=mask.astype(np.uint8),
        base_feature_families=["statistics", "glcm"],
        base_discretisation_method="fixed_bin_number",
        base_discretisation_n_bins=LEVELS,
        glcm_spatial_method="3d_volume_merge",
    )
    theirs = table.iloc[0]
    names = {name: f"stat_{key}" for name, key in STATISTICS.items()}
    names |= {name: f"cm_{key}_d1_3d_v_mrg_fbn_n{LEVELS}" for name, key in TEXTURE.items()}
    for name, other in names.items():
        assert ours[f"t1.{name}"] == pytest.approx(float(theirs[other]), rel=1e-6), name
