"""The bodies of the DL-EPT database: how many, which are held out, and that no two share properties."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.papers.dl_ept.cases import (
    TEST_HEAD,
    VARIED,
    cases_of_tests,
    database_cases,
    property_factors,
    training_names,
    varied_properties,
)
from mrrepro.papers.dl_ept.settings import BodySettings
from mrrepro.tissues import tissue_properties


def test_the_papers_numbers():
    cases = database_cases(BodySettings())
    assert len([case for case in cases if not case.is_head]) == 42
    assert len([case for case in cases if case.is_head]) == 20
    mask, tissue = (training_names(BodySettings(), third) for third in ("mask", "tissue"))
    assert (len(mask), len(tissue)) == (42 - 4 + 19, 19)
    assert 25 * 38 + 56 * 19 == 2014  # the paper's training slices: our split has its sizes
    assert not {"phantom_12", "phantom_24", "phantom_38", "phantom_42", TEST_HEAD} & {*mask, *tissue}


def test_fewer_bodies_keep_the_held_out_ones():
    names = {case.name for case in database_cases(BodySettings(phantoms=5, variations=2))}
    assert {"phantom_12", "phantom_24", "phantom_38", "phantom_42", "first_M0", "second_M1"} <= names
    assert len(names) == 9


def test_no_two_cases_share_properties():
    numbers = [case.property_set for case in (*database_cases(BodySettings()), *cases_of_tests(10)) if case.is_head]
    known = {number for number in numbers if number}
    factors = np.array([property_factors(number, BodySettings()).ravel() for number in sorted(known)])
    distances = np.linalg.norm(factors[:, None] - factors, axis=-1) + 10 * np.eye(len(factors))
    assert distances.min() > 0.02
    training = {case.property_set for case in database_cases(BodySettings()) if case.is_head}
    assert not {case.property_set for case in cases_of_tests(10) if "_U" in case.name} & training


def test_factors_fill_their_ranges_evenly():
    bodies = BodySettings(conductivity_spread=0.3, permittivity_spread=0.15)
    factors = np.array([property_factors(number, bodies) for number in range(1, 400)])
    for column, spread in enumerate((0.3, 0.15)):
        values = factors[:, :, column].reshape(-1)
        assert values.min() > 1 - spread
        assert values.max() < 1 + spread
        # a uniform distribution's mean and sd; 399 points of a low-discrepancy sequence per tissue
        assert values.mean() == pytest.approx(1.0, abs=0.01)
        assert values.std() == pytest.approx(spread / np.sqrt(3), rel=0.03)
    assert (property_factors(0, bodies) == 1).all()


def test_only_the_three_tissues_vary():
    frequency = 128e6
    properties = varied_properties(7, BodySettings(), frequency)
    assert len(properties) == 13
    for tissue, found in properties.items():
        same = found == tissue_properties(tissue, frequency)
        assert same == (tissue not in VARIED), tissue
