"""A stage that cuts slices out of a test head, its maps and its fields: small enough to keep of a large run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mrrepro.metrics.electric_fields import magnitude
from mrrepro.papers.condnet.estimation import MAPS, read_maps
from mrrepro.papers.condnet.heads import HEADS, read_heads
from mrrepro.papers.condnet.planes import PLANES, beside_middle, middle_of, three_slices
from mrrepro.papers.condnet.settings import CondNetSettings, HeadSettings
from mrrepro.papers.condnet.stimulation import FIELDS, motor_area, read_fields
from mrrepro.papers.condnet.table1 import COLUMN_A
from mrrepro.runs.files import write_arrays
from mrrepro.runs.recorded import recorded_arrays
from mrrepro.runs.stages import Stage, StageContext

MAPS_FILE, FIELDS_FILE = "maps.npz", "fields.npz"


@dataclass(frozen=True)
class PictureSelection:
    """What the pictures depend on beside what they show."""

    heads: HeadSettings


def cut_slices(context: StageContext[PictureSelection]) -> None:
    """Three slices of the last test head: images and conductivities beside its middle, fields through the motor area.

    Arrays are ``<what>_<plane>``: ``t1``, ``t2`` [signal of white matter], ``uniform``, ``estimated`` [S/m], and in the
    other file the fields by these two maps [V/m].
    """
    head = read_heads(context.inputs[HEADS.name], "testing")[-1]
    estimate = read_maps(context.inputs[MAPS.name])[-1][0]
    shown = {"t1": head.images[0], "t2": head.images[1], "uniform": head.uniform(COLUMN_A), "estimated": estimate}
    fields = read_fields(context.inputs[FIELDS.name])[-1]
    strengths = {name: magnitude(fields[name]) for name in ("uniform", "estimated")}
    beside = beside_middle(head.brain, 1e3 * head.voxel_size)
    for file, volumes, at in (
        (MAPS_FILE, shown, beside),
        (FIELDS_FILE, strengths, middle_of(motor_area(head))),
    ):
        slices = {
            f"{name}_{plane}": part.astype(np.float16)
            for name, volume in volumes.items()
            for plane, part in zip(PLANES, three_slices(volume, at), strict=True)
        }
        write_arrays(context.workspace / file, **slices)


def recorded_planes(file: str, titles: Mapping[str, str]) -> dict[str, list[np.ndarray[Any, Any]]] | None:
    """Slices that were recorded at the paper's size by title, as `plots.plane_rows` takes them; None without a record.

    Parameters
    ----------
    file : str
        `MAPS_FILE` or `FIELDS_FILE`.
    titles : mapping
        From what an array is called to its title.
    """
    kept = recorded_arrays("condnet", "paper", "pictures", PICTURES.name, file)
    if kept is None:
        return None
    return {title: [kept[f"{what}_{plane}"].astype(np.float32) for plane in PLANES] for what, title in titles.items()}


def select(settings: CondNetSettings) -> PictureSelection:
    """What the pictures may see of the settings."""
    return PictureSelection(settings.heads)


PICTURES = Stage("condnet/pictures", cut_slices, select, inputs=(HEADS, MAPS, FIELDS))
