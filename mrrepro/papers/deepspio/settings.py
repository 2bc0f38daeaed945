"""Settings of the DeepSPIO chapter: the paper's values, and at each scale what a machine of that kind can do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from mrrepro.networks.variants import KINDS, NetworkSettings
from mrrepro.networks.wavelet import WAVELETS
from mrrepro.runs.settings import setting
from mrrepro.simulators.spio_samples import BodyDistribution, IronOxide
from mrrepro.simulators.view_line import ViewLineSequence
from mrrepro.training.plan import LearningRateSchedule, TrainingPlan


@dataclass(frozen=True)
class ImageSettings:
    """The images that are distorted."""

    data: str = setting(
        "mni152",
        "'mni152' (the template that nilearn ships), a folder of NIfTI volumes, or an images.npz made before",
        source="IXI proton density in the paper",
    )


@dataclass(frozen=True)
class SequenceSettings:
    """The acquisition, in the units of a scanner's console."""

    field_of_view_mm: float = setting(50.0, "field of view along x and z", source="Section 5, exp. 4", unit="mm", low=1)
    size: int = setting(256, "pixels along x and z; a multiple of 16", source="Section 5, exp. 4", low=32, high=1024)
    line_count: int = setting(25, "excited lines", source="Section 5, exp. 4", low=1, high=500)
    line_thickness_mm: float = setting(1.0, "thickness of a line", source="Section 5, exp. 4", unit="mm", low=0.05)
    line_spacing_mm: float = setting(2.0, "distance from line to line", unit="mm", low=0.1)
    slice_gradient_mt_per_m: float = setting(100.0, "G_s, while a line is excited", unit="mT/m", low=-1000, high=1000)
    readout_gradient_mt_per_m: float = setting(-200.0, "G_r, while z is read", unit="mT/m", low=-1000, high=1000)
    te_ms: float = setting(8.7, "echo time", source="Section 5, exp. 4", unit="ms", low=0.1, high=1000)

    def sequence(self) -> ViewLineSequence:
        """The same in SI units."""
        return ViewLineSequence(
            field_of_view=self.field_of_view_mm * 1e-3,
            size=self.size,
            line_count=self.line_count,
            line_thickness=self.line_thickness_mm * 1e-3,
            line_spacing=self.line_spacing_mm * 1e-3,
            slice_gradient=self.slice_gradient_mt_per_m * 1e-3,
            readout_gradient=self.readout_gradient_mt_per_m * 1e-3,
            echo_time=self.te_ms * 1e-3,
        )


@dataclass(frozen=True)
class IronSettings:
    """What iron does to field and signal; the `physical` preset voids the source, the `paper` preset does not."""

    saturation_magnetisation: float = setting(
        95.0, "sigma_s; 95 +- 15 is assumed for ferucarbotran", unit="A m^2/kg", low=0, high=250
    )
    transverse_relaxivity: float = setting(
        175.0, "r_2; voids the signal inside the source; 0 leaves it", unit="1/(mM s)", low=0, high=10_000
    )

    def iron(self) -> IronOxide:
        """The same as the simulator takes it."""
        return IronOxide(self.saturation_magnetisation, self.transverse_relaxivity)


@dataclass(frozen=True)
class BodySettings:
    """The random bodies of a sample; their geometry is that of section 3.2."""

    lowest_concentration: float = setting(
        0.22, "lowest concentration", source="Section 3.2", unit="ug/mm^3", low=0.01, high=200
    )
    highest_concentration: float = setting(
        17.5, "highest concentration", source="Section 3.2", unit="ug/mm^3", low=0.01, high=200
    )
    fewest: int = setting(1, "fewest bodies in a sample", source="Section 3.2", low=1, high=20)
    most: int = setting(5, "most bodies in a sample", source="Section 3.2", low=1, high=20)

    def distribution(self) -> BodyDistribution:
        """The same as the simulator takes it."""
        return BodyDistribution(
            concentration=(self.lowest_concentration, self.highest_concentration), count=(self.fewest, self.most)
        )


@dataclass(frozen=True)
class NetworkChoice:
    """Which network, and how wide."""

    kind: str = setting("multi_decoder", "architecture", source="Fig. 3", choices=KINDS)
    width: float = setting(64.0, "feature maps at the first level", source="Section 4.1: as a U-Net's", low=1, high=256)
    wavelet: str = setting("db4", "wavelet of the output", source="Section 3.2: Daubechies 4", choices=tuple(WAVELETS))
    output_scale: float = setting(10.0, "typical wavelet coefficient", unit="ug/mm^3", low=1e-3, high=1e3)
    zero_initialised_head: bool = setting(True, "start from an estimate of zero")

    def network(self) -> NetworkSettings:
        """The same as the networks take it; images are scaled by their own root mean square."""
        return NetworkSettings(
            kind=self.kind,
            width=self.width,
            wavelet=self.wavelet,
            input_scaling="per_image",
            output_scale=self.output_scale,
            zero_initialised_head=self.zero_initialised_head,
        )


