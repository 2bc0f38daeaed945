"""What the stages make of small heads, and pieces of them against known cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from condnet_smoke import SmokeRun
from scipy import ndimage

from mrrepro.metrics.electric_fields import magnitude
from mrrepro.papers.condnet import generality, heads, refinement, stimulation
from mrrepro.papers.condnet.estimation import MAPS, MAPS_OF_TWO, read_maps
from mrrepro.papers.condnet.generality import SCANNERS, UNSEEN, ellipsoid_share
from mrrepro.papers.condnet.heads import HEADS, Person, people, read_fractions, read_heads
from mrrepro.papers.condnet.pictures import FIELDS_FILE, MAPS_FILE, PICTURES
from mrrepro.papers.condnet.planes import PLANES, middle_of
from mrrepro.papers.condnet.scanners import TRAINED, VARIANTS
from mrrepro.papers.condnet.settings import CondNetSettings, HeadSettings, SolverSettings
from mrrepro.papers.condnet.sphere_study import LAYERS, SPHERES
from mrrepro.papers.condnet.stimulation import FIELDS, motor_area, read_fields
from mrrepro.papers.condnet.strengths import STRENGTHS
from mrrepro.papers.condnet.table1 import COLUMN_A
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make
from mrrepro.simulators.head_images import head_relaxation


def test_no_person_is_trained_on_and_tested_on_and_seeds_have_their_own() -> None:
    settings = HeadSettings(training=10, testing=8, drawn_testing=4)
    everyone = [p for seed in range(3) for group in people(settings, seed) for p in group]
    assert len({(p.source, p.number) for p in everyone}) == 3 * 18
    training, testing = people(settings, 0)
    assert [p.another_anatomy for p in testing] == [False] * 4 + [True] * 4
    assert not any(p.another_anatomy for p in training)


def test_more_drawn_heads_than_test_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="drawn_testing must be at most"):
        configure(CondNetSettings, "smoke", {"heads.drawn_testing": 9})


def test_images_show_tissues_in_their_signals_and_air_as_noise(smoke: SmokeRun) -> None:
    made = smoke.make(HEADS)
    head = read_heads(made, "testing")[-1]
    settings = smoke.settings.images
    air = head.images[:, ~head.head & head.pure]
    # the mean of Rician noise alone is sqrt(pi/2) of its sd
    assert air.mean() == pytest.approx(np.sqrt(np.pi / 2) / settings.snr, rel=0.2)
    white = head.images[0, head.mask("white_matter") & head.pure]
    assert white.mean() == pytest.approx(1.0, abs=0.1)
    fractions = read_fractions(made, 1)
    np.testing.assert_allclose(fractions.sum(axis=0), 1.0, atol=0.03)
    assert (fractions.argmax(axis=0) == head.labels).mean() > 0.99
    assert set(np.unique(head.uniform(COLUMN_A))) <= {0.0, *map(np.float32, COLUMN_A.values())}


def test_killed_heads_go_on(smoke: SmokeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads that were made stay, the rest is made, and the bits are those of an uninterrupted run."""
    store, calls, image = ArtifactStore(tmp_path), [], heads.image_person

    def dying(person: Person, *arguments: Any) -> Any:
        calls.append(person)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return image(person, *arguments)

    monkeypatch.setattr(heads, "image_person", dying)
    with pytest.raises(KeyboardInterrupt):
        make(HEADS, smoke.settings, 0, store, progress=False)
    resumed, whole = make(HEADS, smoke.settings, 0, store, progress=False), smoke.make(HEADS)
    training, testing = people(smoke.settings.heads, 0)
    assert len(calls) == len(training) + len(testing) + 1  # only the killed one was begun twice
    files = [name for name in whole.manifest["files"] if name.endswith(".npz")]
    assert len(files) == len(training) + len(testing)
    for name in files:
        first, second = whole.arrays(name), resumed.arrays(name)
        assert all(np.array_equal(first[key], second[key]) for key in first)


