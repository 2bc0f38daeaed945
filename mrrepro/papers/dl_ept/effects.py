"""What the choices of the register of deviations do to the error, in words made from the recorded sweeps.

``mrrepro ledger effects dl_ept`` writes them into the register's column; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import RecordedRuns
from mrrepro.papers.dl_ept.cases import TEST_HEAD
from mrrepro.papers.dl_ept.evidence import anatomy_error, number, select_rows, table1_row
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES


def effects(runs: RecordedRuns) -> dict[str, str]:
    """Effect of each measured deviation, by the last part of its id."""

    def rows(stage: str, name: str) -> list[list[dict[str, Any]]]:
        return [document["rows"] for document in runs.documents("headline", stage, name)]

    def on_head(variant: str) -> str:
        documents = runs.documents(variant, "mask_networks", "mask_networks")
        return _mean([np.mean([d["errors"]["test head"][q] for q in QUANTITIES]) for d in documents])

    def condition(name: str, method: str) -> str:
        chosen = [
            select_rows(table, condition=name, method=method, quantity="conductivity")
            for table in rows("other_conditions", "conditions")
        ]
        return _mean([number(found[0], "nrmse") for found in chosen])

    def hept(table: list[dict[str, Any]]) -> float:
        return number(table1_row(table, "helmholtz", "white_matter", "conductivity"), "sd")

    def eroded(layers: int) -> str:
        chosen = [
            select_rows(table, case=TEST_HEAD, method="helmholtz", region="white_matter", quantity="conductivity")
            for table in rows("table1", "table1")
        ]
        found = [next((r for r in each if r["erosion"] == layers), each[0]) for each in chosen]
        return f"{_mean([number(r, 'mean') for r in found])} (sd {_mean([number(r, 'sd') for r in found])})"

    fine = rows("helmholtz_voxels", "helmholtz_voxels")
    sizes = {row["voxel_size_mm"] for row in fine[0]}
    anatomy = rows("other_anatomy", "anatomies")
    whole = runs.made("headline")
    snr = [
        [
            number(select_rows(t, case=TEST_HEAD, method="mask", quantity="conductivity", snr=s)[0], "nrmse")
            for s in (20.0, 100.0, "inf")
        ]
        for t in rows("noise_levels", "noise_levels")
    ]
    levels = [_mean(list(column)) for column in zip(*snr, strict=True)]
    return {
        "voxel_size": "SD of the conductivity of WM by H-EPT: "
        f"{_mean([hept(t) for t in rows('table1', 'table1')])} S/m at the networks' voxel size, "
        f"{_mean([hept(t) for t in fine])} S/m at {sizes.pop():g} mm {whole}",
        "coil_geometry": f"NRMSE of cGANtissue's conductivity {condition('as trained', 'tissue')} in the coil of the "
        f"training, {condition('no shield', 'tissue')} with a wide shield (700 mm), "
        f"{condition('radius + 10 %', 'tissue')} and "
        f"{condition('radius - 10 %', 'tissue')} with a radius 10 % larger and smaller; H-EPT "
        f"{condition('as trained', 'helmholtz')}, {condition('no shield', 'helmholtz')}, "
        f"{condition('radius + 10 %', 'helmholtz')}, {condition('radius - 10 %', 'helmholtz')} {whole}",
        "spin_echo": "NRMSE of cGANtissue's conductivity "
        f"{condition('as trained', 'tissue')} with the contrast of 3 T, "
        f"{condition('contrast of 1.5 T', 'tissue')} with that of 1.5 T {whole}",
        "test_anatomy": "NRMSE of cGANtissue's conductivity "
        f"{_mean([anatomy_error(t, 'first', 'tissue', 'conductivity') for t in anatomy])} on a training anatomy, "
        f"{_mean([anatomy_error(t, 'unseen', 'tissue', 'conductivity') for t in anatomy])} on another {whole}",
        "erosion": f"Conductivity of WM by H-EPT: {eroded(0)} S/m with no layer taken off, {eroded(1)} with one, "
        f"{eroded(2)} with two {whole}",
        "noise": f"NRMSE of cGANmask's conductivity {levels[2]} without noise, {levels[1]} at an SNR of 100, "
        f"{levels[0]} at 20 {whole}",
        "lambda_reduction": f"NRMSE over both quantities on the test head {on_head('reference')} with 2 / 100 / 200, "
        f"{on_head('heavier')} with ten times the L1 and L2 weights, {on_head('lighter')} with a tenth, "
        f"{on_head('unet')} without the adversarial term {runs.made('reference')}",
        "training": f"NRMSE over both quantities on the test head {on_head('headline')} at the demo's length, "
        f"{on_head('reference')} after fewer than half of its steps {runs.made('reference')}",
        "receive_field": "NRMSE over both quantities on the test head "
        f"{on_head('reference')} with the transceive phase, "
        f"{on_head('transmit_phase')} with the true phase of B1+ {runs.made('transmit_phase')}",
    }


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f}"
