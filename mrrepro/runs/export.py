"""The ledger of all papers as one JSON file with a schema and one CSV table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from mrrepro import __version__
from mrrepro.runs.files import write_json, write_text
from mrrepro.runs.ledger import Ledger, LedgerRow
from mrrepro.runs.machine import commit, now
from mrrepro.runs.records import VERDICTS
from mrrepro.runs.reported import LedgerError
from mrrepro.runs.settings import SCALES, require_known

EXPORT_SCHEMA = "mrrepro-ledger-export/2"
_FLAT = ("value", "sd", "n_seeds", "n_cases", "basis", "commit", "code_digest", "device", "notebook", "seconds")
_FLAT_TOO = ("peak_memory_mib", "date")


def select_rows(
    rows: Sequence[LedgerRow], verdict: str | None = None, stale: bool = False, scale: str | None = None
) -> tuple[LedgerRow, ...]:
    """Keep the rows of a verdict, the stale ones, those of a scale; what is not given selects nothing out."""
    if verdict is not None and verdict not in VERDICTS:
        raise ValueError(f"verdict must be one of {', '.join(VERDICTS)}, but is {verdict!r}.")
    if scale is not None:
        require_known("scale", scale, SCALES)
    return tuple(
        row
        for row in rows
        if (verdict is None or row.verdict == verdict)
        and (not stale or row.stale)
        and (scale is None or (row.record is not None and row.record.scale == scale))
    )


def scorecard(rows: Sequence[LedgerRow]) -> dict[str, int]:
    """Count the headline rows by verdict; every verdict is there, also with none."""
    counts = dict.fromkeys(VERDICTS, 0)
    for row in rows:
        if row.headline:
            counts[row.verdict] += 1
    return counts


def _by_paper(ledgers: Sequence[Ledger], rows: Sequence[LedgerRow]) -> dict[str, dict[str, int]]:
    return {ledger.paper: scorecard([row for row in rows if row.paper == ledger.paper]) for ledger in ledgers}


def export_document(ledgers: Sequence[Ledger], data_now: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the whole ledger as the JSON that the schema describes; validated where jsonschema is installed."""
    rows = [row for ledger in ledgers for row in ledger.rows(data_now=data_now)]
    document = {
        "schema": EXPORT_SCHEMA,
        "version": __version__,
        "commit": commit(),
        "date": now(),
        "scorecard": _by_paper(ledgers, [row for row in rows if not row.asked_here]),
        "asked_here": _by_paper(ledgers, [row for row in rows if row.asked_here]),
        "rows": [row.plain() for row in rows],
        "deviations": [{"paper": ledger.paper, **asdict(item)} for ledger in ledgers for item in ledger.deviations],
    }
    validate_export(document)
    return document


def export_schema() -> dict[str, Any]:
    """Return the JSON schema of the export, which is package data."""
    text = files("mrrepro.runs").joinpath("schemas", "ledger-export-2.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def validate_export(document: Mapping[str, Any]) -> bool:
    """Raise `LedgerError` where a document is not as the schema says; False where jsonschema is not installed."""
    try:
        import jsonschema
    except ImportError:
        return False
    try:
        jsonschema.validate(document, export_schema())
    except jsonschema.ValidationError as error:
        place = "/".join(map(str, error.absolute_path))
        raise LedgerError(f"The export does not fit its schema at {place or 'its top'}: {error.message}") from None
    return True


def export_ledgers(
    ledgers: Sequence[Ledger], folder: Path, data_now: Mapping[str, str] | None = None
) -> tuple[Path, Path]:
    """Write ``ledger.json`` and ``ledger.csv`` into a folder and return their paths."""
    document = export_document(ledgers, data_now)
    json_path, csv_path = folder / "ledger.json", folder / "ledger.csv"
    write_json(json_path, document)
    write_text(csv_path, _as_csv(document["rows"]))
    return json_path, csv_path


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    flat = [_flat(row) for row in rows]
    stream = io.StringIO()
    names = list(flat[0]) if flat else ["paper", "id"]
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    record = row["record"] or {}
    statistic = record.get("statistic") or {}
    flat = {name: value for name, value in row.items() if name != "record"}
    flat |= {name: record.get(name) for name in (*_FLAT, *_FLAT_TOO)}
    flat["seeds"] = " ".join(map(str, record.get("seeds", [])))
    flat |= {f"statistic_{name}": statistic.get(name) for name in ("name", "value", "low", "high", "level")}
    flat |= {
        name: json.dumps(record[name], sort_keys=True) if record else None for name in ("parameters", "data", "code")
    }
    return flat
