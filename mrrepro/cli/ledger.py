"""``mrrepro ledger``: every number and claim with its verdict; receipts checked and taken in; the export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mrrepro.cli.reporting import FELL_SHORT, one_line_errors, print_json, print_table

app = typer.Typer(help="Every number and claim of the papers with its verdict.", no_args_is_help=False)
Paper = Annotated[str | None, typer.Option(help="only this paper")]
Receipts = Annotated[list[Path], typer.Argument(metavar="RECEIPT...", help="receipts that runs have written")]


@app.callback(invoke_without_command=True)
@one_line_errors
def ledger(
    context: typer.Context,
    paper: Paper = None,
    verdict: Annotated[str | None, typer.Option(help="only this verdict")] = None,
    scale: Annotated[str | None, typer.Option(help="only records of this scale")] = None,
    stale: Annotated[bool, typer.Option("--stale", help="only what code, data or tolerances have outdated")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, one object a row")] = False,
) -> None:
    """List numbers and claims, ours beside the paper's, with verdict and reason."""
    if context.invoked_subcommand is not None:
        given = {"--paper": paper, "--verdict": verdict, "--scale": scale, "--stale": stale, "--json": as_json}
        for option in (name for name, value in given.items() if value):
            raise ValueError(f"{option} before {context.invoked_subcommand} has no effect: give it behind, if at all.")
        return
    from mrrepro.runs.export import scorecard, select_rows

    rows = [row for item in _ledgers(paper) for row in item.rows(data_now=_checksums())]
    chosen = select_rows(rows, verdict, stale, scale)
    if as_json:
        print_json([row.plain() for row in chosen])
        return
    table = [
        (
            row.id,
            row.record.marked_scale if row.record else "-",
            row.verdict + (" (stale)" if row.stale else ""),
            row.reason,
        )
        for row in chosen
    ]
    print_table(table, ("id", "scale", "verdict", "reason"))
    counts = ", ".join(f"{count} {name}" for name, count in scorecard(chosen).items() if count)
    typer.echo(f"{len(chosen)} rows" + (f"; by the record that counts: {counts}" if counts else ""))


