"""What a perfect map shows of the tumour: on a small body by hand, and the head's means that the evidence holds."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.papers.dl_ept.cases import FIRST, TEST_HEAD, TUMOUR, Case
from mrrepro.papers.dl_ept.evidence import SPHERE_BEFORE
from mrrepro.papers.dl_ept.settings import DlEptSettings
from mrrepro.papers.dl_ept.simulation import TUMOUR_LABEL, body_of
from mrrepro.papers.dl_ept.tumour_truth import of_tumour
from mrrepro.phantoms.head import build_head
from mrrepro.phantoms.head_tissues import HEAD_TISSUES


def test_a_small_body_by_hand():
    labels = np.zeros((9, 1, 1), dtype=np.uint8)
    labels[1:8] = HEAD_TISSUES.index("white_matter")
    before = {
        "labels": labels,
        "conductivity": np.ones(labels.shape),
        "relative_permittivity": 50 * np.ones(labels.shape),
    }
    before["conductivity"][1:3] = 3.0
    after = {name: values.copy() for name, values in before.items()}
    after["labels"][4] = TUMOUR_LABEL
    after["conductivity"][4], after["relative_permittivity"][4] = 5.0, 73.0
    after["relative_permittivity"][7] = 56.0
    found = of_tumour(after, before)
    sigma, eps = found["conductivity"], found["relative_permittivity"]
    assert (sigma.before, sigma.after, sigma.change, eps.change) == (1.0, 5.0, 4.0, 23.0)
    shell = [3.0, 3.0, 1.0, 1.0, 1.0, 1.0]  # three voxels on either side, air left out
    assert sigma.contrast == pytest.approx((5.0 - np.mean(shell)) / np.std(shell, ddof=1))
    assert eps.contrast == pytest.approx((73.0 - 51.0) / np.std([50] * 5 + [56], ddof=1))


@pytest.mark.parametrize("scale", SPHERE_BEFORE)
def test_the_means_before_the_tumour_are_those_of_the_head(scale):
    settings = DlEptSettings.at_scale(scale)
    head = build_head("mni152", 0, settings.simulation.voxel_size)
    arrays = {}
    for tumour in (False, True):
        case = Case(TEST_HEAD, anatomy=FIRST, tumour=tumour)
        body, labels = body_of(case, head, settings.bodies, settings.simulation)
        arrays[tumour] = {"labels": labels, "conductivity": body.conductivity}
        arrays[tumour]["relative_permittivity"] = body.relative_permittivity
    for quantity, true in of_tumour(arrays[True], arrays[False]).items():
        assert true.before == pytest.approx(SPHERE_BEFORE[scale][quantity], rel=1e-4)
        assert true.after == pytest.approx(getattr(TUMOUR, quantity))
