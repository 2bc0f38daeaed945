"""Dielectric properties of the tissues of a head at any frequency: Gabriel's four Cole-Cole terms.

``eps(omega) = eps_inf + sum_n Delta_n / (1 + (j omega tau_n)^(1 - alpha_n)) + sigma_i / (j omega eps_0)``, of which
``eps_r = Re eps`` and ``sigma = -omega eps_0 Im eps``. Fitted from 10 Hz to 100 GHz; the authors put the uncertainty at
about 10 % above 1 MHz and up to 25 % below 100 Hz to 1 kHz.

References
----------
S. Gabriel, R. W. Lau, C. Gabriel, Phys. Med. Biol. 41, 2271 (1996), table 1; C. Gabriel, Compilation of the Dielectric
Properties of Body Tissues at RF and Microwave Frequencies, AL/OE-TR-1996-0037 (1996), appendix C, for the tissues that
the article leaves out (cerebellum, dura, vitreous humour) and for the third digit of the relaxation times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mrrepro.constants import VACUUM_PERMITTIVITY
from mrrepro.validation import require_choice, require_range


@dataclass(frozen=True)
class DielectricProperties:
    """Relative permittivity eps_r and conductivity sigma [S/m] at one frequency."""

    relative_permittivity: float
    conductivity: float


@dataclass(frozen=True)
class ColeCole:
    """Parameters of one tissue.

    Parameters
    ----------
    high_frequency_permittivity : float
        eps_inf.
    increments : tuple of 4 float
        Delta_n.
    relaxation_times : tuple of 4 float
        tau_n in ps, ns, us and ms, as the table has them.
    exponents : tuple of 4 float
        alpha_n.
    ionic_conductivity : float
        sigma_i [S/m].
    """

    high_frequency_permittivity: float
    increments: tuple[float, float, float, float]
    relaxation_times: tuple[float, float, float, float]
    exponents: tuple[float, float, float, float]
    ionic_conductivity: float

    def at(self, frequency: float) -> DielectricProperties:
        """Return the properties at a frequency [Hz], from 10 Hz to 100 GHz."""
        require_range("frequency", frequency, 10.0, 100e9, unit="Hz", remedy="the model was fitted in this range")
        omega = 2.0 * math.pi * frequency
        permittivity = complex(self.high_frequency_permittivity)
        units = (1e-12, 1e-9, 1e-6, 1e-3)
        terms = zip(self.increments, self.relaxation_times, units, self.exponents, strict=True)
        for increment, time, unit, exponent in terms:
            permittivity += increment / (1.0 + (1j * omega * time * unit) ** (1.0 - exponent))
        permittivity += self.ionic_conductivity / (1j * omega * VACUUM_PERMITTIVITY)
        return DielectricProperties(permittivity.real, -omega * VACUUM_PERMITTIVITY * permittivity.imag)


def _row(high: float, ionic: float, *terms: tuple[float, float, float]) -> ColeCole:
    increments, times, exponents = zip(*terms, strict=True)
    return ColeCole(high, increments, times, exponents, ionic)


TISSUES: dict[str, ColeCole] = {
    "blood": _row(4.0, 0.700, (56, 8.377, 0.10), (5200, 132.629, 0.10), (0, 159.155, 0.20), (0, 15.915, 0.00)),
    "bone_cancellous": _row(
        2.5, 0.070, (18, 13.263, 0.22), (300, 79.577, 0.25), (2.0e4, 159.155, 0.20), (2.0e7, 15.915, 0.00)
    ),
    "bone_cortical": _row(
        2.5, 0.020, (10, 13.263, 0.20), (180, 79.577, 0.20), (5.0e3, 159.155, 0.20), (1.0e5, 15.915, 0.00)
    ),
    "cerebellum": _row(
        4.0, 0.040, (40, 7.958, 0.10), (700, 15.915, 0.15), (2.0e5, 106.103, 0.22), (4.5e7, 5.305, 0.00)
    ),
    "csf": _row(4.0, 2.000, (65, 7.958, 0.10), (40, 1.592, 0.00), (0, 159.155, 0.00), (0, 15.915, 0.00)),
    "dura": _row(4.0, 0.500, (40, 7.958, 0.15), (200, 7.958, 0.10), (1.0e4, 159.155, 0.20), (1.0e6, 15.915, 0.00)),
    "fat": _row(2.5, 0.035, (9, 7.958, 0.20), (35, 15.915, 0.10), (3.3e4, 159.155, 0.05), (1.0e7, 15.915, 0.01)),
    "grey_matter": _row(
        4.0, 0.020, (45, 7.958, 0.10), (400, 15.915, 0.15), (2.0e5, 106.103, 0.22), (4.5e7, 5.305, 0.00)
    ),
    "mucous_tissue": _row(
        4.0, 0.0004, (39, 7.958, 0.10), (280, 79.577, 0.00), (3.0e4, 1.592, 0.16), (3.0e4, 1.592, 0.20)
    ),
    "muscle": _row(4.0, 0.200, (50, 7.234, 0.10), (7000, 353.678, 0.10), (1.2e6, 318.310, 0.10), (2.5e7, 2.274, 0.00)),
    "skin": _row(4.0, 0.0002, (32, 7.234, 0.00), (1100, 32.481, 0.20), (0, 159.155, 0.20), (0, 15.915, 0.20)),
    "vitreous_humour": _row(4.0, 1.500, (65, 7.234, 0.00), (30, 159.155, 0.10), (0, 159.155, 0.00), (0, 15.915, 0.00)),
    "white_matter": _row(
        4.0, 0.020, (32, 7.958, 0.10), (100, 7.958, 0.10), (4.0e4, 53.052, 0.30), (3.5e7, 7.958, 0.02)
    ),
}
"""The 13 tissues of a head. Fat is the infiltrated one (the report's mean value), muscle is transverse, skin is
dry, and mucous tissue is wet skin, for which the report has no entry of its own."""


def tissue_properties(tissue: str, frequency: float) -> DielectricProperties:
    """Return eps_r and sigma [S/m] of a tissue at a frequency [Hz].

    Examples
    --------
    >>> round(tissue_properties("white_matter", 128e6).conductivity, 3)
    0.342
    """
    require_choice("tissue", tissue, tuple(TISSUES))
    return TISSUES[tissue].at(frequency)
