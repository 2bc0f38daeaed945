"""Stages beyond the training: other scanners (Section V), and a lens and a tumour that training never saw."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from scipy import ndimage

from mrrepro.metrics.conductivity_maps import relative_map_error, summary_of
from mrrepro.papers.condnet.estimation import MAPS, read_maps
from mrrepro.papers.condnet.heads import HEADS, HeadWithImages, read_fractions, read_heads, tissues_of
from mrrepro.papers.condnet.maps import conductivity_maps
from mrrepro.papers.condnet.scanners import LENS, TRAINED, TUMOUR, VARIANTS, Tissues, with_receive_effects
from mrrepro.papers.condnet.settings import CondNetSettings, ImageSettings
from mrrepro.papers.condnet.stages import TRAININGS, trained_networks
from mrrepro.papers.condnet.table1 import COLUMN_A
from mrrepro.phantoms.head_tissues import TISSUE_LABELS
from mrrepro.runs.files import write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.simulators.coil_on_head import BrainFrame, Point
from mrrepro.simulators.head_images import Relaxation

ROI_TISSUES = ("csf", "vitreous_humour", "fat", "grey_matter", "mucous_tissue", "skin", "bone_cortical", "white_matter")
"""Table V, in its order."""

LENS_SEMI_AXES = (4.5e-3, 2.2e-3, 4.5e-3)
"""Of the lens [m], its axis along y."""

LENS_PLACE = 0.6
"""Distance of the lens from the middle of the eye, as a part of the eye's radius towards the front."""

TUMOUR_CENTRE, TUMOUR_RADIUS = (30e-3, -20e-3, 30e-3), 12e-3
"""Of the tumour [m], the centre in MNI coordinates."""

SUBDIVISION = 4
PRESENT = 0.5
"""Part of a voxel that an inclusion must fill to be measured."""

Share = Float32[np.ndarray, "x y z"]


@dataclass(frozen=True)
class GeneralitySelection:
    """What these stages depend on beside heads and networks."""

    images: ImageSettings


def other_scanners(context: StageContext[GeneralitySelection]) -> None:
    """Estimates of all test heads from images of each variant, in regions of one tissue."""
    networks = trained_networks(context.inputs, TRAININGS, context.device)
    heads, maps = read_heads(context.inputs[HEADS.name], "testing"), read_maps(context.inputs[MAPS.name])
    document: dict[str, Any] = {"variants": [TRAINED.name, *(variant.name for variant in VARIANTS)], "heads": []}
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for number, head in enumerate(context.progress(heads, description="scanners")):
        fractions = read_fractions(context.inputs[HEADS.name], number)
        middle = head.labels.shape[2] // 2
        entries = [_measured(head, head.images, maps[number][0])]
        slices = [(head.images[..., middle], maps[number][0][..., middle])]
        for place, variant in enumerate(VARIANTS):
            generator = np.random.default_rng(context.derived_seed(f"variant {place} of head {number}"))
            settings = context.settings.images
            ideal = variant.ideal_images(fractions, tissues_of(head.person, variant, settings))
            sliced = variant.sliced(ideal, head.voxel_size)
            images = with_receive_effects(sliced, head.as_head, settings.snr, settings.bias, generator)
            estimate = conductivity_maps(networks, images, context.device)[0]
            entries.append(_measured(head, images, estimate))
            slices.append((images[..., middle], estimate[..., middle]))
        document["heads"].append({"name": head.name, "variants": entries})
        if number == 0:
            arrays = {
                "images": np.stack([image for image, _ in slices]).astype(np.float16),
                "estimates": np.stack([estimate for _, estimate in slices]).astype(np.float16),
                "labels": head.labels[..., middle],
            }
    write_arrays(context.workspace / "scanners.npz", **arrays)
    write_json(context.workspace / "scanners.json", document)


def _measured(
    head: HeadWithImages, images: Float[np.ndarray, "2 x y z"], estimate: Float32[np.ndarray, "x y z"]
) -> dict[str, Any]:
    """Distributions of image intensities and of the estimate in regions of one tissue."""
    found: dict[str, Any] = {
        "relative_error": relative_map_error(estimate, head.uniform(COLUMN_A), head.head),
        "tissues": {},
    }
    for tissue in ROI_TISSUES:
        region = head.mask(tissue) & head.pure
        if region.any():
            values = {"conductivity": estimate, "t1_weighted": images[0], "t2_weighted": images[1]}
            found["tissues"][tissue] = {name: asdict(summary_of(each, region)) for name, each in values.items()}
    return found


