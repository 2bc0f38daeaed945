"""3D SSIM against closed forms, a direct sum, scikit-image, MONAI (where installed) and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mrrepro.metrics import structural_similarity as module
from mrrepro.metrics.structural_similarity import (
    CONVENTIONS,
    SHIFTED_TO_UNIT,
    SIGNED_FULL_RANGE,
    SIGNED_UNIT_RANGE,
    GaussianWindow,
    SsimConvention,
    structural_similarity,
    structural_similarity_map,
)


def pair_of_volumes(shape=(17, 20, 14), batch=1, dtype=torch.float64):
    """Two related volumes in [-1, 1], with structure and with noise."""
    generator = torch.Generator().manual_seed(20)
    axes = torch.meshgrid(*(torch.linspace(-1, 1, side, dtype=torch.float64) for side in shape), indexing="ij")
    smooth = torch.sin(3 * axes[0]) * torch.cos(2 * axes[1]) * (1 - axes[2] ** 2)
    noise = torch.randn(batch, 1, *shape, generator=generator, dtype=torch.float64)
    other = torch.randn(batch, 1, *shape, generator=generator, dtype=torch.float64)
    image = (smooth + 0.1 * noise).clamp(-1, 1)
    return image.to(dtype), (0.8 * smooth + 0.1 * other).clamp(-1, 1).to(dtype)


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_map_and_mean_equal_scikit_image(convention):
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is the oracle")
    image, reference = pair_of_volumes()
    shifted = [(v[0, 0].numpy() + convention.offset) * convention.scale for v in (image, reference)]
    mean, full = metrics.structural_similarity(
        *shifted,
        data_range=convention.data_range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    ours = structural_similarity_map(image, reference, convention)[0, 0].numpy()
    # scikit-image crops five voxels a side for its mean; beyond, its map uses reflected borders and is not comparable
    np.testing.assert_allclose(ours, full[5:-5, 5:-5, 5:-5], rtol=0, atol=1e-12)
    assert structural_similarity(image, reference, convention).item() == pytest.approx(mean, abs=1e-12)


def test_value_and_gradient_equal_monai():
    losses = pytest.importorskip("monai.losses", reason="MONAI is an optional peer")
    image, reference = pair_of_volumes(batch=2, dtype=torch.float32)
    gradients = []
    for loss in (
        lambda x: losses.SSIMLoss(3, data_range=2.0)(x, reference),
        lambda x: 1 - structural_similarity(x, reference, SIGNED_FULL_RANGE).mean(),
    ):
        x = image.clone().requires_grad_()
        value = loss(x)
        value.backward()
        gradients.append((value.item(), x.grad))
    assert gradients[0][0] == pytest.approx(gradients[1][0], abs=1e-5)
    largest = gradients[0][1].abs().max()
    assert (gradients[0][1] - gradients[1][1]).abs().max() < 1e-5 * largest


def test_one_voxel_against_the_direct_sum():
    image, reference = pair_of_volumes((11, 11, 11))
    axis = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    weights = np.einsum("i,j,k->ijk", axis, axis, axis)
    weights /= weights.sum()
    x, y = image[0, 0].numpy(), reference[0, 0].numpy()
    mx, my = (weights * x).sum(), (weights * y).sum()
    vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
    cov = (weights * (x - mx) * (y - my)).sum()
    expected = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert structural_similarity(image, reference, SIGNED_UNIT_RANGE).item() == pytest.approx(expected, abs=1e-12)


def test_constant_volumes_leave_the_luminance_term():
    image = torch.full((1, 1, 12, 12, 12), 0.5, dtype=torch.float64)
    reference = torch.full_like(image, -0.25)
    by_hand = {  # (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1) with means (0.5, -0.25), or (0.75, 0.375) after the shift
        "signed_unit_range": (-0.25 + 0.0001) / (0.3125 + 0.0001),
        "signed_full_range": (-0.25 + 0.0004) / (0.3125 + 0.0004),
        "shifted_to_unit": (0.5625 + 0.0001) / (0.703125 + 0.0001),
    }
    for name, expected in by_hand.items():
        assert structural_similarity(image, reference, CONVENTIONS[name]).item() == pytest.approx(expected, abs=1e-9)


def test_identical_volumes_score_one_and_the_score_is_symmetric():
    image, reference = pair_of_volumes()
    assert structural_similarity(image, image, SHIFTED_TO_UNIT).item() == pytest.approx(1.0, abs=1e-12)
    forth = structural_similarity(image, reference, SHIFTED_TO_UNIT)
    back = structural_similarity(reference, image, SHIFTED_TO_UNIT)
    torch.testing.assert_close(forth, back, rtol=0, atol=1e-12)


def test_scaling_with_the_data_range_changes_nothing():
    image, reference = pair_of_volumes()
    stretched = structural_similarity(7 * image, 7 * reference, SsimConvention("stretched", data_range=14.0))
    torch.testing.assert_close(stretched, structural_similarity(image, reference, SIGNED_FULL_RANGE))


def test_signed_conventions_reward_an_inverted_image_and_the_shifted_one_does_not():
    # The two minus signs of an inverted, mean-free image cancel in luminance x structure: a signed score can be high
    # for an inverted brain. A volume of slow waves shows it: local means dominate, and both terms are negative.
    image, _ = pair_of_volumes()
    assert structural_similarity(image, -image, SIGNED_UNIT_RANGE).item() > 0.3
    assert structural_similarity(image, -image, SHIFTED_TO_UNIT).item() < 0.0


@pytest.mark.parametrize("needs", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("convention", [SIGNED_UNIT_RANGE, SHIFTED_TO_UNIT])
def test_gradient_equals_finite_differences(needs, convention):
    window = GaussianWindow(3, 0.8)
    image, reference = pair_of_volumes((5, 4, 6), batch=2)
    image.requires_grad_(needs[0])
    reference.requires_grad_(needs[1])
    assert torch.autograd.gradcheck(
        lambda x, y: structural_similarity_map(x, y, convention, window), (image, reference), rtol=1e-6, atol=1e-8
    )


def test_masked_score_is_the_map_averaged_over_the_mask():
    image, reference = pair_of_volumes(batch=2)
    mask = torch.zeros_like(image, dtype=torch.bool)
    mask[0, 0, 5:8, 6, 5] = True
    mask[1, 0, :, :, :] = True
    similarity = structural_similarity_map(image, reference, SHIFTED_TO_UNIT)
    score = structural_similarity(image, reference, SHIFTED_TO_UNIT, mask)
    assert score[0].item() == pytest.approx(similarity[0, 0, 0:3, 1, 0].mean().item(), abs=1e-12)
    assert score[1].item() == pytest.approx(similarity[1].mean().item(), abs=1e-12)
    erased = structural_similarity(image * mask, reference * mask, SHIFTED_TO_UNIT, mask)
    assert abs(erased[0] - score[0]) > 1e-3


def test_float32_and_autocast_keep_the_accuracy_over_a_flat_background():
    image, reference = pair_of_volumes()
    image[..., :9, :, :] = reference[..., :9, :, :] = -1.0
    exact = structural_similarity(image, reference, SIGNED_UNIT_RANGE).item()
    single = structural_similarity(image.float(), reference.float(), SIGNED_UNIT_RANGE)
    assert single.item() == pytest.approx(exact, abs=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert structural_similarity(image.float(), reference.float(), SIGNED_UNIT_RANGE).item() == single.item()
    half = structural_similarity(image.bfloat16(), reference.bfloat16(), SIGNED_UNIT_RANGE)
    assert half.dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="compares a CUDA device with the CPU; there is none here")
def test_a_graphics_processor_gives_the_same_score_and_gradient():
    results = []
    for device in ("cpu", "cuda"):
        image, reference = (volume.to(device, torch.float32) for volume in pair_of_volumes())
        image.requires_grad_()
        score = structural_similarity(image, reference, SHIFTED_TO_UNIT).sum()
        score.backward()
        results.append((score.detach().cpu(), image.grad.cpu()))
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: structural_similarity(x, x[..., :-1], SIGNED_UNIT_RANGE), "must share one shape"),
        (lambda x: structural_similarity(x[0], x[0], SIGNED_UNIT_RANGE), "must share one shape"),
        (lambda x: structural_similarity(x[..., :9], x[..., :9], SIGNED_UNIT_RANGE), "at least 11 voxels"),
        (lambda x: structural_similarity(x, x * torch.nan, SIGNED_UNIT_RANGE), "reference must be finite"),
        (lambda x: structural_similarity(x, x, SIGNED_UNIT_RANGE, x), "mask must be boolean"),
        (lambda x: structural_similarity(x, x, SIGNED_UNIT_RANGE, x > 9), r"volumes \[0\] of the batch"),
        (lambda x: GaussianWindow(10), "size must be odd"),
        (lambda x: SsimConvention("none", data_range=0.0), "data_range must lie in"),
        (lambda x: SsimConvention("none", data_range=1.0, scale=0.0), "scale must lie in"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(pair_of_volumes((12, 12, 12))[0])


def test_operands_rounded_as_tf32_rounds_them_spoil_the_score(monkeypatch):
    """Why `mrrepro run` leaves them in float32 on a GPU: variances are small differences of large numbers."""
    generator = torch.Generator().manual_seed(0)
    image, reference = (0.02 * torch.randn(1, 1, 24, 24, 24, generator=generator) + 0.5 for _ in range(2))
    exact = structural_similarity(image.double(), reference.double(), SHIFTED_TO_UNIT)

    def rounded(values):  # to 10 bits of mantissa
        return ((values.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)

    assert float(structural_similarity(image, reference, SHIFTED_TO_UNIT) - exact) == pytest.approx(0.0, abs=1e-4)
    along_axes = module._along_axes
    monkeypatch.setattr(
        module, "_along_axes", lambda volume, matrices: along_axes(rounded(volume), tuple(map(rounded, matrices)))
    )
    assert abs(float(structural_similarity(image, reference, SHIFTED_TO_UNIT) - exact)) > 0.02
