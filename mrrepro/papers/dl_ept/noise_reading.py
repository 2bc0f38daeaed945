"""Which noise of the phase the paper's Table 1 implies, and what Helmholtz EPT's rows would be with another.

With relative noise a of the magnitude and p of the phase of B1+, sd(sigma) / sd(eps_r) = omega eps_0 sd(p) / sd(a):
neither the kernel nor the voxel size is left in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mrrepro.constants import VACUUM_PERMITTIVITY
from mrrepro.papers.dl_ept.cases import VARIED
from mrrepro.papers.dl_ept.evidence import SHORT, eroded_row, number
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES
from mrrepro.papers.dl_ept.reconstruction import KERNELS
from mrrepro.papers.dl_ept.settings import DlEptSettings
from mrrepro.solvers.kernel_noise import conductivity_noise

Row = dict[str, Any]


def phase_noise(sigma_sd: float, eps_sd: float, snr: float, frequency: float) -> float:
    """Noise of the phase of B1+ [rad] by which two standard deviations [S/m, 1] have their ratio.

    Exact where noise alone makes both, and the SNR is that of every voxel.
    """
    return sigma_sd / eps_sd / (2.0 * math.pi * frequency * VACUUM_PERMITTIVITY) / snr


def with_more_phase_noise(sigma_sd: float, of_noise: float, factor: float) -> float:
    """Standard deviation of sigma with ``factor`` times the noise of the phase, of which ``of_noise`` is by noise."""
    return math.sqrt(sigma_sd**2 + (factor**2 - 1.0) * of_noise**2)


def rows_by_reading(
    rows: Sequence[Row], settings: DlEptSettings, printed: Mapping[tuple[str, str], float]
) -> list[Row]:
    """Return the SD of H-EPT in WM and GM beside the paper's, with this noise and with twice that of the phase.

    Parameters
    ----------
    rows : sequence of dict
        Of Table 1.
    settings : DlEptSettings
        That they were made with.
    printed : mapping
        The paper's SD by tissue and quantity.

    Returns
    -------
    list of dict
        ``first`` with this noise and ``second`` with twice the phase's, and the voxel size [mm] that each asks for.
    """
    size, helmholtz = settings.simulation.voxel_size, settings.helmholtz
    kernel = KERNELS[helmholtz.kernel]((size,) * 3, helmholtz.size)
    of_noise = conductivity_noise(kernel, settings.simulation.frequency, 0.5e-3 * settings.measurement.phase_sd_mrad)
    found = []
    for tissue in VARIED[:2]:
        for quantity in QUANTITIES:
            row = eroded_row(rows, "helmholtz", tissue, quantity)
            if row is None:
                continue
            first, paper = number(row, "sd"), printed[tissue, quantity]
            second = with_more_phase_noise(first, of_noise, 2.0) if quantity == "conductivity" else first
            sizes = {n: 1e3 * size * math.sqrt(sd / paper) for n, sd in (("first", first), ("second", second))}
            found.append(
                {"tissue": SHORT[tissue].upper(), "quantity": quantity, "paper": paper}
                | {"first": first, "second": second}
                | {f"{name} size": value for name, value in sizes.items()}
            )
    return found
