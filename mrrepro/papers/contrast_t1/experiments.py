"""Stages that score trained networks and baselines, and that classify patients by radiomics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mrrepro.metrics.receiver_operating import area_under_curve
from mrrepro.networks.volume_patches import centre_of_mass, patch_around
from mrrepro.papers.contrast_t1.cohort import COHORT, CONTRAST, Cohort
from mrrepro.papers.contrast_t1.scores import (
    Case,
    appearance_scores,
    cases,
    enhancement_scores,
    gathered,
    image_scores,
)
from mrrepro.papers.contrast_t1.settings import (
    OCCURRENCE,
    CohortSettings,
    EvaluationSettings,
    LossChoice,
    NetworkChoice,
    RadiomicsSettings,
    TrainingSettings,
)
from mrrepro.papers.contrast_t1.stages import NETWORK_FILE, TRAINING, Predictor, predict, read_network
from mrrepro.radiomics.feature_set import feature_table, patient_features
from mrrepro.radiomics.nested_validation import LOGISTIC, NestedValidation
from mrrepro.runs.artifacts import Artifact
from mrrepro.runs.files import write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.training.image_losses import occurrence_probability

EXAMPLES = 4
"""Patients of whom slices are kept: the first of the test set, of whom every second enhances."""

CENTRAL_MM = 64
"""Edge of the cube around the tumor on which networks of every patch size are compared [mm]."""

PERMUTATIONS = 3
"""Permutations of the labels, and draws of noise, of the controls."""

SEEN = ("found_0.3", "rise_leaky", "true_rise_leaky", "true_rise_tight")
"""Scores of patients that were trained on that are kept."""

NINE = ("mae", "mse", "ssim", "mae_b", "mse_b", "ssim_b", "mae_t", "mse_t", "ssim_t")
"""The thesis' scores, as `mrrepro.papers.contrast_t1.scores.image_scores` names them."""


@dataclass(frozen=True)
class EvaluationSelection:
    """What the scores of a network depend on."""

    cohort: CohortSettings
    network: NetworkChoice
    loss: LossChoice
    training: TrainingSettings
    evaluation: EvaluationSettings


@dataclass(frozen=True)
class BaselineSelection:
    """What the scores of baselines depend on."""

    cohort: CohortSettings


@dataclass(frozen=True)
class RadiomicsSelection:
    """What the classification depends on."""

    cohort: CohortSettings
    radiomics: RadiomicsSettings


def evaluate(context: StageContext[EvaluationSelection]) -> None:
    """Score the network on patients seen in training and on new ones; keep slices of some."""
    settings = context.settings
    cohort = _cohort(context, settings.cohort)
    network = read_network(context.inputs["contrast_t1/training"].file(NETWORK_FILE)).to(context.device)

    def output(numbers: Sequence[int], images: Tensor) -> Tensor:
        return predict(network, images[:, :CONTRAST], settings.network.depth)

    occurrence = settings.loss.name == OCCURRENCE
    predictor: Predictor = composed(output, enhancing_rise(cohort)) if occurrence else output
    side = settings.training.patch
    arrays: dict[str, np.ndarray] = {}
    device = context.device
    arrays |= score_set(cohort, list(cohort.sets["test"]), predictor, side, settings.cohort.voxel_mm, "test", device)
    seen = list(cohort.sets["train"])[: settings.cohort.test]
    again = gathered([enhancement_scores(case) for case in cases(cohort, seen, predictor, side, device)])
    arrays |= {f"seen_{name}": again[name] for name in SEEN}
    asked = list(cohort.sets["labelled"])[: settings.evaluation.labelled]
    further = asked[settings.cohort.test :]  # the first of them are the test patients, scored already
    parts = [enhancement_scores(case) for case in cases(cohort, further, predictor, side, device)]
    for name in ("score", "tumor_score", "predicted_voxels"):
        more = [gathered(parts)[name]] if parts else []
        arrays[f"labelled_{name}"] = np.concatenate([arrays[f"test_{name}"], *more])[: len(asked)]
    arrays["labelled_enhances"] = cohort.facts("enhances", asked).astype(bool)
    arrays["test_sinus_enhances"] = cohort.facts("sinus_enhances", list(cohort.sets["test"])).astype(bool)
    write_arrays(context.workspace / "scores.npz", **arrays)
    for name, numbers in (("test", cohort.sets["test"]), ("seen", cohort.sets["train"])):
        shown = [_slices(case) for case in cases(cohort, list(numbers[:EXAMPLES]), predictor, side, device)]
        kept = {f"{name}_{key}": np.concatenate([part[key] for part in shown]) for key in shown[0]}
        write_arrays(context.workspace / f"examples_{name}.npz", **kept)
    write_json(context.workspace / "summary.json", summary(arrays))


