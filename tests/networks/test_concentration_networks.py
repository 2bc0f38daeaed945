"""Sizes, weights, operations and invariances of the networks that estimate maps."""

import pytest
import torch

from mrrepro.networks.blocks import initialise_he
from mrrepro.networks.cost import count_weights, forward_flops
from mrrepro.networks.multi_decoder import MultiDecoder
from mrrepro.networks.scaling import FixedScaling, PerImageScaling
from mrrepro.networks.variants import KINDS, WAVELET_NETWORKS, NetworkSettings, build_network, matched_width
from mrrepro.networks.wavelet import analyse

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def images(batch: int = 2, height: int = 32, width: int = 48) -> torch.Tensor:
    return torch.rand(batch, 2, height, width, generator=torch.Generator().manual_seed(1))


def multi_decoder_weights(b: int) -> int:
    """By hand, layer by layer, from the description of the network."""

    def convolution(inputs, outputs, kernel=3, bias=True):
        return inputs * outputs * kernel**2 + (outputs if bias else 0)

    def normalisation(channels):
        return 2 * channels

    total, inputs = 0, 2
    for width in (b, 2 * b, 4 * b, 8 * b):
        total += convolution(inputs, width, bias=False) + normalisation(width)
        total += convolution(width, width, bias=False) + normalisation(width)
        total += convolution(width, width)  # stride 2
        inputs = width
    for inputs in (8 * b, 16 * b, 16 * b, 16 * b):
        total += convolution(inputs, 16 * b, bias=False) + normalisation(16 * b) + convolution(inputs, 16 * b, kernel=1)
    decoder = 0
    for inputs, outputs in ((16 * b, 8 * b), (8 * b, 4 * b), (4 * b, 2 * b)):
        decoder += convolution(inputs, outputs, kernel=2) + normalisation(outputs)
        decoder += convolution(outputs, outputs) + normalisation(outputs)
    decoder += convolution(2 * b, 1)
    return total + 4 * decoder


def test_weights_at_the_papers_width():
    with torch.device("meta"):
        found = count_weights(MultiDecoder(64))
    assert found == multi_decoder_weights(64)
    assert found == pytest.approx(68.0e6, rel=1e-3)


def test_weights_at_a_small_width():
    assert count_weights(MultiDecoder(8)) == multi_decoder_weights(8)


