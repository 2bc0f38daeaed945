"""Recordings of the chapter's sweeps that were never made, from which every claim's statistic is known."""

from __future__ import annotations

from mrrepro.papers.dl_ept.cases import TEST_HEAD, VARIED
from mrrepro.papers.dl_ept.evidence import SPHERE_BEFORE, RecordedSweeps
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES

SIGMA, EPS = QUANTITIES
WM, GM, CSF = VARIED
TRUTH = {(WM, SIGMA): 0.5, (GM, SIGMA): 0.8, (CSF, SIGMA): 2.0, (WM, EPS): 50.0, (GM, EPS): 80.0, (CSF, EPS): 100.0}
NETWORKS = ("mask", "tissue")
TUMOUR_TRUTH = {SIGMA: 1.4, EPS: 73.0}


class MadeUp(RecordedSweeps):
    """Recorded runs by variant, the numbers of one a seed."""

    def __init__(self, **variants):
        super().__init__()
        self._fresh = {
            name: [{"seed": seed, "numbers": numbers} for seed, numbers in enumerate(made)]
            for name, made in variants.items()
        }

    def runs(self, variant):
        return self._fresh.get(variant, [])


def step_of(seed):
    """-0.1, 0 and 0.1."""
    return 0.1 * (seed - 1)


def table1_rows(step, thin=()):
    """Table 1 with other values at other erosions; of CSF and of ``thin`` tissues too little is left after three."""
    error = {("helmholtz", *cell): 0.5 for cell in TRUTH} | {("tissue", *cell): 0.01 for cell in TRUTH}
    error |= {("mask", tissue, SIGMA): 0.5 for tissue in VARIED} | {("mask", tissue, EPS): 0.01 for tissue in VARIED}
    error |= {("helmholtz", WM, SIGMA): 0.02, ("helmholtz", WM, EPS): 0.03, ("helmholtz", GM, SIGMA): 0.04}
    error |= {("helmholtz", GM, EPS): -0.08 - 0.1 * step, ("tissue", CSF, EPS): -0.06 - 0.1 * step}
    error |= {("mask", WM, EPS): 0.03 + 0.1 * step}
    sd = {("helmholtz", t, q): 2.0 if q == SIGMA else 100.0 for t, q in TRUTH}
    sd |= {("mask", *cell): 0.1 * sd["helmholtz", *cell] for cell in TRUTH} | {("mask", CSF, SIGMA): 2 * (0.3 + step)}
    sd |= {("tissue", *cell): 0.5 * sd["mask", *cell] for cell in TRUTH} | {("tissue", GM, EPS): 8.0}
    nrmse = {WM: 1.0, GM: 2.0, CSF: 3.0 + 3 * step}
    rows = []
    for method, tissue, quantity in error:
        truth, few = TRUTH[tissue, quantity], tissue == CSF or tissue in thin
        row = {"case": TEST_HEAD, "method": method, "region": tissue, "quantity": quantity, "truth": truth}
        good = {"mean": truth * (1 + error[method, tissue, quantity]), "sd": sd[method, tissue, quantity]}
        good |= {"nrmse": nrmse[tissue] if (method, quantity) == ("helmholtz", EPS) else 9.0}
        bad = {"mean": 7 * truth, "sd": 7.0 + truth, "nrmse": 7.0}
        rows.append(row | bad | {"case": "unseen_M0", "erosion": 3, "n": 5000})
        rows.append(row | bad | {"erosion": 1, "n": 900})
        rows.append(row | (good if few else bad) | {"erosion": 2, "n": 300})
        rows.append(row | (bad if few else good) | {"erosion": 3, "n": 199 if few else 200})
    return rows


def phantom_rows(step):
    """Phantom 42 and, with other values, phantom 38."""
    found = {("helmholtz", SIGMA): (0.01, 1.0), ("helmholtz", EPS): (-0.03 - 0.1 * step, 10.0)}
    found |= {("mask", SIGMA): (0.6, 0.02), ("mask", EPS): (0.6, 10 * (0.2 + step))}
    rows = []
    for (method, quantity), (error, sd) in found.items():
        row = {"method": method, "region": "inside", "quantity": quantity, "truth": 2.0, "erosion": 3, "n": 500}
        rows.append(row | {"case": "phantom_38", "mean": 9.0, "sd": 1.0})
        rows.append(row | {"case": "phantom_42", "mean": 2.0 * (1 + error), "sd": sd})
        larger = 0.2 + 0.1 * step if (method, quantity) == ("mask", EPS) else 0.1
        rows.append(row | {"case": "agar", "mean": 2.0 * (1 - larger), "sd": sd})
    return rows


