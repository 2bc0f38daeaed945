"""What recorded sweeps say about claims: a statistic with its interval, over which seeds and how many cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mrrepro.metrics.statistics import Interval, mean_interval
from mrrepro.runs.code import code_digest
from mrrepro.runs.notebook import Run as NotebookRun
from mrrepro.runs.recorded import read_recorded, recorded_overrides, stale_reason
from mrrepro.runs.records import Statistic
from mrrepro.runs.settings import in_words
from mrrepro.runs.stages import Stage


@dataclass(frozen=True)
class Evidence:
    """A statistic, over which seeds and how many cases a seed, and the recorded runs that it rests on."""

    statistic: Statistic
    seeds: tuple[int, ...]
    n_cases: int
    runs: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class FoundValue:
    """Our value for a number of the paper, by its id, with its standard deviation and over how many cases."""

    id: str
    value: float
    sd: float | None = None
    n_cases: int = 1


@dataclass(frozen=True)
class StageValues:
    """Which numbers some documents or small arrays of a stage give, in the recorded runs of a variant.

    Parameters
    ----------
    variant, stage : str
        As they are recorded; the stage without its chapter.
    documents : tuple of str
        Names of documents and arrays, without the ends of their files.
    values : callable
        Gets one argument for each of them, and gives the numbers.
    over_seeds : bool
        Whether an argument is a list with one entry for each recorded seed, or that of the lowest seed.
    """

    variant: str
    stage: str
    documents: tuple[str, ...]
    values: Callable[..., list[FoundValue]]
    over_seeds: bool = False

    def used(self, runs: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Of the recorded runs of the variant those that count."""
        return runs if self.over_seeds else runs[:1]

    def found_in(self, paper: str, runs: Sequence[Mapping[str, Any]]) -> list[FoundValue]:
        """The numbers that the recorded runs of the variant give, one run at least."""
        numbers = [run["numbers"][f"{paper}/{self.stage}"] for run in self.used(runs)]
        by_document = ([each[name] for each in numbers] for name in self.documents)
        return self.values(*(held if self.over_seeds else held[0] for held in by_document))


@dataclass(frozen=True)
class Point:
    """What one recorded seed says of a claim that is decided over seeds: a statistic without an interval."""

    name: str
    value: float


class Undecided(ValueError):
    """Recorded runs cannot tell whether a claim holds, however it comes out; the message says why."""


class OneSeed(Undecided):
    """A statistic over seeds that one recorded seed leaves without an interval."""

    def __init__(self, point: Point) -> None:
        super().__init__(f"{point.name} is {point.value:g} for one seed, which gives no interval over seeds.")
        self.point = point


