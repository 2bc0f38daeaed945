"""Symmetries of the forward model, from bodies to images: it knows no preferred place, side or unit of gradient."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mrrepro.phantoms.shapes import Body, Cylinder, Metaballs, Sphere, Torus
from mrrepro.simulators.spio_samples import IronOxide, SpioSimulator
from mrrepro.simulators.view_line import Excitation, ViewLineSequence, simulate_view_lines

SIZE = 128
PIXEL = 0.5e-3
SEQUENCE = ViewLineSequence(field_of_view=SIZE * PIXEL, size=SIZE, line_spacing=4 * PIXEL, line_count=25)
SIMULATOR = SpioSimulator(SEQUENCE, IronOxide(), 12e-3)
SHAPES = {
    "sphere": lambda x, z: Sphere((x, 0.0, z), 4e-3),
    "cylinder": lambda x, z: Cylinder((x, 0.0, z), 3e-3, 8e-3, "z"),
    "metaballs": lambda x, z: Metaballs(((x - 1e-3, 0.0, z), (x + 1e-3, 5e-4, z + 5e-4)), 0.03),
    "torus": lambda x, z: Torus((x, 1e-3, z), 1.5e-3, 4e-3),
}
EXCITED_ELSEWHERE = 2e-3
"""Of a signal of 1: float32 puts a spin at a stripe's edge on one side or the other, and the ringing of the outermost
lines reaches a little into the middle."""


def made(shape, x=0.0, z=0.0, concentration=6.0):
    """Field [T] and images of one body in a uniform density."""
    projections, central = SIMULATOR.project((Body(SHAPES[shape](x, z), concentration),))
    field = SIMULATOR.field(projections)
    return field, SIMULATOR.images(field, central, torch.ones(SIZE, SIZE))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pixels", [9, -16])
def test_body_moved_along_x_moves_its_field_and_its_image(shape, pixels):
    (field, image), (moved_field, moved_image) = made(shape), made(shape, x=pixels * PIXEL)
    inner = slice(40, 88)
    there = slice(40 + pixels, 88 + pixels)
    assert field.abs().max() > 1e-5
    torch.testing.assert_close(moved_field[there], field[inner], rtol=0, atol=1e-4 * float(field.abs().max()))
    torch.testing.assert_close(moved_image[:, there], image[:, inner], rtol=0, atol=EXCITED_ELSEWHERE)
    assert (image - made(shape, concentration=1e-6)[1]).abs().max() > 0.2


@pytest.mark.parametrize("shape", ["sphere", "torus"])
def test_body_moved_by_two_lines_moves_its_image_and_by_one_swaps_even_and_odd(shape):
    image = made(shape)[1]
    inner = slice(40, 88)
    torch.testing.assert_close(
        made(shape, z=8 * PIXEL)[1][..., 48:96], image[..., inner], rtol=0, atol=EXCITED_ELSEWHERE
    )
    torch.testing.assert_close(
        made(shape, z=4 * PIXEL)[1][..., 44:92], image.flip(0)[..., inner], rtol=0, atol=EXCITED_ELSEWHERE
    )


@pytest.mark.parametrize("shape", ["sphere", "cylinder"])
def test_mirror_image_of_a_body_gives_the_mirror_image(shape):
    (field, image), (mirrored_field, mirrored) = made(shape, x=6e-3, z=3e-3), made(shape, x=-6e-3, z=3e-3)
    # pixel i lies at (i - 64) pixels from the centre, so that its mirror image is pixel 128 - i
    torch.testing.assert_close(mirrored_field[1:].flip(0), field[1:], rtol=0, atol=1e-4 * float(field.abs().max()))
    torch.testing.assert_close(mirrored[:, 1:].flip(1), image[:, 1:], rtol=0, atol=EXCITED_ELSEWHERE)


def test_mirrored_maps_give_a_mirrored_image_exactly():
    generator = torch.Generator().manual_seed(0)
    field = 1e-4 * torch.randn(SIZE, SIZE, generator=generator)
    density = torch.rand(SIZE, SIZE, generator=generator)
    image = simulate_view_lines(Excitation(field, density), SEQUENCE)
    mirrored = simulate_view_lines(Excitation(field.flip(0), density.flip(0)), SEQUENCE)
    torch.testing.assert_close(mirrored.flip(1), image, rtol=0, atol=1e-5)


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_field_and_gradients_of_another_size_give_the_same_image(factor):
    field = made("sphere", concentration=6.0)[0]
    stronger = replace(
        SEQUENCE,
        slice_gradient=factor * SEQUENCE.slice_gradient,
        readout_gradient=factor * SEQUENCE.readout_gradient,
    )
    density = torch.ones(SIZE, SIZE)
    image = simulate_view_lines(Excitation(field, density), SEQUENCE)
    torch.testing.assert_close(
        simulate_view_lines(Excitation(factor * field, density), stronger), image, rtol=0, atol=1e-5
    )
    changed = simulate_view_lines(Excitation(field, density), stronger)
    assert (changed - image).abs().max() > 0.1


def test_field_and_gradients_of_the_other_sign_give_the_same_image():
    field = made("sphere")[0]
    reversed_sequence = replace(
        SEQUENCE, slice_gradient=-SEQUENCE.slice_gradient, readout_gradient=-SEQUENCE.readout_gradient
    )
    density = torch.ones(SIZE, SIZE)
    image = simulate_view_lines(Excitation(field, density), SEQUENCE)
    mirrored = simulate_view_lines(Excitation(-field, density), reversed_sequence)
    torch.testing.assert_close(mirrored, image, rtol=0, atol=1e-5)
