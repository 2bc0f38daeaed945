"""Each fault turns its verdict, is taken out again, and leaves nothing behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mrrepro.networks.scaling import PerImageScaling
from mrrepro.papers.condnet import stimulation
from mrrepro.papers.dl_ept import verification
from mrrepro.radiomics.nested_validation import NestedValidation
from mrrepro.simulators import dipole_field, spio_samples
from mrrepro.teaching import faults
from mrrepro.teaching.evidence import FALLS_SHORT, HOLDS
from mrrepro.teaching.lessons import LESSONS, break_it
from mrrepro.teaching.recipe import TeachingSettings

SETTINGS = TeachingSettings()
AGREES, DIFFERS = "agrees on substitute data", "differs"
TURNS = {
    "missing_fftshift": [
        ("deepspio.sphere_exterior", HOLDS, FALLS_SHORT),
        ("deepspio.claim.ranks_concentrations", AGREES, DIFFERS),
    ],
    "leaked_subjects": [("contrast_t1.claim.control_permuted_labels", AGREES, DIFFERS)],
    "scaled_by_maximum": [("deepspio.claim.ranks_concentrations", AGREES, DIFFERS)],
    "magnitude_error": [("dl_ept.mie_5mm", FALLS_SHORT, HOLDS)],
    "forgotten_air_mask": [("condnet.claim.ge_sees_errors", AGREES, DIFFERS)],
}


def functions() -> list[object]:
    """Everything that the faults replace, as it stands now."""
    return [
        dipole_field.slice_kernel,
        spio_samples.slice_kernel,
        NestedValidation.run,
        PerImageScaling.scale_input,
        verification.transmit_field,
        verification.series_transmit,
        stimulation.field_difference,
    ]


@pytest.mark.parametrize("name", LESSONS)
def test_the_fault_turns_its_verdicts_and_is_taken_out(name: str) -> None:
    before = functions()
    flips = break_it(name, SETTINGS)
    assert [(flip.before.id, flip.before.verdict, flip.after.verdict) for flip in flips] == TURNS[name]
    assert all(flip.flipped for flip in flips)
    assert functions() == before


def test_five_faults_are_known_and_a_sixth_is_an_error() -> None:
    assert set(LESSONS) == set(TURNS)
    with pytest.raises(ValueError, match=r"Unknown fault 'missing_fft'\. Did you mean 'missing_fftshift'"):
        break_it("missing_fft", SETTINGS)


def test_a_missing_shift_moves_the_field_by_half_of_the_padded_grid() -> None:
    size = 16
    volume = torch.zeros(size, 3, size, dtype=torch.float64)
    volume[9, 1, 6] = 1.0

    def field_on_the_padded_grid() -> torch.Tensor:
        kernel = dipole_field.slice_kernel(size, 1e-3, 1, dtype=torch.float64)
        spectrum = torch.fft.rfft2(kernel.project(volume), s=(2 * size, 2 * size))
        return torch.fft.irfft2((spectrum * kernel.spectrum.transpose(-1, -2)).sum(0), s=(2 * size, 2 * size))

    right = field_on_the_padded_grid()
    assert torch.allclose(right[:size, :size], dipole_field.field_in_slice(volume, 1e-3))
    with faults.missing_fftshift():
        assert torch.allclose(field_on_the_padded_grid(), right.roll((size, size), (0, 1)))


def test_the_leaking_split_sees_four_rows_of_each_patient() -> None:
    features, labels = np.random.default_rng(0).normal(size=(60, 5)), np.arange(60) % 2 == 0
    validation = NestedValidation(outer_splits=2, inner_folds=2, candidates=1, selected_features=(5,))
    names = [str(number) for number in range(60)]
    assert validation.run(features, labels, names, 0).train_size == 48
    with faults.leaked_subjects():
        assert validation.run(features, labels, names, 0).train_size == 192


def test_the_magnitude_is_blind_to_the_phase_alone() -> None:
    verification.sphere_error.cache_clear()
    right = verification.sphere_error(0.01)
    with faults.magnitude_error():
        verification.sphere_error.cache_clear()
        blind = verification.sphere_error(0.01)
    verification.sphere_error.cache_clear()
    assert blind.phase_rms == 0.0 < right.phase_rms
    assert 0.0 < blind.relative < right.relative


def test_air_makes_the_error_smaller_by_its_share() -> None:
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(2, 8, 8, 8, 3))
    everywhere = np.ones((8, 8, 8), bool)
    right = stimulation.field_difference(one, other, everywhere).global_error.mean
    with faults.forgotten_air_mask(0.016):  # a cube of 16 voxels
        diluted = stimulation.field_difference(one, other, ~everywhere).global_error.mean
    assert diluted == pytest.approx(right / 8)
