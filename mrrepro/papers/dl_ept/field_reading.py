"""How far a network follows the fields that it is given, from sets of properties with the fields of another put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mrrepro.metrics.statistics import Interval, mean_interval, regression_line
from mrrepro.papers.dl_ept.cases import VARIED

Document = Mapping[str, Any]
"""What the stage of the unseen sets writes."""


def field_response(document: Document, method: str, quantity: str) -> Interval:
    """Slope of what a network's mean of a tissue changes by, the fields exchanged, on what the truth changes by.

    Third input and noise stay those of the case, so that nothing but the fields can make a change: 0 reads none of
    them, 1 follows them in full, however accurate the map is. Changes are relative to the tissue's mean truth; WM, GM
    and CSF are taken together. The interval is that over the cases of one training.
    """
    true, found = [], []
    for tissue in VARIED:
        own, other = (
            np.array(document[quantity][f"{method}, {kind}"][tissue], dtype=float)
            for kind in ("own fields", "fields of another case")
        )
        truth = np.array(document[quantity]["truth"][tissue], dtype=float)
        true.append((truth - np.roll(truth, -1)) / truth.mean())  # each case gets the fields of the next
        found.append((own - other) / truth.mean())
    return regression_line(np.concatenate(true), np.concatenate(found)).slope


def response_over(documents: Sequence[Document], method: str, quantity: str) -> Interval:
    """Response of a network to its fields over some seeds; of one seed with the interval over its cases."""
    responses = [field_response(document, method, quantity) for document in documents]
    return responses[0] if len(responses) == 1 else mean_interval(np.array([each.estimate for each in responses]))


def reads_fields(documents: Sequence[Document], method: str, quantity: str) -> bool:
    """Whether a network reads its fields: its response lies above 0 with the whole interval."""
    return bool(response_over(documents, method, quantity).low > 0.0)
