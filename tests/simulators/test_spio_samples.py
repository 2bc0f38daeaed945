"""Samples on the fly: pure functions of seed and index, physics of iron, and what is refused."""

import dataclasses

import numpy as np
import pytest
import torch

from mrrepro.phantoms.shapes import Body, Metaballs, Sphere, Torus, concentration_volume
from mrrepro.simulators.body_projection import ROW_WORDS, packed_bodies
from mrrepro.simulators.spio_samples import BodyDistribution, IronOxide, SampleStream, SpioSimulator, oriented_images
from mrrepro.simulators.view_line import ViewLineSequence

SEQUENCE = ViewLineSequence(size=64)
BODIES = BodyDistribution()


def simulator(iron=None):
    return SpioSimulator(SEQUENCE, iron or IronOxide(), BODIES.reach)


def stream(seed=0, images=None):
    return SampleStream(simulator(), BODIES, torch.ones(1, 64, 64) if images is None else images, seed)


def test_saturated_iron_has_the_field_of_the_design():
    # 95 A m^2/kg times 1 kg/m^3 is 95 A/m; mu_0 of that is 0.119 mT.
    assert IronOxide().tesla_per_concentration == pytest.approx(4e-7 * np.pi * 95.0, rel=1e-6)
    assert IronOxide().tesla_per_concentration == pytest.approx(0.119e-3, rel=5e-3)


def test_the_source_is_void_at_the_lowest_concentration():
    # 0.22 ug/mm^3 is 3.94 mM; times 175 /(mM s) times 8.7 ms: exp(-6.0).
    left = IronOxide().remaining_signal(torch.tensor(0.22), 8.7e-3)
    assert float(left) == pytest.approx(np.exp(-0.22 / 55.845e-3 * 175 * 8.7e-3), rel=1e-5)
    assert float(IronOxide(transverse_relaxivity=0.0).remaining_signal(torch.tensor(17.0), 8.7e-3)) == 1.0


def test_a_sample_does_not_depend_on_the_batch_it_is_in():
    together = stream().batch(0, 5)
    alone = stream().batch(3, 1)
    assert torch.equal(together.images[3], alone.images[0])
    assert torch.equal(together.concentration[3], alone.concentration[0])
    assert not torch.equal(together.images[3], stream(seed=1).batch(3, 1).images[0])


def test_a_sample_is_drawn_in_a_fixed_order_and_its_image_turned_then_mirrored():
    images = torch.rand(5, 64, 64, generator=torch.Generator().manual_seed(2))
    batch = stream(4, images).batch(7, 24)
    seen = set()
    for number, index in enumerate(range(7, 31)):
        generator = np.random.default_rng([4, index])
        bodies = BODIES.draw(generator)
        image, quarters, mirrored = (int(generator.integers(n)) for n in (5, 4, 2))
        density = torch.rot90(images[image], quarters)
        density = density.flip(0) if mirrored else density
        expected = simulator().simulate([bodies], density[None])
        assert torch.equal(batch.images[number], expected.images[0])
        assert torch.equal(batch.concentration[number], expected.concentration[0])
        seen.add((quarters, mirrored))
    assert len(seen) == 8


def test_images_are_gathered_in_eight_orientations():
    corner = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    # A quarter turns (x, z) = (0, 1) to (0, 0); the mirror changes the rows.
    expected = [[2.0, 4.0, 1.0, 3.0], [1.0, 3.0, 2.0, 4.0], [6.0, 8.0, 5.0, 7.0], [5.0, 6.0, 7.0, 8.0]]
    found = oriented_images(corner, torch.tensor([0, 0, 1, 1]), torch.tensor([2, 3, 2, 0]))
    assert found.flatten(1).tolist() == expected
    every = oriented_images(corner, torch.zeros(8, dtype=torch.int64), torch.arange(8))
    assert len({tuple(image) for image in every.flatten(1).tolist()}) == 8


