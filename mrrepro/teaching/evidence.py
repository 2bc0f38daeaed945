"""What the lessons measure: checks and claims of the chapters, at a size that takes seconds.

Nothing here enters the ledger. A check is the chapter's own. A claim is decided by the ledger's own criterion, from the
statistic that the ledger names, over fewer cases.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from mrrepro.metrics.errors import region_mean, region_of_interest
from mrrepro.metrics.evidence import over_seeds
from mrrepro.metrics.statistics import rank_correlation
from mrrepro.papers.condnet import stimulation
from mrrepro.papers.condnet.heads import HeadWithImages, Person
from mrrepro.papers.condnet.settings import CondNetSettings
from mrrepro.papers.condnet.table1 import COLUMN_A
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.shipped import build_from_mapping, shipped_file
from mrrepro.papers.deepspio.stages import TRAINING, predict, sample_stream
from mrrepro.papers.dl_ept import verification
from mrrepro.phantoms.brain_images import mni152_images
from mrrepro.phantoms.head import build_head
from mrrepro.radiomics.nested_validation import LOGISTIC, NestedValidation
from mrrepro.runs.checks import Check
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.records import Statistic
from mrrepro.runs.verdicts import Found
from mrrepro.simulators.spio_samples import Batch
from mrrepro.teaching.recipe import TeachingSettings
from mrrepro.training.reduced_precision import load_network_of_any_precision

HOLDS, FALLS_SHORT = "holds", "falls short"
"""Verdicts on a check of `mrrepro verify`."""


@dataclass(frozen=True)
class Outcome:
    """One verdict.

    Parameters
    ----------
    id : str
        Of a check, or of a claim of a ledger.
    value : float
        The deviation, or the statistic.
    asked : str
        What it has to be.
    verdict : str
        `HOLDS` or `FALLS_SHORT` for a check, the ledger's word for a claim.
    reason : str
        In a sentence.
    """

    id: str
    value: float
    asked: str
    verdict: str
    reason: str


def outcome_of_check(checks: Iterable[Check], id: str) -> Outcome:
    """Run a chapter's check."""
    check = next(check for check in checks if check.id == id)
    result = check.run()
    unit = "" if check.unit == "1" else f" {check.unit}"
    relation = "at most" if result.ok else "above"
    reason = f"{check.quantity[0].upper()}{check.quantity[1:]}: {result.value:.3g}{unit}, {relation} {check.limit:g}."
    return Outcome(id, result.value, f"at most {check.limit:g}{unit}", HOLDS if result.ok else FALLS_SHORT, reason)


def outcome_of_claim(id: str, statistic: Statistic, n_cases: int) -> Outcome:
    """Hold a statistic against a claim's criterion in the ledger; the data are simulated."""
    ledger = Ledger(id.partition(".")[0])
    verdict = ledger.judge(id, Found(None, "simulated", n_cases=n_cases, statistic=statistic))
    criterion = str(getattr(ledger.entry(id), "criterion", ""))
    return Outcome(id, statistic.value, criterion, verdict.verdict, verdict.reason)


def samples(count: int) -> Batch:
    """Images of new bodies of iron, made by the simulator as it is now."""
    settings = DeepSpioSettings.at_scale("demo")
    images = torch.tensor(mni152_images(settings.sequence.size).test)
    return sample_stream(TRAINING.select(settings), images, 11, "cpu").batch(0, count)


def ranks_of_concentrations(settings: TeachingSettings) -> Statistic:
    """Rank correlation of estimated and true concentration, by the network that comes with the chapter."""
    batch = samples(settings.samples)
    network = load_network_of_any_precision(shipped_file(), build_from_mapping).network
    region = region_of_interest(batch.concentration)
    true, estimated = (region_mean(maps, region) for maps in (batch.concentration, predict(network, batch.images)))
    interval = rank_correlation(true, estimated, np.random.default_rng(0))
    return Statistic(
        "Spearman correlation of region means",
        float(interval.estimate),
        float(interval.low),
        float(interval.high),
        interval.level,
    )


def area_with_permuted_labels(settings: TeachingSettings) -> Statistic:
    """Area under the curve of a nested validation on noise, over permutations of the labels."""
    generator = np.random.default_rng(0)
    labels = np.arange(settings.patients) % 2 == 0
    features = generator.normal(size=(settings.patients, 60))
    validation = NestedValidation((LOGISTIC,), outer_splits=4, inner_folds=2, candidates=1, selected_features=(60,))
    patients = [f"patient {number}" for number in range(settings.patients)]
    areas = [
        validation.run(features, generator.permutation(labels), patients, permutation).interval().mean
        for permutation in range(settings.permutations)
    ]
    return over_seeds("area under the curve, labels permuted", areas)


def global_error_of_a_wrong_field(settings: TeachingSettings) -> Statistic:
    """GE in the brain [%] of a field that is wrong by half, over heads."""
    voxel = settings.head_voxel_mm * 1e-3
    errors = []
    for number in range(settings.heads):
        head, field, other = coil_fields(number, voxel)
        errors.append(stimulation.wrong_by_half(field, other, head.brain))
    return over_seeds("GE in the brain of a field wrong by half [%]", errors)


@functools.lru_cache(maxsize=16)
def coil_fields(number: int, voxel_size: float) -> tuple[HeadWithImages, stimulation.Field, stimulation.Field]:
    """A drawn head, and the fields [V/m] of two directions of the coil above its hand knob."""
    settings = CondNetSettings.at_scale("smoke").stimulation
    drawn = build_head("folded", number, voxel_size, oversampling=4)
    affine = drawn.affine_mm() * 1e-3
    affine[3, 3] = 1.0
    nothing = np.zeros((2, *drawn.labels.shape), np.float32)
    head = HeadWithImages(drawn.name, Person("folded", number, True), drawn.labels, drawn.labels > 0, nothing, affine)
    site, choice = stimulation.site_on(head, settings.position), settings.choice()
    coils = [site.coil(replace(choice, angle=choice.angle + turn)) for turn in (0.0, math.pi / 2)]
    one, other = stimulation.solutions(head.uniform(COLUMN_A), head.affine, coils, settings)
    return head, one.field, other.field


def forget_spheres() -> None:
    """Drop the cached errors of the dielectric sphere, which a fault does not change by itself."""
    verification.sphere_error.cache_clear()
