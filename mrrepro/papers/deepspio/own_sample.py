"""One of the chapter's random samples as files: View Line images that `apply` takes, and the concentration in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mrrepro.papers.deepspio.own_maps import IMAGE_DESCRIPTION
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.phantoms.brain_images import mni152_images
from mrrepro.runs.nifti import Placement, encode_nifti
from mrrepro.runs.outputs import beside_prefix, require_free, write_together
from mrrepro.simulators.spio_samples import SampleStream, SpioSimulator
from mrrepro.validation import require_range

TRUTH_DESCRIPTION = "concentration of iron [ug/mm^3] in the slice, simulated; mrrepro"


@dataclass(frozen=True)
class SampleRequest:
    """What `simulate_sample_to_files` is asked.

    Parameters
    ----------
    prefix : Path
        ``PREFIX_even.nii.gz``, ``PREFIX_odd.nii.gz`` and ``PREFIX_true_concentration.nii.gz`` are written.
    seed, number : int
        Together they fix the sample.
    force : bool
        Replace existing files.
    """

    prefix: Path
    seed: int = 0
    number: int = 0
    force: bool = False

    def __post_init__(self) -> None:
        require_range("seed", self.seed, 0, 2**63 - 1)
        require_range("sample_number", self.number, 0, 1_000_000_000)


def simulate_sample_to_files(request: SampleRequest) -> tuple[Path, Path, Path]:
    """Simulate a sample of the kind that the shipped network was trained on, in a coronal slice of the template.

    The network was trained on axial slices, so that it has not seen the anatomy in this orientation.

    Returns
    -------
    (Path, Path, Path)
        Magnitudes of even and odd lines; the truth.

    Raises
    ------
    ValueError
        Where an output would be replaced; nothing is written then.
    """
    even, odd, truth = beside_prefix(request.prefix, ("even", "odd", "true_concentration")).values()
    require_free((even, odd, truth), force=request.force)
    settings = DeepSpioSettings.at_scale("demo")
    sequence, bodies = settings.sequence.sequence(), settings.bodies.distribution()
    images = torch.tensor(mni152_images(sequence.size).test)
    simulator = SpioSimulator(sequence, settings.iron.iron(), bodies.reach)
    batch = SampleStream(simulator, bodies, images, request.seed).batch(request.number, 1)
    edge = sequence.voxel * 1e3
    affine = np.diag([edge, edge, edge, 1.0])
    affine[[0, 2], 3] = -(sequence.size // 2) * edge
    magnitudes = batch.images[0].abs()
    contents = {
        even: (magnitudes[0], IMAGE_DESCRIPTION.format("even")),
        odd: (magnitudes[1], IMAGE_DESCRIPTION.format("odd")),
        truth: (batch.concentration[0], TRUTH_DESCRIPTION),
    }
    write_together(
        {
            path: encode_nifti(path, plane.numpy()[:, None, :], Placement(affine), words)
            for path, (plane, words) in contents.items()
        }
    )
    return even, odd, truth
