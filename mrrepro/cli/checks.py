"""``mrrepro verify`` and ``mrrepro bench``: checks against their limits; ours against peers, or against the device."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mrrepro.cli.papers import paper_keys, paper_module
from mrrepro.cli.reporting import FELL_SHORT, figure, one_line_errors, print_json, tracebacks

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[ID|CHAPTER]...", help="ids or chapters; everything by default")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, one object a row")]


@one_line_errors
def verify(names: Names = None, as_json: AsJson = False) -> None:
    """Hold each physics check's value against its limit."""
    rows = [_measured(check, as_json, _check_line) for check in selected("CHECKS", names or ())]
    _report(rows, as_json, "check", "checks")


@one_line_errors
def bench(
    names: Names = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N or mps; else MRREPRO_DEVICE, else what is there")
    ] = None,
    floors: Annotated[
        bool | None,
        typer.Option(
            "--floors/--peers",
            help="training steps beside their floor, simulators, solvers; or ours beside a peer. By default floors on "
            "CUDA, where no peer runs",
        ),
    ] = None,
    full: Annotated[
        bool | None, typer.Option("--full/--small", help="with --floors: the papers' sizes, by default on CUDA")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="with --floors: also try 'compiled' or 'graphs' at the best batch size"),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="with --floors and the papers' sizes: write each into its chapter's file")
    ] = False,
    to: Annotated[Path | None, typer.Option(help="with --keep: a folder for these files")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure speeds and sizes beside a peer in the same run, or beside what the device can do at most."""
    from mrrepro.runs.machine import DEVICE_VARIABLE, default_device, require_device

    if device is not None:
        os.environ[DEVICE_VARIABLE] = require_device(device)
    chosen = require_device(device or default_device())
    if chosen.startswith("cuda") if floors is None else floors:
        large = chosen.startswith("cuda") if full is None else full
        if keep and not large:
            raise ValueError("--keep goes with the papers' sizes: add --full.")
        if to is not None and not keep:
            raise ValueError("--to goes with --keep.")
        _bench_floors(names or (), chosen, large, option or (), _keeper(chosen, to) if keep else None, as_json)
        return
    if option or full is not None or keep:
        raise ValueError("--option, --full and --keep go with --floors.")
    if to is not None:
        raise ValueError("--to goes with --keep.")
    rows = [_measured(benchmark, as_json, _bench_line) for benchmark in selected("BENCHMARKS", names or ())]
    _report(rows, as_json, "benchmark", "benchmarks")


def _keeper(device: str, folder: Path | None) -> Callable[[str, Mapping[str, float], Mapping[str, Any]], Path]:
    from mrrepro.runs.measured_speed import keep_speed

    def keep(chapter: str, rates: Mapping[str, float], row: Mapping[str, Any]) -> Path:
        return keep_speed(chapter, device, rates, row, folder / f"{chapter}.json" if folder else None)

    return keep


def _bench_floors(
    names: Sequence[str], device: str, large: bool, options: Sequence[str], keep: Any, as_json: bool
) -> None:
    from mrrepro.cli.going_on import joined
    from mrrepro.cli.speed import speed_rows
    from mrrepro.runs.settings import require_known
    from mrrepro.training.rehearsal import OPTIONS

    for name in options:
        require_known("option", name, OPTIONS)
    with joined():
        rows = speed_rows(names, device, large, options, quiet=as_json, keep=keep)
    short = [row["id"] for row in rows if row.get("ok") is False]
    if as_json:
        print_json(rows)
    else:
        typer.echo(f"{len(rows) - 1} measured: " + (f"{', '.join(short)} fell short" if short else "none fell short"))
    if short:
        raise typer.Exit(FELL_SHORT)


def selected(kind: str, names: Sequence[str]) -> list[Any]:
    """Return the ``CHECKS`` or ``BENCHMARKS`` of all papers that the names select, an unknown name being an error."""
    found: dict[str, Any] = {}
    chapters = paper_keys()
    wanted_chapters = {name.partition(".")[0] for name in names} & set(chapters) if names else set(chapters)
    unknown = [name for name in names if name.partition(".")[0] not in chapters]
    if unknown:
        from mrrepro.runs.settings import require_known

        require_known("chapter", unknown[0].partition(".")[0], chapters)
    for chapter in sorted(wanted_chapters):
        for item in getattr(paper_module(chapter, "checks"), kind, ()):
            if item.id in found:
                raise ValueError(f"{item.id} is listed twice in {kind}.")
            found[item.id] = item
    for name in names:
        if name not in chapters and name not in found:
            from mrrepro.runs.settings import require_known

            require_known(kind.lower().rstrip("s"), name, [*found, *chapters])
    chosen = [item for id, item in found.items() if not names or id in names or id.partition(".")[0] in names]
    if not chosen:
        raise ValueError(f"There are no {kind.lower()} in {', '.join(names) or 'any chapter'}.")
    return chosen


def _measured(item: Any, as_json: bool, line: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    """Run one check or benchmark; an error in it is a row that is not ok."""
    if not as_json:
        typer.echo(f"{item.id}  ", nl=False)
    try:
        row = asdict(item.run())
    except Exception as error:  # one broken check must not hide the others
        if tracebacks():
            raise
        row = {
            "id": item.id,
            "unit": item.unit,
            "ok": False,
            "seconds": None,
            "error": f"{type(error).__name__}: {error}",
        }
        row |= {"value": None, "limit": item.limit} if hasattr(item, "limit") else _no_figures(item)
    if not as_json:
        typer.echo(f"error: {row['error']}" if "error" in row else line(row))
    return row


def _no_figures(item: Any) -> dict[str, Any]:
    return {"ours": None, "peer": None, "peer_name": item.peer_name, "ratio": None, "floor": None, "goal": item.goal}


def _check_line(row: dict[str, Any]) -> str:
    unit = "" if row["unit"] == "1" else f" {row['unit']}"
    relation = "<=" if row["ok"] else ">"
    verdict = "ok" if row["ok"] else "FELL SHORT"
    return f"{figure(row['value'])} {relation} {figure(row['limit'])}{unit}  {verdict}  ({row['seconds']:.1f} s)"


def _bench_line(row: dict[str, Any]) -> str:
    words = f"{figure(row['ours'])} {row['unit']}"
    if row["peer"] is not None:
        words += f"; {row['peer_name']} {figure(row['peer'])} {row['unit']}; ratio {figure(row['ratio'])}"
    if row["floor"] is not None:
        words += f"; floor {figure(row['floor'])} {row['unit']}"
    if row["goal"] is not None:
        verdict = {True: "ok", False: "FELL SHORT", None: f"not compared: {row['peer_name']} is not here"}[row["ok"]]
        words += f"; goal {figure(row['goal'])}  {verdict}"
    return f"{words}  ({row['seconds']:.1f} s)"


def _report(rows: Sequence[dict[str, Any]], as_json: bool, one: str, many: str) -> None:
    short = [row["id"] for row in rows if row["ok"] is False]
    if as_json:
        print_json(rows)
    else:
        count = f"{len(rows)} {one if len(rows) == 1 else many}"
        typer.echo(f"{count}: " + (f"{len(short)} fell short: {', '.join(short)}" if short else "none fell short"))
    if short:
        raise typer.Exit(FELL_SHORT)
