"""Which settings of the Contrast T1 chapter do not go together, said before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator

from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.phantoms.glioma import CROP_SHAPE


def conflicts(settings: ContrastT1Settings) -> Iterator[str]:
    """Say of each conflict which setting must be what, what it is and what to do.

    How large volumes are is known of the simulated cohort alone; those of a folder are looked at when they are read.
    """
    cohort, patch, multiple = settings.cohort, settings.training.patch, 2**settings.network.depth
    if patch % multiple:
        yield (
            f"training.patch must divide by 2^network.depth ({multiple}), but is {patch}: change one of them, or take "
            "0 for the whole volume."
        )
    if cohort.data != "simulated" and cohort.folder_for == "all":
        return
    shape = tuple(edge // cohort.voxel_mm for edge in CROP_SHAPE)
    volumes = f"volumes of {' x '.join(map(str, shape))} at cohort.voxel_mm = {cohort.voxel_mm}"
    if patch > min(shape):
        yield (
            f"training.patch must be at most {min(shape)}, the shortest side of {volumes}, but is {patch}: take a "
            "smaller one, or 0 for the whole volume."
        )
    if not patch and any(side % multiple for side in shape):
        yield (
            f"network.depth must let 2^depth divide the sides of {volumes}, but is {settings.network.depth}: take a "
            "smaller one, or train on patches (training.patch)."
        )
