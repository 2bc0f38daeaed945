"""The 3D U-Nets: weights counted by hand, shapes, parts, and their cost."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mrrepro.networks.network_size import count_weights, network_cost, receptive_field
from mrrepro.networks.unet3d import MODELS, PixToPixUnet3d, UnetSize
from mrrepro.networks.unet3d_parts import (
    AttentionGate,
    ModalityBranches,
    ResidualBlock,
    batch_normalization,
    doubling,
    instance_normalization,
)

SMALL = UnetSize(base_filters=4, depth=3)


def convolutions(taps, pairs):
    return taps**3 * sum(inputs * outputs for inputs, outputs in pairs)


DOWN = [(64, 128), (128, 256), (256, 512), (512, 512)]
UP = [(512, 512), (1024, 256), (512, 128), (256, 64)]
NORMALISED = 2 * (128 + 256 + 512 + 512) + 2 * (512 + 256 + 128 + 64)


def counts_by_hand():
    """Layers of the thesis' figures at 64 filters and depth 5; two numbers a channel for each normalisation."""
    model_0 = convolutions(4, [(3, 64), *DOWN, *UP, (128, 1)]) + 1 + NORMALISED
    model_1 = convolutions(3, [(3, 64), (64, 64), *DOWN, *UP, (128, 64), (128, 1)]) + 1 + NORMALISED + 2 * 64
    branches = 3 * (convolutions(3, [(1, 32)]) + 2 * 32)
    model_2 = model_1 + branches + convolutions(3, [(96, 64)]) - convolutions(3, [(3, 64)])
    # a gate: skip -> C/2 without bias, expanded -> C/2 with bias, C/2 -> 1 with bias
    gates = sum(c * c // 2 + c * c // 2 + c // 2 + c // 2 + 1 for c in (512, 256, 128, 64, 64))
    # a residual block: two convolutions C -> C, two normalisations; at the inputs of 5 contractions, 5 expansions
    widths = (64, 64, 128, 256, 512, 512, 1024, 512, 256, 128)
    blocks = sum(2 * convolutions(3, [(c, c)]) + 4 * c for c in widths)
    return {0: model_0, 1: model_1, 2: model_2, 3: model_2 + gates, 4: model_2 + blocks}


@pytest.mark.parametrize("number", MODELS)
def test_weights_are_those_counted_by_hand(number):
    with torch.device("meta"):
        network = MODELS[number](UnetSize())
    assert count_weights(network) == counts_by_hand()[number]


def test_counts_by_hand_are_the_published_order():
    assert [round(count / 1e6, 1) for count in counts_by_hand().values()] == [66.6, 28.4, 28.6, 29.0, 137.0]


@pytest.mark.parametrize("number", MODELS)
def test_every_model_keeps_the_shape_stays_in_range_and_trains_every_weight(number):
    torch.manual_seed(0)
    network = MODELS[number](SMALL)
    image = network(torch.randn(2, 3, 16, 24, 16))
    assert image.shape == (2, 1, 16, 24, 16)
    assert image.abs().max() <= 1.0
    image.square().mean().backward()
    untrained = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert untrained == []


@pytest.mark.parametrize("number", MODELS)
def test_evaluation_is_deterministic_and_training_drops_features(number):
    torch.manual_seed(0)
    network = MODELS[number](SMALL)
    images = torch.randn(1, 3, 16, 16, 16)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


def test_dropout_sits_in_the_innermost_expanding_blocks():
    network = PixToPixUnet3d(UnetSize(base_filters=2, depth=5))
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5, 0.5, 0.0]
    network = MODELS[1](UnetSize(base_filters=2, depth=5, dropout_blocks=1))
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.0, 0.0, 0.0, 0.0]


def test_a_skip_at_full_resolution_carries_the_input_past_the_bottleneck():
    """With the last expansion silenced, model 1 still sees its input; model 0 has no skip there."""
    torch.manual_seed(0)
    network = MODELS[1](SMALL).eval()
    with torch.no_grad():
        network.last.weight[:, :4] = 0.0
    first, second = network(torch.zeros(1, 3, 8, 8, 8)), network(torch.ones(1, 3, 8, 8, 8))
    assert not torch.allclose(first, second)


def test_gates_stand_in_the_skips_of_model_3():
    torch.manual_seed(0)
    network = MODELS[3](SMALL).eval()
    images = torch.randn(1, 3, 8, 8, 8)
    open_gates = network(images)
    for gate in network.gates:
        nn.init.constant_(gate.to_weight.bias, -1e4)  # shut: the skips vanish
    shut = network(images)
    assert not torch.allclose(open_gates, shut)
    with torch.no_grad():
        network.last.weight[:, 4:] = 17.0  # weights that only a skip could use
    assert torch.allclose(network(images), shut)


