"""``mrrepro sweep``: one notebook over a grid or a list of parameters, on several workers, with a table of receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mrrepro.cli.record import read_seeds
from mrrepro.cli.reporting import FELL_SHORT, fail, figure, one_line_errors, print_json, print_table
from mrrepro.cli.run import OPTIONS, notebook_parameters, split_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mrrepro.cli.sweep_run import SweepRun
    from mrrepro.runs.sweep_table import SweepRow
    from mrrepro.runs.sweeps import Point


@one_line_errors
def sweep(
    target: Annotated[str, typer.Argument(metavar="CHAPTER/NN", help="one notebook of a chapter")],
    scale: Annotated[str, typer.Option(help="smoke, demo, colab or paper")] = "demo",
    seeds: Annotated[str | None, typer.Option(help="seeds, with commas; 0 by default")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "-p", metavar="NAME=VALUE,VALUE", help="values to go through; brackets keep one together"
        ),
    ] = None,
    listed: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="CSV or JSON with one row a run, times the grid of -p")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="local processes; else MRREPRO_WORKERS, else one a GPU, else two")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="a running Dask scheduler, tcp://host:8786")
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option("--value", metavar="ID", help="a ledger id whose value is printed; the files have all"),
    ] = None,
    artifacts: Annotated[
        Path | None, typer.Option(help="folder for results; else MRREPRO_ARTIFACTS, else the cache")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="folder for table, receipts and executed notebooks; else sweeps/ among the results"),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="also what was made before and has not changed")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the table as JSON")] = False,
) -> None:
    """Run a notebook over a grid or a list of parameters, on several workers; everything is checked before it starts.

    A run that fails is a row of the table with its error. A run whose worker dies goes to another worker. A sweep that
    was stopped goes on where it was when the same command is given again, and a larger one takes over what is there.

    Example: mrrepro sweep dl_ept/05 --scale smoke --seeds 0,1 -p training.gan_weight=0,2 --workers 2
    """
    from mrrepro.cli.notebooks import find_notebooks
    from mrrepro.runs.artifacts import ArtifactStore
    from mrrepro.runs.sweeps import plan

    notebooks = find_notebooks(target)
    if len(notebooks) > 1:
        names = ", ".join(f"{item.chapter}/{item.name}" for item in notebooks)
        raise ValueError(f"A sweep runs one notebook, but {target} has {len(notebooks)}: give one of {names}.")
    for id in value or ():
        from mrrepro.runs.ledger import Ledger

        Ledger(notebooks[0].chapter).entry(id)
    given = split_parameters(parameter or (), OPTIONS | {"seed": "--seeds"})
    points = plan(given, read_seeds(seeds) if seeds is not None else None, listed)
    root = ArtifactStore(artifacts).root
    folder = (output or root / "sweeps" / notebooks[0].chapter / notebooks[0].name).expanduser().resolve()
    runs = checked_runs(notebooks[0], scale, points, folder, root)
    place = _place(workers, scheduler)
    with _alone_in(folder):
        rows = _carry_out(runs, place, folder, _about(notebooks[0], scale), again)
    _report(list(rows.values()), folder, _about(notebooks[0], scale), value or (), as_json)


def checked_runs(notebook: Any, scale: str, points: Sequence[Point], folder: Path, root: Path) -> dict[str, SweepRun]:
    """Return the runs by name; an unknown parameter, a wrong value or a run given twice is an error.

    A run's name comes from its parameters and all settings, so that ``10`` and ``10.0`` are the same run, and another
    default is another run.
    """
    import json

    from mrrepro.cli.notebooks import known_parameters, read_notebook
    from mrrepro.cli.papers import paper_settings
    from mrrepro.cli.sweep_run import SweepRun
    from mrrepro.runs.parameters import PARAMETERS
    from mrrepro.runs.real_data import SIMULATED, resolve
    from mrrepro.runs.settings import as_plain, configure
    from mrrepro.runs.sweeps import run_name

    document = read_notebook(notebook)
    defaults = known_parameters(document)
    runs: dict[str, SweepRun] = {}
    for point in points:
        injected = notebook_parameters(notebook, document, scale, point.seed, point.given, root)
        data = resolve(notebook.chapter, injected.get("data", SIMULATED), scale, root, notebook=notebook.name)
        chosen = configure(paper_settings(notebook.chapter), scale, data.settings(injected["overrides"]))
        settings = as_plain(chosen)
        own = {name: injected.get(name, value) for name, value in defaults.items() if name not in PARAMETERS}
        own |= {} if data.simulated else {"data": [data.name, dict(data.sources)]}
        settings, own = json.loads(json.dumps([settings, own]))  # tuples become lists, as in a receipt
        name = run_name(scale, point.seed, [notebook.chapter, notebook.name, settings, own])
        run = SweepRun(name, notebook, document, point, injected, settings, folder / "runs" / name, root)
        if name in runs:
            raise ValueError(f"Two runs are the same: {runs[name].point.words()}, and {point.words()}. Leave one out.")
        runs[name] = run
    return runs


def _about(notebook: Any, scale: str) -> dict[str, Any]:
    from mrrepro import __version__
    from mrrepro.runs import machine

    return {
        "chapter": notebook.chapter,
        "notebook": notebook.name,
        "scale": scale,
        "version": __version__,
        "commit": machine.commit(),
    }


def _place(workers: int | None, scheduler: str | None) -> str:
    from mrrepro.runs.workers import core_count, named_place, require_place, visible_gpus

    if workers is not None and scheduler is not None:
        raise ValueError("--workers starts local processes and --scheduler uses those of a cluster: give one of them.")
    if scheduler is not None:
        if scheduler.strip().isdigit():
            raise ValueError(f"--scheduler must be an address like tcp://host:8786, but is {scheduler}: use --workers.")
        return require_place("--scheduler", scheduler.strip())
    if workers is not None:
        return require_place("--workers", str(workers))
    return named_place() or str(len(visible_gpus()) or min(2, core_count()))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder, so that two sweeps do not write one table."""
    from filelock import FileLock, Timeout

    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output must be a folder, but {folder} is a file: name another.")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise ValueError(f"Another sweep works in {folder}: wait for it, or name another folder in --output.") from None


