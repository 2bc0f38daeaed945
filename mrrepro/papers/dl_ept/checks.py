"""What ``mrrepro verify`` and ``mrrepro bench`` hold the DL-EPT chapter's physics against."""

from __future__ import annotations

from functools import partial

from mrrepro.papers.dl_ept.benchmarks import compare_errors, compare_seconds, seconds_for_head
from mrrepro.papers.dl_ept.helmholtz_verification import (
    cole_cole_deviation,
    helmholtz_order_deviation,
    worst_cylinder_error,
)
from mrrepro.papers.dl_ept.verification import (
    dense_operator_deviation,
    mie_order_deviation,
    power_balance_deviation,
    reciprocity_deviation,
    sphere_error,
)
from mrrepro.runs.checks import Benchmark, Check

_SPHERE = "of a sphere (8 cm, eps_r 78, 0.6 S/m) in a plane wave of 128 MHz against Mie's series, deeper than 2 voxels"
_HEAD = "a six-layer folded ellipsoid of a head's size and contrast, both polarisations, relative residual 1e-3"

CHECKS = (
    Check("dl_ept.mie_5mm", f"relative error of B1+ {_SPHERE}, 5 mm", 0.010, "1", lambda: sphere_error(0.005).relative),
    Check("dl_ept.mie_4mm", f"relative error of B1+ {_SPHERE}, 4 mm", 0.007, "1", lambda: sphere_error(0.004).relative),
    Check(
        "dl_ept.mie_2.5mm",
        f"relative error of B1+ {_SPHERE}, 2.5 mm",
        0.005,
        "1",
        lambda: sphere_error(0.0025).relative,
    ),
    Check(
        "dl_ept.mie_order",
        f"|observed - declared order of 1| of the error of B1+ {_SPHERE}: 10 to 4 mm, four positions in the grid",
        0.2,
        "1",
        mie_order_deviation,
    ),
    Check(
        "dl_ept.mie_phase_5mm",
        f"rms phase error of B1+ {_SPHERE}, 5 mm",
        0.009,
        "rad",
        lambda: sphere_error(0.005).phase_rms,
    ),
    Check(
        "dl_ept.reciprocity",
        "relative difference of the reactions of two dipoles through an irregular body",
        1e-5,
        "1",
        reciprocity_deviation,
    ),
    Check(
        "dl_ept.power_balance",
        "extinguished less absorbed and scattered power (by the far field), relative, irregular body in a plane wave",
        1e-4,
        "1",
        power_balance_deviation,
    ),
    Check(
        "dl_ept.dense_operator",
        "relative difference of the FFT operators from matrices whose kernel is integrated adaptively",
        1e-10,
        "1",
        dense_operator_deviation,
    ),
    Check(
        "dl_ept.cole_cole_128MHz",
        "largest relative deviation of WM, GM and CSF at 128 MHz, to the digits printed, from the article's reference",
        0.006,
        "1",
        cole_cole_deviation,
    ),
    Check(
        "dl_ept.helmholtz_cylinder",
        "largest relative error of complex permittivity, four kernels of 7 x 7 x 5, in an infinite cylinder at 1 mm",
        1e-3,
        "1",
        worst_cylinder_error,
    ),
    Check(
        "dl_ept.helmholtz_order",
        "|observed - declared order of 2| of that error from 3 to 1 mm, the worst kernel",
        0.2,
        "1",
        helmholtz_order_deviation,
    ),
)

_PEER = "Galerkin volume integral equation with piecewise constant currents, same voxels, same GMRES"

BENCHMARKS = (
    Benchmark("dl_ept.vie_vs_pwc", f"relative error of B1+ {_SPHERE}, 5 mm", "1", compare_errors, _PEER, goal=8.0),
    Benchmark(
        "dl_ept.vie_vs_pwc_seconds",
        "seconds for the same; the kernels count for ours, not for the peer",
        "s",
        compare_seconds,
        _PEER,
        goal=1.0,
    ),
    Benchmark("dl_ept.seconds_head_5mm", f"{_HEAD}, 5 mm", "s", partial(seconds_for_head, 0.005)),
    Benchmark("dl_ept.seconds_head_3mm", f"{_HEAD}, 3 mm", "s", partial(seconds_for_head, 0.003)),
)
