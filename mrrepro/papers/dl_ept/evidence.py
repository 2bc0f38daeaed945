"""What the recorded sweeps say about the paper's claims, and a sceptic's: one statistic with its interval each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import Builder, Evidence, RecordedRuns, Undecided, claims_of, over_seeds
from mrrepro.metrics.statistics import regression_line
from mrrepro.papers.dl_ept.cases import TEST_HEAD, TUMOUR, VARIED
from mrrepro.papers.dl_ept.field_reading import field_response, reads_fields, response_over
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES
from mrrepro.papers.dl_ept.settings import EvaluationSettings
from mrrepro.runs.records import Statistic

Row = dict[str, Any]

SHORT = {"white_matter": "wm", "grey_matter": "gm", "csf": "csf"}
SYMBOLS = {"conductivity": "sigma", "relative_permittivity": "eps"}


class RecordedSweeps(RecordedRuns):
    """The recorded runs of the chapter at one scale."""

    paper = "dl_ept"

    def claims(self) -> dict[str, Evidence]:
        """Evidence for each claim that is decided from recorded runs, by the claim's short name."""
        found = claims_of(self, CLAIMS)
        for name in _SEEDLESS & found.keys():
            found[name] = replace(found[name], seeds=found[name].seeds[:1], runs=found[name].runs[:1])
        return found


