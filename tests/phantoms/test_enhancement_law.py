"""The law of enhancement against Bayes' rule by counting, and its optima against losses minimised by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from mrrepro.metrics.receiver_operating import area_under_curve
from mrrepro.phantoms.enhancement_law import EnhancementLaw, balanced_labels

LAW = EnhancementLaw()


def drawn(law, count, seed=0):
    generator = np.random.default_rng(seed)
    labels = balanced_labels(0, count)
    return labels, np.array([law.evidence(bool(label), generator) for label in labels])


def test_half_of_the_patients_enhance():
    assert balanced_labels(7, 10).sum() == 5
    assert balanced_labels(0, 4).tolist() == [False, True, False, True]


def test_posterior_is_the_share_of_enhancing_patients_at_that_evidence():
    labels, evidence = drawn(LAW, 100_000)
    for z in (-1.0, 0.0, 1.5):
        near = np.abs(evidence - z) < 0.1
        share = labels[near].mean()
        # four standard errors of a share over the patients near z
        assert share == pytest.approx(float(LAW.posterior(np.array([z]))[0]), abs=4 * 0.5 / math.sqrt(near.sum()))


def test_area_under_the_curve_of_the_evidence():
    labels, evidence = drawn(LAW, 20_000)
    assert area_under_curve(labels, evidence) == pytest.approx(LAW.area_under_curve, abs=0.013)
    assert EnhancementLaw(0.0).area_under_curve == 0.5


@pytest.mark.parametrize("z", [-1.0, 0.5, 1.2, 2.5])
def test_best_rises_minimise_the_expected_losses(z):
    """Losses of every possible rise, averaged over drawn voxels of patients with this evidence."""
    generator = np.random.default_rng(1)
    odds = norm.pdf(z - 0.57) / (norm.pdf(z - 0.57) + norm.pdf(z + 0.57))
    truth = (generator.random(200_000) < odds) & (generator.random(200_000) < 0.6)
    rises = np.linspace(0, 1, 101)
    squared = [np.mean((rise - truth) ** 2) for rise in rises]
    absolute = [np.mean(np.abs(rise - truth)) for rise in rises]
    assert rises[np.argmin(squared)] == pytest.approx(LAW.best_rise_squared(np.array([z]))[0], abs=0.011)
    assert rises[np.argmin(absolute)] == LAW.best_rise_absolute(np.array([z]))[0]


@pytest.mark.parametrize("z", [-3.0, -1.0, 1.0])
def test_the_mix_enhances_where_its_two_terms_cost_less(z):
    share, weight = 0.003, 1.0
    p = float(LAW.best_rise_squared(np.array([z]))[0])
    without, whole = p * (1 + weight / share) + 0.0, (1 - p) + 0.0
    # the threshold that the module uses compares p (1 + w/s) with 1 - p
    assert LAW.best_rise_mixed(np.array([z]), share, weight)[0] == float(without > whole)


def test_amplitudes_kept_by_monte_carlo_and_by_integration():
    integral = quad(lambda z: norm.pdf(z - 0.57) * 0.6 / (1 + math.exp(-1.14 * z)), -10, 10)[0]
    assert LAW.amplitude_kept("squared") == pytest.approx(integral, abs=0.003)
    threshold = math.log(5.0) / 1.14
    assert LAW.amplitude_kept("absolute") == pytest.approx(norm.sf(threshold - 0.57), abs=0.005)


def test_nothing_is_kept_by_the_median_up_to_a_half_and_all_where_all_is_seen():
    assert EnhancementLaw(1.14, 0.5).amplitude_kept("absolute") == 0.0
    visible = EnhancementLaw(20.0, 1.0)
    assert visible.amplitude_kept("absolute") == pytest.approx(1.0)
    assert visible.amplitude_kept("squared") == pytest.approx(1.0)


def test_bad_laws_are_named():
    for wrong, name in (((-1.0, 0.6), "evidence_separation"), ((1.0, 0.0), "enhancing_fraction")):
        with pytest.raises(ValueError, match=name):
            EnhancementLaw(*wrong)
    with pytest.raises(ValueError, match="rise must be one of squared, absolute"):
        LAW.amplitude_kept("cubic")


@pytest.mark.parametrize("separation", [0.0, 1.14, 4.0, 50.0])
def test_what_is_shown_has_the_same_spread_for_every_law(separation):
    """Over both kinds of patients, sd sqrt(1 + 1.14^2 / 4) = 1.151; 4000 patients, three standard errors."""
    law, generator = EnhancementLaw(separation, 0.6), np.random.default_rng(3)
    shown = [law.appearance(law.evidence(bool(number % 2), generator)) for number in range(4000)]
    assert np.std(shown) == pytest.approx(1.151, abs=0.04)
