"""The command ``mrrepro`` and its sub-commands.

Exit codes: 0 fine, 1 a check fell short or a run failed, 2 wrong usage, 75 the time given is over: the same command
goes on.
"""

from __future__ import annotations

from typing import Annotated

import typer

from mrrepro import __version__
from mrrepro.cli import apply, artifacts, checks, ledger, simulate
from mrrepro.cli.doctor import doctor
from mrrepro.cli.ledger_recorded import recorded
from mrrepro.cli.plan import plan
from mrrepro.cli.record import record
from mrrepro.cli.rehearse import rehearse
from mrrepro.cli.reporting import fail
from mrrepro.cli.run import run
from mrrepro.cli.ship import ship
from mrrepro.cli.sweep import sweep

app = typer.Typer(
    help="Executable replications of four papers that use deep learning on MRI. No medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Run, verify, bench, and look up what was replicated."""


app.command()(run)
app.command()(sweep)
app.command()(record)
app.command()(rehearse)
app.command()(plan)
app.command()(checks.verify)
app.command()(checks.bench)
ledger.app.command()(recorded)
app.add_typer(ledger.app, name="ledger")
app.add_typer(artifacts.app, name="artifacts")
app.add_typer(simulate.app, name="simulate")
app.add_typer(apply.app, name="apply")
app.command()(ship)
app.command()(doctor)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def data(context: typer.Context) -> None:
    """List, get and verify data sets; the same as ``python -m data_fetch``."""
    try:
        from importlib import import_module

        fetcher = import_module("data_fetch.cli")
    except ModuleNotFoundError as error:
        if error.name not in ("data_fetch", "data_fetch.cli"):
            raise
        fail("the data fetcher is not installed: install the project whole, or run python -m data_fetch in a clone.")
    fetcher.app(args=list(context.args), prog_name="mrrepro data")


def entry() -> None:
    """Run the command line."""
    app(prog_name="mrrepro")
