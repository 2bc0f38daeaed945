"""The four small trained networks that come with the chapter, and how they are made.

They are the chapter's headline trainings at scale `demo`, seed 0, their weights rounded to float16. To make them again:

    mrrepro ship dl_ept

which simulates and trains first where no finished training lies among the artifacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mrrepro.networks.scaled_generator import ScaledGenerator, build_pix2pix
from mrrepro.papers.dl_ept.cases import TEST_HEAD, VARIED
from mrrepro.papers.dl_ept.database import DATABASE
from mrrepro.papers.dl_ept.networks import NETWORK_FILE, TRAININGS, TrainingSelection, read_network
from mrrepro.papers.dl_ept.reconstruction import by_network, measure_case, normalised_error, statistics, tissue_region
from mrrepro.papers.dl_ept.settings import DlEptSettings, MeasurementSettings
from mrrepro.runs.artifacts import Artifact, ArtifactStore
from mrrepro.runs.files import digest_of
from mrrepro.runs.recorded import four_digits
from mrrepro.runs.settings import from_plain
from mrrepro.runs.stages import make
from mrrepro.training.checkpoints import load_network
from mrrepro.training.network_files import origin_of
from mrrepro.training.reduced_precision import rounded_copy, save_reduced_network


def shipped_files(third_input: str, folder: Path | None = None) -> tuple[Path, ...]:
    """Return the files for a third input, ``mask`` or ``tissue``: conductivity and permittivity."""
    place = folder or Path(__file__).parent / "trained"
    return tuple(
        place / f"{stage.name.rpartition('/')[2]}.safetensors"
        for (third, _), stage in TRAININGS.items()
        if third == third_input
    )


def ship(output: Path | None = None, artifacts: Path | None = None) -> Sequence[Path]:
    """Round the headline networks and write each with its receipt.

    Parameters
    ----------
    output : Path, optional
        A folder; that of the package by default, whose files are replaced.
    artifacts : Path, optional
        Folder of the artifacts; else ``MRREPRO_ARTIFACTS``, else the cache.

    Returns
    -------
    sequence of Path
        The files that were written.
    """
    settings, store = DlEptSettings.at_scale("demo"), ArtifactStore(artifacts)
    case = make(DATABASE, settings, 0, store).arrays(f"{TEST_HEAD}.npz")
    written = []
    for third in ("mask", "tissue"):
        stages = [stage for (other, _), stage in TRAININGS.items() if other == third]
        for path, stage in zip(shipped_files(third, output), stages, strict=True):
            trained = make(stage, settings, 0, store)
            saved = load_network(trained.file(NETWORK_FILE), build_pix2pix).settings
            network = read_network(trained)
            path.parent.mkdir(parents=True, exist_ok=True)
            save_reduced_network(path, network, saved, _receipt(trained, case, network, rounded_copy(network)))
            written.append(path)
    return written


def _receipt(trained: Artifact, case: Any, network: ScaledGenerator, rounded: ScaledGenerator) -> dict[str, Any]:
    """Where the weights come from, and how well the network does on the test head, rounded and not."""
    selected = from_plain(TrainingSelection, trained.manifest["settings"])
    return origin_of(trained) | {
        "what": f"{selected.quantity} from |B1+|, transceive phase and {selected.third_input} (DL-EPT, mrrepro)",
        "data": "simulated: cylinders and two head models in a birdcage at 128 MHz; no scan was used",
        "scale": "demo",
        "training_key": trained.key,
        "precision": "weights float16, biases and normalisation float32",
        "test_head": {
            name: scores_on_test_head(case, each, selected.quantity, selected.third_input, selected.measurement)
            for name, each in (("as trained", network), ("as shipped", rounded))
        },
    }


def scores_on_test_head(
    case: Any, network: ScaledGenerator, quantity: str, third_input: str, measurement: MeasurementSettings
) -> dict[str, Any]:
    """Return the error in the brain of the held-out head, whose anatomy training has seen, and each tissue's mean."""
    seed = int(digest_of(["dl_ept/shipped", quantity, third_input])[:15], 16)
    found = by_network(network, measure_case(case, third_input, measurement, seed), measurement.image_size)
    regions = {tissue: tissue_region(case["labels"], tissue, 0).inside for tissue in VARIED}
    brain = regions["white_matter"] | regions["grey_matter"] | regions["csf"]
    scores: dict[str, Any] = {"nrmse": four_digits(normalised_error(found, case[quantity], brain))}
    for tissue, inside in regions.items():
        scores[tissue] = {"true": four_digits(case[quantity][inside].mean())}
        scores[tissue] |= {key: four_digits(statistics(found, inside)[key]) for key in ("mean", "sd")}
    return scores
