"""Attention and guided gradients of networks small enough for paper and pencil."""

import pytest
import torch
from torch import nn

from mrrepro.attribution.grad_cam import grad_cam
from mrrepro.attribution.guided_backpropagation import guided_backpropagation, input_gradient
from mrrepro.attribution.inspection import convolution_names, layer_named
from mrrepro.attribution.targets import ChannelSum, TrainingLoss
from mrrepro.networks.multi_decoder import MultiDecoder
from mrrepro.training.losses import normalised_absolute_deviation


def pointwise(*weights, activation):
    """1x1 convolutions with the given weights and an activation between each two."""
    layers = []
    for weight in weights:
        weight = torch.tensor(weight)
        layer = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=False)
        layer.weight.data = weight[:, :, None, None]
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def column(*values):
    return torch.tensor(values)[None, None, :, None]


def test_guided_relu_by_hand():
    # hidden = ReLU(2 x, -3 x); output = 1 h1 - 5 h2
    network = pointwise([[2.0], [-3.0]], [[1.0, -5.0]], activation=nn.ReLU)
    images = column(1.0, -1.0)
    # x = 1: h1 is active, gradient 1 * 2. x = -1: h2 is active, but its gradient -5 is stopped; plainly it is 15
    assert guided_backpropagation(network, images, ChannelSum(0)).flatten().tolist() == [2.0, 0.0]
    assert input_gradient(network, images, ChannelSum(0)).flatten().tolist() == [2.0, 15.0]


def test_guided_leaky_relu_by_hand():
    network = pointwise([[2.0], [-3.0]], [[1.0, -5.0]], activation=lambda: nn.LeakyReLU(0.1))
    images = column(1.0, -1.0)
    # h1 passes max(1, 0) times 1 where 2 x > 0 and times 0.1 elsewhere, times its weight 2; h2 passes nothing
    guided = guided_backpropagation(network, images, ChannelSum(0)).flatten().tolist()
    assert guided == pytest.approx([2.0, 0.2])
    # plainly: x = 1: 2 + 0.1 * 15, x = -1: 0.2 + 15
    assert input_gradient(network, images, ChannelSum(0)).flatten().tolist() == pytest.approx([3.5, 15.2])


def test_guided_through_several_layers_against_a_loop():
    """The rule written out, layer by layer, for a network of dense layers at one pixel."""
    generator = torch.Generator().manual_seed(0)
    weights = [
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((6, 3), (5, 6), (4, 5), (1, 4))
    ]
    slope = 0.2
    network = pointwise(*(weight.tolist() for weight in weights), activation=lambda: nn.LeakyReLU(slope)).double()
    for layer, weight in zip(network[::2], weights, strict=True):
        layer.weight.data = weight[:, :, None, None]
    images = torch.randn(2, 3, 1, 1, generator=generator, dtype=torch.float64)
    found = guided_backpropagation(network, images, ChannelSum(0))
    for image, expected in zip(images[:, :, 0, 0], found[:, :, 0, 0], strict=True):
        inputs, hidden = [], image
        for weight in weights[:-1]:
            inputs.append(weight @ hidden)
            hidden = torch.where(inputs[-1] > 0, inputs[-1], slope * inputs[-1])
        gradient = weights[-1][0]
        for weight, before in zip(reversed(weights[:-1]), reversed(inputs), strict=True):
            gradient = torch.where(gradient > 0, gradient, 0.0) * torch.where(before > 0, 1.0, slope)
            gradient = weight.T @ gradient
        torch.testing.assert_close(expected, gradient)


def test_grad_cam_by_hand():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Identity()

        def forward(self, images):
            features = self.layer(images)
            return (features * torch.tensor([[[[3.0, 1.0]], [[-1.0, -1.0]]]])).sum(dim=1, keepdim=True)

    images = torch.tensor([[[[1.0, 2.0]], [[4.0, 1.0]]]])
    # alpha = mean gradients (2, -1); 2 A1 - A2 = (2 - 4, 4 - 1), cut at 0
    found = grad_cam(Network(), "layer", images, ChannelSum(0))
    assert found.tolist() == [[[0.0, 3.0]]]


