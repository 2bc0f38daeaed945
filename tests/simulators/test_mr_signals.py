"""Signal equations against stepping the Bloch equations pulse by pulse, closed forms and limits."""

from __future__ import annotations

import math

import pytest
import torch

from mrrepro.simulators.mr_signals import (
    ContrastAgent,
    InversionRecoverySpinEcho,
    RelaxingTissue,
    SpinEcho,
    SpoiledGradientEcho,
    ernst_angle,
    nulling_inversion_time,
)

T1, T2, DENSITY = 0.95, 0.08, 0.7


def tissue(t1=T1, t2=T2, density=DENSITY):
    return RelaxingTissue(*(torch.tensor(value, dtype=torch.float64) for value in (density, t1, t2)))


def step(events, t1=T1, t2=T2, density=DENSITY, repetitions=200):
    """Transverse magnetisation at the read-out of the last repetition.

    ``events`` is a list of ('wait', seconds), ('pulse', angle about x) and ('read', None); the transverse part is
    spoiled at the end of each repetition. Refocusing about x keeps the sign of y negated, hence the magnitude's sign
    is taken from the longitudinal magnetisation before the excitation.
    """
    y, z, read = 0.0, density, 0.0
    for _ in range(repetitions):
        y = 0.0
        for kind, value in events:
            if kind == "wait":
                y *= math.exp(-value / t2)
                z = density + (z - density) * math.exp(-value / t1)
            elif kind == "pulse":
                y, z = y * math.cos(value) - z * math.sin(value), y * math.sin(value) + z * math.cos(value)
            else:
                read = y
    return read


@pytest.mark.parametrize(("repetition_time", "echo_time"), [(0.5, 0.01), (2.0, 0.09), (0.3, 0.2)])
def test_spin_echo_equals_stepping(repetition_time, echo_time):
    half = echo_time / 2
    events = [("pulse", math.pi / 2), ("wait", half), ("pulse", math.pi), ("wait", half), ("read", None)]
    events.append(("wait", repetition_time - echo_time))
    signal = SpinEcho(repetition_time, echo_time).signal(tissue())
    assert signal.item() == pytest.approx(step(events), rel=1e-12)  # the echo points along +y


@pytest.mark.parametrize("flip_angle", [0.1, 0.5, math.pi / 2, 2.5])
def test_spoiled_gradient_echo_equals_stepping(flip_angle):
    events = [("pulse", flip_angle), ("wait", 0.004), ("read", None), ("wait", 0.021)]
    signal = SpoiledGradientEcho(0.025, 0.004, flip_angle).signal(tissue())
    assert signal.item() == pytest.approx(-step(events, repetitions=3000), rel=1e-10)


@pytest.mark.parametrize("inversion_time", [0.05, 0.6, 2.2])
def test_inversion_recovery_equals_stepping(inversion_time):
    echo_time, repetition_time = 0.1, 3.0
    events = [("pulse", math.pi), ("wait", inversion_time), ("pulse", math.pi / 2), ("wait", echo_time / 2)]
    events += [("pulse", math.pi), ("wait", echo_time / 2), ("read", None)]
    events.append(("wait", repetition_time - inversion_time - echo_time))
    signal = InversionRecoverySpinEcho(repetition_time, echo_time, inversion_time).signal(tissue())
    assert signal.item() == pytest.approx(step(events), rel=1e-11)


def test_spin_echo_of_long_repetition_and_short_echo_is_the_proton_density():
    assert SpinEcho(50.0, 1e-9).signal(tissue()).item() == pytest.approx(DENSITY, rel=1e-7)


def test_spin_echo_decays_with_t2_alone():
    short, long = SpinEcho(50.0, 0.02).signal(tissue()), SpinEcho(50.0, 0.1).signal(tissue())
    assert math.log(short.item() / long.item()) == pytest.approx(0.08 / T2, rel=1e-12)


