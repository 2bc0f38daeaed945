"""The chapter's stages at a size of seconds: what they leave, and that nothing depends on how it was made."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mrrepro.metrics.image_errors import image_errors
from mrrepro.metrics.regions import Region, RegionMasks
from mrrepro.metrics.structural_similarity import SHIFTED_TO_UNIT
from mrrepro.papers.contrast_t1 import cohort as cohort_stage
from mrrepro.papers.contrast_t1 import experiments, recipe
from mrrepro.papers.contrast_t1.cohort import CONTRAST, Cohort
from mrrepro.papers.contrast_t1.scores import Case, appearance_scores, cases, enhancement_scores, image_scores
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings, LossChoice, TrainingSettings
from mrrepro.papers.contrast_t1.stages import NETWORK_FILE, PatchStream, predict, read_network
from mrrepro.runs import workers
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.files import write_arrays
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make, stage_key
from mrrepro.training.checkpoints import read_tensors
from mrrepro.training.volume_tasks import VolumeBatch


@pytest.fixture
def cohort(finished, tiny):
    return Cohort(finished[1]["contrast_t1/cohort"], tiny.cohort)


def test_images_are_normalised_over_the_brain(cohort):
    """Mean 0 and standard deviation 1/4 but for the cut, -1 outside; float16 storage keeps three digits."""
    images, brain = cohort.images([0, 5]), cohort.mask("brain", [0, 5])
    assert images.min() >= -1.0
    assert images.max() <= 1.0
    for volume, mask in zip(images, brain[:, 0], strict=True):
        assert (volume[:, ~mask] == -1.0).all()
        for image in volume:
            assert float(image[mask].mean()) == pytest.approx(0.0, abs=0.02)
            assert float(image[mask].std()) == pytest.approx(0.25, abs=0.03)


def test_sets_do_not_share_patients_and_are_balanced(cohort):
    sets = [set(cohort.sets[name]) for name in ("train", "validation", "labelled")]
    assert len(set.union(*sets)) == sum(len(each) for each in sets)
    assert set(cohort.sets["test"]) <= sets[2]
    assert cohort.facts("enhances", list(cohort.sets["labelled"])).sum() == 3


def test_masks_survive_packing(cohort):
    solid, leaky, tumor = (cohort.mask(name, [1]) for name in ("solid", "leaky", "tumor"))
    assert leaky.any()
    assert not (leaky & ~solid).any()
    assert not (solid & ~tumor).any()
    assert not cohort.mask("leaky", [0]).any()


def test_an_epoch_shows_each_patient_once_and_once_mirrored(cohort):
    stream = PatchStream(cohort, TrainingSettings(batch_size=2), cohort.sets["train"], seed=3)
    seen = torch.cat([VolumeBatch(*stream.batch(number)).inputs for number in range(4)])
    images = cohort.images(list(cohort.sets["train"]))[:, :CONTRAST]
    both = torch.cat([images, images.flip(2)])
    matches = [(each - both).abs().flatten(1).amax(1).argmin().item() for each in seen]
    assert sorted(matches) == list(range(8))
    assert all(torch.equal(one, again) for one, again in zip(stream.batch(2), stream.batch(2), strict=True))


def test_patches_hold_the_tumor_and_its_masks(cohort):
    stream = PatchStream(cohort, TrainingSettings(batch_size=4, patch=16, mirror=False), cohort.sets["train"], seed=0)
    batch = VolumeBatch(*stream.batch(0))
    assert batch.inputs.shape == (4, 3, 16, 16, 16)
    assert batch.tumor.flatten(1).any(1).all()
    rise = batch.target - batch.inputs[:, :1]
    assert (
        torch.equal(batch.enhancement, rise > 0.3)
        or ((rise - 0.3).abs()[batch.enhancement != (rise > 0.3)] < 1e-3).all()
    )


def test_training_again_gives_the_same_weights(finished, tiny, tmp_path):
    _, made = finished
    again = make(recipe.TRAINING, tiny, 0, ArtifactStore(tmp_path), progress=False, device="cpu")
    tensors, others = (read_tensors(each.file(NETWORK_FILE))[0] for each in (made["contrast_t1/training"], again))
    assert all(torch.equal(tensors[name], others[name]) for name in tensors)


def test_prediction_pads_what_does_not_divide(finished, tiny):
    network = read_network(finished[1]["contrast_t1/training"].file(NETWORK_FILE))
    odd = torch.rand(2, 3, 21, 18, 23)
    assert predict(network, odd, tiny.network.depth).shape == (2, 1, 21, 18, 23)


def test_key_of_the_training_changes_with_the_loss_but_not_with_the_radiomics(tiny):
    key = stage_key(recipe.TRAINING, tiny, 0).key
    other = configure(
        recipe.SETTINGS, "smoke", {"cohort.train": 4, "cohort.test": 4, "cohort.labelled": 6, "loss.name": "L2B"}
    )
    assert stage_key(recipe.TRAINING, other, 0).key != key
    assert stage_key(recipe.COHORT, other, 0).key == stage_key(recipe.COHORT, tiny, 0).key


def test_scores_equal_the_metrics_of_each_region(cohort):
    numbers = list(cohort.sets["test"])[:2]
    (case,) = cases(cohort, numbers, lambda _, images: 0.8 * images[:, :1] + 0.05, side=0)
    found = image_scores(case)
    errors = image_errors(case.synthetic, case.true, case.masks, SHIFTED_TO_UNIT)
    for suffix, region in (("", Region.IMAGE), ("_b", Region.BRAIN), ("_t", Region.TUMOR)):
        for score in ("mae", "mse", "ssim"):
            np.testing.assert_allclose(found[f"{score}{suffix}"], getattr(errors[region], score), rtol=2e-5)


def by_hand():
    """Eight leaky voxels of a tumor of 27 rise by 0.8; the estimate by 0.4 in four of them and in two others."""
    shape = (1, 1, 12, 12, 12)
    brain = torch.ones(shape, dtype=torch.bool)
    tumor, leaky, sinus = (torch.zeros(shape, dtype=torch.bool) for _ in range(3))
    tumor[..., 4:7, 4:7, 4:7] = True
    leaky[..., 4:6, 4:6, 4:6] = True
    images = torch.zeros(1, 4, *shape[2:])
    images[:, 3:][leaky] = 0.8
    synthetic = torch.zeros(shape)
    synthetic[..., 4, 4:6, 4:6] = 0.4
    synthetic[..., 6, 6, 4:6] = 0.4
    masks = RegionMasks(brain, tumor, images[:, 3:] > 0.3)
    return Case((0,), images, masks, synthetic, {"solid": tumor, "leaky": leaky, "blood": sinus, "sinus": sinus})


def test_enhancement_scores_by_hand():
    found = enhancement_scores(by_hand())
    assert found["found_0.3"] == [pytest.approx(0.5)]
    assert found["found_0.4"] == [pytest.approx(0.0)]
    assert found["false_share_0.3"] == [pytest.approx(2 / 19)]
    assert found["rise_leaky"] == [pytest.approx(0.2)]
    assert found["true_rise_leaky"] == [pytest.approx(0.8)]
    assert found["score"] == [pytest.approx(6 * 0.4 / 27)]
    assert found["predicted_voxels"] == [6.0]
    assert np.isnan(found["rise_sinus"][0])


def test_amplitude_is_zero_without_a_rise_and_one_for_the_truth():
    arrays = {"x_rise_leaky": np.array([0.1, np.nan]), "x_true_rise_leaky": np.array([0.9, np.nan])}
    arrays["x_true_rise_tight"] = np.array([0.1, 0.1])
    assert experiments.amplitude(arrays, "x") == pytest.approx(0.0)
    assert experiments.amplitude(arrays | {"x_rise_leaky": np.array([0.9, np.nan])}, "x") == pytest.approx(1.0)


def test_checkerboard_sees_the_alternating_pattern_and_gradient_the_blur(cohort):
    numbers = list(cohort.sets["test"])[:1]
    (same,) = cases(cohort, numbers, lambda _, images: images[:, CONTRAST:], side=0)
    (board,) = cases(cohort, numbers, lambda _, images: images[:, CONTRAST:] + alternating(images), side=0)
    (flat,) = cases(cohort, numbers, lambda _, images: 0.5 * images[:, CONTRAST:], side=0)
    assert appearance_scores(same, 4)["checkerboard"] == [pytest.approx(1.0)]
    assert appearance_scores(board, 4)["checkerboard"][0] > 2.0
    assert appearance_scores(flat, 4)["gradient"] == [pytest.approx(0.5, rel=1e-4)]


def alternating(images):
    signs = [(-1.0) ** torch.arange(side) for side in images.shape[2:]]
    return 0.1 * signs[0][:, None, None] * signs[1][:, None] * signs[2]


def test_summary_and_baselines_are_what_they_must_be(finished):
    _, made = finished
    arrays = made["contrast_t1/baselines"].arrays("baselines.npz")
    assert arrays["truth_mae_b"].max() == 0.0
    assert arrays["truth_e_dice"].min() == 1.0
    np.testing.assert_allclose(arrays["truth_ssim"], 1.0, atol=1e-6)
    assert np.nanmax(arrays["copy_found_0.3"]) == 0.0
    assert arrays["linear_mae_b"].mean() < arrays["copy_mae_b"].mean()
    summary = made["contrast_t1/evaluation"].json("summary.json")
    assert 0.0 <= summary["patient_auc_score"] <= 1.0


def test_loss_choice_gives_the_mix_with_its_weights():
    loss = LossChoice(absolute=2.0, structural=0.0, third=0.5, third_region="tumor").loss()
    assert [weight for weight, _ in loss.terms] == [2.0, 0.0, 0.5]
    assert loss.terms[2][1].region is Region.TUMOR
    assert LossChoice(name="L2B").loss().region is Region.BRAIN


@pytest.mark.parametrize("scale", ["smoke", "demo", "colab", "paper"])
def test_every_variant_is_a_setting_of_every_scale(scale):
    """But those of patches, whose sides in voxels are those of demo."""
    multiple = 2 ** ContrastT1Settings.at_scale(scale).network.depth
    for variant in recipe.VARIANTS:
        if scale in ("colab", "paper") and variant.overrides.get("training.patch", 0) % multiple:
            with pytest.raises(ValueError, match=rf"training.patch must divide by 2\^network.depth \({multiple}\)"):
                configure(ContrastT1Settings, scale, variant.overrides)
        else:
            assert configure(ContrastT1Settings, scale, variant.overrides)


def test_paper_scale_has_the_thesis_sizes():
    paper = ContrastT1Settings.at_scale("paper")
    assert (paper.cohort.train, paper.cohort.validation, paper.cohort.test) == (208, 45, 45)
    assert (paper.training.epochs, paper.training.patience, paper.training.learning_rate) == (300, 20, 2e-4)
    assert paper.training.plan(208).betas == (0.5, 0.99)


def assert_same_patients(made, other):
    assert other.json("patients.json") == made.json("patients.json")
    paths = sorted(made.path.glob("*.npz"))
    assert len(paths) == 3  # two files of patients, and the grid
    for path in paths:
        arrays = other.arrays(path.name)
        assert all(np.array_equal(values, arrays[name]) for name, values in made.arrays(path.name).items())


def test_two_workers_make_the_same_patients(finished, tiny, tmp_path, monkeypatch):
    places, connected = [], workers.connected

    def seen(place):
        places.append(place)
        return connected(place)

    monkeypatch.setattr(workers, "connected", seen)
    monkeypatch.setenv(workers.VARIABLE, "2")
    other = make(recipe.COHORT, tiny, 0, ArtifactStore(tmp_path), progress=False, device="cpu")
    assert places == ["2"]
    assert_same_patients(finished[1]["contrast_t1/cohort"], other)


def test_an_interrupted_cohort_goes_on_from_its_files(finished, tiny, tmp_path, monkeypatch):
    store, written = ArtifactStore(tmp_path), []

    def write_once(path, **arrays):
        if written:
            raise KeyboardInterrupt
        written.append(path)
        write_arrays(path, **arrays)

    monkeypatch.setattr(cohort_stage, "write_arrays", write_once)
    with pytest.raises(KeyboardInterrupt):
        make(recipe.COHORT, tiny, 0, store, progress=False, device="cpu")
    monkeypatch.setattr(cohort_stage, "write_arrays", write_arrays)
    (first,) = tmp_path.rglob("patients-*.npz")
    before = first.stat().st_mtime_ns
    other = make(recipe.COHORT, tiny, 0, store, progress=False, device="cpu")
    assert other.file(first.name).stat().st_mtime_ns == before
    assert_same_patients(finished[1]["contrast_t1/cohort"], other)
