"""Settings of the Contrast T1 chapter: the thesis' values, and at each scale what a machine of that kind can do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from mrrepro.metrics.regions import Region
from mrrepro.networks.unet3d import MODELS, UnetSize
from mrrepro.phantoms.enhancement_law import EnhancementLaw
from mrrepro.radiomics.nested_validation import FOREST, LOGISTIC, SUPPORT_VECTOR_MACHINE, NestedValidation
from mrrepro.runs.settings import setting
from mrrepro.simulators.glioma_scans import ScanVariation
from mrrepro.training.image_losses import (
    LOSSES,
    AbsoluteError,
    ImageLoss,
    OccurrenceEntropy,
    StructuralDissimilarity,
    WeightedSum,
)
from mrrepro.training.plan import LearningRateSchedule, TrainingPlan

OCCURRENCE = "where"
"""Name of the loss of a network that gives each voxel's probability to enhance instead of an image."""


@dataclass(frozen=True)
class CohortSettings:
    """Who is trained and tested on."""

    data: str = setting(
        "simulated",
        "'simulated', or a folder with one folder a patient (see the chapter's first page)",
        source="Erasmus Glioma Database in the thesis",
    )
    skip_bad_patients: bool = setting(
        False, "leave out a patient whose files are faulty, and say so, instead of ending"
    )
    voxel_mm: int = setting(1, "edge of a voxel of the simulated cohort", source="2.2", unit="mm", choices=(1, 2, 4, 8))
    train: int = setting(208, "patients to train on", source="2.2", low=2, high=100_000)
    validation: int = setting(45, "patients that choose the best epoch", source="2.2", low=2, high=100_000)
    test: int = setting(45, "patients whose images are scored", source="2.2", low=1, high=100_000)
    labelled: int = setting(
        400, "patients of whom may be asked whether they enhance; the first of them are the test patients", low=1
    )
    folder_for: str = setting(
        "all", "who comes from the folder of 'data': everyone, or those who are tested", choices=("all", "test")
    )
    evidence_separation: float = setting(1.14, "d', how much the images tell of enhancement", low=0, high=100)
    enhancing_fraction: float = setting(0.6, "q, part of the core that enhances", low=0.01, high=1)
    core_contrast: float = setting(
        0.0, "logarithm by which T1 of the core is longer than usual, so that it stands out from oedema", low=-1, high=2
    )
    noise: float = setting(0.03, "noise in each channel, of the brain's mean signal", low=0, high=1)
    shift_mm: float = setting(0.8, "misregistration along each axis, sd", unit="mm", low=0, high=20)
    rotation: float = setting(0.01, "misregistration about each axis, sd", unit="rad", low=0, high=0.5)

    def law(self) -> EnhancementLaw:
        """By what the patients enhance."""
        return EnhancementLaw(self.evidence_separation, self.enhancing_fraction)

    def variation(self) -> ScanVariation:
        """How their scans differ."""
        return ScanVariation(
            noise=self.noise,
            shift=self.shift_mm * 1e-3,
            rotation=self.rotation,
            core_contrast=self.core_contrast,
        )


@dataclass(frozen=True)
class NetworkChoice:
    """Which of the five models, and how large."""

    model: int = setting(0, "number of the model", source="2.4", choices=tuple(MODELS))
    base_filters: int = setting(64, "filters of the first level", source="Fig. 3", low=1, high=256)
    depth: int = setting(5, "halvings of the resolution; not stated in the thesis", low=2, high=8)
    dropout_blocks: int = setting(
        3, "innermost expanding blocks that drop half of their features in training; not stated in the thesis", low=0
    )
    start: str = setting("printed", "weights at the start", source="2.4", choices=("printed", "he"))

    def size(self) -> UnetSize:
        """The same as the networks take it."""
        return UnetSize(self.base_filters, self.depth, dropout_blocks=self.dropout_blocks)


@dataclass(frozen=True)
class LossChoice:
    """The loss: one of Table 1, the mix of eq. 4 with weights, or the thesis' further work (section 6)."""

    name: str = setting(
        "LM",
        "loss, by the thesis' name; 'where' for the cross-entropy of where enhancement occurs",
        source="2.6",
        choices=(*LOSSES, OCCURRENCE),
    )
    absolute: float = setting(1.0, "lambda_1 of the mix", source="2.6", low=0, high=1e4)
    structural: float = setting(1.0, "lambda_2 of the mix", source="2.6", low=0, high=1e4)
    third: float = setting(1.0, "lambda_3 of the mix", source="2.6", low=0, high=1e4)
    third_region: str = setting(
        "enhancement", "region of the mix' third term, illegible in the source", choices=("enhancement", "tumor")
    )

    adversarial: float = setting(
        0.0, "weight of an adversarial term beside the loss; 0 for none", source="6: further work", low=0, high=1e3
    )

    def loss(self) -> ImageLoss:
        """The same as the training takes it, without the adversarial term."""
        if self.name == OCCURRENCE:
            return OccurrenceEntropy()
        if self.name != "LM":
            return LOSSES[self.name]
        third = AbsoluteError(Region[self.third_region.upper()])
        return WeightedSum(
            ((self.absolute, AbsoluteError()), (self.structural, StructuralDissimilarity()), (self.third, third))
        )


