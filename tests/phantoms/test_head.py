"""Heads: what they hold, what encloses what, orientation, partial volume, people, refusals."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from mrrepro.phantoms.folded_head import folded_template
from mrrepro.phantoms.head import (
    MARGIN,
    NECK_CUT,
    Head,
    build_head,
    head_properties,
    mni152_deformation,
    tissue_fractions,
)
from mrrepro.phantoms.head_tissues import BRAIN_TISSUES, HEAD_TISSUES, TISSUE_LABELS
from mrrepro.tissues import TISSUES, tissue_properties

nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed: the maps cannot be read")


@pytest.fixture(scope="module")
def template() -> Head:
    pytest.importorskip("nilearn", reason="nilearn is not installed: it holds the MNI152 maps")
    return build_head("mni152", 0, 0.001)


@pytest.fixture(scope="module")
def drawn() -> Head:
    return build_head("folded", 0, 0.004)


def above_the_cut(head: Head) -> np.ndarray:
    return head.labels[:, :, np.flatnonzero(head.labels.any(axis=(0, 1)))[0] :]


def outside_air(labels: np.ndarray) -> np.ndarray:
    parts, _ = ndimage.label(labels == 0)
    return parts == parts[0, 0, -1]


def largest_part(mask: np.ndarray) -> np.ndarray:
    parts, _ = ndimage.label(mask)
    return parts == np.bincount(parts.ravel())[1:].argmax() + 1


def centroid(head: Head, mask: np.ndarray) -> np.ndarray:
    return np.array(head.origin) + (np.argwhere(mask).mean(axis=0) + 0.5) * head.voxel_size


def test_labels_are_air_and_the_thirteen_tissues():
    assert HEAD_TISSUES[0] == "air"
    assert set(HEAD_TISSUES[1:]) == set(TISSUES)
    assert len(HEAD_TISSUES) == 14


def test_every_tissue_is_there(template, drawn):
    for head in (template, build_head("mni152", 3, 0.002), drawn):
        assert [tissue for tissue in HEAD_TISSUES if not head.mask(tissue).any()] == [], head.name
    assert (template.name, drawn.name) == ("mni152-000", "folded-000")


def test_skin_is_outermost_and_all_is_one_piece(template):
    labels = above_the_cut(template)
    outermost = ndimage.binary_dilation(outside_air(labels)) & (labels != 0)
    assert set(labels[outermost]) == {TISSUE_LABELS["skin"]}
    assert ndimage.label(labels != 0)[1] == 1


def test_brain_lies_in_fluid_and_membranes(template):
    labels = above_the_cut(template)
    brain = largest_part(np.isin(labels, [TISSUE_LABELS[tissue] for tissue in BRAIN_TISSUES]))
    wrapping = ndimage.binary_dilation(brain) & ~brain
    assert {HEAD_TISSUES[label] for label in set(labels[wrapping])} <= {"csf", "dura", "blood"}
    # and every path from the air to the brain crosses bone, or follows a vessel or the optic nerve (4.6 mm wide)
    walls = np.isin(labels, [TISSUE_LABELS[tissue] for tissue in ("bone_cortical", "bone_cancellous", "blood")])
    parts, _ = ndimage.label(~ndimage.binary_dilation(walls, iterations=2))
    inside = set(parts[brain]) - {0}
    assert inside
    assert not inside & set(parts[outside_air(labels)])


def test_drawn_brain_lies_in_the_skull(drawn):
    labels = above_the_cut(drawn)
    exposed = ndimage.binary_dilation(outside_air(labels))
    assert not (exposed & np.isin(labels, [TISSUE_LABELS[tissue] for tissue in (*BRAIN_TISSUES, "csf")])).any()


@pytest.mark.parametrize(("source", "number"), [("mni152", 0), ("mni152", 1), ("mni152", 2), ("folded", 0)])
def test_volumes_are_those_of_adults(source, number):
    # brain 1.05 to 1.7 L (Allen et al., Am. J. Phys. Anthropol. 118, 341 (2002): 1.13 +- 0.09 L in women, 1.27 +- 0.10
    # in men; MNI152 is larger than the people it was averaged from), grey to white matter 1.1 to 1.7 with partial
    # volume; head cut at the mouth 2.5 to 4 L
    head = build_head(source, number, 0.002 if source == "mni152" else 0.004)
    assert 1.05e-3 < head.volume(*BRAIN_TISSUES) < 1.70e-3
    assert 0.85 < head.volume("grey_matter") / head.volume("white_matter") < 1.7
    assert 0.08 < head.volume("cerebellum") / head.volume(*BRAIN_TISSUES) < 0.15
    assert 2.5e-3 < head.volume(*HEAD_TISSUES[1:]) < 4.0e-3
    # two globes of 24 mm diameter less their coats: 11.4 mm radius, 12.4 mL, scaled with the head
    assert 8e-6 < head.volume("vitreous_humour") < 16e-6


def test_middle_of_the_brain_is_at_zero(template, drawn):
    assert np.abs(centroid(template, template.brain())).max() < 0.002
    assert np.abs(centroid(drawn, drawn.brain())).max() < 0.003
    for number in (1, 2, 3, 4):
        person = build_head("mni152", number, 0.004)
        assert np.abs(centroid(person, person.brain())).max() < 0.006
    lowest = np.flatnonzero(template.labels.any(axis=(0, 1)))[0] * 0.001 + template.origin[2]
    assert -NECK_CUT - 1e-9 <= lowest < -NECK_CUT + 0.001


def test_head_faces_forward_and_upward(template):
    eyes, cerebellum, white = (template.mask(tissue) for tissue in ("vitreous_humour", "cerebellum", "white_matter"))
    assert centroid(template, eyes)[1] > 0.06
    assert centroid(template, eyes)[2] < -0.03
    assert centroid(template, cerebellum)[1] < -0.03
    assert centroid(template, cerebellum)[2] < centroid(template, white)[2] - 0.03
    affine = template.affine_mm()
    first = (affine @ [0, 0, 0, 1])[:3]
    assert np.allclose(first, 1e3 * (np.array(template.origin) + 0.0005))
    assert np.allclose(affine[:3, :3], np.eye(3))


def test_numbers_are_people():
    first, second = (build_head("mni152", number, 0.004) for number in (1, 2))
    widths = [np.ptp(np.argwhere(head.labels), axis=0) * head.voxel_size for head in (first, second)]
    assert np.abs(widths[0] - widths[1]).max() >= 0.004
    assert abs(first.volume(*BRAIN_TISSUES) / second.volume(*BRAIN_TISSUES) - 1.0) > 0.005
    corner = np.round((np.array(first.origin) - np.array(second.origin)) / 0.004).astype(int)
    a, b = (np.pad(head.brain(), 30) for head in (first, second))
    b = np.roll(b, -corner, axis=(0, 1, 2))
    shape = np.minimum(a.shape, b.shape)
    a, b = (mask[: shape[0], : shape[1], : shape[2]] for mask in (a, b))
    assert 0.7 < 2 * (a & b).sum() / (a.sum() + b.sum()) < 0.97  # alike, but not the same


def test_the_same_number_is_the_same_head(drawn):
    again = mni152_deformation(5), mni152_deformation(5)
    assert np.array_equal(again[0].displacement, again[1].displacement)
    assert np.array_equal(again[0].matrix, again[1].matrix)
    folded_template.cache_clear()
    assert np.array_equal(build_head("folded", 0, 0.004).labels, drawn.labels)
    other = build_head("folded", 1, 0.004)
    assert not np.array_equal(other.labels, drawn.labels)
    assert other.volume("grey_matter") != drawn.volume("grey_matter")


@pytest.mark.parametrize("number", [1, 2, 3, 17])
def test_deformations_fold_nothing(number):
    deformation = mni152_deformation(number)
    axes = [np.arange(-0.1, 0.1001, 0.004)] * 3
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    images = deformation.to_template(points)
    part = tuple(slice(0, length - 1) for length in points.shape[:3])
    jacobian = np.stack([np.diff(images, axis=axis)[part] / 0.004 for axis in range(3)], axis=-1)
    determinants = np.linalg.det(jacobian)
    assert determinants.min() > 0.1
    assert determinants.max() / determinants.min() > 1.5  # and yet it deforms
    inside = points.reshape(-1, 3)[::97]
    assert np.allclose(deformation.from_template(deformation.to_template(inside)), inside, atol=1e-9)


def test_labels_move_with_the_deformation(template):
    deformation, person = mni152_deformation(2), build_head("mni152", 2, 0.002)
    for side in (-1, 1):
        eyes = [
            centroid(head, head.mask("vitreous_humour") & (side * head.grid.voxel_centres()[0] > 0))
            for head in (template, person)
        ]
        assert np.linalg.norm(deformation.from_template(eyes[0][None])[0] - eyes[1]) < 0.0015


@pytest.mark.parametrize(("source", "number", "size"), [("mni152", 1, 0.006), ("folded", 0, 0.004)])
def test_fractions_sum_to_one_and_the_largest_is_the_label(source, number, size):
    head, fractions = build_head(source, number, size), tissue_fractions(source, number, size)
    assert fractions.dtype == np.float32
    assert fractions.shape == (14, *head.labels.shape)
    assert fractions.min() >= -1e-6  # the share of air is what is left of 1, in float32
    assert np.abs(fractions.sum(axis=0) - 1.0).max() < 1e-5
    assert np.array_equal(fractions.argmax(axis=0), head.labels)
    assert (np.sort(fractions, axis=0)[-1] < 0.99).mean() > 0.1  # partial volume there is


def test_partial_volume_keeps_tissue(template):
    # sums of fractions know tissues that majorities lose: dura, 1 mm thick, in voxels of 6 mm
    fractions = tissue_fractions("mni152", 0, 0.006)
    volumes = fractions.sum(axis=(1, 2, 3), dtype=float) * 0.006**3
    for tissue in ("grey_matter", "white_matter", "csf", "dura", "blood"):
        assert volumes[TISSUE_LABELS[tissue]] == pytest.approx(template.volume(tissue), rel=0.04)
    assert build_head("mni152", 0, 0.006).volume("dura") < 0.5 * template.volume("dura")


def test_spheres(template):
    found = template.sphere((0.03, 0.02, 0.03), 0.015, within=HEAD_TISSUES)
    assert found.sum() * 1e-9 == pytest.approx(4 / 3 * np.pi * 0.015**3, rel=1e-2)
    assert np.allclose(centroid(template, found), (0.03, 0.02, 0.03), atol=1e-4)
    brain = template.sphere((0.03, 0.02, 0.03), 0.015)
    assert np.array_equal(brain, found & template.brain())
    with pytest.raises(ValueError, match="holds no voxel of grey_matter"):
        template.sphere((0.0, 0.2, 0.0), 0.015)
    with pytest.raises(ValueError, match="radius must lie in"):
        template.sphere((0.0, 0.0, 0.0), 15.0)


def test_dielectric_body(drawn):
    body = drawn.dielectric_body(head_properties(128e6), 128e6, margin=3)
    head = drawn.cropped(3)
    assert body.grid == head.grid
    csf, fat = tissue_properties("csf", 128e6), tissue_properties("fat", 128e6)
    assert np.allclose(body.conductivity[head.mask("csf")], csf.conductivity)
    assert np.allclose(body.relative_permittivity[head.mask("fat")], fat.relative_permittivity)
    assert np.all(body.relative_permittivity[head.mask("air")] == 1.0)
    assert np.all(body.conductivity[head.mask("air")] == 0.0)
    incomplete = {tissue: value for tissue, value in head_properties(128e6).items() if tissue not in ("csf", "skin")}
    with pytest.raises(ValueError, match="lacks csf, skin"):
        drawn.dielectric_body(incomplete, 128e6)


def test_cropping_moves_nothing(drawn):
    wide = drawn.cropped(6)
    assert np.array_equal(
        wide.labels[6 - MARGIN : MARGIN - 6, 6 - MARGIN : MARGIN - 6, 6 - MARGIN : MARGIN - 6], drawn.labels
    )
    assert np.allclose(centroid(wide, wide.brain()), centroid(drawn, drawn.brain()), atol=1e-12)
    assert not wide.labels[:6].any()
    assert wide.labels[6].any()


def block_map(path: Path, codes: np.ndarray, orientation: str = "RAS", step: float = 2.0) -> Path:
    """Write a label map whose voxel [0, 0, 0] lies at -20 mm along each axis, stored in another orientation."""
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = -20.0
    image = nibabel.Nifti1Image(codes.astype(np.int16), affine)
    wanted = nibabel.orientations.axcodes2ornt(orientation)
    turned = image.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(affine), wanted))
    turned.header.set_sform(turned.affine, code=1)
    nibabel.save(turned, path)
    return path


def layered_block() -> np.ndarray:
    """Skin, soft tissue, bone, fluid, grey matter, from outside; one eye of three voxels at the right in front."""
    codes = np.full((31, 31, 31), 0)
    for depth, code in enumerate((511, 507, 507, 507, 515, 24, 24, 3)):
        codes[2 + depth : 29 - depth, 3 + depth : 30 - depth, 2 + depth : 29 - depth] = code
    codes[20:23, 28, 14] = 506
    return codes


def test_label_maps_of_any_orientation(tmp_path):
    heads = [
        build_head(block_map(tmp_path / f"{orientation}.nii.gz", layered_block(), orientation), 0, 0.002)
        for orientation in ("RAS", "LIA", "PSR")
    ]
    assert all(np.array_equal(head.labels, heads[0].labels) for head in heads[1:])
    eye = centroid(heads[0], heads[0].mask("vitreous_humour"))
    assert eye[0] > 0.01
    assert eye[1] > 0.02
    assert np.abs(centroid(heads[0], heads[0].brain())).max() < 0.0011  # within half a voxel
    # by hand: soft tissue within 4 mm (two voxels) of the skin is fat, the third voxel muscle; outermost fluid is dura
    column = heads[0].labels[:, heads[0].labels.shape[1] // 2, heads[0].labels.shape[2] // 2][MARGIN : MARGIN + 8]
    assert [HEAD_TISSUES[label] for label in column] == [
        "skin", "fat", "fat", "muscle", "bone_cortical", "dura", "csf", "grey_matter",
    ]  # fmt: skip


def test_number_counts_files_by_name_and_specks_are_dropped(tmp_path):
    codes = layered_block()
    block_map(tmp_path / "b.nii.gz", codes)
    codes[0, 0, 0] = 24
    codes[15, 16, 15] = 2
    block_map(tmp_path / "a.nii.gz", codes)
    first, second = (build_head(tmp_path, number, 0.002) for number in (0, 1))
    assert (first.name, second.name) == ("a", "b")
    assert first.mask("white_matter").sum() == 1
    assert not second.mask("white_matter").any()
    assert first.labels.shape == second.labels.shape
    with pytest.raises(ValueError, match="number must be below 2"):
        build_head(tmp_path, 2, 0.002)


def test_a_voxel_takes_the_label_that_fills_most_of_it(tmp_path):
    codes = layered_block()
    path = block_map(tmp_path / "one.nii.gz", codes)
    fine, coarse = build_head(path, 0, 0.002), build_head(path, 0, 0.006, oversampling=9)
    first = np.round((np.array(coarse.origin) - np.array(fine.origin)) / 0.002).astype(int)
    padded = np.pad(fine.labels, 9)
    for index in np.argwhere(coarse.labels != 0)[::7]:
        low = 3 * index + first + 9
        block = padded[tuple(slice(start, start + 3) for start in low)]
        assert coarse.labels[tuple(index)] == np.bincount(block.ravel()).argmax()


def test_synthseg_heads():
    mirror = os.environ.get("MRREPRO_DATA_MIRROR")
    if not mirror:
        pytest.skip("MRREPRO_DATA_MIRROR is not set: SynthSeg's maps are not at hand")
    folder = Path(mirror) / "synthseg_heads"
    head = build_head(folder, 2, 0.002)
    assert [tissue for tissue in HEAD_TISSUES if not head.mask(tissue).any()] == []
    codes = np.asarray(nibabel.load(folder / "training_seg_03.nii.gz").dataobj)
    assert head.volume("grey_matter") == pytest.approx(
        np.isin(codes, [3, 42, 10, 11, 12, 13, 17, 18, 26, 49, 50, 51, 52, 53, 54, 58]).sum() * 1e-9, rel=0.06
    )
    assert head.volume("cerebellum") == pytest.approx(np.isin(codes, [7, 8, 46, 47]).sum() * 1e-9, rel=0.03)
    assert centroid(head, head.mask("vitreous_humour"))[1] > 0.05
    lowest = np.flatnonzero(head.labels.any(axis=(0, 1)))[0] * 0.002 + head.origin[2]
    assert -NECK_CUT - 1e-9 <= lowest < -NECK_CUT + 0.002


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mni152", 0, 2.0), "voxel_size must lie in"),
        (("mni152", 0, 0.05), "voxel_size must lie in"),
        (("mni152", -1, 0.004), "number must lie in"),
        (("mni125", 0, 0.004), "source must be 'mni152', 'folded', or a folder"),
        (("folded", 0, 0.004, 0), "oversampling|points"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_head(*arguments)


def test_refusals_of_label_maps(tmp_path):
    with pytest.raises(ValueError, match="holds none"):
        build_head(tmp_path, 0, 0.004)
    codes = layered_block()
    codes[15, 16, 15], codes[16, 16, 15] = 77, 900
    with pytest.raises(ValueError, match=r"holds labels \[77, 900\]"):
        build_head(block_map(tmp_path / "unknown.nii.gz", codes), 0, 0.004)
    with pytest.raises(ValueError, match="no label of the brain"):
        build_head(block_map(tmp_path / "skull.nii.gz", np.where(layered_block() == 3, 24, layered_block())), 0, 0.004)


def test_refusals_of_labels():
    with pytest.raises(ValueError, match="labels must be uint8 and at most 13"):
        Head(np.full((4, 4, 4), 14, dtype=np.uint8), 0.004, (0.0, 0.0, 0.0), "wrong")
    with pytest.raises(ValueError, match="are all air"):
        Head(np.zeros((4, 4, 4), dtype=np.uint8), 0.004, (0.0, 0.0, 0.0), "empty")
    with pytest.raises(ValueError, match="tissue must be one of air, blood"):
        Head(np.ones((4, 4, 4), dtype=np.uint8), 0.004, (0.0, 0.0, 0.0), "blood").mask("bone")
