"""``mrrepro artifacts``: what results lie on the disk, how large they are, removing them, bringing them elsewhere."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from mrrepro.cli.reporting import FELL_SHORT, one_line_errors, print_json, print_table, size_in_words

app = typer.Typer(
    help="Results on the disk: list with sizes, check, clean, bring to another machine.", no_args_is_help=True
)
Root = Annotated[Path | None, typer.Option("--artifacts", help="the folder; else MRREPRO_ARTIFACTS, else the cache")]


@app.command("list")
@one_line_errors
def list_(
    artifacts: Root = None,
    chapter: Annotated[str | None, typer.Option(help="only this chapter")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, one object a row")] = False,
) -> None:
    """List finished and unfinished results with their sizes."""
    from mrrepro.runs.artifacts import ArtifactStore

    store = ArtifactStore(artifacts)
    _require_chapter(chapter)
    items = [item for item in store.list() if chapter is None or item.stage.partition("/")[0] == chapter]
    if as_json:
        rows = [
            {
                "name": item.name,
                "stage": item.stage,
                "partial": item.partial,
                "in_use": item.in_use,
                "files": item.files,
                "bytes": item.bytes,
                "used": _date(item.used),
                "path": str(item.path),
            }
            for item in items
        ]
        print_json(rows)
        return
    states = {(False, False): "finished", (True, False): "unfinished", (True, True): "being made"}
    table = [
        (item.name, size_in_words(item.bytes), states[item.partial, item.in_use], _date(item.used)) for item in items
    ]
    if table:
        print_table(table, ("artifact", "size", "state", "last used"))
    typer.echo(f"{len(items)} artifacts, {size_in_words(sum(item.bytes for item in items))}, in {store.root}")


@app.command()
@one_line_errors
def clean(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="artifacts as `list` names them")
    ] = None,
    artifacts: Root = None,
    partials: Annotated[bool, typer.Option("--partials", help="unfinished ones that nobody works on")] = False,
    older_than: Annotated[float | None, typer.Option(metavar="DAYS", help="last used before so many days")] = None,
    chapter: Annotated[str | None, typer.Option(help="of this chapter")] = None,
) -> None:
    """Remove artifacts by name, or those that all conditions select; what another run is making stays."""
    from mrrepro.runs.artifacts import ArtifactStore

    store = ArtifactStore(artifacts)
    conditions = partials or older_than is not None or chapter is not None
    if names and conditions:
        raise ValueError("Give names or conditions, not both.")
    if not names and not conditions:
        raise ValueError("Say what to clean: names, --partials, --older-than DAYS, --chapter, or several of these.")
    _require_chapter(chapter)
    if names:
        there = {item.name for item in store.list()}
        for name in (name for name in names if name not in there):
            raise ValueError(f"{store.root} holds no artifact {name!r}; nothing was removed.")
        removed = [store.remove(name) for name in dict.fromkeys(names)]
    else:
        removed = list(store.clean(partials=partials, older_than_days=older_than, chapter=chapter))
    for item in removed:
        typer.echo(f"removed {item.name}")
    typer.echo(f"{len(removed)} artifacts removed, {size_in_words(sum(item.bytes for item in removed))} freed")


@app.command()
@one_line_errors
def check(artifacts: Root = None) -> None:
    """Read every finished artifact and compare sizes and checksums with its manifest."""
    from mrrepro.runs.artifacts import ArtifactError, ArtifactStore
    from mrrepro.runs.progress import shown

    store = ArtifactStore(artifacts)
    items = [item for item in store.list() if not item.partial]
    refused = 0
    for item in shown(items, len(items), "artifacts"):
        try:
            store.verify(item)
        except ArtifactError as error:
            refused += 1
            typer.echo(str(error), err=True)
    typer.echo(f"{len(items)} artifacts, {refused} refused, in {store.root}")
    if refused:
        raise typer.Exit(FELL_SHORT)


@app.command()
@one_line_errors
def export(
    file: Annotated[Path, typer.Argument(help="the tar file to write")],
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="artifacts, stages or chapters")],
    artifacts: Root = None,
) -> None:
    """Put finished results into one file, for a machine that lacks the data to make them."""
    from mrrepro.runs.artifacts import ArtifactStore
    from mrrepro.runs.transport import export_artifacts

    items = export_artifacts(ArtifactStore(artifacts), names, file)
    for item in items:
        typer.echo(item.name)
    typer.echo(f"{len(items)} artifacts, {size_in_words(file.stat().st_size)}, in {file}")


@app.command()
@one_line_errors
def results(
    chapter: Annotated[str, typer.Argument(help="a chapter")],
    to: Annotated[Path, typer.Option(help="folder for at most eight files of 16 MiB")],
    artifacts: Root = None,
) -> None:
    """Write what is worth bringing back of a chapter: numbers, histories, small arrays, networks that fit."""
    from mrrepro.runs.artifacts import ArtifactStore
    from mrrepro.runs.bring_back import bring_back

    listed = bring_back(ArtifactStore(artifacts), chapter, to)
    taken = sum(network["file"] is not None for network in listed["networks"].values())
    typer.echo(
        f"{len(listed['stages'])} stages, {taken} of {len(listed['networks'])} networks, {len(listed['left_out'])} "
        f"files of arrays left out, in {to}"
    )


@app.command("import")
@one_line_errors
def import_(
    file: Annotated[Path, typer.Argument(help="a file of `export`", exists=True, dir_okay=False)],
    artifacts: Root = None,
) -> None:
    """Take the results of such a file into the store, each checked against its manifest."""
    from mrrepro.runs.artifacts import ArtifactStore
    from mrrepro.runs.transport import import_artifacts

    store = ArtifactStore(artifacts)
    new, there = import_artifacts(store, file)
    for name in new:
        typer.echo(name)
    typer.echo(f"{len(new)} artifacts taken over, {len(there)} were there already, in {store.root}")


def _require_chapter(chapter: str | None) -> None:
    from mrrepro.cli.papers import paper_keys
    from mrrepro.runs.settings import require_known

    if chapter is not None:
        require_known("chapter", chapter, paper_keys())


def _date(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M")