def unseen_objects(context: StageContext[GeneralitySelection]) -> None:
    """Estimates with a lens in each eye and a tumour in the white matter, beside those without."""
    networks = trained_networks(context.inputs, TRAININGS, context.device)
    heads, maps = read_heads(context.inputs[HEADS.name], "testing"), read_maps(context.inputs[MAPS.name])
    entries: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for number, head in enumerate(context.progress(heads, description="unseen")):
        fractions = read_fractions(context.inputs[HEADS.name], number)
        lens = lens_share(head) * fractions[TISSUE_LABELS["vitreous_humour"]]
        tumour = tumour_share(head) * fractions[TISSUE_LABELS["white_matter"]]
        settings = context.settings.images
        tissues = tissues_of(head.person, TRAINED, settings)
        ideal = TRAINED.ideal_images(fractions, tissues)
        for tissue, share, replaced in ((LENS, lens, "vitreous_humour"), (TUMOUR, tumour, "white_matter")):
            ideal = with_inclusion(ideal, share, tissue, tissues[replaced], tissues)
        generator = np.random.default_rng(context.derived_seed(f"head {number}"))
        images = with_receive_effects(ideal, head.as_head, settings.snr, settings.bias, generator)
        estimate, without = conductivity_maps(networks, images, context.device)[0], maps[number][0]
        entry: dict[str, Any] = {"name": head.name}
        eye = head.mask("vitreous_humour") & (lens == 0.0)
        for name, region in (("lens", lens > PRESENT), ("tumour", tumour > PRESENT), ("rest_of_eye", eye)):
            if region.any():
                entry[name] = {
                    "with": asdict(summary_of(estimate, region)),
                    "without": asdict(summary_of(without, region)),
                }
        entries.append(entry)
        if number == 0:
            arrays = _pictures(images, estimate, without, lens, tumour)
    write_arrays(context.workspace / "unseen.npz", **arrays)
    write_json(context.workspace / "unseen.json", {"heads": entries})


def with_inclusion(
    ideal: Float32[np.ndarray, "2 x y z"],
    share: Share,
    tissue: Relaxation,
    replaced: Relaxation,
    tissues: Tissues,
) -> Float32[np.ndarray, "2 x y z"]:
    """Ideal images with a part of each voxel's ``replaced`` tissue made another one."""
    new, old = (TRAINED.signals_of(each, tissues).astype(np.float32) for each in (tissue, replaced))
    return ideal + (new - old)[:, None, None, None] * share


def lens_share(head: HeadWithImages) -> Share:
    """Part of each voxel that lies in a lens: an ellipsoid in the front of each eye (part of the vitreous humour)."""
    eyes, count = ndimage.label(head.mask("vitreous_humour"))
    total = np.zeros(head.labels.shape, np.float32)
    for number in range(1, count + 1):
        index = np.argwhere(eyes == number)
        centre = index.mean(axis=0) @ head.affine[:3, :3].T + head.affine[:3, 3]
        radius = (0.75 * len(index) / np.pi) ** (1.0 / 3.0) * head.voxel_size
        if radius > LENS_SEMI_AXES[0]:
            total += ellipsoid_share(head, centre + np.array([0.0, LENS_PLACE * radius, 0.0]), LENS_SEMI_AXES)
    return np.minimum(total, 1.0)


def tumour_share(head: HeadWithImages) -> Share:
    """Part of each voxel that lies in the tumour's ball."""
    centre = BrainFrame.of(head.brain, head.affine).from_mni(TUMOUR_CENTRE)
    return ellipsoid_share(head, centre, (TUMOUR_RADIUS,) * 3)


def ellipsoid_share(head: HeadWithImages, centre: Point, semi_axes: tuple[float, float, float]) -> Share:
    """Part of each voxel inside an ellipsoid along the axes, from a regular subdivision."""
    steps = (np.arange(SUBDIVISION) - 0.5 * (SUBDIVISION - 1)) / SUBDIVISION
    squares = []
    for axis in range(3):
        place = head.affine[axis, 3] + head.voxel_size * (np.arange(head.labels.shape[axis])[:, None] + steps)
        squares.append((((place - centre[axis]) / semi_axes[axis]) ** 2).astype(np.float32))
    total = np.zeros(head.labels.shape, np.float32)
    for a, b, c in np.ndindex(SUBDIVISION, SUBDIVISION, SUBDIVISION):
        distance = squares[0][:, None, None, a] + squares[1][None, :, None, b] + squares[2][None, None, :, c]
        total += distance < 1.0
    return total / SUBDIVISION**3


def _pictures(
    images: Float32[np.ndarray, "2 x y z"],
    estimate: Float32[np.ndarray, "x y z"],
    without: Float32[np.ndarray, "x y z"],
    lens: Share,
    tumour: Share,
) -> dict[str, np.ndarray[Any, Any]]:
    """Axial slices through the most of the lenses and the most of the tumour."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for name, share in (("lens", lens), ("tumour", tumour)):
        level = int(share.sum(axis=(0, 1)).argmax())
        arrays |= {
            f"{name}_images": images[..., level].astype(np.float16),
            f"{name}_estimate": estimate[..., level].astype(np.float16),
            f"{name}_without": without[..., level].astype(np.float16),
            f"{name}_share": share[..., level].astype(np.float16),
        }
    return arrays


def select(settings: CondNetSettings) -> GeneralitySelection:
    """What these stages may see of the settings."""
    return GeneralitySelection(settings.images)


SCANNERS = Stage("condnet/scanners", other_scanners, select, inputs=(HEADS, MAPS, *TRAININGS))
UNSEEN = Stage("condnet/unseen", unseen_objects, select, inputs=(HEADS, MAPS, *TRAININGS))
