"""The generator and the discriminator in two and three dimensions, and the generator in physical units."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mrrepro.networks.network_size import count_weights
from mrrepro.networks.pix2pix import DiscriminatorSize, GeneratorSize, PatchDiscriminator, PixToPixGenerator
from mrrepro.networks.scaled_generator import ScaledGenerator, build_pix2pix, pix2pix_settings
from mrrepro.training.checkpoints import load_network, save_network

TINY = GeneratorSize(base_filters=2, depth=3)


def filters_by_hand(taps, pairs):
    return taps * sum(channels * filters for channels, filters in pairs)


@pytest.mark.parametrize(("dimensions", "taps"), [(2, 16), (3, 64)])
def test_weights_of_the_full_size_are_those_counted_by_hand(dimensions, taps):
    """Layers as printed in Isola et al.: C64-C128-C256-C512 five times, CD512-CD1024 twice-C1024-C512-C256-C128."""
    down = [(3, 64), (64, 128), (128, 256), (256, 512), *[(512, 512)] * 4]
    up = [(512, 512), *[(1024, 512)] * 3, (1024, 256), (512, 128), (256, 64)]
    normalised = [128, 256, 512, 512, 512, 512, *[512] * 4, 256, 128, 64]  # neither the first nor the innermost
    by_hand = filters_by_hand(taps, [*down, *up, (128, 1)]) + 2 * sum(normalised) + 1
    with torch.device("meta"):
        found = count_weights(PixToPixGenerator(GeneratorSize(dimensions=dimensions)))
    assert found == by_hand
    if dimensions == 2:
        assert round(found / 1e6, 1) == 54.4


def test_weights_of_the_discriminator_are_those_counted_by_hand():
    by_hand = filters_by_hand(16, [(4, 64), (64, 128), (128, 256), (256, 512), (512, 1)])
    with torch.device("meta"):
        assert count_weights(PatchDiscriminator()) == by_hand + 64 + 1 + 2 * (128 + 256 + 512)


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_an_output_of_the_discriminator_sees_a_patch_of_the_stated_width(layers, field):
    """Where the gradient of one output does not vanish; normalisations by stored statistics do not mix pixels."""
    torch.manual_seed(0)
    network = PatchDiscriminator(DiscriminatorSize(base_filters=2, strided_layers=layers)).double().eval()
    images = torch.randn(1, 3, 120, 120, dtype=torch.float64, requires_grad=True)
    maps = torch.randn(1, 1, 120, 120, dtype=torch.float64, requires_grad=True)
    odds = network(images, maps)
    odds[0, 0, odds.shape[2] // 2, odds.shape[3] // 2].backward()
    for gradient in (images.grad, maps.grad):
        reached = torch.nonzero(gradient.abs().sum((0, 1)))
        assert (reached.amax(0) - reached.amin(0) + 1).tolist() == [field, field]


def test_the_discriminator_of_the_full_size_judges_900_patches():
    with torch.device("meta"):
        odds = PatchDiscriminator()(torch.empty(1, 3, 256, 256), torch.empty(1, 1, 256, 256))
    assert odds.shape == (1, 1, 30, 30)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("normalization", ["batch", "instance"])
def test_every_weight_of_both_networks_is_trained(dimensions, normalization):
    torch.manual_seed(0)
    space = (24, 32, 24)[:dimensions]
    generator = PixToPixGenerator(
        GeneratorSize(2, 3, base_filters=4, depth=3, dimensions=dimensions, normalization=normalization)
    )
    discriminator = PatchDiscriminator(
        DiscriminatorSize(2, 3, base_filters=2, strided_layers=2, dimensions=dimensions, normalization=normalization)
    )
    images = torch.randn(2, 2, *space)
    maps = generator(images)
    assert maps.shape == (2, 3, *space)
    discriminator(images, maps).square().mean().backward()
    for network in (generator, discriminator):
        untrained = [n for n, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
        assert untrained == []


def test_a_single_image_trains_down_to_a_single_pixel():
    """A normalisation of the innermost level would refuse or erase it; there is none unless it is asked for."""
    images = torch.randn(1, 3, 8, 8)
    torch.manual_seed(0)
    for normalization in ("batch", "instance"):
        network = PixToPixGenerator(GeneratorSize(base_filters=2, depth=3, normalization=normalization))
        assert network.contracting[-1](network.contracting[1](network.contracting[0](images))).shape[2:] == (1, 1)
        network(images).square().mean().backward()
        assert network.contracting[-1][1].weight.grad.any()
        refused = GeneratorSize(base_filters=2, depth=3, normalization=normalization, normalized_innermost=True)
        with pytest.raises(ValueError, match="more than 1"):
            PixToPixGenerator(refused)(images)


def test_normalisations_sit_on_all_levels_but_the_first_and_the_innermost():
    network = PixToPixGenerator(GeneratorSize(base_filters=2, depth=5))
    assert [isinstance(block[2], nn.BatchNorm2d) for block in network.contracting] == [False, True, True, True, False]
    assert all(isinstance(block[1], nn.BatchNorm2d) for block in network.expanding)
    network = PixToPixGenerator(GeneratorSize(base_filters=2, depth=5, dimensions=3, normalization="instance"))
    assert [isinstance(block[2], nn.InstanceNorm3d) for block in network.contracting] == [0, 1, 1, 1, 0]


def test_dropout_sits_in_the_innermost_expanding_blocks_and_rests_in_evaluation():
    network = PixToPixGenerator(GeneratorSize(base_filters=2, depth=6))
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5, 0.5, 0.0, 0.0]
    images = torch.randn(2, 3, 64, 64)
    torch.manual_seed(0)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


@pytest.mark.parametrize("leak", [0.0, 0.3])
def test_skips_carry_each_level_past_the_bottleneck(leak):
    """The way up composed by hand from the levels' outputs, the innermost one being silenced."""
    torch.manual_seed(0)
    network = PixToPixGenerator(GeneratorSize(base_filters=2, depth=3, skip_leak=leak)).eval()
    images = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        network.contracting[-1][1].weight.zero_()
        before = network(images)
        skips = [network.contracting[0](images)]
        skips.append(network.contracting[1](skips[0]))
        slopes = [torch.where(skip > 0, skip, leak * skip) for skip in skips]
        features = torch.cat([network.expanding[0](torch.zeros(1, 8, 2, 2)), slopes[1]], 1)
        features = torch.cat([network.expanding[1](features), slopes[0]], 1)
        torch.testing.assert_close(before, network.last(features))
        network.last.weight[2:].zero_()
        assert not torch.equal(network(images), before)


