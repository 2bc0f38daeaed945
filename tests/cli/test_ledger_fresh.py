"""``mrrepro ledger fresh``: the check before a release."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mrrepro.cli import ledger as command
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.records import Record

NUMBERS = """\
id,item,system,quantity,unit,value,sd,n,where,definition,needs,tolerance,tolerance_reason,status,why
p.a,Table 1,ours,x,1,1.0,,,Table 1,mean,none,{tolerance},spread,attempt,
"""
RECORD = Record(
    id="p.a",
    value=1.1,
    sd=None,
    n_seeds=1,
    n_cases=1,
    scale="demo",
    basis="none needed",
    statistic=None,
    verdict="reproduced",
    reason="made anew",
    commit="abc",
    parameters={},
    seeds=(0,),
    data={},
    code={},
    device="cpu",
    notebook="01",
    seconds=1.0,
    peak_memory_mib=1.0,
    date="2026-01-01T00:00:00Z",
)


@pytest.mark.parametrize(("scale", "code"), [("smoke", 1), ("demo", 1), ("colab", 0), ("paper", 0)])
def test_a_stale_record_fails_a_release_below_colab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: str, code: int
) -> None:
    numbers = tmp_path / "numbers.csv"
    monkeypatch.setattr(command, "_ledgers", lambda paper: [Ledger("p", tmp_path)])

    numbers.write_text(NUMBERS.format(tolerance="0.2"))
    Ledger("p", tmp_path).add([dataclasses.replace(RECORD, scale=scale)])
    fresh = CliRunner().invoke(command.app, ["fresh"])
    assert (fresh.exit_code, fresh.stdout) == (
        0,
        "0 of 1 records have to be made anew; 0 more are stale and keep their date.\n",
    )

    numbers.write_text(NUMBERS.format(tolerance="0.05"))
    stale = CliRunner().invoke(command.app, ["fresh"])
    assert stale.exit_code == code
    said, counted = stale.stdout.splitlines()
    assert said.startswith(f"p.a ({scale}, 2026-01-01T00:00:00Z): with the ledger's value or tolerance of today")
    assert counted.startswith(f"{code} of 1 records")