def composed(occurrence: Predictor, rise: float) -> Predictor:
    """Synthetic images of a network that tells where enhancement occurs: T1, raised by the expected rise.

    That is the probability times ``rise``, the mean rise of enhancing voxels.
    """

    def predictor(numbers: Sequence[int], images: Tensor) -> Tensor:
        return images[:, :1] + rise * occurrence_probability(occurrence(numbers, images))

    return predictor


def enhancing_rise(cohort: Cohort) -> float:
    """Mean rise over T1 of the enhancing tumor voxels of some training patients; 0 where none enhances."""
    rises = []
    for number in cohort.sets["train"][:60]:
        images = cohort.images([number])
        masks = cohort.region_masks([number], images)
        rises.append((images[:, CONTRAST : CONTRAST + 1] - images[:, :1])[masks.enhancement & masks.tumor])
    risen = torch.cat(rises)
    return float(risen.mean()) if risen.numel() else 0.0


def score_set(
    cohort: Cohort, numbers: list[int], predictor: Predictor, side: int, voxel_mm: int, name: str, device: str
) -> dict[str, np.ndarray]:
    """All scores of a set, each with the set's name before it; ``central_`` ones on the cube around the tumor."""
    whole, central = [], []
    for case in cases(cohort, numbers, predictor, side, device):
        whole.append(image_scores(case) | enhancement_scores(case) | appearance_scores(case, voxel_mm))
        central.append(central_scores(case, CENTRAL_MM // voxel_mm))
    found = {f"{name}_{key}": values for key, values in gathered(whole).items()}
    return found | {f"{name}_central_{key}": values for key, values in gathered(central).items()}


def central_scores(case: Case, side: int) -> dict[str, list[float]]:
    """Errors over the cube of ``side`` voxels around each patient's tumor, whatever was predicted around it."""
    found: dict[str, list[float]] = {"mae": [], "mse": []}
    for k, tumor in enumerate(case.masks.tumor[:, 0]):
        x, y, z = tumor.shape
        cube = case.one(k).within(patch_around(centre_of_mass(tumor), (x, y, z), min(side, x, y, z)))
        difference = torch.where(cube.masks.brain, cube.synthetic - cube.true, 0.0)
        found["mae"].append(float(difference.abs().mean()))
        found["mse"].append(float(difference.square().mean()))
    return found


def summary(arrays: dict[str, np.ndarray]) -> dict[str, float | None]:
    """Means over the test patients, the amplitude kept as the cohort's law defines it, and areas under the curve."""
    found = {f"{name}_amplitude": amplitude(arrays, name) for name in ("test", "seen")}
    for key in (*NINE, "central_mae", "found_0.3"):
        found[f"test_{key}"] = _mean(arrays[f"test_{key}"])
    enhancing = np.isfinite(arrays["test_true_rise_leaky"])
    found["test_dice"] = _mean(arrays["test_e_dice"][enhancing])
    found["test_voxel_auc"] = _mean(arrays["test_e_auc"])
    found["test_false_share_of_quiet"] = _mean(arrays["test_false_share_0.3"][~enhancing])
    found["test_blood_kept"] = _mean(arrays["test_rise_blood"]) / _mean(arrays["test_true_rise_blood"])
    labels = arrays["labelled_enhances"]
    for key in ("score", "tumor_score", "predicted_voxels"):
        found[f"patient_auc_{key}"] = area_of_known(labels, arrays[f"labelled_{key}"])
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


def area_of_known(labels: np.ndarray, values: np.ndarray) -> float:
    """Area under the curve over the finite values; NaN where they are of one kind alone, as real patients may be."""
    known = np.isfinite(values)
    return area_under_curve(labels[known], values[known]) if len(set(labels[known].tolist())) == 2 else math.nan


def amplitude(arrays: Mapping[str, np.ndarray], name: str) -> float:
    """Mean synthetic rise where the core leaks, 0 being that of a tight core and 1 the true one; NaN if none leaks."""
    leaky, true, tight = (
        _mean(arrays[f"{name}_{key}"]) for key in ("rise_leaky", "true_rise_leaky", "true_rise_tight")
    )
    return (leaky - tight) / (true - tight)


def _mean(values: np.ndarray) -> float:
    known = np.asarray(values)[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def baselines(context: StageContext[BaselineSelection]) -> None:
    """Score what needs no network: a copy of T1, a linear map of each voxel, and who knows the evidence but no more."""
    settings = context.settings
    cohort = _cohort(context, settings.cohort)
    rise = _typical_rise(cohort)
    law = settings.cohort.law()
    weights = _linear_map(cohort)
    predictors: dict[str, Predictor] = {
        "copy": lambda numbers, images: images[:, :1],
        "linear": lambda numbers, images: _linear(images, weights),
        "truth": lambda numbers, images: images[:, CONTRAST : CONTRAST + 1],
    }
    if settings.cohort.data == "simulated":
        predictors |= {
            "oracle_absolute": _oracle(cohort, law.best_rise_absolute, rise),
            "oracle_squared": _oracle(cohort, law.best_rise_squared, rise),
        }
    arrays: dict[str, np.ndarray] = {"linear_weights": weights, "typical_rise": np.array(rise)}
    numbers, voxel_mm = list(cohort.sets["test"]), settings.cohort.voxel_mm
    for name, predictor in predictors.items():
        arrays |= score_set(cohort, numbers, predictor, 0, voxel_mm, name, context.device)
    write_arrays(context.workspace / "baselines.npz", **arrays)


def radiomics(context: StageContext[RadiomicsSelection]) -> None:
    """Classify patients by features of T1, T2 and FLAIR in the tumor, and run the controls beside it."""
    settings = context.settings.radiomics
    cohort = _cohort(context, context.settings.cohort)
    numbers = list(range(min(settings.patients, len(cohort.about))))
    voxel = context.settings.cohort.voxel_mm * 1e-3
    table, kept = [], []
    for number in context.progress(numbers, description="features"):
        images, tumor = cohort.images([number])[0], cohort.mask("tumor", [number])[0, 0].numpy()
        named = {name: images[k].double().numpy() for k, name in enumerate(("t1", "t2", "flair"))}
        try:
            table.append(patient_features(named, tumor, (voxel, voxel, voxel)))
            kept.append(number)
        except ValueError:  # a tumor too small for a surface
            continue
    features, names = feature_table(table)
    grades, enhances = cohort.facts("grade", kept), cohort.facts("enhances", kept).astype(bool)
    labels = grades == 4 if settings.label == "grade" else enhances
    patients = [str(cohort.about[number]["name"]) for number in kept]
    seed = context.derived_seed("splits") % 2**31
    result = settings.validation().run(features, labels, patients, seed)
    band = result.band()
    arrays = {"areas": np.array(result.areas), "false_positive_rate": band.false_positive_rate, "mean": band.mean}
    arrays |= {"low": band.low, "high": band.high, "enhances": enhances, "grade": grades}
    interval = result.interval()
    document: dict[str, Any] = {"auc": interval.mean, "low": interval.low, "high": interval.high}
    document |= {"patients": len(kept), "left_out": len(numbers) - len(kept), "features": len(names)}
    document["naive_half_width"] = 1.96 * float(np.std(result.areas, ddof=1)) / len(result.areas) ** 0.5
    document |= _controls(context, features, labels, enhances, patients, cohort, kept)
    write_arrays(context.workspace / "radiomics.npz", features=features.astype(np.float32), **arrays)
    write_json(context.workspace / "radiomics.json", document | {"names": list(names)})


def _controls(
    context: StageContext[RadiomicsSelection],
    features: np.ndarray,
    labels: np.ndarray,
    enhances: np.ndarray,
    patients: list[str],
    cohort: Cohort,
    kept: list[int],
) -> dict[str, Any]:
    """Areas under the curve that must be one half, that must not be trusted, and that are the best possible."""
    splits = max(2, context.settings.radiomics.outer_splits // 2)
    quick = NestedValidation((LOGISTIC,), outer_splits=splits, inner_folds=3, candidates=2, selected_features=(20,))
    generator = np.random.default_rng(context.derived_seed("controls"))
    permuted, leaked, sound = [], [], []
    for k in range(PERMUTATIONS):
        permuted.append(quick.run(features, generator.permutation(labels), patients, seed=k).interval().mean)
        noise = generator.standard_normal((len(labels), 1000))
        strength = np.abs(np.corrcoef(noise.T, labels)[-1, :-1])
        leaked.append(quick.run(noise[:, np.argsort(-strength)[:20]], labels, patients, seed=k).interval().mean)
        sound.append(quick.run(noise, labels, patients, seed=k).interval().mean)
    evidence = cohort.facts("evidence", kept)
    aged = np.column_stack([features, cohort.facts("age", kept).astype(float)]) if evidence[0] is not None else None
    return {
        "permuted_auc": permuted,
        "leak_auc": leaked,
        "without_leak_auc": sound,
        "evidence_auc": area_under_curve(labels, evidence.astype(float)) if evidence[0] is not None else None,
        "evidence_auc_enhancement": (
            area_under_curve(enhances, evidence.astype(float)) if evidence[0] is not None else None
        ),
        "quick_auc": quick.run(features, labels, patients, seed=0).interval().mean,
        "with_age_auc": None if aged is None else quick.run(aged, labels, patients, seed=0).interval().mean,
    }


def _cohort(context: StageContext[Any], settings: CohortSettings) -> Cohort:
    return Cohort(context.inputs["contrast_t1/cohort"], settings)


def _slices(case: Case) -> dict[str, np.ndarray]:
    """The axial slice through each tumor's centre: four images, the synthetic one, tumor and solid core."""
    rows = []
    for k, tumor in enumerate(case.masks.tumor[:, 0]):
        z = round(centre_of_mass(tumor)[2])
        volumes = [case.images[k], case.synthetic[k], case.masks.tumor[k].float(), case.known["solid"][k].float()]
        rows.append(torch.cat(volumes)[..., z].cpu().numpy().astype(np.float16))
    return {"slices": np.stack(rows)}


def _typical_rise(cohort: Cohort) -> tuple[float, float]:
    """Mean true rise of training patients where the core leaks, and where it is tight."""
    leaky, tight = [], []
    for number in cohort.sets["train"][:60]:
        images = cohort.images([number])
        rise = images[:, CONTRAST : CONTRAST + 1] - images[:, :1]
        where, solid = cohort.mask("leaky", [number]), cohort.mask("solid", [number])
        leaky.append(rise[where])
        tight.append(rise[solid & ~where])
    joined = [torch.cat(parts) for parts in (leaky, tight)]
    return tuple(float(part.mean()) if part.numel() else 0.0 for part in joined)  # type: ignore[return-value]


def _oracle(cohort: Cohort, best: Callable[[np.ndarray], np.ndarray], rise: tuple[float, float]) -> Predictor:
    """T1 with the best rise that the evidence allows in the solid core: knows z and the core, nothing else."""

    def predictor(numbers: Sequence[int], images: Tensor) -> Tensor:
        evidence = cohort.facts("evidence", numbers).astype(float)
        part = torch.tensor(best(evidence), dtype=torch.float32, device=images.device).view(-1, 1, 1, 1, 1)
        inside = cohort.mask("solid", numbers).to(images.device)
        return images[:, :1] + torch.where(inside, rise[1] + part * (rise[0] - rise[1]), 0.0)

    return predictor


def _linear_map(cohort: Cohort) -> np.ndarray:
    """Least-squares weights of T1, T2, FLAIR and a constant for post-contrast T1, over the brains of patients."""
    products = np.zeros((CONTRAST + 2, CONTRAST + 2))
    for number in cohort.sets["train"][:40]:
        images, brain = cohort.images([number])[0], cohort.mask("brain", [number])[0, 0]
        inside = images[:, brain].double().numpy()
        rows = np.stack([*inside[:CONTRAST], np.ones_like(inside[0]), inside[CONTRAST]])
        products += rows @ rows.T
    return np.asarray(np.linalg.solve(products[:-1, :-1], products[:-1, -1]))


def _linear(images: Tensor, weights: np.ndarray) -> Tensor:
    factors = torch.tensor(weights[:CONTRAST], dtype=images.dtype, device=images.device).view(1, -1, 1, 1, 1)
    return (images[:, :CONTRAST] * factors).sum(1, keepdim=True) + float(weights[CONTRAST])


EVALUATION = Stage(
    "contrast_t1/evaluation",
    evaluate,
    select=lambda settings: EvaluationSelection(
        settings.cohort, settings.network, settings.loss, settings.training, settings.evaluation
    ),
    inputs=(COHORT, TRAINING),
)
BASELINES = Stage(
    "contrast_t1/baselines", baselines, select=lambda settings: BaselineSelection(settings.cohort), inputs=(COHORT,)
)
RADIOMICS = Stage(
    "contrast_t1/radiomics",
    radiomics,
    select=lambda settings: RadiomicsSelection(settings.cohort, settings.radiomics),
    inputs=(COHORT,),
)


def trained_summary(artifact: Artifact) -> dict[str, Any]:
    """The summary of an evaluation."""
    found: dict[str, Any] = artifact.json("summary.json")
    return found