def select_rows(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    """Return the rows of a recorded table with these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def number(row: Row, name: str) -> float:
    """Return a recorded number; what JSON has no number for is text."""
    return float(row[name])


def table1_row(rows: Sequence[Row], method: str, tissue: str, quantity: str) -> Row:
    """Return a cell of Table 1: with as many layers taken off as leave enough voxels, three at most."""
    found = select_rows(rows, case=TEST_HEAD, method=method, region=tissue, quantity=quantity)
    enough = [row for row in found if row["n"] >= _LEAST] or found[:1]
    return max(enough, key=lambda row: int(row["erosion"]))


_LEAST = 200
"""Voxels that a tissue must keep after erosion; else a layer less is taken off."""


def eroded_row(rows: Sequence[Row], method: str, tissue: str, quantity: str) -> Row | None:
    """Return a cell of Table 1 with the paper's three layers taken off; None where these leave too few voxels.

    Three layers are half of the kernel: with fewer a mean of H-EPT is one over errors of boundaries.
    """
    row = table1_row(rows, method, tissue, quantity)
    return row if row["erosion"] >= EvaluationSettings().erosion and row["n"] >= _LEAST else None


def matter_cells(rows: Sequence[Row]) -> list[Row]:
    """Return the cells of H-EPT in WM and GM, both quantities, but for a tissue that is too thin for `eroded_row`."""
    found = [eroded_row(rows, "helmholtz", tissue, quantity) for tissue in VARIED[:2] for quantity in QUANTITIES]
    return [row for row in found if row is not None]


def error_of_mean(row: Row) -> float:
    """Relative error of a mean [%]."""
    return 100.0 * abs(number(row, "mean") - number(row, "truth")) / number(row, "truth")


def standard_error_of_mean(row: Row) -> float:
    """Least standard error of a mean over voxels [% of the truth]: that of as many voxels with noise of their own.

    The kernel spreads the noise of H-EPT over neighbours, so that the true one is larger.
    """
    return 100.0 * number(row, "sd") / math.sqrt(int(row["n"])) / number(row, "truth")


def _table1(runs: RecordedRuns) -> list[list[Row]]:
    return [document["rows"] for document in runs.documents("headline", "table1", "table1")]


def _over_cells(
    name: str,
    of_cell: Callable[[list[Row], str, str], float],
    worst: Callable[[list[float]], float],
    quantities: Sequence[str] = QUANTITIES,
) -> tuple[tuple[str, ...], Builder]:
    """A statistic that is the worst over tissues and quantities of Table 1, for each seed."""

    def build(runs: RecordedRuns) -> tuple[Statistic, int]:
        values = [worst([of_cell(rows, t, q) for t in VARIED for q in quantities]) for rows in _table1(runs)]
        return over_seeds(name, values), len(VARIED) * len(quantities)

    return ("headline",), build


def _relative_error(method: str) -> Callable[[list[Row], str, str], float]:
    return lambda rows, tissue, quantity: error_of_mean(table1_row(rows, method, tissue, quantity))


def _matter_means(runs: RecordedRuns) -> tuple[Statistic, int]:
    cells = [matter_cells(rows) for rows in _table1(runs)]
    if not all(cells):
        raise Undecided(
            f"{EvaluationSettings().erosion} layers, half of the kernel, leave fewer than {_LEAST} voxels of WM and of "
            "GM; a mean over less eroded tissue is one over errors of boundaries"
        )
    return over_seeds("largest error of a mean of H-EPT [%]", [max(map(error_of_mean, each)) for each in cells]), len(
        cells[0]
    )


def _sd_ratio(method: str, other: str) -> Callable[[list[Row], str, str], float]:
    return lambda rows, t, q: number(table1_row(rows, method, t, q), "sd") / number(table1_row(rows, other, t, q), "sd")


def _sd_over_mean(runs: RecordedRuns) -> tuple[Statistic, int]:
    """In the smallest voxels of the run, which are nearest to a scan's."""
    values = []
    for document in runs.documents("headline", "helmholtz_voxels", "helmholtz_voxels"):
        cells = [table1_row(document["rows"], "helmholtz", t, q) for t in VARIED[:2] for q in QUANTITIES]
        values.append(min(number(row, "sd") / abs(number(row, "mean")) for row in cells))
    return over_seeds("smallest SD over mean of H-EPT in WM and GM", values), 4


def _phantom(
    name: str, value: Callable[[list[Row], str], float], case: str = "phantom_42"
) -> tuple[tuple[str, ...], Builder]:
    def build(runs: RecordedRuns) -> tuple[Statistic, int]:
        values = [max(value(select_rows(rows, case=case), q) for q in QUANTITIES) for rows in _table1(runs)]
        return over_seeds(name, values), len(QUANTITIES)

    return ("headline",), build


def _phantom_sd_ratio(rows: list[Row], quantity: str) -> float:
    ours, theirs = (select_rows(rows, method=m, quantity=quantity)[0] for m in ("mask", "helmholtz"))
    return number(ours, "sd") / number(theirs, "sd")


def _phantom_error(method: str) -> Callable[[list[Row], str], float]:
    return lambda rows, quantity: error_of_mean(select_rows(rows, method=method, quantity=quantity)[0])


def _noise(
    name: str, numerator: float | str, denominator: float | str, minus: str = ""
) -> tuple[tuple[str, ...], Builder]:
    """Ratio of the error in conductivity between two SNRs, less that of another method if one is named."""

    def build(runs: RecordedRuns) -> tuple[Statistic, int]:
        def ratio(rows: list[Row], method: str) -> float:
            chosen = select_rows(rows, case=TEST_HEAD, method=method, quantity="conductivity")
            first, second = (number(select_rows(chosen, snr=level)[0], "nrmse") for level in (numerator, denominator))
            return first / second

        tables = [d["rows"] for d in runs.documents("headline", "noise_levels", "noise_levels")]
        values = [ratio(rows, "mask") - (ratio(rows, minus) if minus else 0.0) for rows in tables]
        return over_seeds(name, values), 1

    return ("headline",), build


def _pooled_error(document: Row, group: str) -> float:
    """Mean NRMSE over cases and both quantities: what the paper chose its weights by."""
    return float(np.mean([document["errors"][group][quantity] for quantity in QUANTITIES]))


def _against_reference(
    name: str, variant: str, value: Callable[[Row], float], ratio: bool = False, inverse: bool = False
) -> tuple[tuple[str, ...], Builder]:
    """Value of a variant minus (or over) that of the reference of the same length, seed by seed."""

    def build(runs: RecordedRuns) -> tuple[Statistic, int]:
        pair = [runs.documents(v, "mask_networks", "mask_networks") for v in (variant, "reference")]
        first, second = (np.array([value(document) for document in each]) for each in (pair[::-1] if inverse else pair))
        return over_seeds(name, first / second if ratio else first - second), 1

    return (variant, "reference"), build


OTHER_WEIGHTS = ("unet", "heavier", "lighter")
"""Variants with other weights of the loss than those chosen, as long as the reference."""


def _chosen_weights(runs: RecordedRuns) -> tuple[Statistic, int]:
    """Seed by seed against the best of the others."""
    chosen, *others = (
        [_pooled_error(document, "validation") for document in runs.documents(v, "mask_networks", "mask_networks")]
        for v in ("reference", *OTHER_WEIGHTS)
    )
    name = "NRMSE on the validation phantoms, chosen weights minus the lowest of the others"
    return over_seeds(name, np.array(chosen) - np.min(others, axis=0)), 1


def tumour_row(document: Row, method: str, region: str, quantity: str, case: str = "with tumour") -> Row:
    """Return a row of the recorded tumour test."""
    return select_rows(document["tumour"], case=case, method=method, region=region, quantity=quantity)[0]


def tumour_contrast(document: Row, method: str, quantity: str) -> float:
    """Mean of the sphere minus that of the shell around it, over the shell's sd."""
    sphere, shell = (tumour_row(document, method, region, quantity) for region in ("tumour", "shell"))
    return (number(sphere, "mean") - number(shell, "mean")) / number(shell, "sd")


SPHERE_BEFORE = {
    "demo": {"conductivity": 0.62932, "relative_permittivity": 60.021},
    "paper": {"conductivity": 0.62664, "relative_permittivity": 59.498},
}
"""True means over the tumour's sphere in the head without it [S/m, 1], which no recording holds, by scale.

They follow from the labels: white matter with folds of cortex and CSF. A test holds them to the head.
"""


def tumour_change(document: Row, method: str, quantity: str) -> float:
    """What a tumour changes in the sphere's mean; the head without it is the control, with the same noise and mask."""
    there, away = (
        number(tumour_row(document, method, "tumour", quantity, case), "mean") for case in ("with tumour", "without")
    )
    return there - away


def tumour_response(document: Row, method: str, quantity: str, scale: str) -> float:
    """Change of the sphere's mean by the tumour over the true change: 1 for a perfect map, 0 for one without it."""
    if scale not in SPHERE_BEFORE:
        raise Undecided(f"the true means over the sphere before the tumour are not known at scale {scale}")
    true = float(getattr(TUMOUR, quantity)) - SPHERE_BEFORE[scale][quantity]
    return tumour_change(document, method, quantity) / true


def _tumour(
    name: str, value: Callable[[Row, str], float], variant: str = "heavier", fields: Sequence[str] = QUANTITIES
) -> tuple[tuple[str, ...], Builder]:
    """By the network of the heavier weights, where cGANmask reads the fields; H-EPT is the same in every variant."""

    def build(runs: RecordedRuns) -> tuple[Statistic, int]:
        values = [value(document, runs.scale) for document in runs.documents(variant, "mask_networks", "mask_networks")]
        return over_seeds(name, values), 1

    return _where_fields_are_read(((variant,), build), fields)


def tumour_error(document: Row, quantity: str) -> float:
    """Relative error of the tumour's mean [%]."""
    truth = float(getattr(TUMOUR, quantity))
    return 100.0 * abs(number(tumour_row(document, "mask", "tumour", quantity), "mean") - truth) / truth


def slope_of(document: Row, method: str, quantity: str, tissue: str) -> float:
    """Slope of the reconstructed mean of a tissue on the true one, over the unseen sets of properties."""
    true = np.array(document[quantity]["truth"][tissue], dtype=float)
    found = np.array(document[quantity][f"{method}, own fields"][tissue], dtype=float)
    return float(regression_line(true, found).slope.estimate)


def _slope(tissue: str, quantity: str) -> tuple[tuple[str, ...], Builder]:
    def build(runs: RecordedRuns) -> tuple[Statistic, int]:
        documents = runs.documents("headline", "unseen_sets", "unseen_sets")
        values = [slope_of(document, "tissue", quantity, tissue) for document in documents]
        name = f"{quantity.replace('_', ' ')} of {tissue.replace('_', ' ')}: slope of the reconstructed on the true one"
        return over_seeds(name, values), len(documents[0]["names"])

    return ("headline",), build


def _unseen(name: str, value: Callable[[Row], float]) -> tuple[tuple[str, ...], Builder]:
    def build(runs: RecordedRuns) -> tuple[Statistic, int]:
        documents = runs.documents("headline", "unseen_sets", "unseen_sets")
        return over_seeds(name, [value(document) for document in documents]), len(documents[0]["names"])

    return ("headline",), build


def _minus_lookup(document: Row) -> float:
    found = document["conductivity"]
    return float(np.mean(found["tissue, own fields"]["nrmse"]) - np.mean(found["lookup_nrmse"]))


def _where_fields_are_read(
    claim: tuple[tuple[str, ...], Builder], quantities: Sequence[str] = ("conductivity",)
) -> tuple[tuple[str, ...], Builder]:
    """Decide a claim only where cGANmask at full length reads its fields: no noise moves what is not read."""
    variants, build = claim

    def guarded(runs: RecordedRuns) -> tuple[Statistic, int]:
        documents = runs.documents("headline", "unseen_sets", "unseen_sets")
        for quantity in quantities:
            if not reads_fields(documents, "mask", quantity):
                response = response_over(documents, "mask", quantity)
                raise Undecided(
                    f"with another case's fields the {quantity.replace('_', ' ')} of cGANmask changes by "
                    f"{response.estimate:.2f} of the true change ({response.low:.2f} to {response.high:.2f}), which "
                    "may be nothing; a network that does not read its fields passes or fails for that alone"
                )
        return build(runs)

    return tuple(dict.fromkeys(("headline", *variants))), guarded


def anatomy_error(rows: Sequence[Row], anatomy: str, method: str, quantity: str, region: str = "brain") -> float:
    """Mean NRMSE over the sets of properties of an anatomy."""
    chosen = select_rows(rows, anatomy=anatomy, method=method, quantity=quantity)
    return float(np.mean([number(row, region) for row in chosen]))


def _anatomy(name: str, value: Callable[[list[Row]], float]) -> tuple[tuple[str, ...], Builder]:
    def build(runs: RecordedRuns) -> tuple[Statistic, int]:
        tables = [d["rows"] for d in runs.documents("headline", "other_anatomy", "anatomies")]
        return over_seeds(name, [value(rows) for rows in tables]), 3

    return ("headline",), build


def boundary_ratio(rows: Sequence[Row], case: str) -> float:
    """NRMSE of a head within half a kernel of a tissue boundary over that beyond; NaN where nothing lies beyond."""
    within, beyond = (number(select_rows(rows, case=case, region=r)[0], "nrmse") for r in ("within", "beyond"))
    return within / beyond


def _boundaries(runs: RecordedRuns) -> tuple[Statistic, int]:
    """Over the heads of one run: noiseless H-EPT is the same for every seed. Of the logarithm, as ratios spread so."""
    rows = runs.documents("headline", "helmholtz_boundaries", "helmholtz_boundaries")[0]["rows"]
    ratios = [boundary_ratio(rows, case) for case in dict.fromkeys(row["case"] for row in rows)]
    found = [math.log10(ratio) for ratio in ratios if math.isfinite(ratio)]
    name = "log10 of the NRMSE within half a kernel of a boundary over that beyond, over the heads of one run"
    return over_seeds(name, found), len(found)


_SEEDLESS = {"hept_errors_at_boundaries"}
"""Claims that no seed changes: one run decides them, over its heads."""


def _boundary_gain(rows: list[Row]) -> float:
    """Largest ratio of a network's error at boundaries to that of H-EPT, both with noise."""

    def error(method: str, quantity: str) -> float:
        return anatomy_error(rows, "first", method, quantity, "boundary")

    return max(error(method, q) / error("helmholtz", q) for method in ("mask", "tissue") for q in QUANTITIES)


CLAIMS: dict[str, tuple[Sequence[str], Builder]] = {
    "hept_sd_exceeds_mean": (("headline",), _sd_over_mean),
    "hept_mean_within_10_percent": (("headline",), _matter_means),
    "hept_errors_at_boundaries": (("headline",), _boundaries),
    "hept_permittivity_not_feasible": _over_cells(
        "NRMSE of the permittivity of H-EPT, mean over the tissues",
        lambda rows, t, q: number(table1_row(rows, "helmholtz", t, q), "nrmse"),
        lambda values: float(np.mean(values)),
        quantities=("relative_permittivity",),
    ),
    "phantom_hept_mean_accurate": _phantom("larger error of a mean of H-EPT [%]", _phantom_error("helmholtz")),
    "phantom_network_more_precise": _phantom("larger SD of the network over that of H-EPT", _phantom_sd_ratio),
    "phantom_of_another_size": _phantom(
        "larger error of a mean in a phantom of 13 x 15 cm [%]", _phantom_error("mask"), case="agar"
    ),
    "network_sd_below_hept": _over_cells("largest SD over that of H-EPT", _sd_ratio("mask", "helmholtz"), max),
    "tissue_sd_below_mask": _over_cells("largest SD over that of cGANmask", _sd_ratio("tissue", "mask"), max),
    "tissue_contrast_means_agree": _over_cells("largest error of a mean [%]", _relative_error("tissue"), max),
    "tissue_contrast_fewer_boundary_errors": _anatomy(
        "NRMSE at boundaries, cGANtissue over cGANmask",
        lambda rows: (
            anatomy_error(rows, "first", "tissue", "conductivity", "boundary")
            / anatomy_error(rows, "first", "mask", "conductivity", "boundary")
        ),
    ),
    "boundaries_preserved": _anatomy("largest NRMSE at boundaries of a network over that of H-EPT", _boundary_gain),
    "noise_robust_at_100": _where_fields_are_read(
        _noise("NRMSE at an SNR of 100 over that without noise", 100.0, "inf")
    ),
    "more_noise_robust_than_hept": _where_fields_are_read(
        _noise("the same ratio, cGANmask minus H-EPT", 100.0, "inf", minus="helmholtz")
    ),
    "erroneous_at_snr_20": _where_fields_are_read(_noise("NRMSE at an SNR of 20 over that at 100", 20.0, 100.0)),
    "unet_worse_than_gan": _against_reference(
        "NRMSE on the validation phantoms, U-Net minus cGAN", "unet", lambda d: _pooled_error(d, "validation")
    ),
    "gan_sharper_than_unet": _against_reference(
        "gradient at boundaries, cGAN over U-Net",
        "unet",
        lambda d: float(d["edge gradient"]["conductivity"]),
        ratio=True,
        inverse=True,
    ),
    "chosen_weights_lowest_on_validation": (("reference", *OTHER_WEIGHTS), _chosen_weights),
    "heavier_weights_help_the_head": _against_reference(
        "NRMSE on the test head, heavier minus chosen weights",
        "heavier",
        lambda d: _pooled_error(d, "test head"),
    ),
    "transceive_phase_suffices": _where_fields_are_read(
        _against_reference(
            "NRMSE with the transceive over that with the transmit phase",
            "transmit_phase",
            lambda d: float(np.mean(d["errors"]["test head"]["conductivity"])),
            ratio=True,
            inverse=True,
        )
    ),
    "permittivity_feasible": _over_cells(
        "largest error of a mean permittivity [%]", _relative_error("mask"), max, quantities=("relative_permittivity",)
    ),
    "tumor_visible": _tumour(
        "change of the sphere's permittivity by the tumour over the true change",
        lambda d, scale: tumour_response(d, "mask", "relative_permittivity", scale),
        fields=("relative_permittivity",),
    ),
    "tumor_visible_in_conductivity": _tumour(
        "change of the sphere's conductivity by the tumour over the true change",
        lambda d, scale: tumour_response(d, "mask", "conductivity", scale),
        fields=("conductivity",),
    ),
    "hept_hardly_shows_tumor": _tumour(
        "larger contrast of H-EPT over the shell's SD",
        lambda d, _: max(tumour_contrast(d, "helmholtz", quantity) for quantity in QUANTITIES),
        variant="headline",
        fields=(),
    ),
    "tumor_clearer_in_permittivity": _tumour(
        "change by the tumour over the true change, in permittivity minus in conductivity",
        lambda d, scale: (
            tumour_response(d, "mask", "relative_permittivity", scale)
            - tumour_response(d, "mask", "conductivity", scale)
        ),
    ),
    "tumor_clearer_than_hept": _tumour(
        "smaller gain of contrast on H-EPT",
        lambda d, _: min(tumour_contrast(d, "mask", q) - tumour_contrast(d, "helmholtz", q) for q in QUANTITIES),
    ),
    "tumor_sigma_underestimated": _tumour(
        f"mean conductivity of the sphere over {TUMOUR.conductivity:g} S/m",
        lambda d, _: number(tumour_row(d, "mask", "tumour", "conductivity"), "mean") / TUMOUR.conductivity,
        fields=("conductivity",),
    ),
    "tumor_permittivity_more_accurate": _tumour(
        "error of the conductivity minus that of the permittivity [percentage points]",
        lambda d, _: tumour_error(d, "conductivity") - tumour_error(d, "relative_permittivity"),
    ),
    **{
        f"slope_{SYMBOLS[quantity]}_{SHORT[tissue]}": _slope(tissue, quantity)
        for quantity in QUANTITIES
        for tissue in VARIED
    },
    "beats_lookup": _unseen("NRMSE minus that of the look-up", _minus_lookup),
    "needs_fields": _unseen(
        "change of the conductivity with another case's fields over the true change, cGANtissue",
        lambda document: float(field_response(document, "tissue", "conductivity").estimate),
    ),
    "unseen_anatomy": _anatomy(
        "NRMSE on an unseen minus on a known anatomy",
        lambda rows: (
            anatomy_error(rows, "unseen", "tissue", "conductivity")
            - anatomy_error(rows, "first", "tissue", "conductivity")
        ),
    ),
}
"""By the claim's short name: the variants it rests on, and its statistic."""
