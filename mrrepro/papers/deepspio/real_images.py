"""Real images that the particles distort, where they are at hand: a person of IXI, a patient as scanned, an average."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from mrrepro.phantoms.brain_images import fit_slice, load_volume
from mrrepro.runs.real_data import look_for


@dataclass(frozen=True)
class RealImage:
    """A volume of a public data set, and where its axial slice lies, as part of the extent from below."""

    data_set: str
    subject: str
    role: str
    words: str
    level: float = 0.55


PERSON = RealImage("ixi_pd", "first:1", "PD", "a healthy person of IXI, proton density")
PATIENT = RealImage("tcga_fg_6692", "native", "T1", "a patient as scanned, T1")
AVERAGE = RealImage("hcp_mni152", "2mm", "T1", "MNI152 with its skull, an average, T1")
IMAGES = (PERSON, PATIENT, AVERAGE)


def images_at_hand(size: int) -> tuple[dict[str, Float32[np.ndarray, "size size"]], list[str]]:
    """Return axial slices by what they show, fitted to the field of view; say of each other what is missing."""
    found, missing = {}, []
    for image in IMAGES:
        held = look_for(image.data_set, (image.subject,))
        if held.complete:
            (path,) = (file.path for file in held.files if file.role == image.role)
            found[image.words] = axial_slice(path, image.level, size)
        else:
            missing.append(held.sentence())
    return found, missing


def axial_slice(path: Path, level: float, size: int) -> Float32[np.ndarray, "size size"]:
    """One axial slice of a volume as the chapter takes undistorted images."""
    volume = load_volume(path)
    return fit_slice(volume[:, :, int(level * volume.shape[2])], size)
