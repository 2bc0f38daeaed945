"""A notebook's run: its parameters checked, its stages made, its values recorded, its receipt written.

A notebook has one cell tagged ``parameters`` with ``scale``, ``seed``, ``data``, ``overrides`` and ``artifacts``,
then::

    run = open_run(paper="deepspio", notebook="03_network", settings_type=Settings, parameters=globals())
    trained = run.make(TRAIN)
    run.record("deepspio.nmae_held_out", value, sd=sd, n_cases=128)
    run.provenance()
    run.finish()
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from mrrepro import __version__
from mrrepro.runs import machine
from mrrepro.runs.artifacts import Artifact, ArtifactStore
from mrrepro.runs.code import code_digest, function_name
from mrrepro.runs.display import Provenance, ReceiptTable
from mrrepro.runs.files import digest_of
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.parameters import PARAMETERS, as_overrides, further_values, undeclared
from mrrepro.runs.real_data import SIMULATED, ChapterData, RunData, resolve
from mrrepro.runs.receipts import write_receipt
from mrrepro.runs.recorded import Made, made_by
from mrrepro.runs.records import BASES, SUBSTITUTE, Record, Statistic
from mrrepro.runs.replaced import require_nothing_replaced
from mrrepro.runs.reported import LedgerError
from mrrepro.runs.settings import as_plain, configure, require_known
from mrrepro.runs.stages import Stage, make
from mrrepro.runs.verdicts import Found, Verdict

RECEIPTS_VARIABLE = "MRREPRO_RECEIPTS"
"""Folder for receipts; by default ``receipts`` in the artifact store."""

_NOTEBOOK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
S = TypeVar("S")


class Run(Generic[S]):
    """One execution of a notebook; made by `open_run`."""

    def __init__(
        self,
        paper: str,
        notebook: str,
        settings: S,
        parameters: Mapping[str, Any],
        further: Any,
        store: ArtifactStore,
        basis: str,
        ledger: Ledger | None,
        data: RunData | None = None,
        settings_type: type[S] | None = None,
    ) -> None:
        self.paper, self.notebook, self.settings, self.further = paper, notebook, settings, further
        self.data, self._settings_type = data or RunData(), settings_type or type(settings)
        self.parameters, self.store, self.basis = dict(parameters), store, basis
        self.scale: str = self.parameters["scale"]
        self.seed: int = self.parameters["seed"]
        self._ledger = ledger
        self._artifacts: dict[str, Artifact] = {}
        self._records: dict[str, Record] = {}
        self._start = time.perf_counter()

    @property
    def ledger(self) -> Ledger:
        """The paper's ledger."""
        if self._ledger is None:
            self._ledger = Ledger(self.paper)
        return self._ledger

    @property
    def artifacts(self) -> Mapping[str, Artifact]:
        """What has been made or found in this run, by stage name, inputs included."""
        return self._artifacts

    def settings_with(self, changes: Mapping[str, object]) -> S:
        """Return the run's settings, those of its scale, its data and its overrides, with further changes by name."""
        return configure(
            self._settings_type, self.scale, {**self.data.settings(self.parameters["overrides"]), **changes}
        )

    def make(self, stage: Stage) -> Artifact:
        """Return the artifact of a stage with this run's settings and seed, making what is missing."""
        for other in stage.inputs:
            self.make(other)
        self._artifacts[stage.name] = make(stage, self.settings, self.seed, self.store)
        return self._artifacts[stage.name]

    def record(
        self,
        id: str,
        value: float | str | None = None,
        sd: float | None = None,
        n_seeds: int = 1,
        n_cases: int = 1,
        statistic: Statistic | None = None,
        *,
        basis: str | None = None,
        seeds: Sequence[int] | None = None,
        by: Sequence[Stage | Callable[..., Any]] = (),
        recorded: Sequence[Mapping[str, Any]] = (),
    ) -> Verdict:
        """Record what was found for a number or a claim, and return the verdict.

        Parameters
        ----------
        id : str
            Id in the paper's ledger.
        value : float or str, optional
            Our value in the paper's unit; left out for a claim.
        sd : float, optional
            Standard deviation over seeds, or over cases with one seed.
        n_seeds, n_cases : int
            Over how many.
        statistic : Statistic, optional
            What decides a claim.
        basis : str, optional
            The data it rests on; by default ``public substitute`` where a file of the run's ``data`` went into what
            computed it, else the run's.
        seeds : sequence of int, optional
            The seeds, where they are not only the run's own.
        by : sequence of Stage or function
            What computed it; by default all stages made so far. A change of their code makes the record stale.
        recorded : sequence of mapping
            Recorded runs (`mrrepro.runs.recorded.read_recorded`) that it rests on besides: their code, data, time and
            memory count too.
        """
        require_nothing_replaced(f"recording {id}")
        chosen = tuple(seeds) if seeds is not None else (self.seed,)
        if len(chosen) != n_seeds:
            raise LedgerError(f"{id}: n_seeds is {n_seeds}, but the seeds are {chosen}: give seeds=, one for each.")
        value = _as_number(value)
        sd = None if sd is None else float(sd)
        self.ledger.entry(id)  # an unknown id is said before all else
        code, data, seconds, peak = self._made_by(id, by, recorded)
        rests = self.data.underlies(data)
        chosen_basis = basis or (SUBSTITUTE if rests else self.basis)
        if rests and chosen_basis == SUBSTITUTE:
            data = dict(sorted({**data, **self.data.sources}.items()))
        found = Found(value, chosen_basis, sd, n_seeds, n_cases, statistic)
        verdict = self.ledger.judge(id, found)
        self._records[id] = Record(
            id=id,
            value=value,
            sd=sd,
            n_seeds=n_seeds,
            n_cases=n_cases,
            scale=self.scale,
            basis=found.basis,
            statistic=statistic,
            verdict=verdict.verdict,
            reason=verdict.reason,
            commit=machine.commit(),
            parameters=self._plain_parameters(),
            seeds=chosen,
            data=data,
            code=code,
            device=machine.device_name(machine.default_device()),
            notebook=self.notebook,
            seconds=round(seconds, 3),
            peak_memory_mib=round(peak, 1),
            date=machine.now(),
        )
        return verdict

    def provenance(self) -> Provenance:
        """Return what a figure or table shows, folded away, of how it was made."""
        bases = sorted({record.basis for record in self._records.values()}) or [self._default_basis()]
        return Provenance(
            {
                "notebook": f"{self.paper}/{self.notebook}",
                "commit": machine.commit(),
                "scale": self.scale,
                "seed": str(self.seed),
                "overrides": ", ".join(
                    f"{name}={value}" for name, value in (self.parameters["overrides"] or {}).items()
                ),
                "data": ", ".join(bases) + self._named_data(),
                "device": machine.device_name(machine.default_device()),
                "date": machine.now(),
            }
        )

    def finish(self) -> ReceiptTable:
        """Write the receipt and return the table of what was recorded, beside the paper's values."""
        path = self.receipt_path()
        artifacts = [
            {"stage": name, "key": artifact.key, "checksum": artifact.checksum, "seconds": artifact.seconds}
            for name, artifact in sorted(self._artifacts.items())
        ]
        document = {
            "version": __version__,
            "commit": machine.commit(),
            "paper": self.paper,
            "notebook": self.notebook,
            "scale": self.scale,
            "seed": self.seed,
            "parameters": self._plain_parameters(),
            "settings": as_plain(self.settings),
            "data": {"name": self.data.name, "files": dict(self.data.sources)},
            "artifacts": artifacts,
            "versions": machine.versions(),
            "device": machine.device_name(machine.default_device()),
            "threads": machine.thread_count(),
            "seconds": round(time.perf_counter() - self._start, 3),
            "peak_memory_mib": round(machine.process_peak_memory_mib(), 1),
            "values": [self._records[id].plain() for id in sorted(self._records)],
            "date": machine.now(),
        }
        write_receipt(path, document)
        entries = self.ledger.entries if self._records else {}
        rows = tuple((entries[id], self._records[id]) for id in self._records)
        largest = self.ledger.records("paper") if self._records and self.scale != "paper" else ()
        return ReceiptTable(path, rows, {record.id: record for record in largest})

    def receipt_path(self) -> Path:
        """Where `finish` writes: one file for each notebook, scale, seed and set of further parameters."""
        named = os.environ.get(RECEIPTS_VARIABLE, "").strip()
        folder = Path(named) if named else self.store.root / "receipts"
        others = {
            name: value for name, value in self._plain_parameters().items() if name not in ("scale", "seed") and value
        }
        mark = f"-{digest_of(others)[:8]}" if others else ""
        return folder / self.paper / f"{self.notebook}-{self.scale}-seed{self.seed}{mark}.json"

    def _plain_parameters(self) -> dict[str, Any]:
        plain = {"scale": self.scale, "seed": self.seed, "overrides": as_plain(self.parameters["overrides"] or {})}
        if not self.data.simulated:
            plain["data"] = self.data.name
        return {**plain, **(as_plain(self.further) if self.further is not None else {})}

    def _named_data(self) -> str:
        if self.data.simulated:
            return f" ({self.data.why})" if self.data.why else ""
        return f" ({Path(self.data.name).name})"

    def _default_basis(self) -> str:
        touched = any(self.data.underlies(artifact.manifest["data"]) for artifact in self._artifacts.values())
        return SUBSTITUTE if touched else self.basis

    def _made_by(
        self, id: str, by: Sequence[Stage | Callable[..., Any]], recorded: Sequence[Mapping[str, Any]]
    ) -> tuple[dict[str, str], dict[str, str], float, float]:
        stages: dict[str, Artifact] = {} if by else dict(self._artifacts)
        code: dict[str, str] = {}
        for maker in by:
            if isinstance(maker, Stage):
                stages.update({name: self._artifacts[name] for name in _with_inputs(maker) if name in self._artifacts})
                if maker.name not in self._artifacts:
                    raise LedgerError(f"{id}: stage {maker.name} has not been made in this run; call run.make first.")
            else:
                code[function_name(maker)] = code_digest(maker)
        before = made_by(recorded) if recorded else Made({}, {}, 0.0, 0.0)
        code.update(before.code)
        if not stages and not code:
            raise LedgerError(f"{id}: nothing says what computed it; make a stage first, or give by=(function,).")
        data = dict(before.data)
        for artifact in stages.values():
            code.update(artifact.manifest["code"])
            data.update(artifact.manifest["data"])
        seconds = sum((artifact.seconds for artifact in stages.values()), before.seconds)
        peaks = [float(artifact.manifest["peak_memory_mib"]) for artifact in stages.values()]
        peak = max([*peaks, before.peak_memory_mib]) or machine.peak_memory_mib()
        return dict(sorted(code.items())), dict(sorted(data.items())), seconds, peak


