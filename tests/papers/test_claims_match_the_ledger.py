"""What the recorded runs say of each claim today is what stands in the ledger."""

from __future__ import annotations

import pytest

from mrrepro.cli.papers import paper_keys, paper_module
from mrrepro.runs.ledger import Ledger


@pytest.mark.parametrize("scale", ["demo", "paper"])
@pytest.mark.parametrize("chapter", paper_keys())
def test_claims_from_recorded_runs_are_those_of_the_ledger(chapter, scale):
    ledger, module = Ledger(chapter), paper_module(chapter, "evidence")
    held = {record.id: record.statistic for record in ledger.records(scale)}
    found = {
        f"{chapter}.claim.{name}": evidence.statistic
        for name, evidence in module.RecordedSweeps(scale).claims().items()
        if ledger.entry(f"{chapter}.claim.{name}").status == "attempt"
    }
    assert scale == "paper" or len(found) > 15
    for id, statistic in found.items():
        assert id in held, f"{id} is decided by recorded runs, but has no record at {scale}: take it into the ledger."
        kept = held[id]
        assert statistic.name == kept.name, id
        assert (statistic.value, statistic.low, statistic.high) == pytest.approx(
            (kept.value, kept.low, kept.high), rel=1e-6, abs=1e-9
        ), id