def test_ernst_angle_by_hand_and_as_the_maximum():
    # TR = T1 ln 2 gives E1 = 1/2, hence 60 degrees and a signal of sin(60)(1/2)/(1 - 1/4) = 1/sqrt(3)
    repetition_time = T1 * math.log(2)
    best = ernst_angle(repetition_time, tissue().t1).item()
    assert best == pytest.approx(math.pi / 3, rel=1e-12)
    echo_free = tissue(t2=1e9, density=1.0)
    peak = SpoiledGradientEcho(repetition_time, 1e-3, best).signal(echo_free).item()
    assert peak == pytest.approx(1 / math.sqrt(3), rel=1e-9)
    for other in (best - 0.01, best + 0.01):
        assert SpoiledGradientEcho(repetition_time, 1e-3, other).signal(echo_free).item() < peak


def test_fluid_is_nulled_and_changes_sign_there():
    fluid = tissue(t1=4.2, t2=2.0)
    null = nulling_inversion_time(9.0, 0.12, fluid.t1).item()
    before, at, after = (
        InversionRecoverySpinEcho(9.0, 0.12, t).signal(fluid).item() for t in (null - 0.1, null, null + 0.1)
    )
    assert at == pytest.approx(0.0, abs=1e-12)
    assert before < 0 < after
    assert nulling_inversion_time(500.0, 0.12, fluid.t1).item() == pytest.approx(4.2 * math.log(2), rel=1e-9)


def test_rates_add_with_the_concentration():
    # r1 = 4.5 L/(mmol s), C = 0.2 mmol/L: 1/T1' = 1 + 0.9, 1/T2' = 10 + 1.2
    agent = ContrastAgent(4.5, 6.0)
    enhanced = agent.taken_up(tissue(t1=1.0, t2=0.1), torch.tensor(0.2, dtype=torch.float64))
    assert enhanced.t1.item() == pytest.approx(1 / 1.9, rel=1e-12)
    assert enhanced.t2.item() == pytest.approx(1 / 11.2, rel=1e-12)
    assert enhanced.proton_density.item() == DENSITY


def test_contrast_agent_brightens_t1_weighting_and_darkens_heavy_t2_weighting():
    agent, dose = ContrastAgent(4.5, 6.0), torch.tensor(0.5, dtype=torch.float64)
    t1_weighted, t2_weighted = SpinEcho(0.5, 0.01), SpinEcho(6.0, 0.15)
    assert t1_weighted.signal(agent.taken_up(tissue(), dose)) > t1_weighted.signal(tissue())
    assert t2_weighted.signal(agent.taken_up(tissue(), dose)) < t2_weighted.signal(tissue())


@pytest.mark.parametrize(
    "sequence", [SpinEcho(0.5, 0.02), SpoiledGradientEcho(0.03, 0.005, 0.4), InversionRecoverySpinEcho(5.0, 0.1, 1.8)]
)
def test_signals_are_linear_in_density_and_differentiable_in_maps(sequence):
    generator = torch.Generator().manual_seed(3)
    maps = [
        (low + torch.rand(4, generator=generator, dtype=torch.float64)).requires_grad_() for low in (0.2, 0.4, 0.05)
    ]
    assert torch.autograd.gradcheck(lambda *m: sequence.signal(RelaxingTissue(*m)), maps)
    density, t1, t2 = maps
    doubled = sequence.signal(RelaxingTissue(2 * density, t1, t2))
    torch.testing.assert_close(doubled, 2 * sequence.signal(RelaxingTissue(density, t1, t2)), rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tissue(t1=0.0), "t1 must be positive"),
        (lambda: tissue(t2=math.nan), "t2 must be finite"),
        (lambda: tissue(density=-0.1), "proton_density must be at least 0"),
        (lambda: SpinEcho(0.5, 0.5), "repetition_time must lie in"),
        (lambda: SpinEcho(0.5, 0.0), "echo_time must lie in"),
        (lambda: SpoiledGradientEcho(0.5, 0.01, 0.0), "flip_angle must lie in"),
        (lambda: SpoiledGradientEcho(0.5, 0.01, 90.0), "flip_angle must lie in"),
        (lambda: InversionRecoverySpinEcho(2.0, 0.1, 1.95), "repetition_time must lie in"),
        (lambda: InversionRecoverySpinEcho(2.0, 0.1, -0.1), "inversion_time must lie in"),
        (lambda: ContrastAgent(-1.0, 5.0), "longitudinal_relaxivity must lie in"),
        (lambda: ContrastAgent(4.5, 5.0).taken_up(tissue(), torch.tensor(-0.1)), "concentration must be at least 0"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
