import math

import numpy as np
import pytest

from mrrepro.phantoms.cylinders import CONDUCTIVITY_RANGE, PERMITTIVITY_RANGE, Cylinder, cylinder_phantoms


def test_forty_two_distinct_phantoms():
    phantoms = cylinder_phantoms()
    assert [phantom.number for phantom in phantoms] == list(range(1, 43))
    pairs = np.array([(phantom.conductivity, phantom.relative_permittivity) for phantom in phantoms])
    assert len(np.unique(pairs, axis=0)) == 42
    assert np.all((pairs[:, 0] >= CONDUCTIVITY_RANGE[0]) & (pairs[:, 0] <= CONDUCTIVITY_RANGE[1]))
    assert np.all((pairs[:, 1] >= PERMITTIVITY_RANGE[0]) & (pairs[:, 1] <= PERMITTIVITY_RANGE[1]))
    # spread over the plane, not along a line, and without holes: each quarter holds at least seven
    high = (pairs > pairs.mean(axis=0)) @ [1, 2]
    assert np.bincount(high, minlength=4).min() >= 7
    assert (pairs[41] == (0.88, 80.0)).all()


def test_volume_and_air():
    phantom = Cylinder(1, 0.6, 78.0)
    body = phantom.body(0.002, 128e6)
    volume = (body.conductivity > 0).sum() * 0.002**3
    assert volume == pytest.approx(math.pi * 0.06**2 * 0.12, rel=0.01)
    assert set(np.unique(body.relative_permittivity)) == {1.0, 78.0}
    assert not body.conductivity[[0, 1, -1, -2]].any()


def test_rejects_millimetres():
    with pytest.raises(ValueError, match="metres"):
        Cylinder(1, 0.6, 78.0).body(3.0, 128e6)
    with pytest.raises(ValueError, match="metres"):
        Cylinder(1, 0.6, 78.0, diameter=120.0)
