import math

import pytest
import torch

from mrrepro.simulators.rf_fields import add_measurement_noise, receive_field, transceive_phase, transmit_field


def test_circular_components():
    # B rotating clockwise, as the spins: x = cos wt, y = -sin wt, phasors 1 and +j
    clockwise = torch.tensor([1.0, 1j, 5.0]).reshape(3, 1, 1, 1)
    assert transmit_field(clockwise).item() == 1.0
    assert receive_field(clockwise).item() == 0.0
    assert transceive_phase(torch.tensor(1j), torch.tensor(1j)).item() == pytest.approx(math.pi)


def test_noise_has_the_stated_strengths():
    generator = torch.Generator().manual_seed(1)
    magnitude = torch.full((40, 40, 40), 3.0)
    mask = torch.ones(magnitude.shape, dtype=torch.bool)
    noisy, phase = add_measurement_noise(magnitude, torch.zeros_like(magnitude), mask, generator)
    # 64000 samples: the standard deviation is known to 0.3 %
    assert float((noisy - 3.0).std()) == pytest.approx(3.0 / 90.0, rel=0.015)
    assert float(phase.std()) == pytest.approx(9e-3, rel=0.015)
    assert abs(float(((noisy - 3.0) * phase).mean())) < 3e-6
    silent, _ = add_measurement_noise(magnitude, phase, mask, generator, snr=math.inf, phase_sd=0.0)
    assert torch.equal(silent, magnitude)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": torch.zeros((4, 4, 4), dtype=torch.bool)}, "empty"),
        ({"phase": torch.full((4, 4, 4), 120.0)}, "radians"),
        ({"snr": 0.0}, "snr"),
        ({"magnitude": torch.full((4, 4, 4), math.inf)}, "finite"),
    ],
)
def test_rejects(change, message):
    arguments = {
        "magnitude": torch.ones((4, 4, 4)), "phase": torch.zeros((4, 4, 4)),
        "mask": torch.ones((4, 4, 4), dtype=torch.bool), "generator": torch.Generator(),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        add_measurement_noise(**{**arguments, **change})
