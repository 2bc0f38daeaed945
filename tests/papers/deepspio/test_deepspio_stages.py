"""The chapter's stages at a size of seconds: what they leave, and that a kill changes no bit of it."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest
import torch

from mrrepro.papers.deepspio import experiments, recipe, stages
from mrrepro.papers.deepspio.attention import AIR_SALIENCY_CONCENTRATIONS, SALIENCY_CONCENTRATIONS
from mrrepro.runs.artifacts import ArtifactError, ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make, stage_key
from mrrepro.training.checkpoints import read_tensors

SIZE = 32

# kills the process when the given batch is asked for, having said where it began
AT_BATCH = """
batches_of = stages.batches_of
def until_killed(stream, training):
    inner, begun = batches_of(stream, training), []
    def batch(number):
        begun or print("begun at", number)
        begun.append(number)
        number == {last} and die()
        return inner(number)
    return batch
stages.batches_of = until_killed
"""
# kills the process when the network's file is written, but has not its name yet
AT_NETWORK_FILE = """
save_file = checkpoints.save_file
def killed_while_saving(tensors, path, metadata):
    save_file(tensors, path, metadata)
    path.name.startswith(".network") and die()
checkpoints.save_file = killed_while_saving
"""
# kills the process when a third part of the held-out samples is simulated
AT_SIMULATION = """
simulate, calls = SpioSimulator.simulate, []
def killed_in_between(self, samples, density):
    calls.append(1)
    len(calls) == 3 and die()
    return simulate(self, samples, density)
