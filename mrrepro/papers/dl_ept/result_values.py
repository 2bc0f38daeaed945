"""The numbers of the article that the stages give, by id: what notebooks record, and what is taken of recorded runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mrrepro.metrics.evidence import FoundValue, StageValues
from mrrepro.papers.dl_ept.cases import TEST_HEAD, VARIED
from mrrepro.papers.dl_ept.evidence import (
    SHORT,
    SYMBOLS,
    Row,
    eroded_row,
    error_of_mean,
    matter_cells,
    number,
    select_rows,
    standard_error_of_mean,
    table1_row,
)
from mrrepro.papers.dl_ept.field_reading import reads_fields
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.reported import Number, ReportedValue, Tolerance

HEPT_ERROR = "dl_ept.results.hept.mean_error"

LEDGER_METHODS = {"helmholtz": "hept", "mask": "cganmask", "tissue": "cgantissue"}
"""Methods as ids of the ledger name them."""

ERRONEOUS = 1.5
"""A map is called erroneous where its error is so many times that without noise."""


def table1_id(method: str, quantity: str, tissue: str) -> str:
    """Id of a cell of Table 1; its standard deviation has the same with ``_sd``."""
    return f"dl_ept.table1.{LEDGER_METHODS[method]}.{SYMBOLS[quantity]}_{SHORT[tissue]}"


def table1_values(rows: Sequence[Row]) -> list[FoundValue]:
    """Means and standard deviations of Table 1, and the largest relative errors of the means in the text [%].

    Of H-EPT only what the paper's erosion leaves enough voxels for, a mean only where its standard error is below the
    row's tolerance, and the largest error only where it is farther from the paper's bound than its standard error.
    """
    entries = {entry.id: entry for entry in Ledger("dl_ept").numbers}
    found = []
    for method in LEDGER_METHODS:
        for quantity in QUANTITIES:
            for tissue in VARIED:
                name = table1_id(method, quantity, tissue)
                of_cell = eroded_row if method == "helmholtz" else table1_row
                row = of_cell(rows, method, tissue, quantity)
                if row is None or entries[name].status != "attempt":
                    continue
                mean, sd = number(row, "mean"), number(row, "sd")
                if method != "helmholtz" or is_known(row, entries[name]):
                    found.append(FoundValue(name, mean, sd, int(row["n"])))
                found.append(FoundValue(f"{name}_sd", sd, None, int(row["n"])))
    phantom = [select_rows(rows, case="phantom_42", method="mask", quantity=quantity)[0] for quantity in QUANTITIES]
    found.append(FoundValue("dl_ept.results.phantom42.mean_error", max(map(error_of_mean, phantom))))
    bound = ReportedValue.parse(entries[HEPT_ERROR].value).numbers[0]
    if (matter := matter_cells(rows)) and not near_bound(worst := max(matter, key=error_of_mean), bound):
        found.append(FoundValue(HEPT_ERROR, error_of_mean(worst)))
    return found


def is_known(row: Row, entry: Number) -> bool:
    """Whether the least standard error of a mean is below the tolerance, in per cent, of its row of the ledger."""
    tolerance = Tolerance.parse(entry.tolerance).amount / 100.0 * abs(float(entry.value))
    return standard_error_of_mean(row) / 100.0 * number(row, "truth") < tolerance


def near_bound(row: Row, bound: float) -> bool:
    """Whether the error of a mean [%] is nearer to a bound than the least standard error of the mean."""
    return abs(error_of_mean(row) - bound) < standard_error_of_mean(row)


def noise_values(rows: Sequence[Row]) -> list[FoundValue]:
    """The largest signal-to-noise ratio at which the mask network's conductivity is erroneous; 0 if it is at none."""
    chosen = select_rows(rows, case=TEST_HEAD, method="mask", quantity="conductivity")
    clean = next(number(row, "nrmse") for row in chosen if row["snr"] == "inf")
    levels = [number(row, "snr") for row in chosen if row["snr"] != "inf" and number(row, "nrmse") > ERRONEOUS * clean]
    return [FoundValue("dl_ept.discussion.erroneous_snr", max(levels, default=0.0))]


@dataclass(frozen=True)
class ValuesOfReadFields(StageValues):
    """Numbers that say nothing of a network that does not read its fields: none where cGANmask does not."""

    def found_in(self, paper: str, runs: Sequence[Mapping[str, Any]]) -> list[FoundValue]:
        """The numbers that the recorded runs of the variant give."""
        unseen = [run["numbers"][f"{paper}/unseen_sets"]["unseen_sets"] for run in self.used(runs)]
        return super().found_in(paper, runs) if reads_fields(unseen, "mask", "conductivity") else []


VALUES = (
    StageValues("headline", "table1", ("table1",), lambda document: table1_values(document["rows"])),
    ValuesOfReadFields("headline", "noise_levels", ("noise_levels",), lambda document: noise_values(document["rows"])),
)
"""What a recorded run decides without a notebook."""