def test_models_start_from_the_stated_distributions():
    torch.manual_seed(0)
    weight = MODELS[0](UnetSize(base_filters=16, depth=3)).contracting[2][1].weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.02)
    weight = MODELS[1](UnetSize(base_filters=16, depth=3)).contracting[2][1].weight
    bound = math.sqrt(6 / (27 * (32 + 64)))
    assert bound * 0.99 < weight.abs().max().item() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_filters_of_three_taps_overlap_unevenly_and_of_four_evenly():
    counts = []
    for layer in (doubling(1, 1), PixToPixUnet3d(UnetSize(base_filters=1, depth=2)).expanding[0][0]):
        nn.init.ones_(layer.weight)
        taps = layer(torch.ones(1, layer.in_channels, 6, 6, 6)) / layer.in_channels
        counts.append(taps[0, 0, 2:-2, 2:-2, 2:-2].unique().tolist())
    assert counts == [[1.0, 2.0, 4.0, 8.0], [8.0]]


def test_branches_see_one_image_each():
    torch.manual_seed(0)
    branches = ModalityBranches(3, 5, instance_normalization)
    images = torch.randn(1, 3, 4, 4, 4)
    changed = images.clone()
    changed[:, 1] += torch.randn(4, 4, 4)
    same = [torch.equal(a, b) for a, b in zip(branches(images).split(5, 1), branches(changed).split(5, 1), strict=True)]
    assert same == [True, False, True]


def test_attention_gate_by_hand():
    gate = AttentionGate(2, 2).double()
    for weight in gate.parameters():
        nn.init.ones_(weight)
    skip = torch.tensor([1.0, 2.0], dtype=torch.float64).view(1, 2, 1, 1, 1)
    expanded = torch.tensor([-0.5, 1.0], dtype=torch.float64).view(1, 2, 1, 1, 1)
    weight = 1 / (1 + math.exp(-(max(0.0, (1 + 2) + (-0.5 + 1) + 1) + 1)))  # one channel in between
    torch.testing.assert_close(gate(skip, expanded), weight * skip)


def test_residual_block_that_has_learnt_nothing_passes_on():
    block = ResidualBlock(3, batch_normalization).eval()
    features = torch.randn(1, 3, 4, 4, 4)
    for layer in (block.difference[0], block.difference[3]):
        nn.init.zeros_(layer.weight)
    torch.testing.assert_close(block(features), features.relu())


def test_instance_normalisation_trains_where_batch_normalisation_cannot():
    images = torch.randn(1, 3, 16, 16, 16)
    with pytest.raises(ValueError, match="more than 1 value"):
        PixToPixUnet3d(UnetSize(base_filters=2, depth=4))(images)
    assert PixToPixUnet3d(UnetSize(base_filters=2, depth=3), instance_normalization)(images).shape[1] == 1


def test_cost_on_paper_equals_cost_of_a_run():
    """Same network, really run: the operations of one convolution by hand, the kept tensors counted on the CPU."""
    cost = network_cost(lambda: nn.Conv3d(2, 5, 3, padding=1, bias=False), (1, 2, 4, 6, 8))
    assert cost.forward_operations == 2 * 27 * 2 * 5 * (4 * 6 * 8)
    assert cost.saved_bytes == 4 * 2 * 4 * 6 * 8  # its input
    kept = {}
    network = MODELS[3](SMALL)
    weights = {weight.data_ptr() for weight in (*network.parameters(), *network.buffers())}
    images = torch.randn(1, 3, 16, 16, 16)

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        image = network(images)
    held = sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in weights)
    assert image.requires_grad
    assert network_cost(lambda: MODELS[3](SMALL), (1, 3, 16, 16, 16)).saved_bytes == pytest.approx(held, rel=0.01)


def test_receptive_field_by_hand():
    # Two convolutions of 3 taps, the second of stride 2: 3 + 2 taps. Model 0, depth 3: three contractions of 4 taps
    # see 1 + 3 (1 + 2 + 4) = 22 voxels from places 8 voxels apart. A transposed convolution makes voxel 2 m from m - 1
    # and m, voxel 2 m + 1 from m and m + 1: voxel 32 comes from 2 places of the bottleneck, voxel 20 from 3.
    stack = nn.Sequential(nn.Conv3d(1, 1, 3, padding=1), nn.ReLU(), nn.Conv3d(1, 1, 3, stride=2, padding=1))
    with pytest.raises(IndexError):
        receptive_field(stack, (16, 16, 16), 1)
    full = nn.Sequential(*stack, nn.Upsample(scale_factor=2))
    assert receptive_field(full, (16, 16, 16), 1) == (5, 5, 5)
    assert receptive_field(PixToPixUnet3d(UnetSize(base_filters=1, depth=3)), (64, 40, 40), 3) == (30, 38, 38)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MODELS[0](SMALL)(torch.zeros(1, 3, 16, 20, 16)), r"sides that divide by 8"),
        (lambda: MODELS[2](SMALL)(torch.zeros(1, 2, 16, 16, 16)), r"shape \(batch, 3"),
        (lambda: MODELS[2](SMALL)(torch.zeros(3, 16, 16, 16)), r"shape \(batch, 3"),
        (lambda: UnetSize(base_filters=0), "base_filters must be at least 1"),
        (lambda: UnetSize(depth=1), "depth must be at least 2"),
        (lambda: UnetSize(dropout_blocks=-1), "dropout_blocks must be at least 0"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
