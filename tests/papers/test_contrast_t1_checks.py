"""The chapter's checks pass, and its benchmarks measure."""

from __future__ import annotations

import pytest

from mrrepro.networks.unet3d import UnetSize
from mrrepro.papers.contrast_t1.benchmarks import training_step
from mrrepro.papers.contrast_t1.checks import BENCHMARKS, CHECKS

IDS = ["ssim3d", "signal_equations", "parameter_counts", "metric_masks", "shuffled_labels_auc"]


@pytest.mark.parametrize("check", CHECKS, ids=[check.id for check in CHECKS])
def test_check_passes(check):
    if check.id == "contrast_t1.ssim3d":
        pytest.importorskip("skimage", reason="scikit-image is the oracle")
    if check.id == "contrast_t1.shuffled_labels_auc":
        pytest.importorskip("sklearn", reason="nested cross-validation needs scikit-learn")
    result = check.run()
    assert result.ok, f"{result.value} exceeds {result.limit}"


def test_ids_are_those_of_the_scorecard():
    assert [check.id for check in CHECKS] == [f"contrast_t1.{name}" for name in IDS]
    assert [b.id for b in BENCHMARKS] == [f"contrast_t1.{n}" for n in ("ssim3d_speed", "ssim3d_memory", "step_64")]


def test_a_step_takes_at_least_its_arithmetic():
    figures = training_step(UnetSize(base_filters=4, depth=3), side=24)
    assert figures.floor is not None
    assert 0.0 < figures.floor < figures.ours