def voxel_rows(step):
    """H-EPT in smaller voxels: SD over mean 5, but 2 in one cell of GM; CSF does not count."""
    rows = []
    for (tissue, quantity), truth in TRUTH.items():
        row = {"case": TEST_HEAD, "method": "helmholtz", "region": tissue, "quantity": quantity, "truth": truth}
        mean, sd = (-50.0, 100 + 100 * step) if (tissue, quantity) == (GM, EPS) else (truth, 5 * truth)
        rows.append(row | {"erosion": 3, "n": 1000, "mean": mean, "sd": 0.1 * sd if tissue == CSF else sd})
    return rows


def boundary_rows():
    """Ratios of 10 and 1000; beyond the boundaries of the third head lies nothing."""
    pairs = {"one": (1.0, 0.1), "two": (1.0, 0.001), "three": (1.0, "nan")}
    return [
        {"case": case, "region": region, "nrmse": value}
        for case, pair in pairs.items()
        for region, value in zip(("within", "beyond"), pair, strict=True)
    ]


def anatomy_rows(step):
    """New properties on a known and on an unseen anatomy, three sets with a spread of 0.1 in the brain."""
    boundary = {("helmholtz", SIGMA): 2.0, ("helmholtz", EPS): 1.0, ("mask", SIGMA): 0.5, ("mask", EPS): 0.6}
    boundary |= {("tissue", SIGMA): 0.4 + 0.5 * step, ("tissue", EPS): 0.7 + step}
    rows = []
    for (method, quantity), edge in boundary.items():
        for number in range(3):
            row = {"set": number, "method": method, "quantity": quantity, "interior": 9.0}
            known = 0.2 if (method, quantity) == ("tissue", SIGMA) else 5.0
            rows.append(row | {"anatomy": "first", "brain": known + 0.1 * (number - 1), "boundary": edge})
            rows.append(row | {"anatomy": "unseen", "brain": known + 0.3 + step + 0.1 * (number - 1), "boundary": 9.0})
    return rows


def noise_rows(step):
    """Error of the conductivity at each SNR; of cGANmask a half without noise."""
    errors = {"mask": {"inf": 0.5, 100.0: 0.55 + 0.5 * step, 20.0: 2 * (0.55 + 0.5 * step)}}
    errors |= {"helmholtz": {"inf": 1.0, 100.0: 3.0, 20.0: 8.0}, "tissue": {"inf": 1.0, 100.0: 6.0, 20.0: 7.0}}
    rows = []
    for method, levels in errors.items():
        for snr, error in levels.items():
            row = {"snr": snr, "method": method}
            rows.append(row | {"case": "phantom_42", "quantity": SIGMA, "nrmse": 5.0})
            rows.append(row | {"case": TEST_HEAD, "quantity": EPS, "nrmse": 4.0})
            rows.append(row | {"case": TEST_HEAD, "quantity": SIGMA, "nrmse": error})
    return rows


SLOPES = {(SIGMA, WM): 0.5, (SIGMA, GM): 0.6, (SIGMA, CSF): 0.7, (EPS, WM): 0.2, (EPS, GM): 0.3, (EPS, CSF): 0.4}


def unseen_document(step, response=0.5):
    """New sets of properties: slopes of cGANtissue, errors, and how far a network follows the fields of the next case.

    cGANmask does so by ``response`` in the conductivity and by half of it in the permittivity, cGANtissue by 0.2.
    """
    true = {SIGMA: [0.5, 1.0, 1.5, 2.0], EPS: [50.0, 60.0, 80.0, 90.0]}
    document = {"names": ["U0", "U1", "U2", "U3"]}
    for quantity, values in true.items():
        found = {"truth": dict.fromkeys(VARIED, values), "lookup_nrmse": [0.15 - step, 0.35 - step]}
        for method in NETWORKS:
            for kind in ("own fields", "fields of another case"):
                found[f"{method}, {kind}"] = {t: [3.0 - v for v in values] for t in VARIED} | {"nrmse": [9.0, 9.0]}
        own = found["tissue, own fields"]
        own |= {t: [3.0 + (SLOPES[quantity, t] + step) * v for v in values] for t in VARIED}
        if quantity == SIGMA:
            own["nrmse"] = [0.3, 0.5]
        follows = {"tissue": 0.2 + step, "mask": response if quantity == SIGMA else 0.5 * response}
        for method, slope in follows.items():
            mine = found[f"{method}, own fields"]
            changes = [slope * (v - after) for v, after in zip(values, values[1:] + values[:1], strict=True)]
            found[f"{method}, fields of another case"] |= {
                t: [m - change for m, change in zip(mine[t], changes, strict=True)] for t in VARIED
            }
        document[quantity] = found
    return document


