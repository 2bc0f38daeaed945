"""Files that a command writes for its user: new ones only, unless told otherwise, all of them or none, and a report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mrrepro import __version__
from mrrepro.runs.files import sha256_of, write_whole
from mrrepro.runs.nifti import stem_of

NO_MEDICAL_DEVICE = "No medical device: for research and teaching, not for diagnosis or treatment."

APPLIED_FORMAT = "mrrepro-applied/2"
"""Of the report of a method that was applied to a user's files."""


def require_free(outputs: Sequence[Path], inputs: Sequence[Path] = (), force: bool = False) -> None:
    """Raise ``ValueError`` where an output could not be written, or would replace something it must not.

    Parameters
    ----------
    outputs : sequence of Path
        What is going to be written.
    inputs : sequence of Path
        What is read; never replaced, not even by force.
    force : bool
        Existing files may be replaced.
    """
    read = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in read:
            raise ValueError(f"output {path} is one of the inputs: choose another name.")
        if path.is_dir():
            raise ValueError(f"output {path} is a folder: give the name of a file.")
        if path.exists() and not force:
            raise ValueError(f"output {path} exists already: choose another name, or give --force to replace it.")
        if not path.parent.is_dir():
            raise ValueError(f"output {path} lies in a folder that does not exist: make {path.parent} first.")


def beside_prefix(prefix: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return the NIfTI files ``PREFIX_NAME.nii.gz`` by name."""
    return {name: prefix.with_name(f"{prefix.name}_{name}.nii.gz") for name in names}


def write_together(contents: Mapping[Path, bytes | Mapping[str, Any]]) -> None:
    """Write several files that take their names only when all of them are whole; a mapping is written as JSON.

    Raises
    ------
    ValueError
        If the folder cannot be written to; nothing is left behind then.
    """
    try:
        write_whole(
            {path: content if isinstance(content, bytes) else _json(content) for path, content in contents.items()}
        )
    except OSError as error:
        names = ", ".join(str(path) for path in contents)
        raise ValueError(f"cannot write {names} ({error}): choose a folder with room that you may write to.") from None


def csv_table(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the CSV file of rows with the same columns, at least one row."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def report_path(output: Path) -> Path:
    """Return the place of an image's report: ``map.json`` beside ``map.nii.gz``."""
    stem = stem_of(output)
    return stem.with_name(f"{stem.name}.json")


def applied_report(
    what: str, inputs: Mapping[str, Path], outputs: Mapping[str, Path], warnings: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what every report of an applied method holds; a chapter adds its own.

    Parameters
    ----------
    what : str
        What was estimated.
    inputs, outputs : Mapping
        Each file by its role, such as ``t1_weighted``.
    warnings : sequence of str
        What the inputs leave in doubt.
    """
    return {
        "format": APPLIED_FORMAT,
        "mrrepro": __version__,
        "what": what,
        "no_medical_device": NO_MEDICAL_DEVICE,
        "warnings": list(warnings),
        "inputs": {role: described_file(path) for role, path in inputs.items()},
        "outputs": {role: path.name for role, path in outputs.items()},
    }


def described_file(path: Path) -> dict[str, str]:
    """Return a file's name and checksum."""
    return {"file": path.name, "sha256": sha256_of(path)}


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
