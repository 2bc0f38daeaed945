"""Verdicts: from our value and the paper's to one of five words, with a reason made from the numbers.

A number is held against the paper's value with a stated tolerance. A claim is decided by the whole confidence interval
of a statistic against a bound, or between two bounds for an equivalence; that a difference is not significant decides
nothing. What is not decided counts as ``differs`` and says so. ``reproduced`` needs the paper's own data, or a number
that needs no data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mrrepro.runs.records import BASES, Statistic
from mrrepro.runs.reported import Claim, Criterion, LedgerError, Number, ReportedValue, Tolerance

NO_RUN = "No run that decides it is recorded yet at any scale."
"""Reason of what is to be attempted and has no record."""

_REPRODUCING = ("paper's own", "none needed")
_ON_BASIS = {
    "paper's own": "on the paper's own data",
    "public substitute": "on public substitute data",
    "simulated": "on simulated data",
    "none needed": "no data needed",
}


@dataclass(frozen=True)
class Verdict:
    """The word and the reason."""

    verdict: str
    reason: str


@dataclass(frozen=True)
class Found:
    """What a run found: the part of a record that a verdict is made from."""

    value: float | str | None
    basis: str
    sd: float | None = None
    n_seeds: int = 1
    n_cases: int = 1
    statistic: Statistic | None = None


def judge(entry: Number | Claim, found: Found) -> Verdict:
    """Return the verdict on a number or a claim.

    Raises
    ------
    LedgerError
        The entry is not attempted, the basis does not fit what the entry needs, or what it is decided from is missing.
    """
    if entry.status != "attempt":
        raise LedgerError(
            f"{entry.id} has status {entry.status!r} ({entry.why}): set it to 'attempt' to record a value."
        )
    if found.basis not in BASES:
        raise LedgerError(f"{entry.id}: basis must be one of {', '.join(BASES)}, but is {found.basis!r}.")
    if found.basis == "none needed" and entry.needs not in ("", "none"):
        raise LedgerError(f"{entry.id} needs {entry.needs}, so its basis cannot be 'none needed'.")
    if isinstance(entry, Claim):
        return _judge_claim(entry, found)
    return _judge_number(entry, found)


def without_record(entry: Number | Claim) -> Verdict:
    """Return the verdict on what no run has recorded."""
    if entry.status == "attempt":
        return Verdict("not attempted", NO_RUN)
    return Verdict(entry.status, entry.why)


def is_undecided(entry: Number | Claim, statistic: Statistic | None) -> bool:
    """Whether only a part of a claim's interval meets its criterion: neither shown nor refuted."""
    if not isinstance(entry, Claim) or statistic is None:
        return False
    criterion = Criterion.parse(entry.criterion)
    return not (criterion.kept_by(statistic.low, statistic.high) or criterion.broken_by(statistic.low, statistic.high))


def _judge_number(number: Number, found: Found) -> Verdict:
    reported = ReportedValue.parse(number.value)
    unit = "" if number.unit in ("", "1") else f" {number.unit}"
    if found.value is None:
        raise LedgerError(f"{number.id}: value is missing.")
    if reported.form == "text":
        return _judge_text(number, found)
    if isinstance(found.value, str | bool) or not math.isfinite(found.value):
        raise LedgerError(
            f"{number.id}: value must be a finite number like the paper's {number.value}, but is {found.value!r}."
        )
    value = float(found.value)
    ours = _ours(value, found, unit)
    if reported.form in ("below", "above"):
        bound = reported.numbers[0]
        agrees = value < bound if reported.form == "below" else value > bound
        words = f"{ours} {'keeps' if agrees else 'breaks'} the paper's {number.value}{unit}"
        return _verdict(agrees, found.basis, words)
    low, high = reported.numbers[0], reported.numbers[-1]
    tolerance = Tolerance.parse(number.tolerance)
    allowed, meant = _allowed(number, tolerance, found, max(abs(low), abs(high)))
    distance = max(low - value, value - high, 0.0)
    sd = f" (sd {number.sd})" if number.sd else ""
    share = f" ({100 * distance / abs(low):.3g} %)" if low == high != 0 else ""
    agrees = distance <= allowed * (1 + 1e-12)
    limit = f"{'within' if agrees else 'beyond'} the tolerance of {_figure(allowed)}{unit}{meant}"
    return _verdict(
        agrees, found.basis, f"{ours} against {number.value}{unit}{sd}: off by {_figure(distance)}{share}, {limit}"
    )


def _allowed(number: Number, tolerance: Tolerance, found: Found, size: float) -> tuple[float, str]:
    if tolerance.kind == "%":
        return tolerance.amount / 100 * size, f" ({tolerance.amount:g} %)"
    if tolerance.kind == "sd":
        paper_sd = float(number.sd) if number.sd else 0.0
        combined = math.hypot(paper_sd, found.sd or 0.0)
        if combined == 0:
            raise LedgerError(
                f"{number.id}: a tolerance in sd needs the paper's sd or ours, and both are missing or 0."
            )
        return tolerance.amount * combined, f" ({tolerance.amount:g} standard deviations of both together)"
    return tolerance.amount, ""


def _judge_text(number: Number, found: Found) -> Verdict:
    ours, paper = (" ".join(str(text).split()).lower() for text in (found.value, number.value))
    agrees = ours == paper
    words = f"ours is {found.value!r}, " + ("as in the paper" if agrees else f"in the paper it is {number.value!r}")
    return _verdict(agrees, found.basis, words)


def _judge_claim(claim: Claim, found: Found) -> Verdict:
    statistic = found.statistic
    if statistic is None:
        raise LedgerError(
            f"{claim.id}: a claim is decided from a statistic with its interval; give statistic=Statistic(...)."
        )
    criterion = Criterion.parse(claim.criterion)
    words = (
        f"{statistic.name} is {_figure(statistic.value)} ({100 * statistic.level:g} % interval "
        f"{_figure(statistic.low)} to {_figure(statistic.high)}, {_over(found)}): "
    )
    if criterion.kept_by(statistic.low, statistic.high):
        return _verdict(True, found.basis, f"{words}the whole interval is {criterion.text}")
    if criterion.broken_by(statistic.low, statistic.high):
        return _verdict(False, found.basis, f"{words}no part of the interval is {criterion.text}")
    return _verdict(False, found.basis, f"{words}not shown, for only a part of the interval is {criterion.text}")


def _verdict(agrees: bool, basis: str, words: str) -> Verdict:
    reason = f"{words[0].upper()}{words[1:]}; {_ON_BASIS[basis]}."
    if not agrees:
        return Verdict("differs", reason)
    return Verdict("reproduced" if basis in _REPRODUCING else "agrees on substitute data", reason)


def _ours(value: float, found: Found, unit: str) -> str:
    sd = f" (sd {_figure(found.sd)}, {_over(found)})" if found.sd is not None else f" ({_over(found)})"
    return f"ours {_figure(value)}{unit}{sd}"


def _over(found: Found) -> str:
    seeds = f"{found.n_seeds} seed" + ("s" if found.n_seeds != 1 else "")
    return seeds + (f", {found.n_cases} cases" if found.n_cases != 1 else "")


def _figure(value: float) -> str:
    return f"{value:.4g}"