def test_bodies_are_packed_as_documented():
    torus = Body(Torus((1e-3, 0.0, -2e-3), 2e-3, 3e-3), 4.0)
    balls = Body(Metaballs(((0.0, 0.0, 0.0), (0.0, 1e-3, 2e-3)), 0.04), 7.0)
    words = packed_bodies([(balls,), (), (torus, balls)], 64, 32, 1e-3)
    reals = words.view(np.float32)
    rows = [4 + ROW_WORDS * number for number in range(3)]
    assert words[:4].tolist() == [rows[0], rows[1], rows[1], rows[2] + ROW_WORDS]
    # Voxel 32 stands at 0: the torus reaches -4 to 6 mm, -5 to 5 mm, -4 to 0 mm, and its edge half a voxel further.
    box = words[rows[1] : rows[1] + 6].tolist()
    assert all(low in (27 + a, 28 + a) for low, a in zip(box[::2], (0, -1, 0), strict=True))
    assert all(high in (39 + a, 40 + a) for high, a in zip(box[1::2], (0, -1, -6), strict=True))
    point, count = words[rows[1] + 6 : rows[1] + 8]
    assert count == 0
    np.testing.assert_allclose(reals[point : point + 3], torus.shape.centre, rtol=1e-6)
    np.testing.assert_allclose(reals[rows[1] + 8 : rows[1] + 11], [4.0, 2e-3, 3e-3], rtol=1e-6)
    point, count = words[rows[2] + 6 : rows[2] + 8]
    assert (count, point + 6) == (2, len(words))
    np.testing.assert_allclose(reals[point:].reshape(2, 3), balls.shape.centres, rtol=1e-6)
    np.testing.assert_allclose(reals[rows[2] + 8 : rows[2] + 11], [7.0, 2.5e-3, 0.0], rtol=1e-6)
    assert packed_bodies([(torus, Body(Sphere((0.0, 0.0, 0.0), 1e-3), 1.0))], 64, 32, 1e-3) is None


def test_samples_hold_what_section_3_2_says():
    batch = stream().batch(0, 40)
    generator = np.random.default_rng([0, 7])
    bodies = BODIES.draw(generator)
    assert 1 <= len(bodies) <= 5
    assert len({body.concentration for body in bodies}) == 1
    peaks = batch.concentration.amax(dim=(1, 2))
    assert float(peaks.max()) < 5 * 17.5
    assert (peaks > 0).float().mean() > 0.95  # nearly every sample shows iron in its slice


def test_bodies_and_volume_give_the_same_image():
    model = simulator()
    bodies = (Body(Sphere((2e-3, 1e-3, -3e-3), 4e-3), 6.0),)
    density = torch.rand(64, 64, generator=torch.Generator().manual_seed(0))
    from_bodies = model.simulate([bodies], density[None])
    volume = concentration_volume(bodies, 64, model.kernel.half_depth, SEQUENCE.voxel)
    from_volume = model.simulate_volume(volume, density)
    torch.testing.assert_close(from_volume.images, from_bodies.images, atol=2e-5, rtol=0)
    torch.testing.assert_close(from_volume.concentration, from_bodies.concentration)


def test_the_field_is_proportional_to_the_concentration():
    model = simulator()
    fields = []
    for concentration in (2.0, 6.0):
        projections, _ = model.project((Body(Sphere((0.0, 0.0, 0.0), 4e-3), concentration),))
        fields.append(model.field(projections))
    torch.testing.assert_close(fields[1], 3 * fields[0])


def test_without_magnetisation_only_the_void_remains():
    iron = dataclasses.replace(IronOxide(), saturation_magnetisation=0.0)
    bodies = [(Body(Sphere((0.0, 0.0, 0.0), 4e-3), c),) for c in (3.0, 17.0)]
    images = simulator(iron).simulate(bodies, torch.ones(2, 64, 64)).images
    # The same void at both concentrations, up to the half-filled pixels at its edge.
    assert (images[0] - images[1]).abs().mean() < 0.002
    assert (images[0] - stream().simulator.simulate(bodies[:1], torch.ones(1, 64, 64)).images[0]).abs().mean() > 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.fill_(-1.0), "negative|vanish"),
        (lambda v: v.mul_(0.0), "nothing to estimate"),
        (lambda v: v.mul_(float("nan")), "finite"),
        (lambda v: v.mul_(27_900.0), "divided by"),
        (lambda v: v[:, :-1], "odd number of slabs"),
        (lambda v: v[:-1], "shape"),
        (lambda v: v[:, 20:45], "cut source"),
    ],
)
def test_bad_concentration_maps_are_refused(change, message):
    volume = concentration_volume((Body(Sphere((0.0, 0.0, 0.0), 12e-3), 1.0),), 64, 32, SEQUENCE.voxel)
    with pytest.raises(ValueError, match=message):
        simulator().simulate_volume(change(volume), torch.ones(64, 64))


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match="spin_density"):
        stream(images=torch.ones(1, 32, 32)).batch(0, 1)
    with pytest.raises(ValueError, match="concentration must be a range"):
        BodyDistribution(concentration=(5.0, 1.0))
