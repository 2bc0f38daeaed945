"""Settings of the DL-EPT chapter: the paper's values, and at each scale what a machine of that kind can do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from mrrepro.runs.settings import setting
from mrrepro.simulators.birdcage import Birdcage
from mrrepro.solvers.krylov import GmresSettings
from mrrepro.training.plan import LearningRateSchedule, TrainingPlan

OUR_CHOICE = "our choice; the article leaves it to a supplement or open"


@dataclass(frozen=True)
class BodySettings:
    """Which bodies are simulated."""

    data: str = setting(
        "mni152",
        "'mni152' (heads built from the template that nilearn ships), or a folder of whole-head label maps",
        source="Duke and Ella of the Virtual Family in the paper",
    )
    phantoms: int = setting(42, "homogeneous cylinders; 12, 24, 38 and 42 are always held out", low=5, high=42)
    variations: int = setting(10, "sets of WM, GM and CSF properties of each anatomy", low=2, high=10)
    conductivity_spread: float = setting(
        0.3, "half the range of sigma of WM, GM and CSF, relative", source=OUR_CHOICE, low=0, high=0.9
    )
    permittivity_spread: float = setting(
        0.15, "half the range of eps_r of WM, GM and CSF, relative", source=OUR_CHOICE, low=0, high=0.9
    )


@dataclass(frozen=True)
class EvaluationSettings:
    """Sizes of the experiments."""

    unseen_sets: int = setting(10, "sets of properties that no training case has", low=2, high=100)
    erosion: int = setting(
        3,
        "voxels taken off each tissue before its mean; less where fewer than 200 would remain",
        source="Table 1",
        low=0,
        high=10,
    )


@dataclass(frozen=True)
class SimulationSettings:
    """Coil and solver."""

    voxel_size_mm: float = setting(2.0, "edge of the cubic voxels", source=OUR_CHOICE, unit="mm", low=1, high=12)
    frequency_mhz: float = setting(128.0, "Larmor frequency at 3 T", source="Methods", unit="MHz", low=1, high=1000)
    coil_radius_mm: float = setting(352.0, "rungs", source=OUR_CHOICE, unit="mm", low=200, high=600)
    coil_length_mm: float = setting(440.0, "between the end rings", source=OUR_CHOICE, unit="mm", low=100, high=2000)
    shield_radius_mm: float = setting(372.0, "shield", source=OUR_CHOICE, unit="mm", low=201, high=700)
    tolerance: float = setting(1e-3, "relative residual of the solver", low=1e-5, high=0.1)

    @property
    def frequency(self) -> float:
        """In hertz."""
        return self.frequency_mhz * 1e6

    @property
    def voxel_size(self) -> float:
        """In metres."""
        return self.voxel_size_mm * 1e-3

    def coil(self) -> Birdcage:
        """The same as the simulator takes it."""
        return Birdcage(self.coil_radius_mm * 1e-3, self.coil_length_mm * 1e-3, self.shield_radius_mm * 1e-3)

    def gmres(self) -> GmresSettings:
        """The same as the solver takes it."""
        return GmresSettings(tolerance=self.tolerance)


@dataclass(frozen=True)
class MeasurementSettings:
    """From simulated fields to what a network sees."""

    snr: float = setting(90.0, "mean |B1+| over its noise", source="Methods, database", low=1)
    phase_sd_mrad: float = setting(
        9.0, "noise of the transceive phase", source="Methods, database", unit="mrad", low=0, high=1000
    )
    phase: str = setting(
        "transceive",
        "'transceive' phase as measured, or the inaccessible phase of B1+, doubled",
        source="Methods: the transceive phase",
        choices=("transceive", "transmit"),
    )
    slices_per_phantom: int = setting(25, "axial slices of a cylinder", source="Methods, database", low=1, high=500)
    slices_per_head: int = setting(56, "axial slices of a head", source="Methods, database", low=1, high=500)
    image_size: int = setting(256, "pixels along x and y", source="Methods: 256 x 256", low=16, high=512)


@dataclass(frozen=True)
class HelmholtzSettings:
    """Helmholtz EPT."""

    kernel: str = setting(
        "axis_noise_robust",
        "kernel of the Laplacian",
        source="Methods: 'a 3D noise-robust kernel'",
        choices=("axis_noise_robust", "smoothed_noise_robust", "savitzky_golay_ellipsoid", "savitzky_golay_cuboid"),
    )
    size_in_plane: int = setting(7, "voxels of the kernel along x and y", source="Methods: 7 x 7 x 5", low=3, high=21)
    size_through_plane: int = setting(5, "voxels of the kernel along z", source="Methods: 7 x 7 x 5", low=3, high=21)

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        return self.size_in_plane, self.size_in_plane, self.size_through_plane


@dataclass(frozen=True)
class NetworkSettings:
    """Size of generator and discriminator."""

    base_filters: int = setting(64, "filters of the first level", source="pix2pix", low=1, high=128)
    depth: int = setting(8, "halvings of the generator; the image's size must divide by 2^depth", low=2, high=8)
    discriminator_layers: int = setting(3, "strided layers of the discriminator", source="pix2pix", low=1, high=5)


@dataclass(frozen=True)
class TrainingSettings:
    """Length, rates and the three weights of equation 1."""

    steps: int = setting(100_000, "steps of the optimisers", source=OUR_CHOICE, low=1)
    batch_size: int = setting(8, "slices in a step", source=OUR_CHOICE, low=1, high=1024)
    learning_rate: float = setting(2e-4, "Adam's step size", source="pix2pix", low=1e-8, high=1)
    momentum: float = setting(0.5, "Adam's beta_1", source="pix2pix", low=0, high=0.9999)
    decay_from: float = setting(0.5, "part of the run after which the rate falls to 0", low=0, high=1)
    gan_weight: float = setting(2.0, "lambda_GAN; 0 is the U-Net alone", source="Methods, cGANmask", low=0)
    l1_weight: float = setting(100.0, "lambda_L1", source="Methods, cGANmask", low=0)
    l2_weight: float = setting(200.0, "lambda_L2", source="Methods, cGANmask", low=0)
    precision: str = setting("float32", "of the forward pass", choices=("float32", "bfloat16"))
    validations: int = setting(8, "validations in the run", low=1, high=1000)

    def plan(self) -> TrainingPlan:
        """The same as the training loop takes it."""
        return TrainingPlan(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            betas=(self.momentum, 0.999),
            schedule=LearningRateSchedule(decay_from=self.decay_from),
            precision=self.precision,  # type: ignore[arg-type]
            validate_every=max(1, self.steps // self.validations),
            keep="last",
            report_every=max(1, min(50, self.steps // 20)),
        )


@dataclass(frozen=True)
class DlEptSettings:
    """Everything that a run of this chapter depends on, beside the seed."""

    bodies: BodySettings = BodySettings()
    simulation: SimulationSettings = SimulationSettings()
    measurement: MeasurementSettings = MeasurementSettings()
    helmholtz: HelmholtzSettings = HelmholtzSettings()
    network: NetworkSettings = NetworkSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @classmethod
    def at_scale(cls, scale: str) -> Self:
        """The settings of a scale; `paper` has the paper's sizes."""
        paper = cls()
        if scale == "paper":
            return replace(paper, training=replace(paper.training, steps=6000, precision="bfloat16"))
        if scale == "colab":
            return replace(
                paper,
                simulation=SimulationSettings(voxel_size_mm=3.0),
                measurement=MeasurementSettings(image_size=96),
                network=NetworkSettings(base_filters=32, depth=5),
                training=replace(paper.training, steps=10_000),
            )
        if scale == "demo":
            return replace(
                paper,
                simulation=SimulationSettings(voxel_size_mm=4.0, tolerance=3e-3),
                measurement=MeasurementSettings(image_size=64),
                network=NetworkSettings(base_filters=16, depth=5, discriminator_layers=2),
                training=replace(paper.training, steps=1200, learning_rate=1e-3),
            )
        return replace(
            paper,
            bodies=BodySettings(phantoms=6, variations=2),
            simulation=SimulationSettings(voxel_size_mm=9.0, tolerance=3e-3),
            measurement=MeasurementSettings(image_size=32, slices_per_phantom=5, slices_per_head=10),
            helmholtz=HelmholtzSettings(size_in_plane=3, size_through_plane=3),
            network=NetworkSettings(base_filters=4, depth=4, discriminator_layers=1),
            training=replace(paper.training, steps=24, learning_rate=2e-3, validations=2),
            evaluation=EvaluationSettings(unseen_sets=3),
        )