def test_the_neck_has_labels_and_no_image(smoke: SmokeRun) -> None:
    selection = HEADS.select(configure(CondNetSettings, "smoke", {"images.images_end_below_mm": 40.0}))
    person = people(selection.heads, 0)[1][-1]
    head, _ = heads.image_person(person, selection, TRAINED, np.random.default_rng(0))
    low = heads.below(head.affine, head.labels.shape, 40.0)
    assert low.stop > 2
    assert head.head[:, :, low].any()
    assert head.images[:, :, :, low].max() < 6.0 / selection.images.snr
    assert head.images[:, :, :, low.stop + 2 :].max() > 1.0


def test_estimates_stay_in_their_range_and_two_conductors_differ(smoke: SmokeRun) -> None:
    made = smoke.make(MAPS)
    for head, estimate in zip(read_heads(smoke.make(HEADS), "testing"), read_maps(made), strict=True):
        assert estimate.shape == (1, *head.labels.shape)
        assert estimate.min() >= 0.0
        assert estimate.max() <= 2.0 / 0.9 + 1e-3
    entry = made.json("maps.json")["heads"][0]
    assert len(entry["directions"]) == 3
    assert entry["conductors"][0]["relative_error"] < max(entry["directions"]) + 1e-6
    two = read_maps(smoke.make(MAPS_OF_TWO))[0]
    assert two.shape[0] == 2
    assert two[1].max() <= 1.654 / 0.9 + 1e-3


def test_strengths_are_means_of_the_uniform_map_s_field_by_region(smoke: SmokeRun) -> None:
    entries = smoke.make(STRENGTHS).json("strengths.json")["heads"]
    heads, fields = read_heads(smoke.make(HEADS), "testing"), read_fields(smoke.make(FIELDS))
    assert [entry["name"] for entry in entries] == [head.name for head in heads]
    for entry, head, field in zip(entries, heads, fields, strict=True):
        length = np.sqrt(np.square(field["uniform"].astype(float)).sum(axis=-1))
        assert entry["strength"]["brain"] == pytest.approx(length[head.brain].mean(), rel=1e-5)
        assert entry["strength"]["head"] == pytest.approx(length[head.head].mean(), rel=1e-5)
        assert entry["strength"]["motor_area"] == pytest.approx(length[motor_area(head)].mean(), rel=1e-5)


def test_fields_are_compared_and_air_thins_the_global_error(smoke: SmokeRun) -> None:
    made = smoke.make(FIELDS)
    for entry, fields in zip(made.json("fields.json")["heads"], read_fields(made), strict=True):
        regions = entry["regions"]
        inside, with_air = (regions[name]["estimated"] for name in ("head", "head_with_air"))
        share = inside["voxels"] / with_air["voxels"]
        assert with_air["global_error"]["mean"] == pytest.approx(share * inside["global_error"]["mean"])
        assert max(entry["residuals"].values()) <= smoke.settings.stimulation.tolerance
        assert entry["hot_spot_shift"]["turned"] >= 0.0
        assert fields["uniform"].shape[-1] == 3


def test_the_mixture_is_wrong_by_half() -> None:
    generator = np.random.default_rng(0)
    field, other = generator.normal(size=(2, 6, 6, 6, 3))
    region = np.ones((6, 6, 6), bool)
    assert stimulation.wrong_by_half(field, other, region) == pytest.approx(
        stimulation.wrong_by_half(field, 3.0 * other - 2.0 * field, region)
    )