def test_one_level_of_contraction_by_hand():
    """Leaky ReLU with slope 0.2, then a filter of ones over 4 x 4 pixels, of which the corner has 9."""
    network = PixToPixGenerator(GeneratorSize(1, 1, base_filters=1, depth=3)).eval()
    network.contracting[2][1].weight.data = torch.ones_like(network.contracting[2][1].weight)
    features = torch.full((1, 2, 4, 4), -1.0)
    features[0, 0, 0, 0] = 3.0
    # 2 channels of 9 values -0.2, one of them 3 instead
    assert network.contracting[2](features)[0, 0, 0, 0].item() == pytest.approx(-0.2 * 17 + 3.0)


def test_filters_start_from_the_stated_distribution():
    torch.manual_seed(0)
    for network in (PixToPixGenerator(GeneratorSize(depth=4)), PatchDiscriminator()):
        filters = torch.cat([weight.flatten() for weight in network.parameters() if weight.ndim == 4])
        assert filters.std().item() == pytest.approx(0.02, rel=0.005)
        assert abs(filters.mean().item()) < 1e-4
        assert not network.last.bias.any()


def test_the_output_is_bounded_only_if_asked_for():
    torch.manual_seed(0)
    images = 100.0 * torch.randn(2, 3, 16, 16)
    states = PixToPixGenerator(TINY).state_dict()
    states["last.bias"].fill_(5.0)
    outputs = []
    for activation in ("none", "tanh"):
        network = PixToPixGenerator(GeneratorSize(base_filters=2, depth=3, output_activation=activation)).eval()
        network.load_state_dict(states)
        outputs.append(network(images))
    assert outputs[0].abs().max() > 1.0
    torch.testing.assert_close(outputs[1], outputs[0].tanh())


def test_gradients_of_both_networks_agree_with_differences():
    torch.manual_seed(0)
    generator = PixToPixGenerator(GeneratorSize(1, 1, base_filters=1, depth=2, normalization="instance"))
    discriminator = PatchDiscriminator(DiscriminatorSize(1, 1, base_filters=1, strided_layers=1))
    for network in (generator, discriminator):
        network.double().eval()
        for weight in network.parameters():
            weight.data += 0.5 * torch.randn_like(weight)  # away from the kinks that small filters all sit at
    images = torch.randn(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: discriminator(x, generator(x)), (images,), fast_mode=True)