@app.command()
@one_line_errors
def check(
    receipt: Annotated[Path, typer.Argument(help="the receipt that a notebook's last cell wrote")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Compare your own run with what is expected at its scale, and say whether it is all right."""
    from mrrepro.runs.receipts import check_receipt

    result = check_receipt(receipt)
    if as_json:
        values = [
            {"id": item.id, "value": item.value, "ok": item.ok, "words": item.sentence()} for item in result.values
        ]
        print_json({"ok": result.ok, "summary": result.summary, "values": values})
    else:
        typer.echo(result.words())
    if not result.ok:
        raise typer.Exit(FELL_SHORT)


@app.command()
@one_line_errors
def add(receipts: Receipts) -> None:
    """Take the values of receipts into the records of this checkout; of a run on real data, what rests on them."""
    from mrrepro.runs.ledger import Ledger
    from mrrepro.runs.receipts import read_receipt

    read = [read_receipt(path) for path in receipts]  # all are whole before one is written
    ledgers = {receipt.paper: Ledger(receipt.paper) for receipt in read}
    for receipt in read:
        count = ledgers[receipt.paper].add(receipt.for_the_ledger())
        typer.echo(f"{receipt.path}: {count} records of scale {receipt.scale} into {ledgers[receipt.paper].folder}")


@app.command()
@one_line_errors
def bands(
    receipts: Receipts,
    command: Annotated[
        str | None, typer.Option(help="the command that made the receipts, for whoever repeats it")
    ] = None,
) -> None:
    """Compute the expected bands from receipts of the same run over at least three seeds."""
    _write_bands(receipts, command)


@app.command()
@one_line_errors
def expect(
    chapter: Annotated[str, typer.Argument(help="a chapter")],
    scale: Annotated[str, typer.Option(help="smoke, demo, colab or paper")] = "demo",
    seeds: Annotated[
        str | None, typer.Option(help="seeds, with commas; five at smoke, else three, where none are named")
    ] = None,
    artifacts: Annotated[
        Path | None, typer.Option(help="folder for results; else MRREPRO_ARTIFACTS, else the cache")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="folder for executed notebooks and receipts; else that of the results")
    ] = None,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="run nothing: only what three recorded seeds of the scale decide")
    ] = False,
) -> None:
    """Run a chapter over seeds and compute from it which values a rerun may be expected to give.

    What lies among the artifacts is not made again, so an interrupted command goes on where it was.
    """
    from mrrepro.cli.record import read_seeds
    from mrrepro.cli.run import run_notebooks

    if recorded:
        if seeds or artifacts or output:
            raise ValueError("--recorded runs nothing: leave out --seeds, --artifacts and --output.")
        _write_recorded_bands(chapter, scale)
        return
    numbers = read_seeds(seeds or ("0,1,2,3,4" if scale == "smoke" else "0,1,2"))
    if len(set(numbers)) < 3:
        raise ValueError(f"--seeds must name at least three different seeds, but names {numbers}.")
    paths = []
    for seed in numbers:
        paths += run_notebooks(chapter, scale, seed, {}, artifacts, output)
    named = ",".join(map(str, numbers))
    _write_bands(paths, f"mrrepro ledger expect {chapter} --scale {scale} --seeds {named}")


def _write_recorded_bands(chapter: str, scale: str) -> None:
    from mrrepro.cli.ledger_recorded import bands_of
    from mrrepro.runs.bands import write_bands
    from mrrepro.runs.ledger import Ledger
    from mrrepro.runs.settings import SCALES, require_known

    require_known("scale", scale, SCALES)
    ledger_of = Ledger(chapter)
    made = bands_of(ledger_of, scale, f"mrrepro ledger expect {chapter} --scale {scale} --recorded")
    if not made:
        raise ValueError(f"No three recorded seeds of {chapter} decide anything at scale {scale}: see mrrepro record.")
    write_bands(ledger_of.folder, scale, made)
    typer.echo(f"{chapter}, {scale}: {len(made)} bands from recorded runs")


def _write_bands(receipts: list[Path], command: str | None) -> None:
    from mrrepro.runs.bands import make_bands, write_bands
    from mrrepro.runs.ledger import Ledger
    from mrrepro.runs.receipts import read_receipt

    read = [read_receipt(path) for path in receipts]
    papers = sorted({receipt.paper for receipt in read})
    for paper in papers:
        own = [receipt for receipt in read if receipt.paper == paper]
        ledger_of = Ledger(paper)
        for scale in sorted({receipt.scale for receipt in own}):
            at_scale = [receipt for receipt in own if receipt.scale == scale]
            seeds = [str(seed) for seed in sorted({receipt.seed for receipt in at_scale})]
            again = command or f"mrrepro ledger expect {paper} --scale {scale} --seeds {','.join(seeds)}"
            made = make_bands(at_scale, again).get(scale, [])
            write_bands(ledger_of.folder, scale, made)
            typer.echo(f"{paper}, {scale}: {len(made)} bands from seeds {', '.join(seeds)}")
            values = {record.id for receipt in at_scale for record in receipt.records}
            for id in sorted(values - {band.id for band in made}):
                typer.echo(f"{id} has no band: too few of the seeds give it a value at this scale")


@app.command()
@one_line_errors
def effects(chapter: Annotated[str, typer.Argument(help="a chapter")]) -> None:
    """Write what the runs recorded at demo say of each deviation into the chapter's register, in words."""
    from mrrepro.cli.papers import paper_module
    from mrrepro.runs.deviations import write_effects

    words, evidence = (paper_module(chapter, name) for name in ("effects", "evidence"))
    if words is None or evidence is None:
        raise ValueError(f"Chapter {chapter} has no effects of deviations that recorded runs could give.")
    found = words.effects(evidence.RecordedSweeps("demo"))
    typer.echo(f"{write_effects(chapter, found)}: {len(found)} effects")


@app.command()
@one_line_errors
def fresh(paper: Paper = None) -> None:
    """Fail where a record of scale smoke or demo is stale; name the stale ones of larger scales with their date."""
    from mrrepro.runs.ledger import stale_records

    rows = [row for item in _ledgers(paper) for row in item.rows(data_now=_checksums())]
    remade, shown = stale_records(rows)
    for row in (*remade, *shown):
        typer.echo(row.said_stale())
    held = sum(row.record is not None for row in rows)
    typer.echo(
        f"{len(remade)} of {held} records have to be made anew; {len(shown)} more are stale and keep their date."
    )
    if remade:
        raise typer.Exit(FELL_SHORT)


@app.command()
@one_line_errors
def export(
    to: Annotated[Path, typer.Option(help="folder for ledger.json and ledger.csv")],
    paper: Paper = None,
) -> None:
    """Write the whole ledger as one JSON file with a schema and one CSV table."""
    from mrrepro.runs.export import export_ledgers

    for path in export_ledgers(_ledgers(paper), to, _checksums()):
        typer.echo(str(path))


def _ledgers(paper: str | None) -> list[Any]:
    from mrrepro.runs.ledger import Ledger, ledger_folders

    return [Ledger(key) for key in ([paper] if paper is not None else ledger_folders())]


def _checksums() -> dict[str, str] | None:
    """SHA-256 of the data sets as the fetcher's registry has them now; None where it is not installed."""
    import csv
    from importlib.util import find_spec

    spec = find_spec("data_fetch")
    for place in (spec.submodule_search_locations if spec is not None else None) or ():
        path = Path(place) / "registry.csv"
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream))
            return {row["local"]: row["sha256"] for row in rows if row.get("local") and row.get("sha256")}
    return None
