"""Signal of a voxel under spin-echo, gradient-echo and inversion-recovery sequences, with and without contrast agent.

Proton density, T1 and T2 in, signal out; SI units (seconds, radians, mol/m^3). A sequence is a small frozen object
with its timings, and ``sequence.signal(tissue)`` its steady state. All equations hold for perfect, instantaneous
pulses, no transverse magnetisation left at the next excitation, no exchange, no flow, no diffusion. They are smooth in
every tissue parameter, so that maps can be fitted through them.

Sources: Bernstein, King, Zhou, Handbook of MRI Pulse Sequences (2004), sections 14.1 (gradient echo), 14.2 (inversion
recovery) and 14.3 (spin echo); each equation follows from the Bloch equations in a line and is tested against
stepping them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from mrrepro.validation import require_finite, require_range

Map = Float[Tensor, "..."]


@dataclass(frozen=True)
class RelaxingTissue:
    """What a voxel brings to its signal; the maps may have any shapes that broadcast.

    Parameters
    ----------
    proton_density : Tensor
        Equilibrium magnetisation, relative to pure water or in any unit [that of the signal], at least 0.
    t1, t2 : Tensor
        Longitudinal and transverse relaxation time [s], positive. For a gradient echo, whose static dephasing is not
        refocused, put T2* for ``t2``.
    """

    proton_density: Map
    t1: Map
    t2: Map

    def __post_init__(self) -> None:
        for name in ("proton_density", "t1", "t2"):
            values: Tensor = getattr(self, name)
            require_finite(name, values)
            if bool((values < 0).any()) or (name != "proton_density" and bool((values == 0).any())):
                raise ValueError(
                    f"{name} must be {'at least 0' if name == 'proton_density' else 'positive [s]'}, but its smallest "
                    f"value is {values.min().item():g}: give voxels without tissue a proton density of 0 and any "
                    "positive relaxation times."
                )


@dataclass(frozen=True)
class SpinEcho:
    """90 degrees, wait TE/2, 180 degrees, wait TE/2, read out; repeat after TR.

    ``S = PD (1 - 2 exp(-(TR - TE/2) / T1) + exp(-TR / T1)) exp(-TE / T2)``.

    The refocusing pulse inverts what has recovered by TE/2; for TE much shorter than T1 the bracket is the familiar
    ``1 - exp(-TR / T1)``.

    Parameters
    ----------
    repetition_time, echo_time : float
        TR and TE [s], ``0 < TE < TR``.
    """

    repetition_time: float
    echo_time: float

    def __post_init__(self) -> None:
        _require_times(self.repetition_time, self.echo_time, self.echo_time)

    def signal(self, tissue: RelaxingTissue) -> Map:
        """Return the steady-state signal [unit of the proton density]."""
        before_refocusing = self.repetition_time - self.echo_time / 2
        longitudinal = (
            1.0 - 2.0 * torch.exp(-before_refocusing / tissue.t1) + torch.exp(-self.repetition_time / tissue.t1)
        )
        return tissue.proton_density * longitudinal * torch.exp(-self.echo_time / tissue.t2)


@dataclass(frozen=True)
class SpoiledGradientEcho:
    """One pulse a repetition, the transverse magnetisation spoiled before the next.

    ``S = PD sin(alpha) (1 - E1) / (1 - E1 cos(alpha)) exp(-TE / T2*)``, ``E1 = exp(-TR / T1)``.

    Parameters
    ----------
    repetition_time, echo_time : float
        TR and TE [s], ``0 < TE < TR``.
    flip_angle : float
        alpha [rad], in (0, pi].
    """

    repetition_time: float
    echo_time: float
    flip_angle: float

    def __post_init__(self) -> None:
        _require_times(self.repetition_time, self.echo_time, self.echo_time)
        require_range("flip_angle", self.flip_angle, 0.0, math.pi, unit="rad", low_open=True)

    def signal(self, tissue: RelaxingTissue) -> Map:
        """Return the steady-state signal [unit of the proton density]; ``tissue.t2`` is T2*."""
        recovery = -torch.expm1(-self.repetition_time / tissue.t1)
        saturation = 1.0 - torch.exp(-self.repetition_time / tissue.t1) * math.cos(self.flip_angle)
        transverse = math.sin(self.flip_angle) * recovery / saturation
        return tissue.proton_density * transverse * torch.exp(-self.echo_time / tissue.t2)


def ernst_angle(repetition_time: float, t1: Map) -> Map:
    """Return the flip angle [rad] of the largest spoiled gradient-echo signal, ``arccos exp(-TR / T1)``."""
    require_range("repetition_time", repetition_time, 0.0, unit="s", low_open=True)
    return torch.arccos(torch.exp(-repetition_time / t1))


@dataclass(frozen=True)
class InversionRecoverySpinEcho:
    """Invert, wait TI, then a spin echo; repeat after TR, counted from inversion to inversion.

    ``S = PD (1 - 2 exp(-TI/T1) + 2 exp(-(TR - TE/2)/T1) - exp(-TR/T1)) exp(-TE/T2)``.

    With a TI that nulls cerebrospinal fluid this is FLAIR, with a short one that nulls fat STIR. The signal is signed;
    a magnitude image is its absolute value.

    Parameters
    ----------
    repetition_time, echo_time, inversion_time : float
        TR, TE and TI [s], all positive with ``TI + TE < TR``.
    """

    repetition_time: float
    echo_time: float
    inversion_time: float

    def __post_init__(self) -> None:
        require_range("inversion_time", self.inversion_time, 0.0, unit="s", low_open=True)
        _require_times(self.repetition_time, self.echo_time, self.inversion_time + self.echo_time)

    def signal(self, tissue: RelaxingTissue) -> Map:
        """Return the signed steady-state signal [unit of the proton density]."""
        steady = _inverted_steady_state(self.repetition_time, self.echo_time, tissue.t1)
        longitudinal = steady - 2.0 * torch.exp(-self.inversion_time / tissue.t1)
        return tissue.proton_density * longitudinal * torch.exp(-self.echo_time / tissue.t2)


def nulling_inversion_time(repetition_time: float, echo_time: float, t1: Map) -> Map:
    """Return the TI [s] at which `InversionRecoverySpinEcho` gives no signal from tissue of this T1.

    ``TI = T1 (ln 2 - ln(1 + 2 exp(-(TR - TE/2)/T1) - exp(-TR/T1)))``, which tends to ``T1 ln 2`` for a long TR.
    """
    _require_times(repetition_time, echo_time, echo_time)
    return t1 * (math.log(2.0) - torch.log(_inverted_steady_state(repetition_time, echo_time, t1)))


@dataclass(frozen=True)
class ContrastAgent:
    """Relaxivities of a contrast agent.

    Parameters
    ----------
    longitudinal_relaxivity, transverse_relaxivity : float
        r1 and r2 [m^3/(mol s)], at least 0. One of these equals the usual 1 L/(mmol s). Gadobutrol in plasma at 37
        degrees Celsius has r1 = 4.78 at 1.5 T and 4.97 at 3 T (Szomolanyi et al., Invest. Radiol. 54, 559 (2019)).
    """

    longitudinal_relaxivity: float
    transverse_relaxivity: float

    def __post_init__(self) -> None:
        require_range("longitudinal_relaxivity", self.longitudinal_relaxivity, 0.0, unit="m^3/(mol s)")
        require_range("transverse_relaxivity", self.transverse_relaxivity, 0.0, unit="m^3/(mol s)")

    def taken_up(self, tissue: RelaxingTissue, concentration: Map) -> RelaxingTissue:
        """Return the tissue with this concentration of the agent.

        ``1/T1' = 1/T1 + r1 C`` and ``1/T2' = 1/T2 + r2 C``: fast exchange, rates that add. Valid for the millimolar
        concentrations of an extracellular agent; susceptibility effects are left out.

        Parameters
        ----------
        tissue : RelaxingTissue
            Before the injection.
        concentration : Tensor
            C [mol/m^3], which is mmol/L; at least 0, of a shape that broadcasts with the tissue's maps.
        """
        require_finite("concentration", concentration)
        if bool((concentration < 0).any()):
            raise ValueError(
                f"concentration must be at least 0 mol/m^3, but its smallest value is {concentration.min().item():g}."
            )
        return replace(
            tissue,
            t1=tissue.t1 / (1.0 + tissue.t1 * self.longitudinal_relaxivity * concentration),
            t2=tissue.t2 / (1.0 + tissue.t2 * self.transverse_relaxivity * concentration),
        )


def _inverted_steady_state(repetition_time: float, echo_time: float, t1: Map) -> Map:
    """One plus the longitudinal magnetisation just before the inversion pulse, when the signal is nulled in between."""
    return 1.0 + 2.0 * torch.exp(-(repetition_time - echo_time / 2) / t1) - torch.exp(-repetition_time / t1)


def _require_times(repetition_time: float, echo_time: float, shortest_repetition: float) -> None:
    require_range("echo_time", echo_time, 0.0, unit="s", low_open=True)
    require_range(
        "repetition_time",
        repetition_time,
        shortest_repetition,
        unit="s",
        low_open=True,
        remedy="it must hold the inversion time and the echo time; all times are in seconds",
    )
