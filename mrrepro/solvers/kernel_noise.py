"""Noise of Helmholtz EPT in closed form: what a kernel of the Laplacian makes of white noise on B1+.

To first order, and with a field that hardly changes within the kernel, relative noise ``a + j p`` on B1+ (a of the
magnitude, p of its phase) makes ``sum_i w_i (a_i + j p_i)`` of ``laplace(B) / B``. Independent noise then gives

``sd(sigma) = |w| sd(p) / (omega mu_0)``,  ``sd(eps_r) = |w| sd(a) / (omega^2 mu_0 eps_0)``,

with ``|w|`` the 2-norm of the weights. For a kernel of a given number of voxels ``|w|`` goes as h^-2. Left out are the
change of B1+ across the kernel, which mixes the two, and the noise of the B1+ that is divided by.

References
----------
S. Lee, S. Bulumulla, I. Hancu, IEEE Trans. Med. Imaging 34, 2220 (2015), for the bound that noise sets to EPT.
"""

from __future__ import annotations

import math

import numpy as np

from mrrepro.constants import VACUUM_PERMEABILITY, VACUUM_PERMITTIVITY
from mrrepro.solvers.laplacian_kernels import LaplacianKernel
from mrrepro.validation import require_range


def noise_amplification(kernel: LaplacianKernel) -> float:
    """Return the SD of the Laplacian of white noise of unit SD [1/m^2]: the 2-norm of the weights.

    Examples
    --------
    >>> from mrrepro.solvers.laplacian_kernels import axis_noise_robust
    >>> fine, coarse = (axis_noise_robust((h, h, h)) for h in (0.002, 0.004))
    >>> round(noise_amplification(fine) / noise_amplification(coarse), 6)
    4.0
    """
    return float(np.linalg.norm(kernel.weights))


def conductivity_noise(kernel: LaplacianKernel, frequency: float, phase_sd: float) -> float:
    """Return the SD of the conductivity [S/m] for a phase of B1+ with a noise of SD ``phase_sd`` [rad].

    With half the transceive phase, ``phase_sd`` is half the SD of the transceive phase.
    """
    omega = _angular_frequency(frequency)
    require_range("phase_sd", phase_sd, 0.0, math.pi, unit="rad")
    return noise_amplification(kernel) * phase_sd / (omega * VACUUM_PERMEABILITY)


def permittivity_noise(kernel: LaplacianKernel, frequency: float, relative_sd: float) -> float:
    """Return the SD of the relative permittivity for a magnitude of B1+ with a relative noise of SD ``relative_sd``."""
    omega = _angular_frequency(frequency)
    require_range("relative_sd", relative_sd, 0.0, 1.0)
    return noise_amplification(kernel) * relative_sd / (omega**2 * VACUUM_PERMEABILITY * VACUUM_PERMITTIVITY)


def _angular_frequency(frequency: float) -> float:
    require_range("frequency", frequency, 1e6, 1e9, unit="Hz", remedy="give hertz, 128 MHz being 128e6")
    return 2.0 * math.pi * frequency