def mask_document(validation, head, gradient=1.0, contrasts=None, sphere=(1.0, 60.0), shown=(9.0, 9.0)):
    """What the mask networks decide.

    ``validation`` and ``head`` are errors of conductivity and permittivity, ``contrasts`` those of the tumour by method
    and quantity, ``sphere`` what cGANmask has in the tumour, ``shown`` the change by it over the true change.
    """
    errors = {"validation": validation, "test phantoms": (8.0, 8.0), "test head": head}
    document = {
        "errors": {
            group: {SIGMA: [both[0] - 0.1, both[0] + 0.1], EPS: [both[1]] * 2} for group, both in errors.items()
        },
        "edge gradient": {SIGMA: gradient, EPS: 7.0},
        "tumour": [],
    }
    for (method, quantity), contrast in (contrasts or {}).items():
        row = {"method": method, "quantity": quantity}
        inside, sd = sphere[QUANTITIES.index(quantity)], 0.2 if quantity == SIGMA else 4.0
        truth = TUMOUR_TRUTH[quantity] - SPHERE_BEFORE["demo"][quantity]
        before = inside - shown[QUANTITIES.index(quantity)] * truth
        for case, mean, difference in (("without", before, 6 * sd), ("with tumour", inside, contrast * sd)):
            document["tumour"].append(row | {"case": case, "region": "shell", "mean": inside - difference, "sd": sd})
            document["tumour"].append(row | {"case": case, "region": "tumour", "mean": mean, "sd": 9.0})
    return {"dl_ept/mask_networks": {"mask_networks": document}}


def headline(seed, response=0.5, thin=()):
    """All documents of a run at full length."""
    step = step_of(seed)
    contrasts = {("helmholtz", SIGMA): 0.2 + step, ("helmholtz", EPS): 0.4 + step}
    contrasts |= {("mask", quantity): 8.0 for quantity in QUANTITIES}
    return mask_document((9.0, 9.0), (9.0, 9.0), contrasts=contrasts) | {
        "dl_ept/table1": {"table1": {"rows": table1_rows(step, thin) + phantom_rows(step)}},
        "dl_ept/helmholtz_voxels": {"helmholtz_voxels": {"rows": voxel_rows(step)}},
        "dl_ept/helmholtz_boundaries": {"helmholtz_boundaries": {"rows": boundary_rows()}},
        "dl_ept/other_anatomy": {"anatomies": {"rows": anatomy_rows(step)}},
        "dl_ept/noise_levels": {"noise_levels": {"rows": noise_rows(step)}},
        "dl_ept/unseen_sets": {"unseen_sets": unseen_document(step, response)},
    }


def heavier(seed):
    """The weights of the tumour test; its conductivity comes out at 0.85, its permittivity at 0.95 of the truth."""
    step = step_of(seed)
    contrasts = {("mask", SIGMA): 2.0 + step, ("mask", EPS): 3.5, ("helmholtz", SIGMA): 0.5, ("helmholtz", EPS): 3.0}
    return mask_document(
        (0.5, 0.5), (0.3 + step, 0.3 + step), 5.0, contrasts, (1.19 + 0.14 * step, 69.35), (0.6, 0.8 + step)
    )


VARIANTS = {
    "headline": headline,
    "heavier": heavier,
    "reference": lambda seed: mask_document((0.3, 0.1), (0.6, 0.2), 0.3),
    "unet": lambda seed: mask_document((0.4 + step_of(seed), 0.2 + step_of(seed)), (8.0, 8.0), 0.2),
    "lighter": lambda seed: mask_document((0.25, 0.25), (8.0, 8.0), 8.0),
    "transmit_phase": lambda seed: mask_document((8.0, 8.0), (0.5, 8.0), 8.0),
}


def made_up(seeds=(0, 1, 2), **of_headline):
    """All variants over some seeds."""
    made = {name: [numbers(seed) for seed in seeds] for name, numbers in VARIANTS.items()}
    return MadeUp(**made | {"headline": [headline(seed, **of_headline) for seed in seeds]})
