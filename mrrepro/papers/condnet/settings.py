"""Settings of the CondNet chapter: the paper's values, and at each scale what a machine of that kind can do."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from mrrepro.networks.condnet import CondNetDesign
from mrrepro.runs.settings import setting
from mrrepro.simulators.coil_on_head import CoilChoice
from mrrepro.simulators.tms_coil import FigureEight, SinusoidalCurrent
from mrrepro.training.plan import LearningRateSchedule, TrainingPlan


@dataclass(frozen=True)
class HeadSettings:
    """Whose heads are trained on and tested on."""

    source: str = setting(
        "mni152",
        "'mni152' (deformed persons of the template), 'folded' (drawn heads), or a folder of whole-head label maps",
        source="18 subjects of NAMIC in the paper, Section III-A",
    )
    training: int = setting(10, "heads to train on", source="Section III-A", low=1, high=500)
    testing: int = setting(8, "heads to test on", source="Section III-A", low=1, high=100)
    drawn_testing: int = setting(
        4, "test heads that are drawn, so no warp of a training head; 0 with a folder of label maps", low=0, high=100
    )
    voxel_size_mm: float = setting(1.0, "edge of a voxel", source="Section III-A", unit="mm", low=0.5, high=10)

    def __post_init__(self) -> None:
        if self.drawn_testing > self.testing:
            raise ValueError(
                f"heads.drawn_testing must be at most heads.testing ({self.testing}), but is {self.drawn_testing}."
            )


@dataclass(frozen=True)
class ImageSettings:
    """What the scanner does to the images."""

    snr: float = setting(30.0, "signal of white matter over the noise's sd in each image", low=1, high=1000)
    tissue_spread: float = setting(
        0.03, "persons differ: sd of the logarithm of T1 and T2 of each tissue", low=0, high=0.5
    )
    bias: float = setting(
        0.05, "sd of the logarithm of the bias field; the paper corrects it, so this is what is left", low=0, high=1
    )
    images_end_below_mm: float = setting(
        75.0,
        "images are empty further than this below the brain's middle, labels are not: the paper's neck problem "
        "(75: nowhere, for heads end there)",
        source="Section III-A describes the problem, not the place",
        unit="mm",
        low=0,
        high=75,
    )


@dataclass(frozen=True)
class NetworkSettings:
    """The network's sizes."""

    depth: int = setting(6, "I, encoders of a track", source="Section IV-A", low=2, high=8)
    encoder_kernel: int = setting(3, "R", source="Section IV-A", low=1, high=9)
    convolution_kernel: int = setting(5, "S", source="Section IV-A", low=1, high=9)
    map_kernel: int = setting(5, "T", source="Section IV-A", low=1, high=9)
    margin: float = setting(0.1, "tau of eq. 3", source="Section III-A", low=0, high=0.9)

    def design(self, outputs: int) -> CondNetDesign:
        """The same as the network takes it, for two images and V outputs."""
        return CondNetDesign(2, outputs, self.depth, self.encoder_kernel, self.convolution_kernel, self.map_kernel)


