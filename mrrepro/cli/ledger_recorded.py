"""``mrrepro ledger recorded``: what recorded runs of a scale say of numbers and claims, taken into the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mrrepro.cli.papers import paper_module
from mrrepro.cli.reporting import one_line_errors

NOTEBOOK = "recorded"
"""What such a record names in the place of a notebook."""


@one_line_errors
def recorded(
    chapter: Annotated[str, typer.Argument(help="a chapter")],
    scale: Annotated[str, typer.Option(help="smoke, demo, colab or paper")] = "paper",
    folder: Annotated[Path | None, typer.Option("--from", help="the recorded files; else the chapter's")] = None,
    to: Annotated[Path | None, typer.Option(help="the ledger's folder; else the chapter's")] = None,
) -> None:
    """Judge what recorded runs say of the chapter's numbers and claims, without a notebook.

    A number is that of the lowest seed, or of all seeds, as the chapter's notebooks give it. A claim that is decided
    over seeds needs two of them; one that is decided over the cases of a training needs one.
    """
    from mrrepro.runs.ledger import Ledger
    from mrrepro.runs.settings import SCALES, require_known

    require_known("scale", scale, SCALES)
    if folder is not None and not folder.is_dir():
        raise ValueError(f"--from must be a folder of recorded files, but {folder} is none.")
    ledger = Ledger(chapter, to)
    records = records_of(ledger, scale, folder)
    for record in records:
        typer.echo(f"{record.id}: {record.verdict}. {record.reason}")
    count = ledger.add(records) if records else 0
    typer.echo(f"{count} records of scale {scale} into {ledger.folder}")


def records_of(ledger: Any, scale: str, folder: Path | None = None) -> list[Any]:
    """Return one judged record for each number and claim that the recorded runs of a scale decide; stale runs do not.

    Parameters
    ----------
    ledger : Ledger
        Of the chapter.
    scale : str
        Of the recording.
    folder : Path, optional
        Where the recorded files lie; by default the chapter's.
    """
    from mrrepro.runs.recorded import recorded_folder

    place = folder or recorded_folder(ledger.paper, scale)
    return [*_numbers(ledger, scale, place), *_claims(ledger, scale, place)]


def bands_of(ledger: Any, scale: str, command: str) -> list[Any]:
    """Return the expected band of each number and claim that at least three recorded seeds of a scale decide.

    A number's is of its values by seed. Claims, and numbers that are means over seeds, are read from the same recorded
    runs whatever the seed of the run that asks: their bands are as wide as another processor makes them.

    Parameters
    ----------
    ledger, scale
        As in `records_of`.
    command : str
        What makes them, for whoever wants to make them again.
    """
    from mrrepro.runs.bands import LEAST, band_of
    from mrrepro.runs.recorded import recorded_folder

    place = recorded_folder(ledger.paper, scale)
    values: dict[str, dict[int, float]] = {}
    commits: dict[str, set[str]] = {}
    for each, fresh in _recorded_values(ledger.paper, scale, place):
        for run in fresh:
            for found in each.found_in(ledger.paper, fresh if each.over_seeds else [run]):
                values.setdefault(found.id, {})[int(run["seed"])] = found.value
                commits.setdefault(found.id, set()).add(str(run["commit"]))
    for name, found in _evidence(ledger.paper, scale, place).items():
        id = f"{ledger.paper}.claim.{name}"
        values[id] = dict.fromkeys(found.seeds, found.statistic.value)
        commits[id] = {str(run["commit"]) for run in found.runs}
    return [
        band_of(id, list(by_seed.values()), list(by_seed), ", ".join(sorted(commits[id])), command)
        for id, by_seed in values.items()
        if len(by_seed) >= LEAST
    ]


def _recorded_values(chapter: str, scale: str, folder: Path) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """The chapter's numbers that recorded runs give, each with the runs of its variant that are not stale, if any."""
    from mrrepro.runs.recorded import read_recorded, stale_reason

    module: Any = paper_module(chapter, "result_values")
    for each in module.values_at(scale) if hasattr(module, "values_at") else getattr(module, "VALUES", ()):
        fresh = [run for run in read_recorded(chapter, scale, each.variant, folder) if not stale_reason(run)]
        if fresh:
            yield each, fresh