def _carry_out(
    runs: Mapping[str, SweepRun], place: str, folder: Path, about: Mapping[str, Any], again: bool
) -> dict[str, SweepRow]:
    """Make what is not there, writing the table before the first run and after each."""
    from mrrepro.cli.sweep_run import execute_run, made_before
    from mrrepro.runs.progress import announce, shown
    from mrrepro.runs.sweep_table import SweepRow, write_table
    from mrrepro.runs.workers import ClusterLost, settled, threads_each

    rows = {name: SweepRow(name, run.point.seed, run.point.given) for name, run in runs.items()}
    left: dict[str, tuple[SweepRun]] = {}
    for name, run in runs.items():
        found = None if again else made_before(run)
        if found is None:
            left[name] = (run,)
        else:
            rows[name] = _ended(rows[name], run, {**found, "state": "skipped"}, folder)
    write_table(folder, about, list(rows.values()))
    if not left:
        return rows
    if place.isdigit():
        place = str(min(int(place), len(left)))
        where = f"{place} local worker(s), {threads_each(int(place))} thread(s) each"
    else:
        where = f"the workers of {place}"
    announce(f"{_count(len(runs))}, {len(runs) - len(left)} there already; {where}.")
    try:
        for name, ended in shown(settled(execute_run, left, place), len(left), "sweep"):
            rows[name] = _ended(rows[name], runs[name], ended, folder)
            write_table(folder, about, list(rows.values()))
    except ClusterLost as error:
        fail(str(error), FELL_SHORT)
    return rows


def _ended(row: SweepRow, run: SweepRun, ended: Mapping[str, Any] | Exception, folder: Path) -> SweepRow:
    """Return the row of a run that ended somehow."""
    from dataclasses import replace

    from mrrepro.cli.sweep_run import in_one_line, read_state, receipt_of
    from mrrepro.runs.reported import LedgerError

    if isinstance(ended, Exception):  # its workers died, or it could not begin
        attempts = int(read_state(run).get("attempts", 0))
        return replace(row, state="failed", attempts=attempts, error=in_one_line(ended))
    row = replace(row, state=ended["state"], attempts=ended["attempts"], seconds=ended["seconds"])
    if row.state == "failed":
        return replace(row, error=ended["error"])
    try:
        return row.with_receipt(receipt_of(run, ended), folder)
    except LedgerError as error:
        return replace(
            row, state="failed", error=f"{in_one_line(error)} All workers must see --output and --artifacts."
        )


def _report(
    rows: Sequence[SweepRow], folder: Path, about: Mapping[str, Any], values: Sequence[str], as_json: bool
) -> None:
    from mrrepro.runs.sweep_table import STATES, table_document

    if as_json:
        print_json(table_document({**about, "folder": str(folder)}, rows))
    else:
        names = list(dict.fromkeys(name for row in rows for name in row.parameters))
        table = [
            (
                str(row.seed),
                *(row.parameters.get(name, "") for name in names),
                row.state,
                str(row.attempts),
                "-" if row.seconds is None else f"{row.seconds:.1f}",
                *(_cell(row.values.get(id)) for id in values),
                row.verdict_words() or "-",
                row.error or row.receipt or "-",
            )
            for row in rows
        ]
        print_table(table, ("seed", *names, "state", "attempts", "seconds", *values, "verdicts", "receipt or error"))
        counts = ", ".join(f"{count} {state}" for state in STATES if (count := sum(r.state == state for r in rows)))
        typer.echo(f"{_count(len(rows))}: {counts}. Table: {folder / 'sweep.csv'}, and sweep.json beside it")
    if any(row.state == "failed" for row in rows):
        raise typer.Exit(FELL_SHORT)


def _count(runs: int) -> str:
    return f"{runs} run{'s' * (runs != 1)}"


def _cell(value: float | str | None) -> str:
    return value if isinstance(value, str) else figure(value)
