"""Normalisation and padding of volumes: values by hand, and that both can be undone."""

from __future__ import annotations

import pytest
import torch

from mrrepro.networks.image_normalization import StandardScoreNormalization
from mrrepro.networks.volume_padding import VolumePadding, padding_to_multiple


def brain_case():
    images = torch.full((1, 2, 1, 2, 3), 99.0, dtype=torch.float64)
    brain = torch.zeros(1, 1, 1, 2, 3, dtype=torch.bool)
    brain[..., 0, :] = True
    brain[..., 1, 0] = True
    images[0, 0][brain[0, 0]] = torch.tensor([1.0, 1.0, 3.0, 3.0], dtype=torch.float64)  # mean 2, sd 1
    images[0, 1][brain[0, 0]] = torch.tensor([0.0, 0.0, 0.0, 8.0], dtype=torch.float64)  # mean 2, sd sqrt(12)
    return images, brain


def test_standard_scores_by_hand():
    images, brain = brain_case()
    normalized = StandardScoreNormalization(cut=4.0)(images, brain)
    torch.testing.assert_close(normalized[0, 0][brain[0, 0]], torch.tensor([-0.25, -0.25, 0.25, 0.25]).double())
    assert normalized[~brain.expand_as(images)].unique().tolist() == [-1.0]
    cut = StandardScoreNormalization(cut=0.5)(images, brain)  # standard scores of 1 are cut at 0.5
    assert cut[0, 0][brain[0, 0]].tolist() == [-1.0, -1.0, 1.0, 1.0]


def test_normalisation_does_not_depend_on_the_scanner_s_units_and_can_be_undone():
    images, brain = brain_case()
    normalize = StandardScoreNormalization()
    torch.testing.assert_close(normalize(images, brain), normalize(350 * images + 7, brain))
    back = normalize.undo(normalize(images, brain), normalize.scale(images, brain))
    inside = brain.expand_as(images)
    torch.testing.assert_close(back[inside], images[inside])


def test_the_cut_is_saved_with_the_weights():
    restored = StandardScoreNormalization()
    restored.load_state_dict(StandardScoreNormalization(cut=3.0).state_dict())
    assert restored.cut.item() == 3.0


def test_bad_images_are_refused_by_name():
    images, brain = brain_case()
    normalize = StandardScoreNormalization()
    with pytest.raises(ValueError, match="images must be finite"):
        normalize(images * torch.nan, brain)
    with pytest.raises(ValueError, match=r"\(batch, channel\) \[\[0, 1\]\] are constant"):
        normalize(torch.stack([images[0, 0], torch.ones(1, 2, 3).double()])[None], brain)
    with pytest.raises(ValueError, match="brain must hold at least two voxels"):
        normalize(images, brain & False)
    with pytest.raises(ValueError, match="brain must be a boolean mask"):
        normalize(images, brain.float())
    with pytest.raises(ValueError, match="cut must lie in"):
        StandardScoreNormalization(cut=0.0)


@pytest.mark.parametrize("sides", [(150, 192, 161), (32, 33, 63), (1, 2, 3)])
def test_padding_divides_and_is_undone(sides):
    padding = padding_to_multiple(sides, 32)
    volume = torch.rand(1, 1, *(min(side, 70) for side in sides))
    padding = padding_to_multiple(tuple(volume.shape[2:]), 32)
    padded = padding.apply(volume, value=-1.0)
    assert [side % 32 for side in padded.shape[2:]] == [0, 0, 0]
    assert torch.equal(padding.undo(padded), volume)
    assert padded.sum().item() == pytest.approx(volume.sum().item() - (padded.numel() - volume.numel()), rel=1e-4)


def test_padding_by_hand():
    assert padding_to_multiple((150, 192, 161), 32) == VolumePadding((5, 0, 15), (5, 0, 16))
    with pytest.raises(ValueError, match="at least 1"):
        padding_to_multiple((0, 4, 4), 8)
