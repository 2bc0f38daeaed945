"""The numbers of the thesis that the recorded runs give, by id: means over the patients and seeds of a variant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import FoundValue, StageValues, record_values
from mrrepro.papers.contrast_t1.experiments import NINE
from mrrepro.papers.contrast_t1.recipe import COMPARED_LOSSES, PATCHES_MM, compared
from mrrepro.papers.contrast_t1.recorded_scores import RecordedScores
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.notebook import Run as NotebookRun
from mrrepro.runs.stages import Stage

LOSSES = {f"table5.{name}": name for name in ("l1", "l2", "l1b", "l2b", "l1t", "l2t", "lssim")}
"""Rows of Table 5 and their variants."""

MODELS = {f"table6.model{k}.{loss.lower()}": compared(f"model{k}", loss) for loss in COMPARED_LOSSES for k in range(5)}
"""Rows of Table 6 and their variants."""

SIZES = {"full": "model1"} | {f"size{edge}": f"patch{edge}" for edge in PATCHES_MM}
"""Sizes of the input and their variants under L1 in the brain."""

PATCHES = {
    f"table7.{size}.{loss.lower()}": compared(name, loss) for loss in COMPARED_LOSSES for size, name in SIZES.items()
}
"""Rows of Table 7 and their variants."""

MIX = {"table8.lm": "headline", "table8.l1b": "l1b", "table8.l2b": "l2b", "table8.lssim": "lssim"}
"""Rows of Table 8 and their variants."""

ABSTRACT = {"abstract": "headline"}
"""The mix as the abstract gives it, and its variant."""

_WHOLE_IMAGE = NINE[:3]  # the abstract gives no others


def table_values(row: str, scores: Sequence[str], *by_seed: Sequence[Sequence[float]]) -> list[FoundValue]:
    """Mean and standard deviation of each score over patients and seeds.

    Parameters
    ----------
    row : str
        Of a table, ``"table5.l1b"``.
    scores : sequence of str
        Their names in the ledger.
    *by_seed : arrays, (seeds, patients)
        Of each score, NaN where it is undefined.
    """
    found = []
    for score, values in zip(scores, by_seed, strict=True):
        table = np.array(values, dtype=float)
        mean, deviation = float(np.nanmean(table)), float(np.nanstd(table, ddof=1))
        found.append(FoundValue(f"contrast_t1.{row}.{score}", mean, deviation, table.shape[1]))
    return found


def values_of(rows: Mapping[str, str]) -> tuple[StageValues, ...]:
    """What the variants of some rows give."""
    wanted = []
    for row, variant in rows.items():
        scores = _WHOLE_IMAGE if row in ABSTRACT else NINE
        documents = tuple(f"test_{score}" for score in scores)
        wanted.append(
            StageValues(variant, "evaluation", documents, partial(table_values, row, scores), over_seeds=True)
        )
    return tuple(wanted)


def record_rows(
    run: NotebookRun[Any], sweeps: RecordedScores, rows: Mapping[str, str], by: Sequence[Stage | Callable[..., Any]]
) -> None:
    """Record rows of tables in a notebook's run; those without a recording are left out.

    Parameters
    ----------
    run : Run
        The notebook's.
    sweeps : RecordedScores
        Where the variants are.
    rows : mapping of str to str
        Row to variant.
    by : sequence of Stage or callable
        What made them.
    """
    for each in values_of(rows):
        runs = sweeps.runs(each.variant)
        if runs:
            record_values(run, each.found_in("contrast_t1", runs), recorded=runs, by=by)


SHOWN = {"mae_b": "MAE, brain", "mae_t": "MAE, tumor", "ssim_b": "SSIM, brain"}
"""Scores that the pages' tables show, of the nine that are recorded."""


def beside_thesis(
    sweeps: RecordedScores, ledger: Ledger, rows: Mapping[str, str], labels: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Rows of a table: means over patients and seeds, each beside what the thesis prints.

    Parameters
    ----------
    sweeps : RecordedScores
        Where the variants are; rows without a recording are left out.
    ledger : Ledger
        The chapter's.
    rows : mapping of str to str
        Row of the thesis' tables to variant.
    labels : sequence of mappings
        Of each row, the first cells of its row in the table, by column.
    """
    printed = {number.id: number.value for number in ledger.numbers}
    table = []
    for (row, variant), label in zip(rows.items(), labels, strict=True):
        if not sweeps.seeds(variant):
            continue
        table.append(dict[str, Any](label))
        for score, heading in SHOWN.items():
            table[-1][heading] = float(sweeps.mean(variant, f"test_{score}").mean())
            table[-1][f"{heading}, thesis"] = float(printed[f"contrast_t1.{row}.{score}"])
    return table


def row_words(row: str) -> str:
    """A row of Tables 6 and 7 in words.

    >>> row_words("table6.model3.l2b"), row_words("table7.size64.lssim"), row_words("table7.full.l1b")
    ('model 3, L2B', '64 mm, SSIM', 'whole volumes, L1B')
    """
    _, subject, loss = row.split(".")
    if subject.startswith("model"):
        named = f"model {subject.removeprefix('model')}"
    else:
        named = "whole volumes" if subject == "full" else f"{subject.removeprefix('size')} mm"
    return f"{named}, {'SSIM' if loss == 'lssim' else loss.upper()}"


def finders(sweeps: RecordedScores, rows: Mapping[str, str], above: float = 0.1) -> str:
    """Say which trainings find more than a share of the enhancing voxels, and how much of other tumors they enhance.

    Parameters
    ----------
    sweeps : RecordedScores
        Where the variants are; rows without a recording are left out.
    rows : mapping of str to str
        Row of Tables 6 and 7 to variant.
    above : float
        Share of the truly enhancing voxels of new patients, in [0, 1].
    """
    found = []
    for row, variant in rows.items():
        if sweeps.seeds(variant):
            each = zip(sweeps.seeds(variant), sweeps.found(variant), sweeps.false_share(variant), strict=True)
            found += [f"{row_words(row)}, seed {k}: {share:.2f} ({no:.2f})" for k, share, no in each if share > above]
    return "; ".join(found) or "none"


VALUES = values_of({**LOSSES, **MODELS, **PATCHES, **MIX, **ABSTRACT})
"""What recorded runs decide without a notebook."""
