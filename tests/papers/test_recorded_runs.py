"""The recorded sweeps of the repository: none is missing or stale, and none is a mixture of settings."""

from __future__ import annotations

import pytest

from mrrepro.cli.papers import paper_keys, paper_settings, paper_variants
from mrrepro.runs.recorded import fresh_seeds, read_recorded, stale_reason

VARIANTS = [(chapter, variant) for chapter in paper_keys() for variant in paper_variants(chapter)]

FEWER = {("condnet", "pictures"): set(), ("condnet", "spheres"): {0}}
"""Seeds of variants that are not recorded over three: pictures are of the paper's size alone, spheres are not drawn."""


@pytest.mark.parametrize(("chapter", "variant"), VARIANTS, ids=[f"{key}-{each.name}" for key, each in VARIANTS])
def test_recorded_runs_are_of_today_s_code_and_settings(chapter, variant):
    runs = read_recorded(chapter, "demo", variant.name)
    fresh = fresh_seeds(chapter, variant, settings_type=paper_settings(chapter), scale="demo")
    again = f"mrrepro record {chapter} -v {variant.name}"
    assert fresh == {int(run["seed"]) for run in runs}, f"{[stale_reason(run) for run in runs]}: {again}"
    assert fresh >= FEWER.get((chapter, variant.name), {0, 1, 2}), again
