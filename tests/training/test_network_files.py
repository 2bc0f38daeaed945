"""Networks in files to ship: rounded to float16, read back, and refused in one sentence where they cannot be."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mrrepro.training.checkpoints import save_network
from mrrepro.training.network_files import read_network_file
from mrrepro.training.reduced_precision import load_network_of_any_precision, rounded_copy, save_reduced_network


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))


def test_reduced_precision_rounds_weights_and_keeps_statistics(tmp_path):
    network = Small()
    network.layers[1].running_mean.fill_(1 / 3)
    save_reduced_network(tmp_path / "n.safetensors", network, {"a": 1}, {"b": 2})
    saved = load_network_of_any_precision(tmp_path / "n.safetensors", lambda settings: Small())
    assert (saved.settings, saved.receipt) == ({"a": 1}, {"b": 2})
    weight, read = network.layers[0].weight, saved.network.layers[0].weight
    assert read.dtype == torch.float32
    assert 0 < (weight - read).abs().max() <= weight.abs().max() * 2**-11
    assert torch.equal(saved.network.layers[0].bias, network.layers[0].bias)
    assert torch.equal(saved.network.layers[1].running_mean, network.layers[1].running_mean)
    assert not saved.network.training


def test_a_rounded_copy_is_what_the_file_gives_back(tmp_path):
    network = Small()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    save_reduced_network(tmp_path / "n.safetensors", network, {}, {})
    read = load_network_of_any_precision(tmp_path / "n.safetensors", lambda settings: Small()).network.state_dict()
    copied = rounded_copy(network)
    assert not copied.training
    assert all(torch.equal(tensor, read[name]) for name, tensor in copied.state_dict().items())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not torch.equal(copied.layers[0].weight, network.layers[0].weight)


def test_networks_in_full_precision_are_read_too(tmp_path):
    network = Small()
    save_network(tmp_path / "n.safetensors", network, {}, {})
    saved = load_network_of_any_precision(tmp_path / "n.safetensors", lambda settings: Small())
    assert torch.equal(saved.network.layers[0].weight, network.layers[0].weight)


def test_weights_too_large_for_float16_are_refused(tmp_path):
    network = Small()
    network.layers[0].weight.data[0] = 1e5
    with pytest.raises(ValueError, match=r"layers\.0\.weight .* not finite in torch\.float16"):
        save_reduced_network(tmp_path / "n.safetensors", network, {}, {})
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_missing_or_of_another_network_is_a_value_error(tmp_path):
    path = tmp_path / "n.safetensors"
    with pytest.raises(ValueError, match=r"There is no network file .*: give --network FILE"):
        read_network_file(path, lambda settings: Small())
    save_network(path, Small(), {"width": 2}, {})
    with pytest.raises(ValueError, match="holds no network of this chapter that can be read"):
        read_network_file(path, lambda settings: nn.Linear(settings["depth"], 1))
    with pytest.raises(ValueError, match="holds the weights of another network"):
        read_network_file(path, lambda settings: nn.Linear(2, 1))