def test_a_finer_field_is_averaged_by_overlap(smoke: SmokeRun) -> None:
    head = read_heads(smoke.make(HEADS), "testing")[0]
    coarse = head.as_head
    x, y, z = (2 * n for n in coarse.labels.shape)
    labels = np.ones((x, y, z), np.uint8)
    quarter = 0.25 * coarse.voxel_size
    origin = tuple(place - quarter for place in coarse.origin)
    fine = replace(coarse, labels=labels, voxel_size=coarse.voxel_size / 2, origin=origin)
    ramp = np.zeros((x, y, z, 3), np.float32)
    ramp[..., 0] = np.arange(x)[:, None, None]
    found = refinement.coarsened(ramp, fine, head, 2)
    # shifted by half a fine voxel: each coarse voxel holds half of two fine ones and all of the one between
    expected = [0.5 * (0.5 * (2 * i) + 1.0 * (2 * i + 1) + 0.5 * (2 * i + 2)) for i in range(x // 2 - 1)]
    np.testing.assert_allclose(found[: x // 2 - 1, 3, 3, 0], expected, atol=1e-4)


def test_other_scanners_change_images_and_thick_slices_smooth_along_z() -> None:
    tissues = head_relaxation(1.5)
    signals = [variant.signals(tissues if variant.field == 1.5 else head_relaxation(3.0)) for variant in VARIANTS]
    assert all(not np.allclose(signals[0], other, rtol=0.05) for other in signals[1:])
    grey, fluid = HEAD_TISSUES.index("grey_matter"), HEAD_TISSUES.index("csf")
    assert all(each[0, fluid] < 0.6 for each in signals)
    assert all(1.0 < each[1, grey] < each[1, fluid] for each in signals)
    images = np.random.default_rng(0).random((2, 4, 4, 20)).astype(np.float32)
    smooth = VARIANTS[0].sliced(images, 1e-3)
    assert smooth.shape == images.shape
    assert np.abs(np.diff(smooth, axis=-1)).mean() < 0.3 * np.abs(np.diff(images, axis=-1)).mean()
    np.testing.assert_array_equal(VARIANTS[0].sliced(images, 5e-3), images)


def test_the_share_of_an_ellipsoid_has_its_volume_and_middle(smoke: SmokeRun) -> None:
    head = read_heads(smoke.make(HEADS), "testing")[0]
    centre = np.array([1e-3, 2e-3, 20e-3])
    share = ellipsoid_share(head, centre, (30e-3, 20e-3, 25e-3))
    volume = float(share.sum()) * head.voxel_size**3
    assert volume == pytest.approx(4 / 3 * np.pi * 30e-3 * 20e-3 * 25e-3, rel=0.02)
    middle = np.array(ndimage.center_of_mass(share)) * head.voxel_size + head.affine[:3, 3]
    np.testing.assert_allclose(middle, centre, atol=0.05 * head.voxel_size)


def test_scanners_and_unseen_objects_are_measured(smoke: SmokeRun) -> None:
    document = smoke.make(SCANNERS).json("scanners.json")
    assert len(document["variants"]) == 1 + len(VARIANTS)
    for entry in document["heads"]:
        assert {len(entry["variants"])} == {1 + len(VARIANTS)}
    for entry in smoke.make(UNSEEN).json("unseen.json")["heads"]:
        assert entry["tumour"]["with"]["voxels"] > 3
    assert generality.TUMOUR.t2 > head_relaxation(3.0)["white_matter"].t2


def test_the_study_of_spheres_tells_ways_and_voxels_apart(smoke: SmokeRun) -> None:
    coarse = replace(smoke.settings, solver=SolverSettings((16.0, 8.0), (16,)))
    found = make(SPHERES, coarse, 0, smoke.store, progress=False).json("spheres.json")
    errors = {(e["conductivity"], e["voxel_mm"]): e["relative_l2"] for e in found["coil"]}
    assert errors.keys() == {(kind, h) for kind in LAYERS for h in (16.0, 8.0)}
    assert errors["homogeneous", 8.0] < 0.5 * errors["homogeneous", 16.0]
    assert errors["homogeneous", 8.0] < errors["partial volume", 8.0] < errors["binary", 8.0]
    assert len(found["electrodes"]) == 8
    assert [e["voxels"] for e in found["growth"]] == [16]
    assert all(0 < e["cycles"] < 40 and e["true_residual"] <= 1e-8 for e in found["growth"])


def test_pictures_are_slices_of_the_last_head(smoke: SmokeRun) -> None:
    made = smoke.make(PICTURES)
    head, fields = read_heads(smoke.make(HEADS), "testing")[-1], read_fields(smoke.make(FIELDS))[-1]
    shown, strengths = made.arrays(MAPS_FILE), made.arrays(FIELDS_FILE)
    assert {key.rpartition("_")[2] for key in shown} == set(PLANES)
    x, y, _ = head.labels.shape
    assert shown["t1_axial"].shape == strengths["uniform_axial"].shape == (x, y)
    assert set(np.unique(shown["uniform_coronal"])) <= {np.float16(value) for value in (0.0, *COLUMN_A.values())}
    _, at, _ = middle_of(stimulation.motor_area(head))
    expected = magnitude(fields["estimated"])[:, at, :]
    np.testing.assert_allclose(strengths["estimated_coronal"], expected, rtol=1e-3, atol=1e-2)