class RecordedRuns:
    """The recorded runs of a paper at one scale that are not stale; a chapter's own class names the paper.

    Parameters
    ----------
    scale : str
        Of the recording.
    folder : Path, optional
        Where the recorded files lie; by default in the package.
    """

    paper: ClassVar[str]

    def __init__(self, scale: str = "demo", folder: Path | None = None) -> None:
        self.scale, self.folder = scale, folder
        self._fresh: dict[str, list[dict[str, Any]]] = {}
        self._digest = cache(code_digest)  # of the code as it is when it is first asked for

    def runs(self, variant: str) -> list[dict[str, Any]]:
        """Runs of a variant by seed, read once; empty where none is recorded."""
        if variant not in self._fresh:
            recorded = read_recorded(self.paper, self.scale, variant, self.folder)
            self._fresh[variant] = [run for run in recorded if not stale_reason(run, self._digest)]
        return self._fresh[variant]

    def seeds(self, variant: str) -> tuple[int, ...]:
        """Seeds of a variant's runs."""
        return tuple(int(run["seed"]) for run in self.runs(variant))

    def overrides(self, variant: str) -> dict[str, Any]:
        """Settings by dotted name that a variant was recorded with beside its scale's."""
        return recorded_overrides(self.paper, self.scale, variant, self.folder)

    def how_it_ran(self, variant: str, stage: str) -> str:
        """Say what was set for a variant beside its scale, and how long a stage of its lowest seed took and where."""
        origin = self.runs(variant)[0]["stages"][f"{self.paper}/{stage}"]
        given = in_words(self.overrides(variant))
        words = f"Set for it beside this scale's settings: {given}. " if given else ""
        return f"{words}It took {duration(origin['seconds'])} on {origin['device']} and is of {origin['created'][:10]}."

    def documents(self, variant: str, stage: str, name: str) -> list[Any]:
        """One recorded document or array of a stage, for each seed."""
        return [run["numbers"][f"{self.paper}/{stage}"][name] for run in self.runs(variant)]

    def first(self, variant: str, stage: str) -> dict[str, Any]:
        """All documents and arrays of a stage in the lowest seed, by name; empty where none is recorded."""
        runs = self.runs(variant)
        return dict(runs[0]["numbers"][f"{self.paper}/{stage}"]) if runs else {}

    def values(self, wanted: Sequence[StageValues]) -> list[FoundValue]:
        """Numbers of the paper by the recorded runs of each variant; none where nothing is recorded."""
        held = [(each, self.runs(each.variant)) for each in wanted]
        return [found for each, runs in held if runs for found in each.found_in(self.paper, runs)]

    def made(self, *variants: str) -> str:
        """Say at which scale and over how many seeds variants are recorded, the fewest of several."""
        return f"(recorded at {self.scale}, {min(len(self.seeds(variant)) for variant in variants)} seeds)."

    def effects(self, words: Mapping[str, tuple[Sequence[str], Callable[[Any], str]]]) -> dict[str, str]:
        """Return the effect of each measured deviation in words, by the last part of its id.

        Parameters
        ----------
        words : mapping
            The part of the id to the variants that the effect needs, and a function from these runs to the words. An
            effect is left out unless all its variants are recorded.
        """
        return {name: build(self) for name, (variants, build) in words.items() if all(map(self.seeds, variants))}


def duration(seconds: float) -> str:
    """Hours or minutes in words.

    >>> duration(330.0), duration(9000.0)
    ('5.5 min', '2.5 h')
    """
    return f"{seconds / 3600:.2g} h" if seconds >= 3600 else f"{seconds / 60:.2g} min"


Builder = Callable[[Any], tuple[Statistic, int]]


def claims_of(runs: RecordedRuns, claims: Mapping[str, tuple[Sequence[str], Builder]]) -> dict[str, Evidence]:
    """Return the evidence for each claim by its short name.

    Parameters
    ----------
    runs : RecordedRuns
    claims : mapping
        Name of a claim to the variants that it compares and a function from ``runs`` to a statistic and the number of
        cases. A claim is left out unless all its variants are recorded over the same seeds: two at least where it is
        decided over seeds, one where it is decided over the cases of a training. So is one of which the function says
        by `Undecided` that these runs cannot tell.
    """
    found = {}
    for name, (variants, build) in claims.items():
        seeds = {runs.seeds(variant) for variant in variants}
        if len(seeds) != 1 or not next(iter(seeds)):
            continue
        try:
            statistic, cases = build(runs)
        except Undecided:
            continue
        rests_on = tuple(run for variant in variants for run in runs.runs(variant))
        found[name] = Evidence(statistic, next(iter(seeds)), cases, rests_on)
    return found


def points_of(runs: RecordedRuns, claims: Mapping[str, tuple[Sequence[str], Builder]]) -> dict[str, Point]:
    """Return what one recorded seed says of the claims that it does not decide, by the claim's short name.

    Parameters
    ----------
    runs, claims
        As in `claims_of`, which leaves these claims out.
    """
    found = {}
    for name, (variants, build) in claims.items():
        if all(len(runs.seeds(variant)) == 1 for variant in variants):
            try:
                build(runs)
            except OneSeed as undecided:
                found[name] = undecided.point
            except Undecided:
                continue
    return found


