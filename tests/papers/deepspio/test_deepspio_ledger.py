"""The chapter's ledger: all that the paper reports is listed, and the pages record nothing that is not."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from mrrepro.papers.deepspio.evidence import RecordedSweeps
from mrrepro.papers.deepspio.experiments import AIR_CONCENTRATIONS, TABLE_1
from mrrepro.papers.deepspio.result_values import values_at
from mrrepro.runs.ledger import Ledger, ledger_folders
from mrrepro.runs.reported import Claim, Number, read_rows

NOTEBOOKS = sorted((Path(__file__).parents[3] / "notebooks" / "deepspio").glob("*.py"))
REPORTED_ERRORS = {27.35: 1.97, 13.17: 5.59, 11.78: 15.5, 10.92: 17.4, 7.88: 12.89, 6.42: 8.02, 3.53: 1.14}
REPORTED_ERRORS |= {3.1: 11.17, 1.41: 19.42}
"""Estimate and error in per cent of the nine rows of Table 1, as printed."""


@pytest.fixture(scope="module")
def numbers():
    return {number.id: number for number in read_rows(ledger_folders()["deepspio"] / "numbers.csv", Number)}


@pytest.fixture(scope="module")
def claims():
    return {claim.id: claim for claim in read_rows(ledger_folders()["deepspio"] / "claims.csv", Claim)}


def test_every_reported_value_is_listed_once(numbers):
    counts = Counter(number.item for number in numbers.values())
    assert counts == {
        "Table 1": 18,
        "Experiment 1": 1,
        "Fig. 4": 1,
        "Fig. 5": 1,
        "Fig. 6": 4,
        "Experiment 3": 1,
        "Methods": 8,
    }
    assert sum(number.status == "attempt" for number in numbers.values()) == 24


def test_table_1_has_an_estimate_and_an_error_for_each_of_our_rows(numbers):
    found = {}
    for batch, true in TABLE_1:
        name = f"deepspio.table1.batch{batch}.c{f'{true:g}'.replace('.', '_')}"
        estimate, error = (numbers[f"{name}.{kind}"] for kind in ("estimate", "error"))
        assert estimate.system == error.system == f"batch {batch}, true {true:g}"
        found[float(estimate.value)] = float(error.value)
        # the printed error follows from the printed estimate, to the paper's rounding of both
        assert 100 * abs(float(estimate.value) - true) / true == pytest.approx(float(error.value), abs=0.07)
    assert found == REPORTED_ERRORS


def test_fig_6_has_a_number_for_each_of_our_concentrations(numbers):
    values = [float(numbers[f"deepspio.fig6.c{f'{c:g}'.replace('.', '_')}.nmae"].value) for c in AIR_CONCENTRATIONS]
    assert values == [1.96, 0.24, 0.3, 0.21]


class Names:
    """String constants and patterns of a page's code."""

    def __init__(self, path):
        tree = ast.parse(path.read_text())
        self.calls = [
            node.args[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "record"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "run"
        ]
        self.text = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_id_that_a_page_records_by_name_is_in_the_ledger(path, numbers, claims):
    names = Names(path)
    typed = {call.value for call in names.calls if isinstance(call, ast.Constant)}
    assert typed <= {*numbers, *claims}
    for call in names.calls:
        if isinstance(call, ast.JoinedStr):
            begun = call.values[0].value if isinstance(call.values[0], ast.Constant) else ""
            assert any(id.startswith(begun) for id in (*numbers, *claims)), ast.unparse(call)


def test_pages_record_every_claim(claims):
    """Those that are decided from recorded sweeps stand by their short names in lists."""
    text = set().union(*(Names(path).text for path in NOTEBOOKS))
    short = {id.removeprefix("deepspio.claim.") for id, claim in claims.items() if claim.status == "attempt"}
    assert {name for name in short if name not in text and f"deepspio.claim.{name}" not in text} == set()


def test_stages_and_pages_give_every_attempted_number_once(numbers):
    """What needs no run is recorded by its name on a page, all else by `result_values`."""
    typed = {call.value for path in NOTEBOOKS for call in Names(path).calls if isinstance(call, ast.Constant)}
    found = [value.id for value in RecordedSweeps("demo").values(values_at("paper"))]
    assert Counter(found) == Counter(set(found))
    attempted = {id for id, number in numbers.items() if number.status == "attempt"}
    assert attempted - set(found) == typed & set(numbers) == {"deepspio.exp3.susceptibility"}
    assert set(found) <= attempted


def test_no_id_is_both_a_number_and_a_claim(numbers, claims):
    assert not set(numbers) & set(claims)
    assert set(Ledger("deepspio").entries) == {*numbers, *claims}
