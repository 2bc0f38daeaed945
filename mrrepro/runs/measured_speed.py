"""Speeds that were measured on a device at full size, kept as a small file of each chapter in the repository.

The file holds, for each device by its name, the device's rates, a row for each training, simulator and solver, and
with which versions, when and on which commit it was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrrepro.runs.files import lock_beside, read_json, write_text
from mrrepro.runs.recorded import as_short_json, rounded
from mrrepro.runs.rehearsed import provenance

FORMAT = "mrrepro-speed/1"


def speed_file(paper: str) -> Path:
    """Where the speeds of a chapter lie, inside the package."""
    return Path(__file__).parents[1] / "papers" / paper / "speed.json"


def read_speed(paper: str, path: Path | None = None) -> dict[str, dict[str, Any]]:
    """What was measured, ``{device: {"rates": ..., "rows": {id: row}}}``; empty where nothing was."""
    path = path or speed_file(paper)
    devices: dict[str, dict[str, Any]] = read_json(path)["devices"] if path.exists() else {}
    return devices


def keep_speed(
    paper: str, device: str, rates: Mapping[str, float], row: Mapping[str, Any], path: Path | None = None
) -> Path:
    """Write a row into the chapter's file; other rows and devices stay, and with an error so does the old row.

    Parameters
    ----------
    paper : str
    device : str
        As torch names it, ``"cuda"``.
    rates : mapping
        Fields of `mrrepro.runs.throughput.DeviceRates`.
    row : mapping
        What `mrrepro bench` measured; ``"id"`` says of what.
    path : Path, optional
        Another file.
    """
    path = path or speed_file(paper)
    origin = provenance(device)
    with lock_beside(path):
        devices = read_speed(paper, path)
        held = devices.setdefault(str(origin["device"]), {"rates": {}, "rows": {}})
        held["rates"] = rounded(dict(rates))
        if "error" not in row:
            made = {name: origin[name] for name in ("threads", "commit", "date", "versions")}
            held["rows"][row["id"]] = {**rounded({k: v for k, v in row.items() if k != "id"}), **made}
            held["rows"] = dict(sorted(held["rows"].items()))
        write_text(path, as_short_json({"format": FORMAT, "paper": paper, "devices": devices}))
    return path