def undecided_of(runs: RecordedRuns, claims: Mapping[str, tuple[Sequence[str], Builder]]) -> dict[str, str]:
    """Return why the recorded runs cannot tell whether a claim holds, by the claim's short name, where they cannot."""
    found = {}
    for name, (variants, build) in claims.items():
        if all(runs.seeds(variant) for variant in variants):
            try:
                build(runs)
            except OneSeed:
                continue
            except Undecided as why:
                found[name] = str(why)
    return found


def record_values(
    run: NotebookRun[Any],
    values: Sequence[FoundValue],
    recorded: Sequence[Mapping[str, Any]] = (),
    by: Sequence[Stage | Callable[..., Any]] = (),
) -> None:
    """Record values in a notebook's run; where they are those of recorded runs, with these runs and what made them."""
    for found in values:
        held: dict[str, Any] = {"sd": found.sd, "n_cases": found.n_cases}
        if recorded:
            held |= {"n_seeds": len(recorded), "seeds": [int(each["seed"]) for each in recorded]}
            held |= {"recorded": recorded, "by": by, "basis": "simulated"}  # whatever this run's data are
        run.record(found.id, found.value, **held)


def record_claims(
    run: NotebookRun[Any],
    evidence: Mapping[str, Evidence],
    names: Sequence[str],
    by: Sequence[Stage | Callable[..., Any]] = (),
) -> None:
    """Record in a notebook's run what the recorded sweeps say of these claims; one without evidence is left out.

    ``by`` names what made the recorded runs; by default all stages that the run has made.
    """
    for name in names:
        if name in evidence:
            found = evidence[name]
            run.record(
                f"{run.paper}.claim.{name}",
                statistic=found.statistic,
                n_seeds=len(found.seeds),
                n_cases=found.n_cases,
                seeds=found.seeds,
                recorded=found.runs,
                basis="simulated",  # what the recorded sweeps ran on, whatever this run's data are
                by=by,
            )


def claim_rows(run: NotebookRun[Any], evidence: Mapping[str, Evidence], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a table of claims: the statistic, its interval, and what is asked for."""
    rows = []
    for name in [name for name in names if name in evidence]:
        statistic = evidence[name].statistic
        criterion = getattr(run.ledger.entries[f"{run.paper}.claim.{name}"], "criterion", "")
        rows.append(
            {
                "statistic, over seeds of recorded runs": statistic.name,
                "value": statistic.value,
                "interval": f"{statistic.low:.3g} to {statistic.high:.3g}",
                "asked for": str(criterion),
            }
        )
    return rows or [{"statistic, over seeds of recorded runs": "nothing is recorded at this scale"}]


def over_seeds(
    name: str,
    values: Sequence[float] | np.ndarray[Any, Any],
    interval: Callable[[np.ndarray[Any, Any]], Interval] = mean_interval,
) -> Statistic:
    """Return the mean over seeds with an interval, by default Student's t.

    Raises
    ------
    OneSeed
        There is one value, which has no interval.
    """
    sample = np.asarray(values, dtype=float)
    if sample.size == 1:
        raise OneSeed(Point(name, float(sample[0])))
    return statistic_of(name, interval(sample))


def over_cases(name: str, by_seed: Sequence[Sequence[float]]) -> Statistic:
    """Return the mean over test cases, with an interval over what is independent.

    The cases of a seed share their networks. Of several seeds the means are therefore taken, and Student's t interval
    is that over seeds; of one seed it is that over its cases, and holds for this training.

    Parameters
    ----------
    name : str
        What is averaged.
    by_seed : sequence of sequences of float
        Values of the cases of each seed; NaN where a case has none. A seed without any value is left out.
    """
    kept = [[value for value in values if np.isfinite(value)] for values in by_seed]
    kept = [values for values in kept if values]
    if len(kept) == 1 and len(kept[0]) > 1:
        return statistic_of(f"{name}, over the test cases of one training", mean_interval(np.asarray(kept[0])))
    return over_seeds(name, [float(np.mean(values)) for values in kept])


def statistic_of(name: str, interval: Interval) -> Statistic:
    """Name an interval."""
    return Statistic(name, float(interval.estimate), float(interval.low), float(interval.high), interval.level)
