"""``mrrepro rehearse``: the trainings of a chapter at full size for a few steps, and its simulators once."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mrrepro.cli.reporting import FELL_SHORT, figure, one_line_errors, print_json, size_in_words

COUNTED_SCALES = ("colab", "paper")
"""Scales whose steps are counted."""


@one_line_errors
def rehearse(
    chapter: Annotated[str, typer.Argument(help="a chapter")],
    training: Annotated[
        list[str] | None, typer.Option("--training", "-t", help="id of a training; all of the chapter by default")
    ] = None,
    steps: Annotated[int, typer.Option(help="steps of each run, at least 2; 0 only counts what a step costs")] = 3,
    batch: Annotated[
        int | None, typer.Option(help="samples in a step, where the memory is short of the plan's")
    ] = None,
    scale: Annotated[str, typer.Option(help="smoke, demo, colab or paper")] = "paper",
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="a setting by its dotted name")
    ] = None,
    item: Annotated[
        list[str] | None, typer.Option("--item", "-i", help="also this simulator or solver, once at full size")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N; else MRREPRO_DEVICE, else what is there")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="write it into the chapter's rehearsed.json")] = False,
    to: Annotated[Path | None, typer.Option(help="with --keep: another file")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Train for a few steps at full size, then again with an interruption, and say what was found.

    Network, loss, optimiser and batch are those of the chapter; where its stage reads images from a disk, random
    values stand in for them. Exit code 1 where the resumed training ended with other weights.
    """
    from mrrepro.cli.papers import paper_module, paper_settings
    from mrrepro.cli.run import split_parameters
    from mrrepro.runs.machine import default_device, require_device
    from mrrepro.runs.rehearsed import keep_rehearsed
    from mrrepro.runs.settings import require_known

    module = paper_module(chapter, "paper_scale")
    known = {work.id: work for work in getattr(module, "WORK", ())}
    for name in training or ():
        require_known("training", name, known)
    if not known:
        raise ValueError(f"{chapter} has no training of its own to rehearse.")
    things = {each.id: each for each in getattr(module, "ITEMS", ())}
    for name in item or ():
        require_known("item", name, things)
    given, chosen = split_parameters(parameter or (), {"scale": "--scale"}), require_device(device or default_device())
    found = {
        name: _of_training(known[name], paper_settings(chapter), scale, given, steps, batch, chosen)
        for name in training or known
    }
    measured = _of_items([things[name] for name in item or ()], chosen)
    if as_json:
        print_json({"training": found, "items": measured})
    else:
        _say(found, measured)
    if keep:
        typer.echo(str(keep_rehearsed(chapter, found, measured, to)), err=as_json)
    unequal = [name for name, entry in found.items() if not entry.get("rehearsal", {}).get("resumed_equal", True)]
    if unequal:
        typer.echo(f"{', '.join(unequal)}: the resumed training ended with other weights", err=True)
        raise typer.Exit(FELL_SHORT)


def _of_training(
    work: Any,
    settings_type: Any,
    scale: str,
    given: Mapping[str, str],
    steps: int,
    batch: int | None,
    device: str,
) -> dict[str, Any]:
    from mrrepro.runs.rehearsed import provenance, settings_digest
    from mrrepro.runs.settings import configure
    from mrrepro.training.rehearsal import rehearse as try_out
    from mrrepro.training.training_work import step_cost

    entry: dict[str, Any] = {"cost": {}}
    for counted in COUNTED_SCALES:
        settings: Any = configure(settings_type, counted, work.changes if counted == "paper" else work.small_changes)
        cost = asdict(step_cost(work, settings))
        entry["cost"][counted] = {
            **cost,
            "batch_size": settings.training.batch_size,
            "steps": work.steps(settings),
            "settings": settings_digest(settings),
        }
    if steps:
        settings = configure(settings_type, scale, {**work.changes, **given} if scale == "paper" else dict(given))
        planned = settings.training.batch_size
        if batch is not None:
            settings = replace(settings, training=replace(settings.training, batch_size=batch))
        with tempfile.TemporaryDirectory(prefix="mrrepro-") as folder:
            result = try_out(work, settings, steps, device, Path(folder))
        entry["rehearsal"] = {
            **asdict(result),
            "scale": scale,
            "overrides": dict(given),
            "planned_batch_size": planned,
            "precision": settings.training.precision,
            **provenance(device),
        }
    return entry


def _of_items(items: Any, device: str) -> dict[str, Any]:
    from mrrepro.runs.rehearsed import provenance

    return {
        item.id: {"value": float(f"{item.full(device):.4g}"), "unit": item.unit, **provenance(device)} for item in items
    }


def _say(found: Mapping[str, Any], measured: Mapping[str, Any]) -> None:
    for name, entry in found.items():
        cost = entry["cost"]["paper"]
        typer.echo(
            f"{name}: {cost['weights']:,} weights; a sample costs {cost['operations'] / 1e12:.4g} TFLOP and keeps "
            f"{size_in_words(cost['saved_bytes'])}; {cost['steps']:,} steps of {cost['batch_size']} at scale paper"
        )
        result = entry.get("rehearsal")
        if result is not None:
            typer.echo(
                f"  {result['steps']} steps of {result['batch_size']} (plan: {result['planned_batch_size']}), "
                f"{result['precision']}: {min(result['step_seconds']):.4g} s a step, {result['batch_seconds']:.3g} s a "
                f"batch, peak {size_in_words(result['peak_memory_mib'] * 2**20)}; stopped after step "
                f"{result['interrupted_after']} and resumed: {'equal' if result['resumed_equal'] else 'NOT EQUAL'}"
            )
    for name, entry in measured.items():
        typer.echo(f"{name}: {figure(entry['value'])} {entry['unit']}")
