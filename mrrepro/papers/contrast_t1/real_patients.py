"""Real patients through the network that comes with the chapter, where their images are at hand.

The network was trained on simulated gliomas alone. One patient of TCGA has a glioma of which part enhances, by an
automatic segmentation; one of open_ms has multiple sclerosis. Both have a post-contrast image to compare with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float

from mrrepro.networks.image_normalization import StandardScoreNormalization
from mrrepro.papers.contrast_t1.own_cohort import require_one_grid
from mrrepro.papers.contrast_t1.own_images import read_saved, synthesize
from mrrepro.papers.contrast_t1.shipped import shipped_file
from mrrepro.runs.nifti import Volume, read_volume
from mrrepro.runs.real_data import look_for


@dataclass(frozen=True)
class RealPatient:
    """A patient of a public data set: roles of its post-contrast T1 and its labels, and which labels are what."""

    data_set: str
    subject: str
    words: str
    post_contrast: str
    labels: str
    regions: Mapping[str, tuple[int, ...]]


GLIOMA = RealPatient(
    "tcga_fg_6692",
    "registered",
    "TCGA-FG-6692, a glioma",
    "T1c",
    "segmentation",
    {"enhancing tumor": (4,), "rest of the tumor": (1, 2)},
)
SCLEROSIS = RealPatient(
    "open_ms", "07", "patient 07 of open_ms, multiple sclerosis", "T1POST", "lesions", {"lesions": (1,)}
)
PATIENTS = (GLIOMA, SCLEROSIS)

Image = Float[np.ndarray, "x y z"]


@dataclass(frozen=True)
class SyntheticPatient:
    """A real patient's normalised images: T1, FLAIR, true and synthetic post-contrast T1, all -1 outside the brain."""

    patient: RealPatient
    t1: Image
    flair: Image
    true: Image
    synthetic: Image
    labels: Image
    brain: Bool[np.ndarray, "x y z"]

    def rises(self) -> list[dict[str, float | str]]:
        """Return the mean true and synthetic rise over T1 in each region, and in the brain outside of all of them."""
        named = {name: np.isin(self.labels, labels) & self.brain for name, labels in self.patient.regions.items()}
        named["brain elsewhere"] = self.brain & (self.labels == 0)
        return [
            {
                "patient": self.patient.words,
                "region": name,
                "voxels": float(region.sum()),
                "true rise": float((self.true - self.t1)[region].mean()),
                "synthetic rise": float((self.synthetic - self.t1)[region].mean()),
            }
            for name, region in named.items()
            if region.any()
        ]

    @property
    def level(self) -> int:
        """The axial slice with most labelled voxels."""
        return int((self.labels > 0).sum(axis=(0, 1)).argmax())


def patients_at_hand() -> tuple[list[SyntheticPatient], list[str]]:
    """Synthesise the patients whose images are here; say of each other what is missing and how to get it."""
    made, missing = [], []
    for patient in PATIENTS:
        held = look_for(patient.data_set, (patient.subject,))
        if held.complete:
            made.append(synthesize_patient(patient, {file.role: file.path for file in held.files}))
        else:
            missing.append(held.sentence())
    return made, missing


def synthesize_patient(patient: RealPatient, paths: Mapping[str, Path]) -> SyntheticPatient:
    """Make the synthetic post-contrast T1 of a patient from its files, with the network of the chapter."""
    saved = read_saved(shipped_file())
    roles = ("T1", "T2", "FLAIR", patient.post_contrast, patient.labels)
    volumes: list[Volume] = [read_volume(paths[role]) for role in roles]
    require_one_grid(patient.words, volumes)
    *images, labels = volumes
    brain = np.logical_and.reduce([image.data > 0 for image in images])
    synthetic = synthesize(saved, images[:3], brain, float(saved.receipt["voxel_mm"]))
    normalize = StandardScoreNormalization()
    inside = torch.from_numpy(brain)[None, None]
    own = torch.from_numpy(np.stack([image.data for image in images]))[None]
    scaled = normalize(own, inside)[0].numpy()
    scale = normalize.scale(own[:, :1], inside)  # the synthetic image is in the unit of T1
    back = (synthetic - float(scale.mean)) / (float(scale.standard_deviation) * float(normalize.cut))
    shown = np.where(brain, back, -1.0).astype(np.float32)
    return SyntheticPatient(patient, scaled[0], scaled[2], scaled[3], shown, labels.data, brain)
