"""The statistics of claims on made-up recordings whose answers are known."""

from __future__ import annotations

from typing import Any

import pytest
from made_up import MadeUp

from mrrepro.metrics.evidence import claims_of
from mrrepro.papers.condnet.evidence import CLAIMS
from mrrepro.papers.condnet.maps import DIRECTIONS


def maps_of(*errors: float, **more: float) -> dict[str, Any]:
    heads = [{"conductors": [{"relative_error": error}], **more} for error in errors]
    return {"condnet/maps": {"maps": {"heads": heads}}}


def trainings(axial: float, others: float) -> dict[str, Any]:
    values = dict.fromkeys(DIRECTIONS, others) | {"axial": axial}
    return {
        f"condnet/training_{name}": {
            "history": {
                "validation_entropy": 0.05,
                "record": {"history": [{"step": 1, "loss": 9.0}, {"step": 1, "validation": {"score": 0.05 + value}}]},
            }
        }
        for name, value in values.items()
    }


def test_more_heads_are_compared_seed_by_seed() -> None:
    sweeps = MadeUp({"headline": [maps_of(0.4, 0.6), maps_of(0.3, 0.5)], "six_heads": [maps_of(0.5), maps_of(0.2)]})
    found = sweeps.one("ten_heads_suffice")
    # 0.5 / 0.5 and 0.4 / 0.2
    assert found.statistic.value == pytest.approx(1.5)
    assert found.seeds == (0, 1)


def test_the_axial_network_is_compared_with_the_others_and_without_a_neck() -> None:
    sweeps = MadeUp({"headline": [trainings(0.02, 0.02)] * 2, "neck": [trainings(0.06, 0.02), trainings(0.04, 0.02)]})
    # ratios 3 and 2 with a neck, 1 without
    assert sweeps.one("neck_disturbs_axial").statistic.value == pytest.approx(1.5)


def test_where_no_image_is_the_error_is_over_that_elsewhere() -> None:
    seeds = [maps_of(0.5, neck=1.2, elsewhere=0.4), maps_of(0.5, neck=0.5, elsewhere=0.5)]
    assert MadeUp({"neck": seeds}).one("arbitrary_where_no_image").statistic.value == pytest.approx(2.0)


def test_a_claim_waits_for_all_its_variants_over_the_same_seeds() -> None:
    sweeps = MadeUp({"headline": [maps_of(0.4)] * 3, "six_heads": [maps_of(0.4)] * 2})
    assert not claims_of(sweeps, {"ten_heads_suffice": CLAIMS["ten_heads_suffice"]})