@dataclass(frozen=True)
class TrainingSettings:
    """Length and rates of the training."""

    samples: int = setting(4_000_000, "samples seen, all different", source="Section 3.2", low=1)
    batch_size: int = setting(32, "samples in a step", source="Section 4.4", low=1, high=4096)
    learning_rate: float = setting(1e-5, "Adam's step size", source="Section 4.4", low=1e-8, high=1)
    momentum: float = setting(0.9, "Adam's beta_1", source="Section 4.4: 'a momentum of 0.9'", low=0, high=0.9999)
    l2_coefficient: float = setting(1e-6, "lambda of the loss; not stated in the paper", low=0, high=1)
    square_fraction: float = setting(
        0.6, "part of the run with the normalised square deviation; 0 is the printed loss at once", low=0, high=1
    )
    warmup_steps: int = setting(0, "steps over which the rate rises", low=0)
    decay_from: float = setting(1.0, "part of the run after which the rate falls to 0; 1 for never", low=0, high=1)
    precision: str = setting("float32", "of the forward pass", choices=("float32", "bfloat16"))
    validations: int = setting(12, "validations in the run", low=1, high=1000)
    validation_samples: int = setting(64, "samples of a validation", low=1, high=10_000)
    patience: int = setting(1000, "validations without a gain after which the training ends", low=1)
    shuffled_targets: bool = setting(False, "give each image its neighbour's map: the control that must fail")

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return max(1, self.samples // self.batch_size)

    def plan(self) -> TrainingPlan:
        """The same as the training loop takes it."""
        return TrainingPlan(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            betas=(self.momentum, 0.999),
            l2_coefficient=self.l2_coefficient,
            schedule=LearningRateSchedule(warmup_steps=self.warmup_steps, decay_from=self.decay_from),
            precision=self.precision,  # type: ignore[arg-type]
            validate_every=max(1, self.steps // self.validations),
            patience=self.patience,
            keep="last",
            report_every=max(1, min(20, self.steps // 20)),
        )


@dataclass(frozen=True)
class EvaluationSettings:
    """Sizes of the experiments."""

    samples: int = setting(200, "held-out samples of experiments 1 and 2", low=2, high=100_000)
    noise_draws: int = setting(
        10, "draws of noise for each concentration and level", source="Section 5.1", low=2, high=1000
    )
    noise_concentrations: int = setting(
        12, "concentrations from 0.22 to 27.9 ug/mm^3 in the test of noise", low=2, high=200
    )
    noise_draws_detail: int = setting(100, "draws of noise at 20.5 ug/mm^3", source="Section 5.1", low=2, high=10_000)
    scaled_shapes: int = setting(24, "bodies whose field is scaled while their void is kept", low=3, high=1000)


@dataclass(frozen=True)
class DeepSpioSettings:
    """Everything that a run of this chapter depends on, beside the seed."""

    images: ImageSettings = ImageSettings()
    sequence: SequenceSettings = SequenceSettings()
    iron: IronSettings = IronSettings()
    bodies: BodySettings = BodySettings()
    network: NetworkChoice = NetworkChoice()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @classmethod
    def at_scale(cls, scale: str) -> Self:
        """The settings of a scale; `paper` has the paper's sizes."""
        paper = cls()
        fast = replace(paper.training, learning_rate=2e-3, decay_from=0.0)
        if scale == "paper":
            return replace(
                paper,
                training=replace(paper.training, precision="bfloat16", validations=100, validation_samples=256),
                evaluation=EvaluationSettings(samples=1000),
            )
        if scale == "colab":
            return replace(
                paper,
                sequence=SequenceSettings(size=128),
                network=NetworkChoice(width=32.0),
                training=replace(fast, samples=150_000, learning_rate=2e-4, warmup_steps=200),
            )
        single = BodySettings(lowest_concentration=3.0, fewest=1, most=1)
        if scale == "demo":
            return replace(
                paper,
                sequence=SequenceSettings(size=128),
                bodies=single,
                network=NetworkChoice(width=8.0),
                training=replace(fast, samples=16_000, batch_size=16, warmup_steps=50),
            )
        return replace(
            paper,
            sequence=SequenceSettings(size=64),
            bodies=single,
            network=NetworkChoice(width=2.0),
            training=replace(fast, samples=320, batch_size=16, warmup_steps=5, validations=4, validation_samples=16),
            evaluation=EvaluationSettings(
                samples=12, noise_draws=2, noise_concentrations=3, noise_draws_detail=4, scaled_shapes=4
            ),
        )
