"""The recorded sweeps of the repository: none is stale, and what they decide stands in the ledger."""

from __future__ import annotations

import pytest

from mrrepro.papers.condnet.evidence import CLAIMS, RecordedSweeps
from mrrepro.papers.condnet.recipe import SETTINGS, VARIANTS
from mrrepro.papers.condnet.shipped import read_three
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.recorded import fresh_seeds, read_recorded, stale_reason
from mrrepro.runs.verdicts import Found

SEEDS = {
    "demo": {each.name: {0, 1, 2} for each in VARIANTS if each.name != "pictures"} | {"spheres": {0}},
    "paper": {"headline": {0}, "pictures": {0}},
}
"""What the chapter's pages and verdicts rest on; pictures are of the paper's size alone, and spheres are not drawn."""


@pytest.mark.parametrize("scale", SEEDS)
def test_what_must_be_recorded_is_there(scale):
    for name, seeds in SEEDS[scale].items():
        assert seeds <= {int(run["seed"]) for run in read_recorded("condnet", scale, name)}, name


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_recorded_runs_are_of_today_s_code_and_settings(variant):
    runs = read_recorded("condnet", "demo", variant.name)
    for run in runs:
        assert not stale_reason(run), f"{stale_reason(run)}: mrrepro record condnet -v {variant.name}"
    fresh = fresh_seeds("condnet", variant, settings_type=SETTINGS, scale="demo")
    assert fresh == {int(run["seed"]) for run in runs}


def test_every_claim_that_is_decided_has_a_row_that_it_can_be_held_against():
    ledger, claims = Ledger("condnet"), RecordedSweeps("demo").claims()
    assert set(claims) == set(CLAIMS)
    for name, evidence in claims.items():
        assert len(evidence.seeds) > 1
        found = Found(None, "simulated", None, len(evidence.seeds), evidence.n_cases, evidence.statistic)
        assert ledger.judge(f"condnet.claim.{name}", found).reason


def test_what_ships_is_the_recorded_training():
    networks, settings, receipt = read_three()
    assert len(networks) == 3
    assert settings["voxel_size"] == SETTINGS.at_scale("demo").heads.voxel_size_mm * 1e-3
    first = next(run for run in read_recorded("condnet", "demo", "headline") if run["seed"] == receipt["seed"])
    assert receipt["trainings"] == {name: first["stages"][name]["key"] for name in receipt["trainings"]}