def _numbers(ledger: Any, scale: str, folder: Path) -> list[Any]:
    records = []
    for each, fresh in _recorded_values(ledger.paper, scale, folder):
        stage = f"{ledger.paper}/{each.stage}"
        runs = [{**run, "stages": {stage: run["stages"][stage]}} for run in each.used(fresh)]
        seeds = tuple(int(run["seed"]) for run in runs)
        overrides = _set_beside(ledger.paper, scale, folder, [each.variant])
        for found in each.found_in(ledger.paper, runs):
            held = {"value": found.value, "sd": found.sd, "n_cases": found.n_cases, "seeds": seeds}
            records.append(_record(ledger, found.id, scale, runs, overrides=overrides, **held))
    return records


def _claims(ledger: Any, scale: str, folder: Path) -> list[Any]:
    module: Any = paper_module(ledger.paper, "evidence")
    records = []
    for name, found in _evidence(ledger.paper, scale, folder).items():
        given = _set_beside(ledger.paper, scale, folder, module.CLAIMS[name][0])
        held = {"statistic": found.statistic, "n_cases": found.n_cases, "seeds": found.seeds, "overrides": given}
        records.append(_record(ledger, f"{ledger.paper}.claim.{name}", scale, found.runs, **held))
    return records


def _set_beside(chapter: str, scale: str, folder: Path, variants: Sequence[str]) -> dict[str, Any]:
    """What variants were recorded with beside what the recipe sets for them, which is no change of a variant."""
    from mrrepro.cli.papers import paper_variants
    from mrrepro.runs.recorded import recorded_overrides, variant_named

    known = paper_variants(chapter)
    found: dict[str, list[Any]] = {}
    for name in variants:
        own = variant_named(known, name).overrides
        for setting, value in recorded_overrides(chapter, scale, name, folder).items():
            if own.get(setting) != value and value not in found.setdefault(setting, []):
                found[setting].append(value)
    return {
        setting: values[0] if len(values) == 1 else " or ".join(map(str, values)) for setting, values in found.items()
    }


def _record(
    ledger: Any,
    id: str,
    scale: str,
    runs: Sequence[Mapping[str, Any]],
    *,
    seeds: tuple[int, ...],
    n_cases: int,
    value: float | None = None,
    sd: float | None = None,
    statistic: Any = None,
    overrides: Mapping[str, Any] | None = None,
) -> Any:
    """Judge what recorded runs found; their stages say code, data, devices and time."""
    from mrrepro.runs.recorded import made_by
    from mrrepro.runs.records import Record
    from mrrepro.runs.verdicts import Found

    verdict = ledger.judge(id, Found(value, "simulated", sd, len(seeds), n_cases, statistic))
    made, origins = made_by(runs), [origin for run in runs for origin in run["stages"].values()]
    return Record(
        id=id,
        value=value,
        sd=sd,
        n_seeds=len(seeds),
        n_cases=n_cases,
        scale=scale,
        basis="simulated",
        statistic=statistic,
        verdict=verdict.verdict,
        reason=verdict.reason,
        commit=", ".join(sorted({str(run["commit"]) for run in runs})),
        parameters={"scale": scale, "seed": min(seeds), "overrides": dict(overrides or {})},
        seeds=seeds,
        data=made.data,
        code=made.code,
        device=", ".join(sorted({str(origin["device"]) for origin in origins})),
        notebook=NOTEBOOK,
        seconds=round(made.seconds, 3),
        peak_memory_mib=made.peak_memory_mib,
        date=max(str(origin["created"]) for origin in origins),
    )


def _evidence(chapter: str, scale: str, folder: Path) -> dict[str, Any]:
    """What the chapter's evidence says of its claims, by the claim's short name."""
    module: Any = paper_module(chapter, "evidence")
    return {} if module is None else dict(module.RecordedSweeps(scale, folder).claims())
