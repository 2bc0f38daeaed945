"""Receiver operating characteristic against hand-counted pairs, scikit-learn and the coverage of its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mrrepro.metrics.receiver_operating import area_under_curve, corrected_interval, roc_band, roc_curve

LABELS = np.array([True, True, False, True, False, False])
SCORES = np.array([0.9, 0.7, 0.7, 0.4, 0.3, 0.1])


def test_area_counts_pairs_and_half_of_the_ties():
    # 9 pairs: 0.9 beats 3, 0.7 beats 2 and ties with 1, 0.4 beats 2.
    assert area_under_curve(LABELS, SCORES) == pytest.approx((3 + 2.5 + 2) / 9, abs=1e-15)
    assert area_under_curve(~LABELS, SCORES) == pytest.approx(1 - 7.5 / 9, abs=1e-15)


def test_curve_by_hand():
    false_rate, true_rate = roc_curve(LABELS, SCORES)
    np.testing.assert_allclose(false_rate, [0, 0, 1 / 3, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(true_rate, [0, 1 / 3, 2 / 3, 1, 1, 1])


def test_area_and_curve_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle")
    rng = np.random.default_rng(5)
    scores = rng.normal(size=200).round(1)
    labels = scores + rng.normal(size=200) > 0.3
    assert area_under_curve(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)
    theirs = metrics.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc_curve(labels, scores), theirs[:2])


def test_corrected_interval_by_hand():
    # Mean 0.7, s = 0.1, J = 3: s sqrt(1/3 + 20/80) = 0.1 sqrt(7/12); t(0.975, 2) = 4.302653 (tables)
    interval = corrected_interval([0.6, 0.7, 0.8], train_size=80, test_size=20)
    assert interval.mean == pytest.approx(0.7, abs=1e-12)
    assert interval.half_width == pytest.approx(4.302653 * 0.1 * math.sqrt(7 / 12), abs=1e-6)


def test_band_of_perfect_splits_hugs_the_corner_and_that_of_ties_is_the_diagonal():
    perfect = roc_band([(LABELS, LABELS.astype(float))] * 3, train_size=20, points=11)
    np.testing.assert_allclose(perfect.mean, [0.0] + [1.0] * 10)
    blind = roc_band([(LABELS, np.zeros(6))] * 2, train_size=20, points=11)
    np.testing.assert_allclose(blind.mean, blind.false_positive_rate, atol=1e-12)
    np.testing.assert_allclose(blind.high - blind.low, 0.0, atol=1e-12)


def test_band_holds_the_mean_and_stays_within_rates():
    rng = np.random.default_rng(2)
    splits = [(LABELS, rng.normal(size=6)) for _ in range(12)]
    band = roc_band(splits, train_size=24)
    assert np.all((band.low <= band.mean) & (band.mean <= band.high))
    assert band.low.min() >= 0.0
    assert band.high.max() <= 1.0
    assert band.mean[0] == 0.0
    assert band.mean[-1] == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: area_under_curve(LABELS, SCORES[1:]), "one length"),
        (lambda: area_under_curve(LABELS.astype(int), SCORES), "labels must be boolean"),
        (lambda: area_under_curve(LABELS, SCORES * np.nan), "scores must be finite"),
        (lambda: area_under_curve(LABELS | True, SCORES), "both classes"),
        (lambda: corrected_interval([0.5], 8, 2), "at least two splits"),
        (lambda: corrected_interval([0.5, 0.6], 0, 2), "must be positive"),
        (lambda: roc_band([], 8), "splits must hold"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
