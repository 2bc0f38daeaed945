"""What the choices of the register of deviations do, in words made from the recorded sweeps.

``mrrepro ledger effects condnet`` writes them into the register's column; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrrepro.papers.condnet.evidence import (
    RecordedSweeps,
    errors_of,
    excess_loss,
    global_error,
    relative_l2,
    where_no_image,
)


def effects(runs: RecordedSweeps) -> dict[str, str]:
    """Effect of each measured deviation whose runs are recorded, by the last part of its id."""
    return runs.effects(
        {
            "start": (("headline", "drawn_start"), _start),
            "learning_rate": (("headline", "default_rate"), _rate),
            "heads": (("headline", "one_head", "six_heads"), _heads),
            "neck": (("neck",), _neck),
            "epochs_of_two": (("headline", "two", "two_as_long"), _two),
            "coil_gap": (("headline", "wider_gap"), _gap),
            "coil_orientation": (("headline", "turned_coil"), _orientation),
            "air_of_estimates": (("headline", "thinner_air"), _air),
            "ge_air": (("headline",), _ge_air),
            "ge_maximum": (("headline",), _ge_maximum),
        }
    )


def _mean(values: Sequence[float], digits: int = 2) -> str:
    return f"{np.mean(values):.{digits}f}"


def _ge(runs: RecordedSweeps, region: str, variant: str = "headline") -> str:
    return f"{_mean([global_error(entry, region) for entry in runs.pooled('fields', 'fields', variant)])} %"


def _l2(runs: RecordedSweeps, region: str, variant: str = "headline") -> str:
    return _mean([relative_l2(entry, region) for entry in runs.pooled("fields", "fields", variant)])


def _axial_loss(runs: RecordedSweeps, variant: str) -> str:
    return _mean(excess_loss(runs, "axial", variant), 4)


def _start(runs: RecordedSweeps) -> str:
    return (
        "Validation loss of the axial network above the least possible "
        f"{_axial_loss(runs, 'headline')} nat from the mean, {_axial_loss(runs, 'drawn_start')} by torch's rule "
        f"{runs.made('drawn_start')}"
    )


def _rate(runs: RecordedSweeps) -> str:
    return (
        "Validation loss of the axial network above the least possible "
        f"{_axial_loss(runs, 'headline')} nat with the demo's rate, {_axial_loss(runs, 'default_rate')} with the "
        f"optimiser's default at the same number of steps {runs.made('default_rate')}"
    )


def _heads(runs: RecordedSweeps) -> str:
    one, four, six = (_mean(errors_of(runs, variant), 3) for variant in ("one_head", "headline", "six_heads"))
    return (
        f"Relative L2 error on the test heads {one} after training on one head, {four} on four, {six} on six, at the "
        f"same number of steps {runs.made('six_heads')}"
    )


def _neck(runs: RecordedSweeps) -> str:
    ratios = [where_no_image(entry) for entry in runs.pooled("maps", "maps", "neck") if "neck" in entry]
    return (
        f"Relative L2 error of the conductivity where no image is {_mean(ratios)} times that elsewhere "
        f"{runs.made('neck')}"
    )


def _two(runs: RecordedSweeps) -> str:
    short, long = (_mean(errors_of(runs, variant, "maps_of_two"), 3) for variant in ("two", "two_as_long"))
    return (
        f"Relative L2 error of conductor A {_mean(errors_of(runs, 'headline'), 3)} with V = 1, with V = 2 {short} "
        f"after half as many passes and {long} after as many {runs.made('two_as_long')}"
    )


def _in_brain(runs: RecordedSweeps, variant: str) -> str:
    return f"{_ge(runs, 'brain', variant)} ({_l2(runs, 'brain', variant)})"


def _gap(runs: RecordedSweeps) -> str:
    return (
        f"GE in the brain (relative L2) {_in_brain(runs, 'headline')} at the chapter's gap, "
        f"{_in_brain(runs, 'wider_gap')} at twice that {runs.made('wider_gap')}"
    )


def _orientation(runs: RecordedSweeps) -> str:
    return (
        f"GE in the brain (relative L2) {_in_brain(runs, 'headline')} at the chapter's angle, "
        f"{_in_brain(runs, 'turned_coil')} turned by a right angle {runs.made('turned_coil')}"
    )


def _air(runs: RecordedSweeps) -> str:
    return (
        f"GE outside the brain {_ge(runs, 'non_brain')}, {_ge(runs, 'non_brain', 'thinner_air')} with a tenth of the "
        f"bound {runs.made('thinner_air')}"
    )


def _ge_air(runs: RecordedSweeps) -> str:
    return (
        f"GE of the head {_ge(runs, 'head')} without air, {_ge(runs, 'head_with_air')} with that of a box of 256 mm "
        f"{runs.made('headline')}"
    )


def _ge_maximum(runs: RecordedSweeps) -> str:
    knob, brain = (f"{_ge(runs, region)} and {_l2(runs, region)}" for region in ("motor_area", "brain"))
    return f"GE and relative L2 in the hand knob {knob}, in the brain {brain} {runs.made('headline')}"
