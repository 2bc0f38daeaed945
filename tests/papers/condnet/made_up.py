"""Recordings that were never made, to try statistics and tables on."""

from __future__ import annotations

from typing import Any

from mrrepro.metrics.evidence import Evidence, claims_of
from mrrepro.papers.condnet.evidence import CLAIMS, RecordedSweeps


class MadeUp(RecordedSweeps):
    """Recordings that were never made: stage documents by variant, one a seed."""

    def __init__(self, documents: dict[str, list[dict[str, Any]]]) -> None:
        super().__init__("demo")
        self._runs = {
            variant: [{"seed": seed, "numbers": numbers} for seed, numbers in enumerate(seeds)]
            for variant, seeds in documents.items()
        }

    def runs(self, variant: str) -> list[dict[str, Any]]:
        """The made-up runs of a variant."""
        return self._runs.get(variant, [])

    def one(self, claim: str) -> Evidence:
        """The evidence for one claim, whatever else these recordings lack."""
        return claims_of(self, {claim: CLAIMS[claim]})[claim]
