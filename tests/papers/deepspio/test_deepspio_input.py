"""Bad input: one sentence that names the parameter, and nothing under the final name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.stages import IMAGES, TRAINING, read_network
from mrrepro.runs.notebook import open_run
from mrrepro.runs.stages import make, stage_key
from mrrepro.training.checkpoints import read_tensors, write_tensors


@pytest.fixture
def cell(tmp_path):
    """The values of a parameter cell, as a page passes them."""

    def values(**changes):
        return {"scale": "smoke", "seed": 0, "artifacts": str(tmp_path / "store"), "overrides": {}, **changes}

    return values


def opened(values):
    return open_run("deepspio", "03_network", DeepSpioSettings, values)


def named_results(run):
    return [path for path in run.store.root.glob("deepspio/training/*") if not path.name.endswith(".partial")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scale": "full"}, r"Unknown scale 'full'. Known: colab, demo, paper, smoke"),
        (
            {"overrides": {"training.sample": 5}},
            r"Unknown parameter 'training.sample'. Did you mean 'training.samples'",
        ),
        ({"overrides": {"samples": 5}}, r"Unknown parameter 'samples'.*Known: bodies.fewest"),
        ({"overrides": {"training.samples": "many"}}, r"training.samples must be int, but is 'many'"),
        ({"overrides": {"training.samples": 0}}, r"training.samples must be at least 1, but is 0"),
        ({"overrides": {"network.kind": "resnet"}}, r"network.kind must be one of multi_decoder, .*, but is 'resnet'"),
        ({"overrides": {"network.wavelet": "haar9"}}, r"network.wavelet must be one of .*db4"),
        (
            {"overrides": {"bodies.highest_concentration": 27_900}},
            r"bodies.highest_concentration .*200 ug/mm\^3.*27900",
        ),
        (
            {"overrides": {"sequence.slice_gradient_mt_per_m": float("nan")}},
            r"slice_gradient_mt_per_m must be a number",
        ),
        (
            {"overrides": {"sequence.slice_gradient_mt_per_m": 1e5}},
            r"slice_gradient_mt_per_m must be -1000 to 1000 mT/m",
        ),
        ({"overrides": {"sequence.size": 16}}, r"sequence.size must be 32 to 1024, but is 16"),
        ({"overrides": "samples=5"}, r"overrides must be a mapping from dotted names"),
        ({"seed": -1}, r"seed must be an integer of at least 0, but is -1"),
        ({"samples": 500}, r"Unknown notebook parameter 'samples'"),
    ],
)
def test_wrong_parameter_is_refused_before_anything_is_made(cell, tmp_path, changes, said):
    with pytest.raises(ValueError, match=said):
        opened(cell(**changes))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"sequence.size": 40}, r"sequence.size must be a multiple of 16.* but is 40: take 32 or 48"),
        ({"sequence.size": 33}, r"sequence.size must be a multiple of 16.* but is 33"),
        ({"sequence.slice_gradient_mt_per_m": 0.0}, r"slice_gradient_mt_per_m must not be 0"),
        ({"sequence.readout_gradient_mt_per_m": 0.0}, r"readout_gradient_mt_per_m must not be 0"),
        ({"sequence.line_spacing_mm": 1.5}, r"line_spacing_mm must be at least twice .*line_thickness_mm.* 1.5 mm"),
        ({"sequence.line_spacing_mm": 2.5}, r"line_count \(25\) lines within .*\(50 mm\), but is 2.5 mm"),
        ({"bodies.lowest_concentration": 17.6}, r"lowest_concentration must be at most .*\(17.5 ug/mm\^3\).* 17.6"),
        ({"bodies.fewest": 3, "bodies.most": 2}, r"bodies.fewest must be at most bodies.most \(2\), but is 3"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_anything_is_made(cell, tmp_path, overrides, said):
    small = {} if "sequence.size" in overrides else {"sequence.size": 32}
    with pytest.raises(ValueError, match=said):
        opened(cell(overrides={"network.width": 1, "training.samples": 16, **small, **overrides}))
    assert not (tmp_path / "store").exists()


def test_bodies_that_do_not_fit_leave_no_training(cell):
    wide = {"sequence.field_of_view_mm": 20, "sequence.line_count": 9, "sequence.size": 32}
    run = opened(cell(overrides={"network.width": 1, "training.samples": 16, **wide}))
    with pytest.raises(ValueError, match=r"a body spans .* but the grid holds .* mm"):
        run.make(TRAINING)
    assert named_results(run) == []


def images_of(size, value=1.0, dtype=np.float32):
    return np.full((2, size, size), value, dtype)


@pytest.mark.parametrize(
    ("name", "arrays", "said"),
    [
        ("other_size.npz", {"train": images_of(64), "test": images_of(64)}, r"'train' of 32 x 32 pixels.*64, 64.*size"),
        ("no_test.npz", {"train": images_of(32)}, r"must hold images 'test' of 32 x 32 pixels"),
        ("broken.npz", None, r"broken.npz is no whole .npz file"),
        ("text.npz", b"text", r"text.npz is no whole .npz file"),
        ("nowhere", None, r"data must be 'mni152' or a folder with at least two NIfTI volumes .*nowhere"),
        ("empty", None, r"at least two NIfTI volumes \(\*.nii, \*.nii.gz\), but .*empty holds 0"),
    ],
)
def test_wrong_images_leave_no_images(cell, tmp_path, name, arrays, said):
    path = tmp_path / name
    if isinstance(arrays, dict):
        np.savez(path, **arrays)
    elif isinstance(arrays, bytes):
        path.write_bytes(arrays)
    elif name == "broken.npz":
        np.savez(tmp_path / "whole.npz", train=images_of(32), test=images_of(32))
        path.write_bytes((tmp_path / "whole.npz").read_bytes()[:500])
    elif name == "empty":
        path.mkdir()
        (path / "scan.dcm").write_bytes(b"")
    run = opened(cell(overrides={"images.data": str(path), "sequence.size": 32}))
    with pytest.raises(ValueError, match=said):
        run.make(IMAGES)
    assert not [found for found in run.store.root.glob("deepspio/images/*") if not found.name.endswith(".partial")]


def test_images_that_are_no_numbers_or_negative_leave_no_training(cell, tmp_path):
    for name, value, said in (("nan", np.nan, "spin_density must be finite"), ("minus", -1.0, "must not be negative")):
        path = tmp_path / f"{name}.npz"
        np.savez(path, train=images_of(32, value), test=images_of(32, value))
        run = opened(cell(overrides={"images.data": str(path), "sequence.size": 32, "network.width": 1}))
        with pytest.raises(ValueError, match=said):
            run.make(TRAINING)
        assert named_results(run) == []


def test_prepared_images_are_taken_and_their_content_is_in_the_key(cell, tmp_path):
    path, keys = tmp_path / "images.npz", []
    for value in (0.5, 1.0):
        np.savez(path, train=images_of(32, value), test=images_of(32, value))
        run = opened(cell(overrides={"images.data": str(path), "sequence.size": 32}))
        made = run.make(IMAGES)
        assert made.arrays("images.npz")["train"].max() == value
        keys.append(made.key)
    assert keys[0] != keys[1]


def test_network_of_another_width_is_refused(finished, tmp_path):
    _, made = finished
    tensors, header = read_tensors(made["deepspio/training"].file("network.safetensors"))
    path = tmp_path / "wider.safetensors"
    write_tensors(path, tensors, {**header, "settings": {**header["settings"], "width": 2.0}})
    with pytest.raises(ValueError, match=r"wider.safetensors holds the weights of another network: .* is \(1, "):
        read_network(path)


def test_file_that_is_no_network_is_refused(tmp_path, finished):
    _, made = finished
    path = tmp_path / "weights.safetensors"
    save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(ValueError, match="not one of mrrepro"):
        read_network(path)
    path.write_bytes(made["deepspio/training"].file("network.safetensors").read_bytes()[:2000])
    with pytest.raises(ValueError, match="truncated or no safetensors"):
        read_network(path)
    with pytest.raises(FileNotFoundError, match=r"missing\.safetensors"):
        read_network(tmp_path / "missing.safetensors")


def test_network_file_holds_settings_and_receipt(finished):
    _, made = finished
    with safe_open(made["deepspio/training"].file("network.safetensors"), framework="pt") as file:
        header = json.loads(file.metadata()["header"])
    assert header["settings"]["width"] == 1.0
    assert header["receipt"]["seed"] == 0
    assert header["receipt"]["samples"] == 32


def test_checkpoint_of_another_training_is_refused(finished, tiny, cell):
    _, made = finished
    run = opened(cell())
    identity = stage_key(TRAINING, tiny, 0)
    state = run.store.folder(TRAINING.name, identity.key).with_suffix(".partial") / "resume" / "state.safetensors"
    tensors, _ = read_tensors(made["deepspio/training"].file("network.safetensors"))
    write_tensors(state, tensors, {"format": "mrrepro-training/1", "identity": {"plan": {"steps": 99}}})
    with pytest.raises(ValueError, match=r"state.safetensors is a checkpoint of another training: plan.steps is 99"):
        make(TRAINING, tiny, 0, run.store)
    assert named_results(run) == []