SpioSimulator.simulate = killed_in_between
"""


def with_stages(store, root, *names):
    """A new store with some finished stages of another."""
    for name in names:
        shutil.copytree(store.root / name, root / name)
    return ArtifactStore(root)


def bytes_of(artifact, name):
    return artifact.file(name).read_bytes()


def same_network(one, other):
    """Equal settings and receipt and equal bits in every weight; a safetensors file holds its metadata in any order."""
    (tensors, header), (others, other_header) = (read_tensors(a.file("network.safetensors")) for a in (one, other))
    assert header == other_header
    assert tensors.keys() == others.keys()
    return all(
        torch.equal(*(each[name].reshape(-1).view(torch.uint8) for each in (tensors, others))) for name in tensors
    )


def unfinished(root, stage):
    found = [path for path in (root / stage).iterdir() if path.name.endswith(".partial")]
    assert [path.name for path in (root / stage).iterdir()] == [path.name for path in found]
    return found[0]


def test_every_stage_leaves_what_the_pages_read(finished):
    _, made = finished
    images = made["deepspio/images"].arrays("images.npz")
    assert {name: array.shape[1:] for name, array in images.items()} == {"train": (SIZE, SIZE), "test": (SIZE, SIZE)}
    assert all(array.min() >= 0 and array.max() <= 1 for array in images.values())

    record = made["deepspio/training"].json("history.json")["record"]
    scores = [entry["validation"]["score"] for entry in record["history"] if "validation" in entry]
    assert (record["samples_seen"], record["steps"], len(scores)) == (32, 8, 4)

    held_out = made["deepspio/held_out"].arrays("held_out.npz")
    for name in ("test", "train", "breast"):
        assert held_out[f"{name}_images"].shape == (4, 2, SIZE, SIZE)
        assert held_out[f"{name}_truth"].shape == held_out[f"{name}_estimate"].shape == (4, SIZE, SIZE)
    sets = ("test", "train", "breast", "shapes", "saturation_0.85", "saturation_1", "saturation_1.15")
    for name in sets:
        for kind in ("nmae", "constant_nmae", "true_mean", "estimated_mean"):
            values = held_out[f"{name}_{kind}"]
            assert values.shape == (4,)
            assert np.isfinite(values).all()
        # partly filled voxels of the rim lower the mean: from no less than half the lowest to the highest drawn
        assert (held_out[f"{name}_true_mean"] > 1.0).all()
        assert (held_out[f"{name}_true_mean"] <= 17.5).all()
    summary = made["deepspio/summary"].json("summary.json")
    assert set(summary) == set(sets)
    np.testing.assert_allclose(summary["test"]["nmae"], held_out["test_nmae"], rtol=1e-3)

    scaled = made["deepspio/scaled_field"].arrays("scaled_field.npz")
    assert scaled["estimated"].shape == (3, len(experiments.FIELD_FACTORS))
    assert float(scaled["concentration"]) == pytest.approx((3.0 + 17.5) / 2)

    air = made["deepspio/air_sphere"].arrays("air.npz")
    assert sorted(set(air["susceptibility_cgs"])) == pytest.approx([0.0, 7.5e-8, 7.5e-7])
    assert list(air["concentration"]) == [0.22, 6.7, 13.0, 20.0] * 3
    assert air["nmae"].shape == (12,)
    assert air["truth"][3].max() == pytest.approx(20.0, rel=1e-3)

    agar = made["deepspio/agar_phantom"].arrays("agar.npz")
    assert list(agar["concentration"]) == [27.9, 13.95, 13.95, 9.3, 6.98, 6.98, 3.49, 3.49, 1.75]
    assert list(agar["batch"]) == [1, 1, 2, 1, 1, 2, 1, 2, 2]
    np.testing.assert_allclose(agar["truth"].max(axis=(1, 2)), agar["concentration"], rtol=1e-3)
    assert agar["estimated"].shape == (9,)

    noise = made["deepspio/noise"].arrays("noise.npz")
    assert list(noise["snr_db"]) == [5.0, 11.0, 19.0, math.inf]
    assert list(noise["concentration"]) == pytest.approx([0.22, 14.06, 27.9])
    assert (noise["nmae"].shape, noise["detail_nmae"].shape) == ((4, 3, 2), (4, 2))
    assert (noise["nmae"][3, :, 0] == noise["nmae"][3, :, 1]).all()  # without noise draws do not differ

    maps = made["deepspio/attention"].arrays("attention.npz")
    for name, count in {
        "scans": 4,
        "bottleneck_attention": 4,
        "fifth_attention": 4,
        "clean": len(SALIENCY_CONCENTRATIONS),
        "noisy": len(SALIENCY_CONCENTRATIONS),
        "clean_saliency": len(SALIENCY_CONCENTRATIONS),
        "noisy_saliency": len(SALIENCY_CONCENTRATIONS),
        "air": len(AIR_SALIENCY_CONCENTRATIONS),
        "air_saliency": len(AIR_SALIENCY_CONCENTRATIONS),
    }.items():
        assert maps[name].shape[0] == count
        assert maps[name].shape[-2:] == (SIZE, SIZE)
        assert np.isfinite(maps[name].astype(float)).all()
    assert maps["clean_saliency"].max() > 0


def test_more_iron_is_a_stronger_field_for_the_same_bodies(finished):
    _, made = finished
    held_out = made["deepspio/held_out"].arrays("held_out.npz")
    truths = [held_out[f"saturation_{factor}_true_mean"] for factor in ("0.85", "1", "1.15")]
    np.testing.assert_array_equal(truths[0], truths[1])
    np.testing.assert_array_equal(truths[0], truths[2])


def test_trained_network_gives_back_what_was_scored(finished):
    _, made = finished
    network = stages.trained_network(made["deepspio/training"])
    arrays = made["deepspio/agar_phantom"].arrays("agar.npz")
    estimate = stages.predict(network, torch.tensor(arrays["images"].astype(np.float32)))
    np.testing.assert_allclose(estimate.numpy(), arrays["estimate"].astype(np.float32), atol=0.05)  # stored in 16 bits


def test_network_of_a_training_depends_on_the_seed_alone(finished, tiny, tmp_path):
    store, made = finished
    mine = with_stages(store, tmp_path / "mine", "deepspio/images")
    again = make(recipe.TRAINING, tiny, 0, mine)
    assert same_network(again, made["deepspio/training"])
    drawn = [dict(stages.trained_network(a).named_parameters()) for a in (again, make(recipe.TRAINING, tiny, 1, mine))]
    assert not torch.equal(*(torch.cat([weight.flatten() for weight in network.values()]) for network in drawn))


def test_training_killed_twice_ends_with_the_bits_of_an_uninterrupted_one(finished, tiny, start_child, tmp_path):
    store, made = finished
    mine = with_stages(store, tmp_path / "mine", "deepspio/images")
    first = start_child(mine.root, hook=AT_BATCH.format(last=5))
    said, complaint = first.communicate(timeout=180)
    assert (first.returncode, said) == (-9, "begun at 0\n"), complaint
    workspace = unfinished(mine.root, "deepspio/training")
    assert (workspace / "resume" / "state.safetensors").is_file()
    assert not (workspace / "network.safetensors").exists()

    second = start_child(mine.root, hook=AT_BATCH.format(last=-1) + AT_NETWORK_FILE)
    said, complaint = second.communicate(timeout=180)
    assert (second.returncode, said) == (-9, "begun at 4\n"), complaint  # validated, and so stored, after 4 steps
    assert len(list(workspace.glob(".network.safetensors.*.partial"))) == 1
    assert not (workspace / "network.safetensors").exists()

    whole = make(recipe.TRAINING, tiny, 0, mine)
    assert set(whole.manifest["files"]) == {"network.safetensors", "history.json"}
    assert {path.name for path in whole.path.iterdir()} == {"network.safetensors", "history.json", "manifest.json"}
    assert len(whole.manifest["attempts"]) == 3
    assert same_network(whole, made["deepspio/training"])
    histories = [each.json("history.json")["record"]["history"] for each in (whole, made["deepspio/training"])]
    assert histories[0] == histories[1]


def test_simulation_killed_in_the_middle_is_made_anew_with_the_same_bytes(finished, tiny, start_child, tmp_path):
    store, made = finished
    mine = with_stages(store, tmp_path / "mine", "deepspio/images", "deepspio/training")
    process = start_child(mine.root, "experiments.HELD_OUT", hook=AT_SIMULATION)
    _, complaint = process.communicate(timeout=180)
    assert process.returncode == -9, complaint
    assert not list(unfinished(mine.root, "deepspio/held_out").glob("*.npz"))
    again = make(recipe.HELD_OUT, tiny, 0, mine)
    assert len(again.manifest["attempts"]) == 2
    assert bytes_of(again, "held_out.npz") == bytes_of(made["deepspio/held_out"], "held_out.npz")


def test_two_processes_train_once(finished, start_child, tmp_path):
    store, made = finished
    mine = with_stages(store, tmp_path / "mine", "deepspio/images")
    both = [start_child(mine.root) for _ in range(2)]
    said = [process.communicate(timeout=180) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0]
    found = mine.find("deepspio/training", made["deepspio/training"].key)
    assert len(found.manifest["attempts"]) == 1
    assert same_network(found, made["deepspio/training"])


@pytest.mark.parametrize("damage", ["truncated", "altered", "gone"])
def test_damaged_network_is_refused_by_name(finished, tiny, tmp_path, damage):
    store, made = finished
    mine = with_stages(store, tmp_path / "mine", "deepspio/images", "deepspio/training")
    path = mine.find("deepspio/training", made["deepspio/training"].key).file("network.safetensors")
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-100] if damage == "truncated" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=r"deepspio/training/[0-9a-f]{16} .*network\.safetensors"):
        make(recipe.HELD_OUT, tiny, 0, mine)
    assert not (mine.root / "deepspio" / "held_out").exists()


@pytest.mark.soak
def test_training_at_the_papers_size_is_stopped_and_goes_on(start_child, tmp_path):
    """68 million weights on 256 x 256: 3.2 GiB and half a minute to a minute a step on one thread, five steps."""
    sizes = {
        "sequence.size": 256,
        "network.width": 64,
        "training.samples": 4,
        "training.batch_size": 2,
        "training.validations": 2,
        "training.validation_samples": 2,
    }
    settings = configure(recipe.SETTINGS, "smoke", sizes)
    key = stage_key(recipe.TRAINING, settings, 0).key
    found = {}
    for name, hooks in {"killed": [AT_BATCH.format(last=1), ""], "whole": [""]}.items():
        for hook in hooks:
            process = start_child(tmp_path / name, hook=hook, **sizes)
            said, complaint = process.communicate(timeout=1200)
            assert process.returncode == (-9 if hook else 0), said + complaint
        found[name] = ArtifactStore(tmp_path / name).find("deepspio/training", key)
    assert len(found["killed"].manifest["attempts"]) == 2
    assert found["whole"].manifest["peak_memory_mib"] < 6144
    assert same_network(found["killed"], found["whole"])
