"""``mrrepro record``: run the variants of a chapter over seeds and keep their numbers in the repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

import typer

from mrrepro.cli.going_on import Minutes, joined, limited
from mrrepro.cli.reporting import FELL_SHORT, WORK_FAILED, one_line_errors


@one_line_errors
def record(
    chapter: Annotated[str, typer.Argument(help="a chapter")],
    variant: Annotated[
        list[str] | None, typer.Option("--variant", "-v", help="a variant of the chapter's recipe; all by default")
    ] = None,
    seeds: Annotated[str, typer.Option(help="seeds, with commas")] = "0,1,2",
    scale: Annotated[str, typer.Option(help="smoke, demo, colab or paper")] = "demo",
    artifacts: Annotated[
        Path | None, typer.Option(help="folder for results; else MRREPRO_ARTIFACTS, else the cache")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="also what is recorded already and not stale")] = False,
    to: Annotated[Path | None, typer.Option(help="folder for the files; else beside the chapter's recipe")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="a setting by its dotted name; needs --to"),
    ] = None,
    arrays: Annotated[bool, typer.Option("--arrays", help="also files of arrays of up to 1 MiB, beside them")] = False,
    minutes: Minutes = None,
) -> None:
    """Make the variants of a chapter over seeds, and keep their numbers as small files beside its recipe.

    What is recorded and not stale is left as it is, so an interrupted sweep goes on where it was. A run that fails is
    named at the end and does not stop the others. With ``--minutes`` it ends in time, and the same command goes on.
    With ``-p training.samples=500000`` the files say what was set, and so do the numbers that are taken from them.
    """
    from mrrepro.cli.papers import paper_settings, paper_variants
    from mrrepro.cli.run import OPTIONS, split_parameters
    from mrrepro.runs.artifacts import ArtifactStore
    from mrrepro.runs.processes import count
    from mrrepro.runs.recorded import fresh_seeds, variant_named
    from mrrepro.runs.recorded import record as keep

    known = paper_variants(chapter)
    if not known:
        raise ValueError(f"{chapter} has no variants to record.")
    chosen = [variant_named(known, name) for name in variant] if variant else list(known)
    numbers = read_seeds(seeds)
    settings, store = paper_settings(chapter), ArtifactStore(artifacts)
    given = split_parameters(parameter or (), OPTIONS | {"seed": "--seeds"})
    if given and to is None:
        raise ValueError("-p needs --to: the files beside the recipe are of the variants as they stand.")
    possible, refused = [], {}
    for each in chosen:
        try:
            possible.append(replace(each, overrides=_with(settings, scale, each.overrides, given)))
        except ValueError as error:  # settings that do not go together at this scale
            refused[each.name] = error
    if not possible:
        raise next(iter(refused.values()))
    failed = [f"{name}: {error}" for name, error in refused.items()]
    for said in failed:
        typer.echo(said, err=True)
    with limited(minutes), joined() as first:
        fresh = {
            each.name: fresh_seeds(chapter, each, settings_type=settings, scale=scale, folder=to, arrays=arrays)
            for each in possible
        }
        for each, seed in [(each, seed) for each in possible for seed in numbers]:
            if seed in fresh[each.name] and not again:
                _say(first, f"{each.name} seed {seed}: recorded already")
                continue
            try:
                path = keep(
                    chapter, each, seed, settings_type=settings, scale=scale, store=store, folder=to, arrays=arrays
                )
                _say(first, f"{each.name} seed {seed}: {path}")
            except WORK_FAILED as error:
                failed.append(f"{each.name} seed {seed}: {error}")
                typer.echo(failed[-1], err=True)
                if not first or count() > 1:
                    raise  # the other processes must not go on without this one
    if failed:
        typer.echo(f"{len(failed)} run(s) failed.", err=True)
        raise typer.Exit(FELL_SHORT)


def _with(settings: Any, scale: str, overrides: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """A variant's overrides with those of the command line, read as the settings read them."""
    from mrrepro.runs.settings import as_plain, configure

    read = configure(settings, scale, {**overrides, **given})
    return {**overrides, **{name: as_plain(reduce(getattr, name.split("."), read)) for name in given}}


def _say(first: bool, words: str) -> None:
    if first:
        typer.echo(words)


def read_seeds(text: str) -> list[int]:
    """Read ``0,1,2``."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"--seeds must be whole numbers of at least 0 with commas, like 0,1,2, but is {text!r}.")
    return [int(part) for part in parts]
