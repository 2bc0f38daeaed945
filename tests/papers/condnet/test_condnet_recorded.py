"""What the recorded sweeps of the repository decide stands in the ledger; what ships is of them."""

from __future__ import annotations

from mrrepro.papers.condnet.evidence import CLAIMS, RecordedSweeps
from mrrepro.papers.condnet.recipe import SETTINGS
from mrrepro.papers.condnet.shipped import read_three
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.recorded import read_recorded
from mrrepro.runs.verdicts import Found

PAPER_SEEDS = {"headline": {0}, "pictures": {0}}
"""What the page of paper scale rests on."""


def test_what_must_be_recorded_at_the_size_of_the_paper_is_there():
    for name, seeds in PAPER_SEEDS.items():
        assert seeds <= {int(run["seed"]) for run in read_recorded("condnet", "paper", name)}, name


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
