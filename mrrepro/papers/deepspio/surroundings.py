"""How much tissue lies around the iron of held-out samples, drawn again from their seeds: their maps are not kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from mrrepro.papers.deepspio.experiments import HELD_OUT, Experiment
from mrrepro.phantoms.brain_images import breast_image
from mrrepro.runs.stages import StageContext
from mrrepro.simulators.spio_samples import SampleStream, SpioSimulator

RING = 3e-3
"""Width of the ring around the iron that is looked at [m]; the stripes are 2 mm apart."""

TISSUE = 0.05
"""Signal of the undistorted image above which a pixel is tissue [1]; the images lie between 0 and 1."""

ALL_AROUND = 0.98
"""Share of the ring above which there is tissue all around."""


class Undistorted(SpioSimulator):
    """Gives the undistorted image in both channels: a stream on it draws what it always draws, without the physics."""

    def field(self, projections: Float[Tensor, "*batch rank x z"]) -> Float[Tensor, "*batch x z"]:
        """Return zeros [T]."""
        return torch.zeros_like(projections[..., 0, :, :])

    def images(
        self,
        field: Float[Tensor, "*batch x z"],
        concentration: Float[Tensor, "*batch x z"],
        spin_density: Float[Tensor, "*batch x z"],
    ) -> Float[Tensor, "*batch 2 x z"]:
        """Return the spin density twice."""
        return torch.stack([spin_density, spin_density], dim=-3)


@dataclass(frozen=True)
class Surroundings:
    """Held-out samples of one kind of image, and what lies around their iron.

    Attributes
    ----------
    concentration : array, (samples, size, size)
        True maps [ug/mm^3].
    tissue : array, (samples,)
        Share of the ring around the iron that is tissue; NaN without iron in the slice.
    """

    concentration: Float[np.ndarray, "samples x z"]
    tissue: Float[np.ndarray, " samples"]

    @property
    def inside(self) -> Bool[np.ndarray, " samples"]:
        """Which samples have tissue all around their iron."""
        return np.asarray(self.tissue > ALL_AROUND)


def surroundings(settings: Experiment, seed: int, name: str, test_images: Float[Tensor, "images x z"]) -> Surroundings:
    """Draw the samples of `experiments.held_out` again, and look around their iron.

    Parameters
    ----------
    settings : Experiment
        As the experiment saw them.
    seed : int
        The run's.
    name : str
        ``test`` or ``breast``.
    test_images : tensor, (images, size, size)
        Undistorted images of the test.
    """
    context = StageContext(settings, seed, {}, Path(), HELD_OUT.name, "cpu", show_progress=False)
    images = test_images
    if name == "breast":
        generator = np.random.default_rng(context.derived_seed("breasts"))
        images = torch.tensor(np.stack([breast_image(settings.sequence.size, generator) for _ in range(20)]))
    bodies = settings.bodies.distribution()
    simulator = Undistorted(settings.sequence.sequence(), settings.iron.iron(), bodies.reach)
    drawn = SampleStream(simulator, bodies, images, context.derived_seed(f"held-out {name}")).batch(
        0, settings.evaluation.samples
    )
    concentration = drawn.concentration.numpy()
    return Surroundings(
        concentration, tissue_share(drawn.images[:, 0].numpy(), concentration, simulator.sequence.voxel)
    )


def tissue_share(
    undistorted: Float[np.ndarray, "samples x z"], concentration: Float[np.ndarray, "samples x z"], voxel: float
) -> Float[np.ndarray, " samples"]:
    """Share of the pixels within `RING` of the iron, the iron itself left out, that are tissue; NaN where none is near.

    Parameters
    ----------
    undistorted : array, (samples, size, size)
        Images without iron, from 0 to 1.
    concentration : array, (samples, size, size)
        True maps.
    voxel : float
        Edge of a pixel [m].
    """
    shares = []
    for image, iron in zip(undistorted, concentration > 0, strict=True):
        distance = distance_transform_edt(~iron) * voxel
        around = iron.any() & (distance > 0) & (distance <= RING)
        shares.append(float((image[around] > TISSUE).mean()) if around.any() else float("nan"))
    return np.array(shares)


def rows_by_surroundings(
    nmae: Mapping[str, Float[np.ndarray, " samples"]], found: Mapping[str, Surroundings]
) -> list[dict[str, Any]]:
    """Rows of a table: mean NMAE of each kind of image with tissue all around the iron, and near an edge."""
    rows: list[dict[str, Any]] = []
    for name, errors in nmae.items():
        inside = found[name].inside
        groups = {"tissue all around": errors[inside], "near an edge": errors[~inside]}
        row: dict[str, Any] = {"images": name, "samples": len(errors), "NMAE": errors.mean()}
        for where, some in groups.items():
            row[f"{where}: samples"] = len(some)
            row[f"{where}: NMAE"] = some.mean() if len(some) else "none"
        rows.append(row)
    return rows