def test_flops_at_the_papers_size():
    # products per output pixel, by hand, without biases: encoder, bottleneck, four decoders
    b, pixels = 64, 256 * 256
    products = 0
    for level, (inputs, width) in enumerate(((2, b), (b, 2 * b), (2 * b, 4 * b), (4 * b, 8 * b))):
        here = pixels // 4**level
        products += 9 * (inputs * width + width**2) * here + 9 * width**2 * here // 4
    products += (10 * 8 * b * 16 * b + 3 * 10 * (16 * b) ** 2) * pixels // 256
    for stage, width in enumerate((8 * b, 4 * b, 2 * b)):
        fine = pixels // 4 ** (3 - stage)
        products += 4 * (2 * width * width * 4 * fine // 4 + 9 * width**2 * fine)
    products += 4 * 9 * 2 * b * pixels // 4
    found = forward_flops(lambda: MultiDecoder(64), 256, 256)
    assert found == 2 * products
    assert 121e9 < found < 179e9


@EVERY_KIND
def test_shapes_of_output_target_and_map(kind):
    network = build_network(NetworkSettings(kind=kind, width=2))
    x = images()
    truth = torch.rand(2, 32, 48)
    assert network(x).shape == network.target(truth).shape
    assert network.predict_map(x).shape == truth.shape
    if kind in WAVELET_NETWORKS:
        torch.testing.assert_close(network.target(truth), analyse(truth))
    else:
        torch.testing.assert_close(network.target(truth)[:, 0], truth)


@EVERY_KIND
def test_zero_initialised_head_starts_from_zero(kind):
    network = build_network(NetworkSettings(kind=kind, width=2, zero_initialised_head=True))
    assert torch.count_nonzero(network.predict_map(images())) == 0
    drawn = build_network(NetworkSettings(kind=kind, width=2, zero_initialised_head=False))
    assert drawn.predict_map(images()).abs().max() > 0


@EVERY_KIND
def test_matched_width(kind):
    reference = forward_flops(lambda: MultiDecoder(4), 64, 64)
    width = matched_width(kind, reference, 64)
    found = forward_flops(lambda: build_network(NetworkSettings(kind=kind, width=width)), 64, 64)
    assert found == pytest.approx(reference, rel=0.10)
    if kind == "multi_decoder":
        assert width == 4


def test_matched_width_refuses_what_is_too_cheap():
    with pytest.raises(ValueError, match="reference_flops"):
        matched_width("unet", 1e3, 64)


@EVERY_KIND
def test_every_weight_takes_part(kind):
    torch.manual_seed(0)
    network = build_network(NetworkSettings(kind=kind, width=2, zero_initialised_head=False))
    network(images()).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_decoders_are_independent():
    torch.manual_seed(0)
    network = MultiDecoder(2)
    network(images())[:, 2].sum().backward()
    for number, decoder in enumerate(network.decoders):
        assert (decoder.head.weight.grad is not None and bool(decoder.head.weight.grad.any())) == (number == 2)


def test_receptive_field_without_skips():
    """Only the skips let an input pixel reach the decoder without passing the bottleneck."""
    torch.manual_seed(0)
    for kind, passes in (("multi_decoder", False), ("multi_decoder_with_skips", True)):
        network = build_network(NetworkSettings(kind=kind, width=2, zero_initialised_head=False)).eval()
        for block in network.bottleneck.modules():
            if isinstance(block, torch.nn.Conv2d):
                torch.nn.init.zeros_(block.weight)
        changed = not torch.allclose(network(images()), network(2.0 * images()))
        assert changed == passes


def test_he_initialisation():
    torch.manual_seed(0)
    network = torch.nn.ModuleList([torch.nn.Conv2d(64, 96, 3), torch.nn.ConvTranspose2d(128, 96, 2, stride=2)])
    initialise_he(network)
    for layer, fan_in in zip(network, (64 * 9, 128), strict=True):
        assert layer.weight.square().mean().item() == pytest.approx(2 / fan_in, rel=0.03)
        assert torch.count_nonzero(layer.bias) == 0


def test_fixed_scaling():
    torch.manual_seed(0)
    plain = MultiDecoder(2).eval()
    scaled = MultiDecoder(2, scaling=FixedScaling(4.0, 10.0)).eval()
    scaled.load_state_dict({**plain.state_dict(), **scaled.scaling.state_dict(prefix="scaling.")})
    torch.testing.assert_close(scaled(4.0 * images()), 10.0 * plain(images()))


def test_per_image_scaling_removes_the_gain():
    torch.manual_seed(0)
    network = MultiDecoder(2, scaling=PerImageScaling(10.0)).double().eval()
    x = images().double()
    gains = torch.tensor([3.0, 0.01], dtype=torch.float64)[:, None, None, None]
    torch.testing.assert_close(network(gains * x), network(x), rtol=1e-9, atol=1e-9)
    assert torch.isfinite(network(torch.zeros(1, 2, 32, 32, dtype=torch.float64))).all()
    assert network.scaling.scale_input(x).square().mean(dim=(1, 2, 3)).tolist() == pytest.approx([1.0, 1.0])


@EVERY_KIND
@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (1, 2, 24, 32), (1, 2, 32, 40), (2, 32, 32), (1, 2, 0, 16)])
def test_refuses_images(kind, shape):
    with pytest.raises(ValueError, match="images"):
        build_network(NetworkSettings(kind=kind, width=1))(torch.zeros(shape))


def test_settings():
    settings = NetworkSettings(kind="unet", width=4.5, input_scaling="per_image", output_scale=3.0)
    assert NetworkSettings.from_mapping(settings.as_mapping()) == settings
    for wrong in ({"kind": "resnet"}, {"width": 0.5}, {"wavelet": "haar"}, {"output_scale": 0.0}, {"depth": 3}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            build_network(NetworkSettings.from_mapping({"width": 2, **wrong}))