def test_grad_cam_of_images_is_independent_and_upsampled():
    torch.manual_seed(0)
    network = MultiDecoder(2)
    network(torch.rand(4, 2, 32, 32))
    images = torch.rand(3, 2, 32, 48)
    for layer in ("bottleneck.3", "encoder.levels.1.features.0.0", "decoders.2.head"):
        together = grad_cam(network, layer, images, ChannelSum(2))
        assert together.shape == (3, 32, 48)
        assert together.min() >= 0
        alone = torch.cat([grad_cam(network, layer, image[None], ChannelSum(2)) for image in images])
        torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-5)


def test_the_loss_as_a_target_does_not_depend_on_the_batch():
    torch.manual_seed(0)
    network = MultiDecoder(2)
    images, maps = torch.rand(3, 2, 32, 32), torch.rand(3, 32, 32)
    target = TrainingLoss(normalised_absolute_deviation, network.target(maps))
    together = guided_backpropagation(network, images, target)
    for index in range(3):
        alone = TrainingLoss(normalised_absolute_deviation, network.target(maps[index : index + 1]))
        expected = guided_backpropagation(network, images[index : index + 1], alone)
        torch.testing.assert_close(together[index : index + 1], expected, rtol=1e-3, atol=1e-6)


def state_of(network):
    hooks = [len(module._forward_hooks) + len(module._backward_hooks) for module in network.modules()]
    modes = [module.training for module in network.modules()]
    tensors = [tensor.clone() for tensor in network.state_dict().values()]
    return hooks, modes, tensors


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("method", ["grad_cam", "guided", "plain"])
def test_the_network_is_left_as_it_was(method, fails):
    torch.manual_seed(0)
    network = MultiDecoder(2)
    network.encoder.eval()  # a mixture of modes
    before = state_of(network)
    images = torch.rand(1, 2, 32, 32)

    def target(output):
        if fails:
            raise RuntimeError("no")
        return output.sum()

    def attribute():
        if method == "grad_cam":
            return grad_cam(network, "bottleneck", images, target)
        return (guided_backpropagation if method == "guided" else input_gradient)(network, images, target)

    if fails:
        with pytest.raises(RuntimeError, match="no"):
            attribute()
    else:
        attribute()
    after = state_of(network)
    assert after[:2] == before[:2]
    assert set(after[0]) == {0}
    assert all(torch.equal(one, other) for one, other in zip(before[2], after[2], strict=True))
    assert all(weights.grad is None for weights in network.parameters())
    assert not images.requires_grad


def test_works_without_gradients_outside_and_with_frozen_weights():
    network = MultiDecoder(2).requires_grad_(False)
    images = torch.rand(1, 2, 32, 32)
    with torch.no_grad():
        assert grad_cam(network, "bottleneck", images, ChannelSum(0)).shape == (1, 32, 32)
        assert guided_backpropagation(network, images, ChannelSum(0)).shape == images.shape


def test_names():
    network = MultiDecoder(2)
    names = convolution_names(network.encoder)
    assert len(names) == 12  # the paper's count
    assert layer_named(network.encoder, names[4]).in_channels == 4


def test_refusals():
    network = MultiDecoder(2)
    images = torch.rand(1, 2, 32, 32)
    with pytest.raises(ValueError, match=r"there are decoders\.0\.stages, decoders\.0\.head"):
        grad_cam(network, "decoders.0.tail", images, ChannelSum(0))
    with pytest.raises(ValueError, match="submodule"):
        grad_cam(network, "", images, ChannelSum(0))
    with pytest.raises(ValueError, match="one batch of feature maps"):
        grad_cam(network, "encoder.levels.0", images, ChannelSum(0))
    with pytest.raises(ValueError, match="does not depend"):
        grad_cam(network, "decoders.1", images, ChannelSum(0))
    with pytest.raises(ValueError, match="channel"):
        grad_cam(network, "bottleneck", images, ChannelSum(4))
    with pytest.raises(ValueError, match="GELU"):
        guided_backpropagation(nn.Sequential(nn.ReLU(), nn.GELU()), images, ChannelSum(0))
    with pytest.raises(ValueError, match="none"):
        guided_backpropagation(nn.Conv2d(2, 1, 1), images, ChannelSum(0))
