"""Expected bands: which values a rerun at a scale may be expected to give, computed from runs over seeds.

The band of a number is the 99 % prediction interval for one more run, mean +- t sd sqrt(1 + 1/n) with Student's t for
n - 1 degrees of freedom, and never narrower than a thousandth of the value, because another processor sums in another
order. A value that is text must be the same.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrrepro.runs.files import lock_beside, write_json
from mrrepro.runs.records import Record, read_document
from mrrepro.runs.reported import LedgerError

if TYPE_CHECKING:
    from mrrepro.runs.receipts import Receipt

BANDS_SCHEMA = "mrrepro-bands/1"
LEVEL = 0.99
FLOOR = 1e-3
"""Half width that a band has at least, as a share of its mean."""

LEAST = 3
"""Seeds that a band is computed from, at least."""


@dataclass(frozen=True)
class Band:
    """What is expected of one id at one scale; ``text`` for a value that is no number."""

    id: str
    low: float | None
    high: float | None
    mean: float | None
    sd: float | None
    seeds: tuple[int, ...]
    commit: str
    command: str
    text: str | None = None

    def holds(self, value: float | str | None) -> bool:
        """Tell whether a value is as expected."""
        if self.text is not None:
            return value == self.text
        if self.low is None or self.high is None or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high

    @property
    def tells_nothing(self) -> bool:
        """Whether it reaches further from its mean than the mean is large, so that hardly a value lies outside.

        A mean of exactly 0 with seeds that all gave 0 is no such band.
        """
        if self.low is None or self.high is None or self.mean is None:
            return False
        return 0.5 * (self.high - self.low) > abs(self.mean)

    def words(self) -> str:
        """Say what is expected."""
        over = f"from {len(self.seeds)} seeds"
        return f"{self.text!r} {over}" if self.text is not None else f"{self.low:.4g} to {self.high:.4g} {over}"


def band_of(id: str, values: Sequence[float | str | None], seeds: Sequence[int], commit: str, command: str) -> Band:
    """Compute the band of one id from its values over seeds."""
    if len(set(seeds)) != len(values) or len(values) < LEAST:
        raise LedgerError(
            f"{id}: a band needs runs of at least {LEAST} different seeds, but there are {sorted(set(seeds))}."
        )
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    if len(numbers) != len(values):
        texts = set(values)
        if len(texts) != 1 or not isinstance(values[0], str):
            raise LedgerError(f"{id}: text must be the same for every seed, but is {sorted(map(str, texts))}.")
        return Band(id, None, None, None, None, tuple(seeds), commit, command, values[0])
    from scipy.stats import t

    count = len(numbers)
    mean, sd = statistics.fmean(numbers), statistics.stdev(numbers)
    half = float(t.ppf(0.5 + LEVEL / 2, count - 1)) * sd * math.sqrt(1 + 1 / count)
    half = max(half, FLOOR * abs(mean))
    return Band(id, mean - half, mean + half, mean, sd, tuple(seeds), commit, command)


def make_bands(receipts: Iterable[Receipt], command: str) -> dict[str, list[Band]]:
    """Compute bands, by scale, from the receipts of runs over seeds; a value that under three of them gave has none.

    Parameters
    ----------
    receipts : iterable of Receipt
        Runs without overrides, of one paper; at least three seeds for each notebook and scale.
    command : str
        What made them, for whoever wants to make them again.
    """
    from mrrepro.runs.receipts import measured

    found: dict[tuple[str, str], dict[int, Record]] = {}
    runs: dict[str, set[int]] = {}
    for receipt in receipts:
        if receipt.document["parameters"].get("overrides"):
            raise LedgerError(f"{receipt.path} is of a run with overrides; bands are for the scale as it is.")
        if receipt.data != "simulated":
            raise LedgerError(f"{receipt.path} is of a run on {receipt.data}; bands are for the default data.")
        runs.setdefault(receipt.scale, set()).add(receipt.seed)
        for record in receipt.records:
            values = found.setdefault((receipt.scale, record.id), {})
            if receipt.seed in values:
                raise LedgerError(f"{receipt.path}: {record.id} has a value for seed {receipt.seed} already.")
            values[receipt.seed] = record
    bands: dict[str, list[Band]] = {}
    for (scale, id), values in found.items():
        seeds = sorted(values)
        if len(seeds) < LEAST <= len(runs[scale]):
            continue
        records = [values[seed] for seed in seeds]
        if len({record.code_digest for record in records}) != 1:
            commits = ", ".join(sorted({record.commit for record in records}))
            raise LedgerError(f"{id}: the runs were made by different code (commits {commits}); make them anew.")
        values_of = [measured(record) for record in records]
        bands.setdefault(scale, []).append(band_of(id, values_of, seeds, records[0].commit, command))
    return bands


def write_bands(folder: Path, scale: str, bands: Iterable[Band]) -> None:
    """Write bands into a ledger's folder, replacing those of the same id and keeping the others."""
    path = folder / "bands" / f"{scale}.json"
    with lock_beside(path):
        merged = {**read_bands(folder, scale), **{band.id: band for band in bands}}
        plain = [_plain(merged[id]) for id in sorted(merged)]
        write_json(path, {"schema": BANDS_SCHEMA, "scale": scale, "level": LEVEL, "bands": plain})


def read_bands(folder: Path, scale: str) -> dict[str, Band]:
    """Read the bands of a scale by id; none where there is no file."""
    path = folder / "bands" / f"{scale}.json"
    bands = {}
    for plain in read_document(path, BANDS_SCHEMA).get("bands", []):
        try:
            band = Band(**{**plain, "seeds": tuple(plain["seeds"])})
        except (TypeError, KeyError) as error:
            raise LedgerError(f"{path}: a band is incomplete ({error}): {plain!r}.") from None
        bands[band.id] = band
    return bands


def _plain(band: Band) -> Mapping[str, Any]:
    return {**dataclasses.asdict(band), "seeds": list(band.seeds)}
