"""A simulated head as files: the images that `apply` takes, the labels and the conductivity that `simulate` takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrrepro.papers.condnet.heads import HeadSelection, Person, image_person
from mrrepro.papers.condnet.scanners import TRAINED
from mrrepro.papers.condnet.settings import HeadSettings, ImageSettings
from mrrepro.papers.condnet.table1 import COLUMN_A, COLUMN_B
from mrrepro.runs.nifti import Placement, encode_nifti
from mrrepro.runs.outputs import beside_prefix, require_free, write_together
from mrrepro.runs.settings import check_settings
from mrrepro.validation import require_choice, require_range

COLUMNS = {"A": COLUMN_A, "B": COLUMN_B}
"""Of Table I, by letter."""

DESCRIPTIONS = {
    "t1": "T1-weighted over the signal of white matter, simulated; mrrepro",
    "t2": "T2-weighted over the signal of white matter, simulated; mrrepro",
    "labels": "tissue labels 0 to 13, simulated; mrrepro",
    "conductivity": "conductivity [S/m] by tissue, simulated; mrrepro",
}
"""The files by what follows the prefix."""


@dataclass(frozen=True)
class HeadRequest:
    """What `simulate_head_to_files` is asked.

    Parameters
    ----------
    prefix : Path
        ``PREFIX_t1.nii.gz`` and the others of `DESCRIPTIONS` are written.
    source : str
        As `mrrepro.phantoms.head.build_head` takes it.
    number : int
        Which head of it.
    voxel_size_mm : float
        Edge of the cubic voxels, as in `HeadSettings`.
    snr : float
        Signal of white matter over the noise's standard deviation, as in `ImageSettings`.
    seed : int
        Of noise and bias field.
    column : str
        Of Table I, ``"A"`` or ``"B"``, for the conductivity.
    force : bool
        Replace existing files.
    """

    prefix: Path
    source: str = "mni152"
    number: int = 0
    voxel_size_mm: float = 2.0
    snr: float = ImageSettings().snr
    seed: int = 0
    column: str = "A"
    force: bool = False

    def __post_init__(self) -> None:
        require_range("head_number", self.number, 0, 1_000_000)
        check_settings(self.selection)
        require_range("seed", self.seed, 0, 2**63 - 1)
        require_choice("column", self.column, COLUMNS)

    @property
    def selection(self) -> HeadSelection:
        """Head and scanner as the chapter's settings have them, with their limits."""
        return HeadSelection(
            HeadSettings(source=self.source, voxel_size_mm=self.voxel_size_mm), ImageSettings(snr=self.snr)
        )


def simulate_head_to_files(request: HeadRequest) -> tuple[Path, ...]:
    """Build a head, image it as the training's scanner would, and write images, labels and conductivity on one grid.

    Returns
    -------
    tuple of Path

    Raises
    ------
    ValueError
        For an unknown source or number, or where an output would be replaced; nothing is written then.
    """
    outputs = beside_prefix(request.prefix, DESCRIPTIONS)
    require_free(tuple(outputs.values()), force=request.force)
    person = Person(request.source, request.number, False)
    head, _ = image_person(person, request.selection, TRAINED, np.random.default_rng(request.seed))
    volumes = {
        "t1": head.images[0],
        "t2": head.images[1],
        "labels": head.labels,
        "conductivity": head.uniform(COLUMNS[request.column]),
    }
    affine_mm = head.affine.copy()
    affine_mm[:3] *= 1e3
    placement = Placement(affine_mm)
    write_together(
        {path: encode_nifti(path, volumes[name], placement, DESCRIPTIONS[name]) for name, path in outputs.items()}
    )
    return tuple(outputs.values())
