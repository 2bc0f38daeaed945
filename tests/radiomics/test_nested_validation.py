"""Nested cross-validation: it finds a signal of known strength, and finds none where there is none."""

from __future__ import annotations

import dataclasses
import warnings
from statistics import NormalDist

import numpy as np
import pytest

from mrrepro.metrics.receiver_operating import area_under_curve
from mrrepro.radiomics.nested_validation import (
    FOREST,
    LOGISTIC,
    SUPPORT_VECTOR_MACHINE,
    NestedValidation,
)

pytest.importorskip("sklearn", reason="nested cross-validation needs scikit-learn")

QUICK = NestedValidation((LOGISTIC,), outer_splits=6, inner_folds=3, candidates=3, selected_features=(1, 5))


def cohort(patients=200, features=20, separation=1.14, seed=0):
    """One informative feature, ``N(+-d'/2, 1)``, the others noise; the best possible area is Phi(d' / sqrt 2)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(patients) % 2 == 0
    values = rng.normal(size=(patients, features))
    values[:, 0] += separation * (labels - 0.5)
    return values, labels, [f"patient-{number}" for number in range(patients)]


def test_the_area_of_a_known_signal_is_found():
    result = QUICK.run(*cohort(patients=600), seed=1)
    best = NormalDist().cdf(1.14 / np.sqrt(2))  # 0.790
    assert best == pytest.approx(0.79, abs=0.001)
    # 6 splits of 120: each area has a standard deviation of about 0.04, the cohort's own optimum one of 0.018
    assert result.interval().mean == pytest.approx(best, abs=0.05)
    assert result.interval().low < best < result.interval().high


def test_noise_gives_an_area_of_one_half_but_not_when_features_are_selected_outside():
    honest, cheated = [], []
    quick = dataclasses.replace(QUICK, candidates=1)
    for seed in range(8):
        values, labels, patients = cohort(patients=120, features=400, separation=0.0, seed=seed)
        honest.append(quick.run(values, labels, patients, seed=seed).interval().mean)
        between = (values[labels].mean(0) - values[~labels].mean(0)) ** 2
        peeked = values[:, np.argsort(-between)[:5]]
        cheated.append(quick.run(peeked, labels, patients, seed=seed).interval().mean)
    # One cohort's area has a standard deviation below 0.08 (6 overlapping splits of 12 + 12 patients): 0.03 for 8.
    assert abs(np.mean(honest) - 0.5) < 0.09
    assert np.mean(cheated) > 0.65


def test_every_split_is_scored_on_patients_that_it_did_not_train_on():
    """A feature that names the patient is useless unless training and test parts overlap."""
    values, labels, patients = cohort(patients=100, separation=0.0)
    result = dataclasses.replace(QUICK, classifiers=(FOREST,), outer_splits=3, candidates=1).run(
        np.hstack([values, np.arange(100.0)[:, None]]), labels, patients, seed=0
    )
    assert [len(scores) for _, scores in result.splits] == [20, 20, 20]
    assert result.train_size == 80
    assert [int(split_labels.sum()) for split_labels, _ in result.splits] == [10, 10, 10]
    assert max(result.areas) < 0.95


def test_the_search_chooses_among_the_classifiers():
    """Rings: no line separates them, so that the logistic regression cannot be chosen."""
    rng = np.random.default_rng(0)
    angle, labels = rng.uniform(0, 2 * np.pi, 120), np.arange(120) % 2 == 0
    radius = np.where(labels, 1.0, 3.0)
    values = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + 0.1 * rng.normal(size=(120, 2))
    both = dataclasses.replace(QUICK, classifiers=(LOGISTIC, SUPPORT_VECTOR_MACHINE), outer_splits=2, candidates=8)
    result = both.run(values, labels, [str(n) for n in range(120)], seed=0)
    assert set(result.classifiers) == {"support vector machine"}
    assert min(result.areas) > 0.95


def test_areas_interval_and_band_belong_together():
    result = QUICK.run(*cohort(), seed=4)
    assert result.areas == tuple(area_under_curve(*split) for split in result.splits)
    assert result.interval().mean == pytest.approx(np.mean(result.areas), abs=1e-12)
    assert result.interval().half_width > 2.571 * np.std(result.areas, ddof=1) / np.sqrt(6)  # the naive interval
    band = result.band(points=51)
    step = np.diff(band.false_positive_rate)
    area_of_the_mean = float(np.sum((band.mean[1:] + band.mean[:-1]) / 2 * step))
    assert area_of_the_mean == pytest.approx(result.interval().mean, abs=0.03)


def test_same_seed_same_result_and_constant_features_do_not_disturb():
    values, labels, patients = cohort(patients=80)
    first, second = (QUICK.run(values, labels, patients, seed=7).areas for _ in range(2))
    assert first == second
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        padded = QUICK.run(np.hstack([values, np.ones((80, 2))]), labels, patients, seed=7)
    assert padded.areas == first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, lab, p: (v, lab, [p[0], *p[:-1]]), r"patients must appear once each, but \['patient-0'\]"),
        (lambda v, lab, p: (v, lab.astype(int), p), "labels must be boolean"),
        (lambda v, lab, p: (v[1:], lab, p), "must have one row a patient"),
        (lambda v, lab, p: (v * np.nan, lab, p), "features must be finite"),
        (lambda v, lab, p: (v, np.arange(len(lab)) < 3, p), "at least 5 patients of each class, but hold 3"),
    ],
)
def test_bad_cohorts_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        QUICK.run(*change(*cohort(patients=40)), seed=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"outer_splits": 1}, "outer_splits must be at least 2"),
        ({"test_fraction": 0.0}, "test_fraction must lie in"),
        ({"selected_features": ()}, "selected_features must hold"),
        ({"classifiers": ()}, "classifiers must hold"),
    ],
)
def test_bad_settings_are_refused_by_name(settings, message):
    with pytest.raises(ValueError, match=message):
        NestedValidation(**settings)