def scaled():
    torch.manual_seed(0)
    return ScaledGenerator(
        PixToPixGenerator(TINY), [1.0, -0.5, 0.0], [0.25, 2.0, 1.0], output_offset=[0.6], output_scale=[0.4]
    )


def test_the_scaled_generator_by_hand():
    network = scaled().eval()
    images = torch.randn(2, 3, 8, 8)
    by_hand = torch.stack([(images[:, 0] - 1.0) / 0.25, (images[:, 1] + 0.5) / 2.0, images[:, 2]], 1)
    torch.testing.assert_close(network.scale_images(images), by_hand)
    torch.testing.assert_close(network(images), 0.6 + 0.4 * network.generator(by_hand))
    torch.testing.assert_close(network.scale_maps(network(images)), network.generator(by_hand), atol=1e-6, rtol=1e-5)


def test_the_scaled_generator_returns_float32_under_autocast():
    network = scaled().eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert network.generator(torch.randn(1, 3, 8, 8)).dtype == torch.bfloat16
        assert network(torch.randn(1, 3, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_network_is_rebuilt_from_its_file_alone(tmp_path, dimensions):
    torch.manual_seed(1)
    size = GeneratorSize(base_filters=2, depth=2, dimensions=dimensions, normalization="instance", dropout_blocks=1)
    network = ScaledGenerator(PixToPixGenerator(size), [1.0, 0.0, 0.5], [0.5, 3.0, 0.5], [50.0], [20.0])
    path = tmp_path / "permittivity.safetensors"
    save_network(path, network, {**pix2pix_settings(network), "epochs": 3}, {"seed": 1})
    found = load_network(path, build_pix2pix).network
    images = torch.randn(1, 3, *(8,) * dimensions)
    assert found.generator.size == size
    assert torch.equal(found(images), network.eval()(images))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: PixToPixGenerator(TINY)(torch.zeros(1, 3, 16, 20)),
            r"divide by 8, .* are \(16, 20\): pad .* \(16, 24",
        ),
        (lambda: PixToPixGenerator(TINY)(torch.zeros(1, 3, 0, 8)), r"divide by 8.*\(0, 8\)"),
        (lambda: PixToPixGenerator(TINY)(torch.zeros(1, 2, 16, 16)), r"shape \(batch, 3, height, width\).*\(1, 2, 16"),
        (lambda: PixToPixGenerator(TINY)(torch.zeros(1, 3, 8, 8, 8)), r"shape \(batch, 3, height, width\)"),
        (lambda: PatchDiscriminator()(torch.zeros(1, 3, 24, 23), torch.zeros(1, 1, 24, 23)), "sides of at least 24"),
        (lambda: PatchDiscriminator()(torch.zeros(1, 3, 24, 24), torch.zeros(1, 1, 24, 32)), "equal sides"),
        (lambda: PatchDiscriminator()(torch.zeros(1, 3, 24, 24), torch.zeros(1, 24, 24)), r"maps must have shape"),
        (lambda: GeneratorSize(depth=1), "depth must lie in"),
        (lambda: GeneratorSize(dimensions=1), "dimensions must be one of 2, 3"),
        (lambda: GeneratorSize(normalization="group"), "normalization must be one of batch, instance"),
        (lambda: GeneratorSize(output_activation="relu"), "output_activation must be one of none, tanh"),
        (lambda: GeneratorSize(leak=1.5), "leak must lie in"),
        (lambda: DiscriminatorSize(strided_layers=0), "strided_layers must lie in"),
        (lambda: ScaledGenerator(PixToPixGenerator(TINY), [0.0]), "input_offset must be 3 finite numbers"),
        (lambda: ScaledGenerator(PixToPixGenerator(TINY), output_scale=[0.0]), "output_scale must be 1 positive"),
        (lambda: build_pix2pix({"generator": {"width": 3}}), "fields of GeneratorSize"),
        (lambda: build_pix2pix({}), "fields of GeneratorSize"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_shortest_side_leaves_one_patch():
    assert PatchDiscriminator()(torch.zeros(2, 3, 24, 24), torch.zeros(2, 1, 24, 24)).shape == (2, 1, 1, 1)
