"""CondNet: sizes and counts of the resolved Table II by hand, general designs, eqs. 1 to 3."""

from __future__ import annotations

import pytest
import torch

from mrrepro.networks.condnet import (
    CondNet,
    CondNetDesign,
    predict_volume,
    rescale,
    scale_conductivity,
    start_at_mean,
)
from mrrepro.papers.condnet.checks import measured_sizes, table2_mismatches
from mrrepro.papers.condnet.table2 import CONTRADICTIONS, table_parameter_count


def test_default_sizes_by_hand() -> None:
    sizes = measured_sizes(CondNet().eval(), torch.zeros(1, 2, 256, 256))
    by_hand = {
        "EncMod 1,1 convolution": (4, 256),
        "EncMod 1,1 pooling": (4, 128),
        "EncMod 2,6 convolution": (128, 8),
        "EncMod 2,6 pooling": (128, 4),
        "Bridge 1": (64, 8),
        "Hub": (128, 8),
        "CnvMod 1,5": (128, 8),
        "DecMod 1,5": (64, 16),
        "Map 1,5": (32, 16),
        "Concat 1,4": (96, 16),
        "CnvMod 1,4": (64, 16),
        "DecMod 1,1": (4, 256),
        "Concat 1,1": (12, 128),
        "Map 1,1": (1, 256),
    }
    assert {name: sizes[name] for name in by_hand} == by_hand


def test_smallest_design_has_the_count_by_hand() -> None:
    # U = V = 1, I = 2, kernels of 1: encoders 1*4+12, 4*8+24; bridge 8*4*4+12; CnvMod 4*8+24; DecMod 8*4*4+12; Map 4+1.
    design = CondNetDesign(inputs=1, outputs=1, depth=2, encoder_kernel=1, convolution_kernel=1, map_kernel=1)
    by_hand = 16 + 56 + 140 + 56 + 140 + 5
    assert table_parameter_count(design) == by_hand
    assert sum(p.numel() for p in CondNet(design).parameters()) == by_hand


def test_resolved_table_over_designs() -> None:
    assert table2_mismatches() == 0


def test_kernels_can_differ_layer_by_layer() -> None:
    design = CondNetDesign(inputs=2, outputs=1, depth=3, encoder_kernel=((3, 5, 7), (1, 3, 3)), map_kernel=((3, 7),))
    network = CondNet(design).eval()
    assert sum(p.numel() for p in network.parameters()) == table_parameter_count(design)
    assert network(torch.zeros(2, 2, 32, 40)).shape == (2, 1, 32, 40)
    assert network.encoders[0].convolutions[1][0].kernel_size == (5, 5)


def test_every_input_reaches_every_output_and_outputs_are_probabilities() -> None:
    torch.manual_seed(0)
    network = CondNet(CondNetDesign(inputs=2, outputs=2, depth=3)).eval()
    images = torch.rand(1, 2, 32, 32, requires_grad=True)
    out = network(images)
    assert bool(((out > 0) & (out < 1)).all())
    for v in range(2):
        (slope,) = torch.autograd.grad(out[:, v].sum(), images, retain_graph=True)
        assert slope.abs().amax(dim=(0, 2, 3)).min() > 0
    assert not torch.equal(out[:, 0], out[:, 1])


def test_each_concatenation_joins_the_map_with_the_pooled_features_of_every_encoder() -> None:
    torch.manual_seed(0)
    network = CondNet(CondNetDesign(inputs=3, outputs=2, depth=4)).eval()
    seen: dict[str, object] = {}
    for name, module in network.named_modules():
        if "concatenations." in name:
            module.register_forward_hook(lambda _m, inputs, _o, name=name: seen.update({name: inputs[0]}))
        elif "poolings." in name or ".maps." in name:
            module.register_forward_hook(lambda _m, _i, output, name=name: seen.update({name: output}))
    with torch.no_grad():
        network(torch.rand(1, 3, 32, 32))
    for v in range(2):
        for level in range(2):
            joined = seen[f"decoders.{v}.concatenations.{level}"]
            expected = [seen[f"decoders.{v}.maps.{level + 1}"]]
            expected += [seen[f"encoders.{u}.poolings.{level}"] for u in range(3)]
            assert len(joined) == len(expected)
            assert all(one is other for one, other in zip(joined, expected, strict=True))


def test_three_directions_are_averaged_in_place() -> None:
    torch.manual_seed(1)
    design = CondNetDesign(inputs=2, outputs=1, depth=2)
    networks = [CondNet(design).eval() for _ in range(3)]
    images = torch.rand(2, 8, 12, 16)
    found = predict_volume(networks, images, batch=3)
    with torch.no_grad():
        slow = torch.zeros(1, 8, 12, 16)
        for i in range(8):
            slow[:, i] += networks[0](images[None, :, i])[0] / 3
        for j in range(12):
            slow[:, :, j] += networks[1](images[None, :, :, j])[0] / 3
        for k in range(16):
            slow[:, :, :, k] += networks[2](images[None, :, :, :, k])[0] / 3
    torch.testing.assert_close(found, slow, rtol=1e-5, atol=1e-6)


def test_rescaling_undoes_scaling_and_follows_the_paper() -> None:
    conductivity = torch.tensor([0.0, 0.02, 2.0])
    scaled = scale_conductivity(conductivity, 2.0)
    torch.testing.assert_close(scaled, torch.tensor([0.0, 0.009, 0.9]))
    torch.testing.assert_close(rescale(scaled, 2.0), conductivity)


def test_contradictions_are_registered() -> None:
    rows = " ".join(entry.row for entry in CONTRADICTIONS)
    for row in ("EncMod", "Hub", "DecMod", "CnvMod", "Map", "Concat"):
        assert row in rows


def test_bad_designs_and_images_are_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        CondNetDesign(encoder_kernel=4)
    with pytest.raises(ValueError, match="map_kernel"):
        CondNetDesign(map_kernel=((5, 5),))
    with pytest.raises(ValueError, match="depth"):
        CondNetDesign(depth=1)
    network = CondNet(CondNetDesign(depth=3)).eval()
    with pytest.raises(ValueError, match="divisible"):
        network(torch.zeros(1, 2, 36, 32))
    with pytest.raises(ValueError, match="U images"):
        network(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="three"):
        predict_volume([network], torch.zeros(2, 8, 8, 8))
    with pytest.raises(ValueError, match="largest"):
        rescale(torch.zeros(1), 0.0)


def test_a_network_can_start_at_the_mean_of_its_targets() -> None:
    torch.manual_seed(0)
    network = CondNet(CondNetDesign(inputs=2, outputs=2, depth=4))
    start_at_mean(network, [0.05, 0.6])
    for decoder, mean in zip(network.decoders, (0.05, 0.6), strict=True):
        assert torch.sigmoid(decoder.last_bias).item() == pytest.approx(mean)
    weights = network.encoders[1].convolutions[3][0].weight
    # 32 x 16 x 9 draws of variance 2 / (16 x 9): the sample's sd is known to 1 %
    assert weights.std().item() == pytest.approx((2 / (16 * 9)) ** 0.5, rel=0.05)
    bridge = network.encoders[0].bridge[0].weight
    assert bridge.std().item() == pytest.approx((2 / 32) ** 0.5, rel=0.05)


def test_a_start_that_no_sigmoid_reaches_is_refused() -> None:
    network = CondNet(CondNetDesign(depth=3))
    for means, said in (([0.0], "means must lie"), ([0.1, 0.2], "number of means")):
        with pytest.raises(ValueError, match=said):
            start_at_mean(network, means)
