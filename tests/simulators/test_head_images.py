"""Images of heads: hand-computed signals, partial volume, noise statistics, shading."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mrrepro.phantoms.head import Head
from mrrepro.phantoms.head_tissues import HEAD_TISSUES, TISSUE_LABELS
from mrrepro.simulators.head_images import (
    RELAXATION,
    HeadScan,
    Relaxation,
    bias_field,
    head_relaxation,
    rician,
    varied_relaxation,
)
from mrrepro.simulators.mr_signals import InversionRecoverySpinEcho, SpinEcho
from mrrepro.tissues import TISSUES


def blocks(size: int = 28) -> Head:
    """Two voxels along y of every tissue in turn, all of air first."""
    labels = np.zeros((size, size, size), dtype=np.uint8)
    labels[2:-2, :, 2:-2] = (np.arange(size) // 2 % len(HEAD_TISSUES))[:, None]
    return Head(labels, 0.004, (-0.056, -0.056, -0.056), "blocks")


def test_every_tissue_has_values_at_both_fields():
    for table in RELAXATION.values():
        assert set(table) == set(TISSUES)
        assert all(0 < value.t2 <= value.t1 and 0 < value.proton_density <= 1 for value in table.values())
    # longitudinal relaxation of tissue slows with the field, transverse hardly changes
    assert all(RELAXATION[3.0][tissue].t1 >= RELAXATION[1.5][tissue].t1 for tissue in TISSUES)


def test_spin_echo_by_hand():
    head = blocks()
    scan = HeadScan(SpinEcho(0.6, 0.012), head_relaxation(1.5))
    image = scan.image(head, np.random.default_rng(0))
    for tissue, (density, t1, t2) in {
        "white_matter": (0.71, 0.884, 0.072),
        "csf": (1.0, 4.0, 2.0),
        "fat": (0.95, 0.288, 0.165),
    }.items():
        bracket = 1 - 2 * math.exp(-0.594 / t1) + math.exp(-0.6 / t1)
        expected = density * bracket * math.exp(-0.012 / t2)
        assert np.allclose(image[head.mask(tissue)], expected, rtol=1e-6)
    assert image[head.mask("air")].max() == 0.0


def test_contrast_of_t1_and_t2_weighting_in_the_brain():
    t1 = dict(zip(HEAD_TISSUES, HeadScan(SpinEcho(0.5, 0.01)).tissue_signals(), strict=True))
    t2 = dict(zip(HEAD_TISSUES, HeadScan(SpinEcho(4.0, 0.1)).tissue_signals(), strict=True))
    assert t1["fat"] > t1["white_matter"] > t1["grey_matter"] > t1["csf"] > 0
    assert t2["csf"] > t2["grey_matter"] > t2["white_matter"] > t2["bone_cortical"]


def test_partial_volume_mixes_signed_signals():
    head = blocks()
    scan = HeadScan(InversionRecoverySpinEcho(4.0, 0.01, 0.9), head_relaxation(3.0))
    signals = dict(zip(HEAD_TISSUES, scan.tissue_signals(), strict=True))
    assert signals["csf"] < 0 < signals["white_matter"]  # they cancel where they share a voxel
    fractions = np.zeros((len(HEAD_TISSUES), *head.labels.shape), dtype=np.float32)
    share = signals["white_matter"] / (signals["white_matter"] - signals["csf"])
    fractions[TISSUE_LABELS["csf"]], fractions[TISSUE_LABELS["white_matter"]] = share, 1 - share
    image = scan.image(head, np.random.default_rng(0), fractions)
    assert np.abs(image).max() < 1e-6
    whole = np.eye(len(HEAD_TISSUES), dtype=np.float32)[head.labels].transpose(3, 0, 1, 2)
    rng = np.random.default_rng(0)
    assert np.allclose(scan.image(head, rng, whole), scan.image(head, rng), atol=1e-6)


def test_noise_is_rician():
    rng = np.random.default_rng(5)
    empty = rician(np.zeros((60, 60, 60)), 0.3, rng)
    # Rayleigh: mean sigma sqrt(pi/2), second moment 2 sigma^2; 216000 voxels: relative error of the mean 1.1e-3
    assert empty.mean() == pytest.approx(0.3 * math.sqrt(math.pi / 2), rel=6e-3)
    assert (empty.astype(float) ** 2).mean() == pytest.approx(2 * 0.09, rel=1e-2)
    bright = rician(np.full((60, 60, 60), 30.0), 0.3, rng)
    assert bright.std() == pytest.approx(0.3, rel=1e-2)
    assert bright.mean() == pytest.approx(30.0 + 0.09 / 60.0, abs=4e-3)
    scan = HeadScan(SpinEcho(0.6, 0.012), signal_to_noise=25.0)
    signal = scan.tissue_signals()[TISSUE_LABELS["white_matter"]]
    head = blocks(56)
    noisy = scan.image(head, rng)[head.mask("white_matter")]
    assert noisy.mean() / noisy.std() == pytest.approx(25.0, rel=0.05)
    assert noisy.mean() == pytest.approx(signal, rel=0.01)


def test_shading_is_smooth_and_as_strong_as_asked():
    head = blocks()
    field = bias_field(head, 0.2, 0.05, np.random.default_rng(1))
    inside = head.labels != 0
    assert np.log(field[inside]).std() == pytest.approx(0.2, rel=1e-3)
    assert field[inside].mean() == pytest.approx(1.0, abs=1e-5)
    steps = np.abs(np.diff(np.log(field), axis=2))
    assert (
        steps.max() < 0.2 * 4 * 0.004 / 0.05 * math.pi
    )  # no steeper than a sine of twice its lattice, four deviations
    scan = HeadScan(SpinEcho(0.6, 0.012), shading=0.2, shading_length=0.05)
    flat = HeadScan(SpinEcho(0.6, 0.012)).image(head, np.random.default_rng(1))
    assert np.allclose(scan.image(head, np.random.default_rng(1)), flat * field, rtol=1e-5)


def test_the_generator_decides():
    head, scan = blocks(), HeadScan(SpinEcho(0.6, 0.012), signal_to_noise=30.0, shading=0.1)
    first, again, other = (scan.image(head, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_people_vary_about_the_table():
    generator = np.random.default_rng(2)
    drawn = [varied_relaxation(RELAXATION[3.0], 0.1, generator)["white_matter"].t1 for _ in range(400)]
    assert np.log(drawn).std() == pytest.approx(0.096, abs=0.01)  # a normal clipped at 2 has 0.96
    assert np.median(drawn) == pytest.approx(1.084, rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signal_to_noise": 0.0}, "signal_to_noise must be positive"),
        ({"signal_to_noise": float("nan")}, "signal_to_noise must be positive"),
        ({"shading": -0.1}, "shading must lie in"),
        ({"shading_length": 60.0}, "shading_length must lie in"),
        ({"relaxation": {"csf": Relaxation(1.0, 4.0, 2.0)}}, "lacks blood, bone_cancellous"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        HeadScan(SpinEcho(0.6, 0.012), **change)


def test_refusal_of_a_field_and_of_others_fractions():
    with pytest.raises(ValueError, match=r"field_strength must be one of 1\.5, 3\.0"):
        head_relaxation(7.0)
    with pytest.raises(ValueError, match="fractions must have shape"):
        HeadScan(SpinEcho(0.6, 0.012)).image(blocks(), np.random.default_rng(0), np.zeros((14, 3, 3, 3)))
