"""The SNR at which a map is called erroneous, from made-up errors."""

from __future__ import annotations

import pytest

from mrrepro.papers.dl_ept.cases import TEST_HEAD
from mrrepro.papers.dl_ept.result_values import noise_values


def rows_with(errors, method="mask", quantity="conductivity"):
    row = {"case": TEST_HEAD, "method": method, "quantity": quantity}
    return [row | {"snr": snr, "nrmse": error} for snr, error in errors.items()]


@pytest.mark.parametrize(
    ("errors", "snr"),
    [
        ({"5": 0.9, "10": 0.7, "20": 0.61, "40": 0.59, "inf": 0.4}, 20.0),
        ({"5": 0.59, "10": 0.5, "20": 0.4, "40": 0.4, "inf": 0.4}, 0.0),
    ],
)
def test_erroneous_is_half_as_much_error_again_as_without_noise(errors, snr):
    others = rows_with({"40": 9.0, "inf": 0.1}, method="tissue") + rows_with({"40": 9.0, "inf": 0.1}, quantity="eps")
    (found,) = noise_values(others + rows_with(errors))
    assert found.id == "dl_ept.discussion.erroneous_snr"
    assert found.value == snr
