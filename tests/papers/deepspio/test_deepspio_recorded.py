"""The recorded sweeps of the repository: none is stale, and none is a mixture of settings."""

from __future__ import annotations

import pytest

from mrrepro.papers.deepspio.recipe import SETTINGS, VARIANTS
from mrrepro.runs.recorded import fresh_seeds, read_recorded, stale_reason


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_recorded_runs_are_of_today_s_code_and_settings(variant):
    runs = read_recorded("deepspio", "demo", variant.name)
    assert runs, f"mrrepro record deepspio -v {variant.name}"
    for run in runs:
        assert not stale_reason(run), f"{stale_reason(run)}: mrrepro record deepspio -v {variant.name}"
    fresh = fresh_seeds("deepspio", variant, settings_type=SETTINGS, scale="demo")
    assert fresh == {int(run["seed"]) for run in runs}
