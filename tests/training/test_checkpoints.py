"""Networks in files: complete, or refused with the reason."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mrrepro.networks.variants import NetworkSettings, build_network
from mrrepro.training import checkpoints
from mrrepro.training.checkpoints import load_network, read_tensors, save_network, write_tensors


def build(settings):
    return build_network(NetworkSettings.from_mapping(settings["network"]))


@pytest.fixture
def saved(tmp_path):
    settings = {"network": NetworkSettings(width=1.0, output_scale=7.0).as_mapping(), "steps": 3}
    torch.manual_seed(0)
    network = build(settings)
    network(torch.rand(2, 2, 32, 32))  # moves the running statistics
    path = tmp_path / "sub" / "network.safetensors"
    save_network(path, network, settings, {"seed": 0, "score": 0.5})
    return path, network, settings


def test_round_trip(saved):
    path, network, settings = saved
    loaded = load_network(path, build)
    assert (loaded.settings, loaded.receipt) == (settings, {"seed": 0, "score": 0.5})
    assert not loaded.network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor), name
    assert loaded.network.scaling.output_scale == 7.0
    images = torch.rand(1, 2, 32, 32)
    assert torch.equal(loaded.network.predict_map(images), network.eval().predict_map(images))
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.999])
def test_truncated(saved, kept):
    path = saved[0]
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match="truncated"):
        load_network(path, build)


def test_flipped_bit(saved):
    path = saved[0]
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        load_network(path, build)


def test_other_network(saved):
    path = saved[0]
    with pytest.raises(ValueError, match=r"another network: .*encoder\.levels\.0"):
        load_network(path, lambda settings: build_network(NetworkSettings(width=2.0)))
    with pytest.raises(ValueError, match=r"another network: .* is missing; .* more"):
        load_network(path, lambda settings: nn.Sequential(*(nn.Linear(2, 2) for _ in range(3))))


def test_foreign_file(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ValueError, match="not one of mrrepro"):
        load_network(tmp_path / "foreign.safetensors", build)
    write_tensors(tmp_path / "state.safetensors", {"weight": torch.zeros(3)}, {"format": "something else"})
    with pytest.raises(ValueError, match="something else"):
        load_network(tmp_path / "state.safetensors", build)
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors"):
        load_network(tmp_path / "none.safetensors", build)


def test_pickles_are_not_opened(tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "pickle.safetensors")
    with pytest.raises(ValueError, match="no safetensors file"):
        load_network(tmp_path / "pickle.safetensors", build)


def test_refuses_to_save(tmp_path):
    network = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="JSON"):
        save_network(tmp_path / "a.safetensors", network, {"path": tmp_path}, {})
    with pytest.raises(ValueError, match="JSON"):
        save_network(tmp_path / "a.safetensors", network, {}, {"score": float("nan")})
    nn.init.constant_(network.bias, float("inf"))
    with pytest.raises(ValueError, match="bias of the network is not finite"):
        save_network(tmp_path / "a.safetensors", network, {}, {})
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "state.safetensors"
    write_tensors(path, {"weight": torch.zeros(3)}, {"number": 1})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_tensors(path, {"weight": torch.ones(3)}, {"number": 2})
    tensors, header = read_tensors(path)
    assert header == {"number": 1}
    assert torch.equal(tensors["weight"], torch.zeros(3))
    assert list(tmp_path.iterdir()) == [path]


def test_types_and_layouts(tmp_path):
    tensors = {
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 3),
        "half": torch.randn(3, dtype=torch.bfloat16),
        "flag": torch.tensor([True, False]),
        "images": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    }
    write_tensors(tmp_path / "all.safetensors", tensors, {"text": "\u00e4"})
    found, header = read_tensors(tmp_path / "all.safetensors")
    assert header == {"text": "\u00e4"}
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) and found[name].dtype == tensors[name].dtype for name in found)
    assert json.dumps(header)
