"""View Line images against the Bloch equations, closed forms of shifts, and conservation of signal."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from mrrepro.papers.deepspio.checks import bloch_centroid_deviation, stripe_centroid
from mrrepro.simulators.view_line import Excitation, ViewLineSequence, add_noise, simulate_view_lines

SEQUENCE = ViewLineSequence(size=128)
ONE_LINE = ViewLineSequence(size=128, line_count=1)


def images(field, sequence=SEQUENCE, density=None):
    density = torch.ones(sequence.size, sequence.size) if density is None else density
    return simulate_view_lines(Excitation(field, density), sequence)


def test_without_field_the_lines_stand_where_they_were_excited():
    result = images(torch.zeros(128, 128))
    axis = SEQUENCE.positions()
    for parity in (0, 1):
        row = result[parity, 64].numpy()
        for position in SEQUENCE.line_positions()[parity::2][1:-1]:
            near = np.abs(axis - position) < 1.95e-3  # up to where the next line of this parity begins
            found = stripe_centroid(row[near], axis[near])
            assert (
                abs(found - position) < 0.04e-3
            )  # a tenth of a pixel (ringing below the threshold): no half-pixel slip
    assert result.sum(dim=0).max() == pytest.approx(1.0, abs=0.1)  # the point spread overshoots by up to 9%


def test_a_uniform_field_moves_every_line_by_the_closed_form():
    offset = 4e-5  # T
    moved = images(torch.full((128, 128), offset), ONE_LINE)[0, 64].numpy()
    expected = offset * (1 / ONE_LINE.readout_gradient - 1 / ONE_LINE.slice_gradient)
    assert abs(stripe_centroid(moved, ONE_LINE.positions()) - expected) < 1e-6


def test_equal_gradients_leave_the_stripes_straight_but_not_their_intensity():
    sequence = dataclasses.replace(ONE_LINE, readout_gradient=0.1)
    axis = torch.tensor(sequence.positions(), dtype=torch.float32)
    slope = 0.02  # T/m: the excited slice is thinner by 1 + slope / G
    field = (slope * axis).expand(128, 128) + 2e-5
    row = images(field, sequence)[0, 64].numpy()
    assert abs(stripe_centroid(row, axis.numpy())) < 2e-6
    still = images(torch.zeros(128, 128), sequence)[0, 64].numpy()
    assert row.sum() / still.sum() == pytest.approx(1 / (1 + slope / 0.1), rel=0.01)


def test_a_linear_field_scales_position_and_amount_as_the_jacobian_says():
    slope = 0.03
    axis = torch.tensor(ONE_LINE.positions(), dtype=torch.float32)
    row = images((slope * axis).expand(128, 128) + 3e-5, ONE_LINE)[0, 64].numpy()
    gs, gr = ONE_LINE.slice_gradient, ONE_LINE.readout_gradient
    z = -3e-5 / gs / (1 + slope / gs)  # where u = 0
    expected = z * (1 + slope / gr) + 3e-5 / gr
    assert abs(stripe_centroid(row, axis.numpy()) - expected) < 3e-6
    still = images(torch.zeros(128, 128), ONE_LINE)[0, 64].numpy()
    assert row.sum() / still.sum() == pytest.approx(1 / (1 + slope / gs), rel=0.01)


def test_folds_keep_the_signal():
    """Where 1 + dB_z / G_r < 0 several z share one v; all their signal must arrive."""
    axis = torch.tensor(SEQUENCE.positions(), dtype=torch.float32)
    bump = 4e-4 * torch.exp(-((axis / 2e-3) ** 2)).expand(128, 128)
    still = images(torch.zeros(128, 128), dataclasses.replace(SEQUENCE, readout_gradient=1.0))
    fold = dataclasses.replace(SEQUENCE, slice_gradient=10.0)  # lines stay, the readout folds
    assert images(bump, fold).sum() == pytest.approx(float(still.sum()), rel=0.01)


def test_stripes_agree_with_the_bloch_equations():
    # A short version of the verified check: 0.05 mm is the chapter's limit.
    assert bloch_centroid_deviation(size=128, columns=(10,)) < 0.05


def test_the_image_is_linear_in_the_spin_density():
    field = torch.zeros(128, 128)
    first, second = torch.rand(2, 128, 128, generator=torch.Generator().manual_seed(0))
    together = images(field, density=first + 2 * second)
    torch.testing.assert_close(together, images(field, density=first) + 2 * images(field, density=second))


def test_batches_equal_single_images():
    generator = torch.Generator().manual_seed(0)
    fields = torch.randn(3, 1, 128, generator=generator).expand(3, 128, 128) * 1e-5
    together = images(fields, density=torch.ones(3, 128, 128))
    for index in range(3):
        torch.testing.assert_close(together[index], images(fields[index]))


def test_noise_has_the_level_that_was_asked_for():
    clean = torch.zeros(1, 2, 256, 256)
    clean[..., ::2] = 2.0
    noisy = add_noise(clean, 20.0, torch.Generator().manual_seed(0))
    background = noisy[..., 1::2]  # Rayleigh: mean sigma sqrt(pi / 2), sigma = 2 / 10^(20/20)
    assert background.mean() == pytest.approx(0.2 * math.sqrt(math.pi / 2), rel=0.01)
    torch.testing.assert_close(add_noise(clean, math.inf, torch.Generator()), clean)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 127}, "even"),
        ({"slice_gradient": 0.0}, "slice_gradient"),
        ({"readout_gradient": math.nan}, "readout_gradient"),
        ({"readout_gradient": -200.0}, "mT/m is 0.1"),
        ({"field_of_view": 50.0}, "metres"),
        ({"line_spacing": 1e-3}, "line_spacing"),
        ({"line_count": 60}, "exceed the field_of_view"),
        ({"spin_oversampling": 4}, "spin_oversampling"),
        ({"echo_time": 8.7}, "seconds"),
    ],
)
def test_bad_sequences_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SEQUENCE, **change)


@pytest.mark.parametrize(
    ("field", "density", "message"),
    [
        (torch.zeros(64, 64), torch.ones(128, 128), "shape"),
        (torch.full((128, 128), math.inf), torch.ones(128, 128), "finite"),
        (torch.zeros(128, 128), torch.full((128, 128), math.nan), "spin_density must be finite"),
        (torch.zeros(128, 128), -torch.ones(128, 128), "negative"),
    ],
)
def test_bad_maps_are_refused(field, density, message):
    with pytest.raises(ValueError, match=message):
        images(field, density=density)


@pytest.mark.parametrize("level", [math.nan, -math.inf])
def test_bad_noise_levels_are_refused(level):
    with pytest.raises(ValueError, match="snr_db"):
        add_noise(torch.ones(1, 2, 8, 8), level, torch.Generator())
