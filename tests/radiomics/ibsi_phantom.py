"""The digital phantom of the Image Biomarker Standardisation Initiative and its published benchmark values.

Voxels: https://github.com/theibsi/data_sets, ibsi_1_digital_phantom, design by Alex Zwanenburg, licensed under the
Creative Commons Attribution 4.0 International License. Values: IBSI reference manual (arXiv:1612.07003), tables
'Reference values' of chapter 3, row 'dig. phantom', printed to three digits.
"""

import numpy as np

VOXEL_SIDES_MM = (2.0, 2.0, 2.0)

# One line a row of x = 1..5; rows are y = 1..4, blocks are z = 1..4.
_LEVELS = """
1 4 4 1 1   1 4 6 1 1   4 1 6 4 1   4 4 6 4 1
1 4 4 1 1   1 1 6 1 1   1 1 3 1 1   4 4 6 1 1
1 4 4 1 1   1 1 1 1 1   1 1 9 1 1   1 1 6 1 1
1 4 4 1 1   1 1 1 1 1   1 1 1 1 1   1 1 6 1 1
"""
LEVELS = np.array(_LEVELS.split(), dtype=np.int64).reshape(4, 4, 5)
MASK = np.ones(LEVELS.shape, dtype=bool)
for excluded in ((1, 2, 0), (2, 0, 3), (2, 0, 4), (2, 2, 2), (3, 0, 3), (3, 0, 4)):
    MASK[excluded] = False

INTENSITY = {
    "mean": 2.15,
    "variance": 3.05,
    "skewness": 1.08,
    "excess_kurtosis": -0.355,
    "median": 1.0,
    "minimum": 1.0,
    "percentile_10": 1.0,
    "percentile_90": 4.0,
    "maximum": 6.0,
    "interquartile_range": 3.0,
    "range": 5.0,
    "mean_absolute_deviation": 1.55,
    "robust_mean_absolute_deviation": 1.11,
    "median_absolute_deviation": 1.15,
    "coefficient_of_variation": 0.812,
    "quartile_coefficient_of_dispersion": 0.6,
    "energy": 567.0,
    "root_mean_square": 2.77,
}
HISTOGRAM = {"entropy": 1.27, "uniformity": 0.512}
COOCCURRENCE = {  # 3D, merged
    "joint_maximum": 0.509,
    "joint_average": 2.15,
    "joint_variance": 3.13,
    "joint_entropy": 2.57,
    "difference_average": 1.38,
    "difference_variance": 3.21,
    "difference_entropy": 1.64,
    "sum_average": 4.3,
    "sum_variance": 7.41,
    "sum_entropy": 2.11,
    "angular_second_moment": 0.291,
    "contrast": 5.12,
    "dissimilarity": 1.38,
    "inverse_difference": 0.688,
    "normalised_inverse_difference": 0.856,
    "inverse_difference_moment": 0.631,
    "normalised_inverse_difference_moment": 0.902,
    "inverse_variance": 0.0574,
    "correlation": 0.183,
    "autocorrelation": 5.19,
    "cluster_tendency": 7.41,
    "cluster_shade": 17.4,
    "cluster_prominence": 147.0,
    "information_correlation_1": -0.0288,
    "information_correlation_2": 0.269,
}
SHAPE = {  # value and the tolerance that the manual gives [mm]
    "mesh_volume": (556.0, 4.0),
    "voxel_volume": (592.0, 4.0),
    "surface_area": (388.0, 3.0),
    "surface_to_volume_ratio": (0.698, 0.004),
    "compactness_1": (0.0411, 0.0003),
    "sphericity": (0.843, 0.005),
    "asphericity": (0.186, 0.001),
    "maximum_diameter": (13.1, 0.1),
    "major_axis_length": (11.4, 0.1),
    "minor_axis_length": (9.31, 0.06),
    "least_axis_length": (8.54, 0.05),
    "elongation": (0.816, 0.005),
    "flatness": (0.749, 0.005),
}
CENTRE_OF_MASS_SHIFT = (0.672, 0.004)
