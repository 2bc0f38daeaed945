"""Which noise two standard deviations imply, against a case worked out by hand and against drawn noise."""

from __future__ import annotations

import math

import pytest
from made_up_sweeps import CSF, EPS, GM, SIGMA, WM, table1_rows

from mrrepro.papers.dl_ept.helmholtz_study import Noise, noise_of_kernels
from mrrepro.papers.dl_ept.noise_reading import phase_noise, rows_by_reading, with_more_phase_noise
from mrrepro.papers.dl_ept.settings import DlEptSettings
from mrrepro.tissues import DielectricProperties


def test_the_papers_white_matter_asks_for_ten_milliradians_at_its_snr():
    # 2 pi 128e6 8.854e-12 = 7.121e-3; 0.85 / 130 = 6.538e-3; their ratio over 90
    assert phase_noise(0.85, 130.0, 90.0, 128e6) == pytest.approx(0.9182 / 90.0, rel=1e-3)


def test_drawn_noise_is_read_off_whatever_the_kernel_and_the_voxel_size():
    noise = Noise(snr=90.0, phase_sd=4.5e-3)
    rows = noise_of_kernels(DielectricProperties(80.0, 0.88), 128e6, noise, (3e-3, 5e-3), (7, 7, 5), seed=0)
    found = [phase_noise(r["sigma_sd_closed"], r["eps_sd_closed"], noise.snr, 128e6) for r in rows]
    assert len(found) == 8
    # the magnitude of the field differs from its mean where the kernels reach
    assert found == pytest.approx([4.5e-3] * 8, rel=0.1)
    drawn = [phase_noise(r["sigma_sd"], r["eps_sd"], noise.snr, 128e6) for r in rows]
    assert drawn == pytest.approx(found, rel=0.15)


def test_twice_the_noise_doubles_what_is_noise_and_leaves_the_rest():
    assert with_more_phase_noise(0.3, 0.3, 2.0) == pytest.approx(0.6)
    assert with_more_phase_noise(0.3, 0.0, 2.0) == pytest.approx(0.3)
    assert with_more_phase_noise(5.0, 3.0, 2.0) == pytest.approx(math.sqrt(16 + 36))


def test_rows_by_reading_hold_what_the_papers_erosion_leaves():
    printed = {(tissue, quantity): 0.5 for tissue in (WM, GM, CSF) for quantity in (SIGMA, EPS)}
    rows = rows_by_reading(table1_rows(0.0, thin=(GM,)), DlEptSettings.at_scale("paper"), printed)
    assert [(row["tissue"], row["quantity"]) for row in rows] == [("WM", SIGMA), ("WM", EPS)]
    sigma, eps = rows
    assert (sigma["first"], eps["first"], eps["second"]) == (2.0, 100.0, 100.0)
    assert sigma["second"] > sigma["first"]
    assert sigma["first size"] == pytest.approx(2.0 * 2.0)  # 2 mm, and four times the paper's sd
