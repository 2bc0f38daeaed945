"""``mrrepro run``: the notebooks of a chapter, or only the stages of its recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mrrepro.cli.going_on import Minutes, joined, limited
from mrrepro.cli.reporting import FELL_SHORT, WORK_FAILED, fail, one_line_errors, tracebacks

_SET_BY_OPTIONS = ("scale", "seed", "artifacts", "overrides")

OPTIONS = {"scale": "--scale", "seed": "--seed", "artifacts": "--artifacts"}
"""Options that set what ``-p`` must not."""


@one_line_errors
def run(
    target: Annotated[str, typer.Argument(metavar="CHAPTER[/NN]", help="a chapter, or one notebook of it")],
    scale: Annotated[str, typer.Option(help="smoke, demo, colab or paper")] = "demo",
    seed: Annotated[int, typer.Option(help="seed of the run, at least 0")] = 0,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "-p", metavar="NAME=VALUE", help="a notebook's parameter or a setting by its dotted name"
        ),
    ] = None,
    artifacts: Annotated[
        Path | None, typer.Option(help="folder for results; else MRREPRO_ARTIFACTS, else the cache")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="folder for executed notebooks and receipts; else that of the results")
    ] = None,
    stages: Annotated[
        bool, typer.Option("--stages", help="make the results that the notebooks read, without them")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="STAGE",
            help="with --stages: this one and what it needs, also one that only `record` makes",
        ),
    ] = None,
    minutes: Minutes = None,
) -> None:
    """Run a chapter's notebooks, or one of them, with papermill; everything is checked before anything runs."""
    given = split_parameters(parameter or ())
    require_seed(seed)
    if not stages and (only or minutes is not None):
        raise ValueError("--only and --minutes go with --stages: notebooks run as wholes.")
    if stages and output is not None:
        raise ValueError("--output is for executed notebooks; --stages writes its results to --artifacts.")
    if stages:
        with limited(minutes), joined() as first:
            _run_stages(target, scale, seed, given, artifacts, only or (), first)
    else:
        run_notebooks(target, scale, seed, given, artifacts, output)


def require_seed(seed: int) -> None:
    """Raise ``ValueError`` for a negative seed."""
    if seed < 0:
        raise ValueError(f"seed must be at least 0, but is {seed}.")


def split_parameters(given: Sequence[str], options: Mapping[str, str] = OPTIONS) -> dict[str, str]:
    """Read ``name=value`` items; names that the command's options set are refused, and those that it has no use for."""
    instead = {"overrides": "use -p with a dotted name"} | {name: f"use {option}" for name, option in options.items()}
    found: dict[str, str] = {}
    for item in given:
        name, sign, value = item.partition("=")
        name = name.strip()
        if not sign or not name:
            raise ValueError(f"-p must be NAME=VALUE, but is {item!r}.")
        if name in _SET_BY_OPTIONS:
            raise ValueError(f"-p {name} is not possible: {instead.get(name, f'this command has no {name}')}.")
        if name in found:
            raise ValueError(f"-p {name} is given twice: {found[name]!r} and {value!r}.")
        found[name] = value
    return found


def _run_stages(
    target: str,
    scale: str,
    seed: int,
    given: Mapping[str, str],
    artifacts: Path | None,
    only: Sequence[str],
    first: bool,
) -> None:
    from mrrepro.cli.papers import makeable_stages, paper_settings, paper_stages
    from mrrepro.runs.artifacts import ArtifactStore
    from mrrepro.runs.real_data import SIMULATED, resolve
    from mrrepro.runs.settings import configure, require_known
    from mrrepro.runs.stages import make

    chapter, _, number = target.strip("/").partition("/")
    if number:
        raise ValueError(f"--stages makes all of {chapter}; leave /{number} out.")
    store = ArtifactStore(artifacts)
    known, of_notebooks = makeable_stages(chapter), paper_stages(chapter)
    for name in only:
        require_known("stage", name, known)
    overrides = {name: value for name, value in given.items() if name != "data"}
    data = resolve(chapter, given.get("data", SIMULATED), scale, store.root)
    settings: Any = configure(paper_settings(chapter), scale, data.settings(overrides))
    if not of_notebooks:
        raise ValueError(f"{chapter} has no stages: its notebooks read other chapters' results.")
    for stage in [known[name] for name in only] or of_notebooks:
        try:
            artifact = make(stage, settings, seed, store)
        except WORK_FAILED as error:  # the settings were fine
            if tracebacks():
                raise
            fail(f"{stage.name}: {error}", FELL_SHORT)
        if first:
            typer.echo(f"{stage.name}  {artifact.key[:16]}  made in {artifact.seconds:.1f} s  {artifact.path}")