@dataclass(frozen=True)
class TrainingSettings:
    """Length and rates of each of the trainings, one a slice direction."""

    epochs: float = setting(50.0, "passes through the training slices", source="Section IV-A", low=0.01, high=1000)
    epochs_of_two: float = setting(
        50.0, "the same for the networks with two conductors", source="Section IV-A", low=0.01, high=1000
    )
    batch_size: int = setting(4, "slices in a step", source="Section IV-A", low=1, high=256)
    learning_rate: float = setting(1e-3, "Adam's step size; Mathematica's default", low=1e-6, high=1)
    decay_from: float = setting(1.0, "part of the run after which the rate falls to 0; 1 for never", low=0, high=1)
    validation_share: float = setting(0.1, "part of the slices kept for validation", source="9:1", low=0.01, high=0.5)
    validations: int = setting(50, "validations in the run: one an epoch in the paper", low=1, high=1000)
    start: str = setting(
        "drawn",
        "weights before training: 'drawn' by torch's rule, or 'mean': He's rule, the output's bias at the mean target",
        choices=("drawn", "mean"),
    )
    precision: str = setting("float32", "of the forward pass", choices=("float32", "bfloat16"))

    def plan(self, slices: int, epochs: float) -> TrainingPlan:
        """The same as the training loop takes it, for so many training slices."""
        steps = max(2, math.ceil(epochs * slices / self.batch_size))
        return TrainingPlan(
            steps=steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule=LearningRateSchedule(decay_from=self.decay_from),
            precision=self.precision,  # type: ignore[arg-type]
            validate_every=max(1, steps // self.validations),
            keep="last",
            report_every=max(1, min(20, steps // 20)),
        )


@dataclass(frozen=True)
class StimulationSettings:
    """Coil, placement, current and solver. The paper gives position and diameters; all else is our choice."""

    position: str = setting("C3", "name in the 10-10 system", source="Section III-C")
    gap_mm: float = setting(10.0, "from the scalp to the plane of the wires", unit="mm", low=0.5, high=200)
    angle_deg: float = setting(
        -45.0, "of the coil's y axis from anterior, anticlockwise seen from outside", unit="degree", low=-360, high=360
    )
    outer_diameter_mm: float = setting(97.0, "of a wing", source="Section III-C", unit="mm", low=5, high=500)
    inner_diameter_mm: float = setting(47.0, "of a wing", source="Section III-C", unit="mm", low=1, high=500)
    turns: int = setting(9, "turns of a wing", low=1, high=100)
    peak_current: float = setting(5e3, "'the maximum stimulation output'", unit="A", low=1, high=1e6)
    frequency: float = setting(10e3, "of the pulse; that of the conductivities", unit="Hz", low=100, high=1e6)
    air_below: float = setting(
        0.005, "an estimated conductivity below this is air to the solver", unit="S/m", low=1e-6, high=0.1
    )
    blur_mm: float = setting(
        2.0, "sd of the Gaussian of the blurred map that estimates are compared with", unit="mm", low=0.1, high=20
    )
    tolerance: float = setting(1e-6, "relative residual of the solver", low=1e-12, high=1e-2)

    def choice(self) -> CoilChoice:
        """The coil and its place in SI units."""
        outer, inner = self.outer_diameter_mm * 1e-3, self.inner_diameter_mm * 1e-3
        coil = FigureEight(outer, inner, self.turns, outer)
        return CoilChoice(self.position, self.gap_mm * 1e-3, math.radians(self.angle_deg), coil)

    def rate_of_change(self) -> float:
        """Largest dI/dt of the pulse [A/s]."""
        return SinusoidalCurrent(self.peak_current, self.frequency).rate_of_change()


@dataclass(frozen=True)
class EvaluationSettings:
    """Sizes of the experiments."""

    angles: int = setting(6, "angles of the coil over half a turn", low=2, high=72)
    gaps_mm: tuple[float, ...] = setting(
        (6.0, 10.0, 15.0), "gaps between scalp and wires", unit="mm", low=0.5, high=200
    )
    refinement: int = setting(2, "voxels of the refined solution along the edge of one", low=2, high=8)


@dataclass(frozen=True)
class SolverSettings:
    """Sizes of the study of the solver on spheres."""

    voxels_mm: tuple[float, ...] = setting(
        (4.0, 2.0, 1.0), "edges of the voxels of the spheres", unit="mm", low=0.5, high=20
    )
    grids: tuple[int, ...] = setting(
        (64, 128, 256), "edges of the cubic grids whose cycles are counted, in voxels", low=8, high=1024
    )


@dataclass(frozen=True)
class CondNetSettings:
    """Everything that a run of this chapter depends on, beside the seed."""

    heads: HeadSettings = HeadSettings()
    images: ImageSettings = ImageSettings()
    network: NetworkSettings = NetworkSettings()
    training: TrainingSettings = TrainingSettings()
    stimulation: StimulationSettings = StimulationSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    solver: SolverSettings = SolverSettings()

    @classmethod
    def at_scale(cls, scale: str) -> Self:
        """The settings of a scale; `paper` has the paper's sizes."""
        paper = cls()
        if scale == "paper":
            return paper
        fast = replace(paper.training, learning_rate=1e-2, decay_from=0.0, start="mean", validations=12)
        if scale == "colab":
            return replace(paper, training=replace(fast, learning_rate=4e-3, epochs=20.0, epochs_of_two=10.0))
        if scale == "demo":
            return replace(
                paper,
                heads=HeadSettings(training=4, testing=2, drawn_testing=1, voxel_size_mm=2.0),
                network=replace(paper.network, depth=5),
                training=replace(fast, epochs=10.0, epochs_of_two=5.0),
                evaluation=EvaluationSettings(angles=4, gaps_mm=(6.0, 12.0)),
            )
        return replace(
            paper,
            heads=HeadSettings("folded", training=1, testing=2, drawn_testing=1, voxel_size_mm=8.0),
            network=replace(paper.network, depth=4),
            training=replace(fast, epochs=40.0, epochs_of_two=10.0, validations=4),
            stimulation=replace(paper.stimulation, gap_mm=30.0, blur_mm=8.0),
            evaluation=EvaluationSettings(angles=2, gaps_mm=(30.0, 40.0)),
            solver=SolverSettings((8.0, 4.0), (32, 64)),
        )
