"""The bodies of the database and of the tests, by name, and the electrical properties that each has.

Two anatomies stand in for the paper's Duke and Ella, ``first`` and ``second``; each has ten sets M0 to M9 of white
matter, grey matter and CSF, M0 being the reference. The others of a head's tissues keep their values. The supplement
that lists the paper's sets is not at hand; here each of the six factors runs evenly over its range along a sequence of
low discrepancy, no two cases sharing a set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mrrepro.papers.dl_ept.settings import BodySettings
from mrrepro.phantoms.cylinders import Cylinder, cylinder_phantoms
from mrrepro.phantoms.head import head_properties
from mrrepro.tissues import DielectricProperties
from mrrepro.validation import require_range

VARIED = ("white_matter", "grey_matter", "csf")
"""Tissues whose properties differ from case to case, and of which the paper reports numbers."""

VALIDATION_PHANTOMS = (12, 24)
TEST_PHANTOMS = (38, 42)
TEST_HEAD = "first_M0"
"""The stand-in for Duke M0."""

AGAR = Cylinder(0, 0.88, 80.0, diameter=0.13, length=0.15)
"""The measured phantom; its body is simulated here."""

TUMOUR_RADIUS = 0.015
TUMOUR = DielectricProperties(relative_permittivity=73.0, conductivity=1.4)

FIRST, SECOND, UNSEEN = "first", "second", "unseen"
"""Anatomies: two that training sees and one that it never does."""

_SETS_OF_TESTS = 100
"""Number of the first property set that only tests have."""


@dataclass(frozen=True)
class Case:
    """One body to simulate.

    Parameters
    ----------
    name : str
        ``phantom_12``, ``first_M0``, ``second_M7``, ``first_U3``, ``unseen_M0``, ``first_M0_tumour``, ``agar``.
    cylinder : Cylinder or None
        The body, where it is one.
    anatomy : str
        Of a head.
    property_set : int
        0 is the reference.
    tumour : bool
        Whether a sphere of tumour lies in the head.
    """

    name: str
    cylinder: Cylinder | None = None
    anatomy: str = ""
    property_set: int = 0
    tumour: bool = False

    @property
    def is_head(self) -> bool:
        """Whether the body is a head."""
        return self.cylinder is None


def property_factors(number: int, bodies: BodySettings) -> Float[np.ndarray, "3 2"]:
    """Return what multiplies sigma and eps_r of WM, GM and CSF in a property set; 1 in set 0.

    The sequence is ``frac(number phi^-k)`` with phi the positive root of ``x^7 = x + 1`` (Roberts' generalised golden
    ratio in six dimensions).
    """
    require_range("number", number, 0)
    if number == 0:
        return np.ones((3, 2))
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / 7.0)
    powers = root ** -np.arange(1.0, 7.0)
    uniform = 2.0 * np.modf(0.5 + number * powers)[0] - 1.0
    spread = np.array([bodies.conductivity_spread, bodies.permittivity_spread])
    return 1.0 + uniform.reshape(3, 2) * spread


def varied_properties(number: int, bodies: BodySettings, frequency: float) -> dict[str, DielectricProperties]:
    """Return the properties of the 13 tissues in a property set."""
    properties = head_properties(frequency)
    for tissue, (conductivity, permittivity) in zip(VARIED, property_factors(number, bodies), strict=True):
        reference = properties[tissue]
        properties[tissue] = DielectricProperties(
            max(1.0, reference.relative_permittivity * permittivity), reference.conductivity * conductivity
        )
    return properties


def database_cases(bodies: BodySettings) -> tuple[Case, ...]:
    """Return the cylinders and the heads of the database: 42 and 20 at the paper's size.

    Fewer phantoms are the held-out four and the first of the others.
    """
    held_out = VALIDATION_PHANTOMS + TEST_PHANTOMS
    training = [c.number for c in cylinder_phantoms() if c.number not in held_out][: bodies.phantoms - len(held_out)]
    chosen = sorted((*training, *held_out))
    phantoms = [Case(f"phantom_{n}", cylinder=cylinder_phantoms()[n - 1]) for n in chosen]
    heads = [
        Case(f"{anatomy}_M{variation}", anatomy=anatomy, property_set=variation + offset if variation else 0)
        for anatomy, offset in ((FIRST, 0), (SECOND, bodies.variations))
        for variation in range(bodies.variations)
    ]
    return (*phantoms, *heads)


def cases_of_tests(unseen_sets: int) -> tuple[Case, ...]:
    """Return what only tests see: new sets on a known anatomy, a new anatomy, the tumour, the agar phantom."""
    sets = range(_SETS_OF_TESTS, _SETS_OF_TESTS + unseen_sets)
    new_sets = [Case(f"{FIRST}_U{i}", anatomy=FIRST, property_set=number) for i, number in enumerate(sets)]
    new_anatomy = [
        Case(f"{UNSEEN}_U{i}", anatomy=UNSEEN, property_set=number) for i, number in enumerate(sets) if i < 3
    ]
    return (
        *new_sets,
        Case(f"{UNSEEN}_M0", anatomy=UNSEEN),
        *new_anatomy,
        Case(f"{TEST_HEAD}_tumour", anatomy=FIRST, tumour=True),
        Case("agar", cylinder=AGAR),
    )


def training_names(bodies: BodySettings, third_input: str) -> tuple[str, ...]:
    """Return the cases that a network is trained on: with a mask all but the held-out, with images the heads alone."""
    held_out = {f"phantom_{n}" for n in VALIDATION_PHANTOMS + TEST_PHANTOMS} | {TEST_HEAD}
    names = [case for case in database_cases(bodies) if case.name not in held_out]
    return tuple(case.name for case in names if case.is_head or third_input == "mask")
