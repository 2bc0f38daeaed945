"""What a perfect map would show of the tumour: the change of the sphere's mean, its contrast to the tissue around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from mrrepro.papers.dl_ept.network_inputs import QUANTITIES
from mrrepro.papers.dl_ept.simulation import TUMOUR_LABEL
from mrrepro.phantoms.head_tissues import BRAIN_TISSUES, HEAD_TISSUES

Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class TrueTumour:
    """Means over the sphere [S/m or 1], and the contrast to a shell of three voxels over the shell's SD.

    Parameters
    ----------
    before, after : float
        Without and with the tumour.
    contrast : float
        Mean of the sphere minus that of the shell, over the shell's SD.
    """

    before: float
    after: float
    contrast: float

    @property
    def change(self) -> float:
        """What the tumour changes in the sphere's mean."""
        return self.after - self.before


def of_tumour(with_tumour: Arrays, without: Arrays) -> dict[str, TrueTumour]:
    """Return the truth by quantity, from the ``labels`` and property maps of the head with and without the tumour."""
    labels = with_tumour["labels"]
    sphere = labels == TUMOUR_LABEL
    brain = np.isin(labels, [HEAD_TISSUES.index(tissue) for tissue in (*BRAIN_TISSUES, "csf")])
    shell = ndimage.binary_dilation(sphere, iterations=3) & ~sphere & brain
    found = {}
    for quantity in QUANTITIES:
        values = with_tumour[quantity].astype(float)
        after, around = float(values[sphere].mean()), values[shell]
        contrast = (after - float(around.mean())) / float(around.std(ddof=1))
        found[quantity] = TrueTumour(float(without[quantity][sphere].astype(float).mean()), after, contrast)
    return found