@dataclass(frozen=True)
class TrainingSettings:
    """Length, rates and the patches."""

    epochs: int = setting(300, "times that every image and its mirror image are seen, at most", source="2.5", low=1)
    patience: int = setting(20, "epochs without a better validation, after which it ends", source="2.5", low=1)
    batch_size: int = setting(1, "volumes in a step; not stated in the thesis", low=1, high=1024)
    learning_rate: float = setting(2e-4, "Adam's step size", source="2.5", low=1e-8, high=1)
    beta_1: float = setting(0.5, "Adam's beta_1", source="2.5", low=0, high=0.9999)
    beta_2: float = setting(0.99, "Adam's beta_2", source="2.5", low=0, high=0.99999)
    decay_from: float = setting(1.0, "part of the run after which the rate falls to 0; 1 for never", low=0, high=1)
    patch: int = setting(0, "side of the cube around the tumor; 0 for the whole volume", source="2.2", low=0)
    mirror: bool = setting(True, "also train on mirror images", source="2.3")
    precision: str = setting("float32", "of the forward pass", choices=("float32", "bfloat16"))

    def plan(self, patients: int) -> TrainingPlan:
        """The same as the training loop takes it, for this number of patients."""
        an_epoch = max(1, patients * (2 if self.mirror else 1) // self.batch_size)
        return TrainingPlan(
            steps=self.epochs * an_epoch,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            betas=(self.beta_1, self.beta_2),
            schedule=LearningRateSchedule(decay_from=self.decay_from),
            precision=self.precision,  # type: ignore[arg-type]
            validate_every=an_epoch,
            patience=self.patience,
            keep="best",
            report_every=max(1, min(20, an_epoch)),
        )


@dataclass(frozen=True)
class EvaluationSettings:
    """How many patients are scored."""

    labelled: int = setting(400, "patients of whom it is asked whether they enhance, at most the cohort's", low=1)


@dataclass(frozen=True)
class RadiomicsSettings:
    """The classifier of section 3.5."""

    patients: int = setting(298, "patients, each once", source="2.2", low=20)
    outer_splits: int = setting(100, "random splits into training and test part", low=2, high=10_000)
    candidates: int = setting(12, "settings that the inner search draws", low=1, high=1000)
    all_classifiers: bool = setting(True, "logistic regression, support vectors and forest; else the first alone")
    label: str = setting("grade", "what is predicted", source="3.5: grade IV", choices=("grade", "enhancement"))

    def validation(self) -> NestedValidation:
        """The same as the validation takes it."""
        kinds = (LOGISTIC, SUPPORT_VECTOR_MACHINE, FOREST) if self.all_classifiers else (LOGISTIC,)
        return NestedValidation(kinds, outer_splits=self.outer_splits, candidates=self.candidates)


@dataclass(frozen=True)
class ContrastT1Settings:
    """Everything that a run of this chapter depends on, beside the seed."""

    cohort: CohortSettings = CohortSettings()
    network: NetworkChoice = NetworkChoice()
    loss: LossChoice = LossChoice()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    radiomics: RadiomicsSettings = RadiomicsSettings()

    @classmethod
    def at_scale(cls, scale: str) -> Self:
        """The settings of a scale; `paper` has the thesis' sizes."""
        paper = cls()
        if scale == "paper":
            return replace(paper, training=replace(paper.training, precision="bfloat16"))
        if scale == "colab":
            return replace(
                paper,
                cohort=CohortSettings(voxel_mm=2),
                network=NetworkChoice(base_filters=32, depth=4),
                training=TrainingSettings(epochs=40),
            )
        short = TrainingSettings(epochs=4, batch_size=2, learning_rate=2e-3, decay_from=0.0)
        if scale == "demo":
            return replace(
                paper,
                cohort=CohortSettings(voxel_mm=4, train=96, validation=12, test=48),
                network=NetworkChoice(base_filters=8, depth=3, dropout_blocks=0),
                training=short,
                radiomics=RadiomicsSettings(outer_splits=20, candidates=6, all_classifiers=False),
            )
        return replace(
            paper,
            cohort=CohortSettings(voxel_mm=4, train=12, validation=2, test=6, labelled=12),
            network=NetworkChoice(base_filters=2, depth=2, dropout_blocks=0),
            training=replace(short, epochs=1),
            radiomics=RadiomicsSettings(patients=40, outer_splits=2, candidates=2, all_classifiers=False),
        )
