"""The statistics of claims on made-up recordings whose answers are known."""

from __future__ import annotations

import pytest

from mrrepro.papers.dl_ept.evidence import RecordedSweeps, exchanged_error
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES


class MadeUp(RecordedSweeps):
    """Recordings that were never made: the numbers of the headline's stages, one a seed."""

    def __init__(self, *seeds):
        super().__init__()
        self._fresh = {"headline": [{"seed": seed, "numbers": numbers} for seed, numbers in enumerate(seeds)]}

    def runs(self, variant):
        return self._fresh.get(variant, [])


def of_one_claim(monkeypatch, claim, *seeds):
    from mrrepro.papers.dl_ept import evidence

    monkeypatch.setattr(evidence, "CLAIMS", {claim: evidence.CLAIMS[claim]})
    return MadeUp(*seeds).claims()[claim]


def test_boundaries_are_judged_by_the_logarithm_over_the_heads_of_one_run(monkeypatch):
    within, beyond = {"one": 1.0, "two": 1.0, "three": 1.0}, {"one": 0.1, "two": 0.001, "three": "nan"}
    rows = [{"case": case, "region": "within", "nrmse": value} for case, value in within.items()]
    rows += [{"case": case, "region": "beyond", "nrmse": value} for case, value in beyond.items()]
    numbers = {"dl_ept/helmholtz_boundaries": {"helmholtz_boundaries": {"rows": rows}}}
    found = of_one_claim(monkeypatch, "hept_errors_at_boundaries", numbers, numbers, numbers)
    # ratios 10 and 1000; beyond the boundaries of the third head lies nothing
    assert found.statistic.value == pytest.approx(2.0)
    assert (found.seeds, len(found.runs), found.n_cases) == ((0,), 1, 2)


def test_the_worst_network_and_quantity_decide_on_boundaries(monkeypatch):
    def rows(worst):
        errors = dict.fromkeys(((m, q) for m in ("mask", "tissue") for q in QUANTITIES), 0.2)
        errors |= {("helmholtz", q): 2.0 for q in QUANTITIES} | {("mask", "relative_permittivity"): worst}
        first = [{"anatomy": "first", "method": m, "quantity": q, "boundary": e} for (m, q), e in errors.items()]
        unseen = [row | {"anatomy": "unseen", "boundary": 9.0} for row in first if row["method"] != "helmholtz"]
        return {"dl_ept/other_anatomy": {"anatomies": {"rows": first + unseen}}}

    found = of_one_claim(monkeypatch, "boundaries_preserved", rows(1.0), rows(1.6))
    # 0.5 and 0.8 of the error of Helmholtz EPT
    assert found.statistic.value == pytest.approx(0.65)
    assert found.seeds == (0, 1)


def test_exchanged_fields_are_over_own_ones():
    errors = {"mask, own fields": [0.4, 0.6], "mask, fields of another case": [0.9, 0.6]}
    document = {"conductivity": {kind: {"nrmse": values} for kind, values in errors.items()}}
    assert exchanged_error(document, "mask") == pytest.approx(1.5)