def run_notebooks(
    target: str, scale: str, seed: int, given: Mapping[str, str], artifacts: Path | None, output: Path | None
) -> list[Path]:
    """Execute a chapter's notebooks, or one, and return the receipts they wrote; a failure ends the command."""
    from mrrepro.cli.notebooks import NotebookFailed, environment, execute, find_notebooks, read_notebook
    from mrrepro.runs.artifacts import ArtifactStore
    from mrrepro.runs.files import digest_of
    from mrrepro.runs.notebook import RECEIPTS_VARIABLE
    from mrrepro.runs.progress import PROGRESS_VARIABLE

    store = ArtifactStore(artifacts)
    folder = (output or store.root / "executed").expanduser().resolve()
    planned = []
    for notebook in find_notebooks(target):
        document = read_notebook(notebook)
        planned.append((notebook, document, notebook_parameters(notebook, document, scale, seed, given, store.root)))
    receipts = folder / "receipts" if output is not None else store.root / "receipts"
    mark = f"{scale}-seed{seed}" + (f"-{digest_of(dict(given))[:8]}" if given else "")

    def written() -> dict[Path, int]:
        own = receipts / target.strip("/").partition("/")[0]
        return {
            path: path.stat().st_mtime_ns
            for end in (".json", "-*.json")
            for path in own.glob(f"*-{scale}-seed{seed}{end}")
        }

    before = written()
    with environment(**{PROGRESS_VARIABLE: "0", RECEIPTS_VARIABLE: str(receipts)}):
        for notebook, document, parameters in planned:
            name = f"{notebook.chapter}/{notebook.name}"
            typer.echo(f"{name}  scale {scale}  seed {seed}", nl=False)
            try:
                executed = folder / notebook.chapter / f"{notebook.name}-{mark}.ipynb"
                seconds = execute(notebook, document, parameters, executed, True)
            except NotebookFailed as error:
                typer.echo("  failed")
                fail(str(error), FELL_SHORT)
            typer.echo(f"  {seconds:.1f} s")
    typer.echo(f"Executed notebooks: {folder}; receipts: {receipts}")
    return [path for path, changed in sorted(written().items()) if changed != before.get(path)]


def notebook_parameters(
    notebook: Any, document: Any, scale: str, seed: int, given: Mapping[str, str], root: Path
) -> dict[str, Any]:
    """Return what papermill injects; unknown names and wrong values are errors before anything runs."""
    from mrrepro.cli.notebooks import known_parameters
    from mrrepro.cli.papers import paper_settings
    from mrrepro.runs.real_data import SIMULATED, resolve
    from mrrepro.runs.settings import configure, describe, require_known

    known = known_parameters(document)
    if not {"scale", "seed", "overrides"} <= set(known):
        raise ValueError(f"{notebook.path} has no cell tagged 'parameters' that sets scale, seed and overrides.")
    require_seed(seed)
    settings_type = paper_settings(notebook.chapter)
    settings = [row.name for row in describe(settings_type)]
    own = [name for name in known if name not in _SET_BY_OPTIONS]
    for name in given:
        require_known("parameter", name, [*own, *settings])
    overrides = {name: value for name, value in given.items() if name not in own}
    values = {name: _value(name, given[name], known[name]) for name in own if name in given}
    data = resolve(notebook.chapter, values.get("data", SIMULATED), scale, root, notebook=notebook.name)
    configure(settings_type, scale, data.settings(overrides))
    if data.why:
        typer.echo(f"{notebook.chapter}/{notebook.name}: {data.why}.")
    if not data.simulated and Path(data.name).is_absolute():
        values["data"] = data.name  # a folder, seen from where the notebook runs
    values |= {"scale": scale, "seed": seed, "overrides": overrides}
    if "artifacts" in known:
        values["artifacts"] = str(root)
    return values


def _value(name: str, text: str, default: Any) -> Any:
    """Read a notebook's own parameter as what its default is."""
    if isinstance(default, str):
        return text
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = {"true": True, "false": False, "none": None}.get(text.lower(), text)
    if (
        default is not None
        and type(value) is not type(default)
        and not (isinstance(default, float) and type(value) is int)
    ):
        raise ValueError(f"{name} must be {type(default).__name__} like {default!r}, but is {text!r}.")
    return value
