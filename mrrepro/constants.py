"""Physical constants in SI units (CODATA 2018)."""

from __future__ import annotations

import math

VACUUM_PERMEABILITY = 1.25663706212e-6
"""mu_0 [H/m]."""

SPEED_OF_LIGHT = 299_792_458.0
"""c_0 [m/s]."""

VACUUM_PERMITTIVITY = 1.0 / (VACUUM_PERMEABILITY * SPEED_OF_LIGHT**2)
"""epsilon_0 [F/m]."""

PROTON_GYROMAGNETIC_RATIO = 2.6752218744e8
"""gamma of the proton [rad/(s T)]."""

PROTON_LARMOR_PER_TESLA = PROTON_GYROMAGNETIC_RATIO / (2.0 * math.pi)
"""gamma / 2 pi of the proton [Hz/T]."""

IRON_MOLAR_MASS = 55.845e-3
"""Molar mass of iron [kg/mol] (IUPAC 2021)."""