def open_run(
    paper: str,
    notebook: str,
    settings_type: type[S],
    parameters: Mapping[str, Any],
    *,
    further: type | None = None,
    basis: str = "simulated",
    ledger: Ledger | None = None,
    data_sets: ChapterData | None = None,
) -> Run[S]:
    """Begin a notebook's run from the values of its parameter cell.

    Parameters
    ----------
    paper, notebook : str
        ``"deepspio"``, ``"03_network"``.
    settings_type : type
        The paper's settings.
    parameters : mapping
        ``globals()``, right after the parameter cell and the imports.
    further : type, optional
        A frozen dataclass, its fields made by `setting`, of parameters that only this notebook has; their values are
        then ``run.further``.
    basis : str
        On which data the run's values rest, unless `Run.record` says otherwise.
    ledger : Ledger, optional
        By default the paper's.
    data_sets : ChapterData, optional
        What ``data`` may name; by default what the paper's recipe declares.

    Raises
    ------
    ValueError
        An unknown parameter or scale (the known ones are listed), a value of the wrong type or out of range.
    """
    if not _NOTEBOOK.fullmatch(notebook):
        raise ValueError(f"notebook must be its file's name without ending, like '03_network', but is {notebook!r}.")
    if basis not in BASES:
        raise ValueError(f"basis must be one of {', '.join(BASES)}, but is {basis!r}.")
    more = [field.name for field in dataclasses.fields(further)] if further is not None else []
    known = (*PARAMETERS, *more)
    for name in undeclared(parameters, known):
        require_known("notebook parameter", name, known)
    missing = [name for name in known if name not in parameters and name not in ("artifacts", "data")]
    if missing:
        raise ValueError(f"The parameter cell must set {', '.join(known)}; it lacks {', '.join(missing)}.")
    seed = parameters["seed"]
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be an integer of at least 0, but is {seed!r}.")
    overrides = as_overrides(parameters["overrides"])
    store = ArtifactStore(parameters.get("artifacts") or None)
    data = resolve(paper, parameters.get("data", SIMULATED), parameters["scale"], store.root, data_sets, notebook)
    settings = configure(settings_type, parameters["scale"], data.settings(overrides))
    own = further_values(further, parameters) if further is not None else None
    return Run(
        paper,
        notebook,
        settings,
        {"scale": parameters["scale"], "seed": seed, "overrides": overrides},
        own,
        store,
        basis,
        ledger,
        data,
        settings_type,
    )


def _with_inputs(stage: Stage) -> list[str]:
    return [stage.name, *(name for other in stage.inputs for name in _with_inputs(other))]


def _as_number(value: Any) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    try:
        return float(value)  # NumPy scalars and one-element tensors too
    except (TypeError, ValueError):
        raise LedgerError(f"value must be a number or text, but is {value!r}.") from None
