"""``mrrepro ledger recorded``: the claims that recorded runs of a scale decide, taken into the ledger."""

from __future__ import annotations

from collections.abc import Collection
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
    """Judge what recorded runs say of the chapter's claims, without a notebook."""
    from mrrepro.runs.ledger import Ledger
    from mrrepro.runs.settings import SCALES, require_known

    require_known("scale", scale, SCALES)
    ledger = Ledger(chapter, to)
    records = records_of(ledger, scale, folder)
    for record in records:
        typer.echo(f"{record.id}: {record.verdict}. {record.reason}")
    count = ledger.add(records) if records else 0
    typer.echo(f"{count} records of scale {scale} into {ledger.folder}")


def records_of(ledger: Any, scale: str, folder: Path | None = None) -> list[Any]:
    """Return one judged record for each claim that the recorded runs of a scale decide; stale runs decide nothing.

    Parameters
    ----------
    ledger : Ledger
        Of the chapter.
    scale : str
        Of the recording.
    folder : Path, optional
        Where the recorded files lie; by default the chapter's.
    """
    from mrrepro.runs.recorded import made_by, recorded_folder
    from mrrepro.runs.records import Record
    from mrrepro.runs.verdicts import Found

    place = folder or recorded_folder(ledger.paper, scale)
    records = []
    for name, found in _evidence(ledger.paper, scale, place).items():
        id, seeds = f"{ledger.paper}.claim.{name}", found.seeds
        verdict = ledger.judge(id, Found(None, "simulated", None, len(seeds), found.n_cases, found.statistic))
        runs = getattr(found, "runs", ()) or _fresh(place, seeds)
        made, origins = made_by(runs), [origin for run in runs for origin in run["stages"].values()]
        records.append(
            Record(
                id=id,
                value=None,
                sd=None,
                n_seeds=len(seeds),
                n_cases=found.n_cases,
                scale=scale,
                basis="simulated",
                statistic=found.statistic,
                verdict=verdict.verdict,
                reason=verdict.reason,
                commit=", ".join(sorted({str(run["commit"]) for run in runs})),
                parameters={"scale": scale, "seed": min(seeds), "overrides": {}},
                seeds=seeds,
                data=made.data,
                code=made.code,
                device=", ".join(sorted({str(origin["device"]) for origin in origins})),
                notebook=NOTEBOOK,
                seconds=round(made.seconds, 3),
                peak_memory_mib=made.peak_memory_mib,
                date=max(str(origin["created"]) for origin in origins),
            )
        )
    return records


def _fresh(folder: Path, seeds: Collection[int]) -> list[dict[str, Any]]:
    """All runs of these seeds that are not stale, where the evidence does not say which ones it rests on."""
    from mrrepro.runs.files import read_json
    from mrrepro.runs.recorded import stale_reason

    runs = [run for path in sorted(folder.glob("*.json")) for run in read_json(path)["runs"]]
    return [run for run in runs if run["seed"] in seeds and not stale_reason(run)]


def _evidence(chapter: str, scale: str, folder: Path) -> dict[str, Any]:
    """What the chapter's evidence says of its claims, by the claim's short name."""
    module: Any = paper_module(chapter, "evidence")
    if module is None:
        return {}
    if hasattr(module, "RecordedSweeps"):
        return dict(module.RecordedSweeps(scale, folder).claims())
    runs = module.recorded_runs(scale)
    runs.folder = folder
    return dict(module.claims(runs))
