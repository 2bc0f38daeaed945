import numpy as np
import pytest

from mrrepro.papers.dl_ept.benchmarks import layered_ellipsoid
from mrrepro.papers.dl_ept.checks import BENCHMARKS, CHECKS
from mrrepro.papers.dl_ept.piecewise_constant import kernel
from mrrepro.papers.dl_ept.verification import piecewise_constant_error, sphere_error

LIMITS = {
    "dl_ept.mie_5mm": 0.010,
    "dl_ept.mie_4mm": 0.007,
    "dl_ept.mie_2.5mm": 0.005,
    "dl_ept.mie_order": 0.2,
    "dl_ept.mie_phase_5mm": 0.009,
    "dl_ept.reciprocity": 1e-5,
    "dl_ept.power_balance": 1e-4,
    "dl_ept.dense_operator": 1e-10,
    "dl_ept.cole_cole_128MHz": 0.006,
    "dl_ept.helmholtz_cylinder": 1e-3,
    "dl_ept.helmholtz_order": 0.2,
}

QUICK = ("dl_ept.mie_5mm", "dl_ept.mie_phase_5mm", "dl_ept.cole_cole_128MHz")


def test_ids_and_limits():
    assert {check.id: check.limit for check in CHECKS} == LIMITS
    assert {"dl_ept.vie_vs_pwc", "dl_ept.seconds_head_5mm", "dl_ept.seconds_head_3mm"} <= {b.id for b in BENCHMARKS}


@pytest.mark.parametrize("check", [check for check in CHECKS if check.id in QUICK], ids=lambda check: check.id)
def test_quick_checks_pass(check):
    assert check.run().ok


def test_the_peers_kernel_is_a_galerkin_kernel():
    # its trace is the Laplacian of G against the triangles: minus one voxel for lag zero, nothing elsewhere
    trace = sum(kernel((4, 3, 3), derivatives, 1e-9) for derivatives in ((2, 0, 0), (0, 2, 0), (0, 0, 2)))
    expected = np.zeros((4, 3, 3))
    expected[0, 0, 0] = -1.0
    assert np.abs(trace - expected).max() < 1e-5


def test_the_peer_converges_to_the_same_field_more_slowly():
    coarse, fine = piecewise_constant_error(0.02).relative, piecewise_constant_error(0.0125).relative
    assert fine < coarse < 1.0
    assert sphere_error(0.0125).relative < fine / 8.0


def test_the_stand_in_has_a_heads_size_and_tissues():
    body = layered_ellipsoid(0.005)
    litres = (body.relative_permittivity > 1).sum() * 0.005**3 * 1e3
    assert 3.0 < litres < 4.5
    assert len(np.unique(body.conductivity)) == 7
