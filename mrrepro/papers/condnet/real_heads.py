"""Real T1- and T2-weighted images through the networks that come with the chapter, where such images are at hand.

The networks were trained on simulated images alone. The template of the HCP pipelines is an average of 152 people, so
that the tissue maps of the same template tell roughly what a voxel is; one patient's scans are taken as they came from
the scanner, with thick slices and a tumour; and the people of ds004917 are healthy and scanned at 1 mm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

from mrrepro.metrics.conductivity_maps import ValueSummary, summary_of
from mrrepro.papers.condnet.maps import conductivity_maps
from mrrepro.papers.condnet.own_images import WorldGrid, outline_of
from mrrepro.papers.condnet.settings import StimulationSettings
from mrrepro.papers.condnet.shipped import read_three
from mrrepro.phantoms.mni152_head import mni152_maps
from mrrepro.runs.nifti import read_volume
from mrrepro.runs.real_data import look_for
from mrrepro.solvers.induced_fields import one_conductor

NEARLY_ALL = 0.9
"""Part of a voxel that a tissue map must name for the voxel to count as that tissue."""


@dataclass(frozen=True)
class RealCase:
    """A person of a public data set, and what is to be known of the images."""

    data_set: str
    subject: str
    words: str


AVERAGE = RealCase("hcp_mni152", "2mm", "MNI152, an average of 152 people, 2 mm")
PATIENT = RealCase("tcga_fg_6692", "native", "one patient with a glioma as scanned, slices of 5.5 mm")
PERSON = RealCase("ds004917", "01", "a healthy person, 1 mm")
CASES = (AVERAGE, PATIENT, PERSON)


@dataclass(frozen=True)
class MappedHead:
    """A real head: its images on the networks' grid, each over its 99th percentile, and the estimate [S/m].

    ``head`` is where the estimate conducts, and ``voxel_mm`` the edge of a voxel.
    """

    case: RealCase
    images: Float32[np.ndarray, "2 x y z"]
    estimate: Float32[np.ndarray, "x y z"]
    head: Bool[np.ndarray, "x y z"]
    grid: WorldGrid

    @property
    def voxel_mm(self) -> float:
        """Edge of a voxel [mm]."""
        return self.grid.voxel_size * 1e3


def cases_at_hand() -> tuple[list[MappedHead], list[str]]:
    """Map the cases whose images are here; say of each other what is missing and how to get it."""
    mapped, missing = [], []
    for case in CASES:
        held = look_for(case.data_set, (case.subject,))
        if held.complete:
            mapped.append(map_head(case, {file.role: file.path for file in held.files}))
        else:
            missing.append(held.sentence())
    return mapped, missing


def map_head(case: RealCase, paths: Mapping[str, Path]) -> MappedHead:
    """Estimate the conductivity of a head from its files of roles ``T1`` and ``T2`` with the chapter's networks."""
    networks, settings, _ = read_three()
    volumes = [read_volume(paths[role]) for role in ("T1", "T2")]
    grid = WorldGrid.around(volumes[0], float(settings["voxel_size"]))
    stack = np.stack([grid.sample(volume) for volume in volumes])
    estimated = np.where(outline_of(stack), conductivity_maps(networks, stack)[0], 0.0)
    estimate, head = one_conductor(estimated, StimulationSettings().air_below)
    bright = np.array([np.percentile(image[head], 99.0) for image in stack], dtype=np.float32)
    return MappedHead(case, stack / bright[:, None, None, None], np.asarray(estimate, np.float32), head, grid)


def template_regions(mapped: MappedHead) -> dict[str, ValueSummary]:
    """Summarise the average head's estimate where the template's own maps name white matter, grey matter and fluid."""
    t1, grey, white = (mapped.grid.sample(read_volume(path)) for path in mni152_maps())
    brain = (t1 > 0.25 * t1.max()) | (grey + white > 0.5 * 255.0)
    regions = {"white_matter": white > NEARLY_ALL * 255.0, "grey_matter": grey > NEARLY_ALL * 255.0}
    regions["csf"] = _filled(brain) & (grey + white < (1.0 - NEARLY_ALL) * 255.0)
    return {name: summary_of(mapped.estimate, region & mapped.head) for name, region in regions.items()}


def _filled(brain: Bool[np.ndarray, "x y z"]) -> Bool[np.ndarray, "x y z"]:
    filled: Bool[np.ndarray, "x y z"] = ndimage.binary_erosion(ndimage.binary_fill_holes(brain), iterations=3)
    return filled
