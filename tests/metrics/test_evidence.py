"""What claims are decided over: seeds, or the test cases of one training."""

from __future__ import annotations

import math

import pytest

from mrrepro.metrics.evidence import (
    OneSeed,
    RecordedRuns,
    Undecided,
    claims_of,
    over_cases,
    over_seeds,
    points_of,
    undecided_of,
)


class MadeUp(RecordedRuns):
    """Recordings that were never made: the scores of the test cases, by variant and seed."""

    paper = "condnet"

    def __init__(self, **variants):
        super().__init__()
        self._fresh = {
            name: [{"seed": seed, "numbers": {"condnet/maps": {"scores": scores}}} for seed, scores in enumerate(runs)]
            for name, runs in variants.items()
        }

    def runs(self, variant):
        return self._fresh.get(variant, [])


CLAIMS = {
    "of_cases": (("a",), lambda runs: (over_cases("score", runs.documents("a", "maps", "scores")), 2)),
    "of_seeds": (
        ("a",),
        lambda runs: (over_seeds("score", [sum(each) for each in runs.documents("a", "maps", "scores")]), 2),
    ),
    "of_two": (("a", "b"), lambda runs: (over_seeds("score", [0.0 for _ in runs.seeds("b")]), 1)),
}


def test_cases_that_share_a_training_are_not_counted_as_independent():
    by_seed = [[1.0, 1.2], [2.0, 2.2], [3.0, 3.2]]
    found = over_cases("score", by_seed)
    assert found == over_seeds("score", [1.1, 2.1, 3.1])
    pooled = over_seeds("score", [value for values in by_seed for value in values])
    assert found.high - found.low > 2 * (pooled.high - pooled.low)


def test_cases_decide_where_there_is_one_training_and_say_so():
    found = over_cases("score", [[1.0, 2.0, math.nan, 3.0]])
    assert (found.value, found.low) == (pytest.approx(2.0), pytest.approx(-0.484, abs=1e-3))
    assert found.name == "score, over the test cases of one training"


def test_cases_without_a_value_are_left_out_and_so_is_a_seed_without_any():
    assert over_cases("score", [[1.0, math.nan], [math.nan], [3.0, 5.0]]) == over_seeds("score", [1.0, 4.0])
    with pytest.raises(OneSeed, match=r"score is 1 for one seed"):
        over_cases("score", [[1.0, math.nan], [math.nan]])


def test_one_seed_decides_what_is_over_cases_and_gives_a_point_of_the_rest():
    one = MadeUp(a=[[1.0, 2.0, 3.0]])
    assert set(claims_of(one, CLAIMS)) == {"of_cases"}
    assert {name: point.value for name, point in points_of(one, CLAIMS).items()} == {"of_seeds": 6.0}
    three = MadeUp(a=[[1.0, 2.0], [2.0, 2.0], [4.0, 2.0]], b=[[0.0], [0.0], [0.0]])
    assert set(claims_of(three, CLAIMS)) == set(CLAIMS)
    assert points_of(three, CLAIMS) == {}


def test_variants_of_other_seeds_decide_nothing():
    uneven = MadeUp(a=[[1.0, 2.0]], b=[[0.0], [0.0]])
    assert set(claims_of(uneven, CLAIMS)) == {"of_cases"}
    assert set(points_of(uneven, CLAIMS)) == {"of_seeds"}
    assert claims_of(MadeUp(), CLAIMS) == points_of(MadeUp(), CLAIMS) == {}


def test_what_runs_cannot_tell_is_no_claim_and_no_point_but_a_reason():
    def blind(runs):
        raise Undecided(f"{len(runs.seeds('a'))} runs read nothing")

    claims = CLAIMS | {"of_reading": (("a",), blind), "of_reading_two": (("a", "b"), blind)}
    one = MadeUp(a=[[1.0, 2.0, 3.0]])
    assert claims_of(one, claims) == claims_of(one, CLAIMS)
    assert points_of(one, claims) == points_of(one, CLAIMS)
    assert undecided_of(one, claims) == {"of_reading": "1 runs read nothing"}
    assert undecided_of(one, CLAIMS) == {}
