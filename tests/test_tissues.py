import math

import numpy as np
import pytest

from mrrepro.tissues import TISSUES, ColeCole, tissue_properties

# Table 3 of Biomed. Eng. Online 17 (2018), 10.1186/s12938-018-0473-9, which quotes the model at 10 kHz, 100 kHz and
# 1 MHz: tissue, frequency [Hz], conductivity [S/m] to its printed digits, relative permittivity.
PUBLISHED = (
    ("skin", 1e4, 0.00020, 1133.6),
    ("skin", 1e6, 0.0132, 990.76),
    ("mucous_tissue", 1e4, 0.0029, 29010.0),
    ("mucous_tissue", 1e5, 0.0658, 15357.0),
    ("mucous_tissue", 1e6, 0.2214, 1832.8),
    ("muscle", 1e4, 0.3408, 25909.0),
    ("muscle", 1e5, 0.3619, 8089.2),
    ("muscle", 1e6, 0.5027, 1836.4),
    ("bone_cortical", 1e4, 0.0204, 521.64),
    ("bone_cortical", 1e5, 0.0208, 227.64),
    ("bone_cortical", 1e6, 0.0243, 144.51),
)

# Table I (A) of the CondNet article, the tissues for which it quotes the Cole-Cole model at 10 kHz to two digits.
CONDNET_10_KHZ = {
    "blood": 0.70,
    "bone_cancellous": 0.08,
    "bone_cortical": 0.02,
    "cerebellum": 0.13,
    "csf": 2.00,
    "dura": 0.50,
    "fat": 0.04,
    "muscle": 0.34,
    "vitreous_humour": 1.50,
    "white_matter": 0.07,
}


def test_thirteen_tissues():
    assert len(TISSUES) == 13


@pytest.mark.parametrize(("tissue", "frequency", "conductivity", "permittivity"), PUBLISHED)
def test_agrees_with_published_values(tissue, frequency, conductivity, permittivity):
    found = tissue_properties(tissue, frequency)
    assert abs(found.conductivity - conductivity) < 6e-5
    # five digits are printed: half a unit of the fifth is 5e-5 of the smallest number that has it
    assert found.relative_permittivity == pytest.approx(permittivity, rel=5e-5)


@pytest.mark.parametrize(("tissue", "conductivity"), CONDNET_10_KHZ.items())
def test_agrees_with_the_condnet_table(tissue, conductivity):
    assert abs(tissue_properties(tissue, 1e4).conductivity - conductivity) < 0.0055


@pytest.mark.parametrize(
    ("tissue", "conductivity", "permittivity"),
    [("white_matter", 0.342, 52.5), ("grey_matter", 0.587, 73.5), ("csf", 2.143, 84.0), ("muscle", 0.719, 63.5)],
)
def test_properties_at_128_mhz(tissue, conductivity, permittivity):
    found = tissue_properties(tissue, 128e6)
    assert found.conductivity == pytest.approx(conductivity, abs=6e-4)
    assert found.relative_permittivity == pytest.approx(permittivity, abs=0.06)


def test_a_debye_term_in_closed_form():
    # one term with alpha = 0 at omega tau = 1: half the increment, and sigma = omega eps_0 times the other half
    frequency = 1.0 / (2 * math.pi * 1e-9)
    found = ColeCole(5.0, (0, 20.0, 0, 0), (1, 1, 1, 1), (0, 0, 0, 0), 0.0).at(frequency)
    assert found.relative_permittivity == pytest.approx(15.0)
    assert found.conductivity == pytest.approx(1e9 * 8.8541878128e-12 * 10.0)


def test_conductivity_grows_and_permittivity_falls_with_frequency():
    frequencies = np.logspace(2, 10, 40)
    for tissue in TISSUES:
        found = [tissue_properties(tissue, frequency) for frequency in frequencies]
        assert all(np.diff([p.conductivity for p in found]) >= 0)
        assert all(np.diff([p.relative_permittivity for p in found]) <= 0)


def test_rejects():
    with pytest.raises(ValueError, match="white_matter"):
        tissue_properties("white matter", 128e6)
    with pytest.raises(ValueError, match="frequency"):
        tissue_properties("csf", -1.0)
