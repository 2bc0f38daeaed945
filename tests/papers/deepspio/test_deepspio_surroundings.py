"""The samples of experiment 2 drawn again are those of the experiment, and what lies around their iron is counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mrrepro.papers.deepspio.experiments import HELD_OUT_EXAMPLES, select
from mrrepro.papers.deepspio.recipe import SETTINGS
from mrrepro.papers.deepspio.surroundings import Surroundings, rows_by_surroundings, surroundings, tissue_share
from mrrepro.runs.settings import configure


@pytest.mark.parametrize("name", ["test", "breast"])
def test_samples_are_those_of_the_experiment(finished, overrides, name):
    _, made = finished
    held_out = made["deepspio/held_out"].arrays("held_out.npz")
    images = torch.tensor(made["deepspio/images"].arrays("images.npz")["test"])
    found = surroundings(select(configure(SETTINGS, "smoke", overrides)), 0, name, images)
    truth = held_out[f"{name}_truth"]
    assert len(found.tissue) == len(held_out[f"{name}_nmae"])
    assert np.array_equal(found.concentration[:HELD_OUT_EXAMPLES].astype(np.float16), truth)
    means = [each[each > 0].mean() for each in found.concentration]
    assert means == pytest.approx(held_out[f"{name}_true_mean"], rel=1e-5)


def test_ring_is_three_millimetres_wide_and_leaves_the_iron_out():
    """Iron in one pixel of 1 mm: its ring are the 28 pixels within 3 mm, of which 5 lie in the column 2 mm below."""
    iron, image = np.zeros((3, 15, 15)), np.full((3, 15, 15), 0.5)
    iron[:, 7, 7] = 4.0
    image[:, 7, 7] = 0.0  # what the iron voids does not count
    image[1, 9] = 0.0
    iron[2] = 0.0
    shares = tissue_share(image, iron, 1e-3)
    assert shares[:2] == pytest.approx([1.0, 23 / 28])
    assert np.isnan(shares[2])
    assert list(Surroundings(iron, shares).inside) == [True, False, False]


def test_rows_part_the_samples():
    found = Surroundings(np.ones((3, 1, 1)), np.array([1.0, 0.5, 0.99]))
    alone = Surroundings(np.ones((1, 1, 1)), np.array([1.0]))
    first, second = rows_by_surroundings(
        {"a": np.array([0.1, 0.9, 0.3]), "b": np.array([0.4])}, {"a": found, "b": alone}
    )
    assert first == {
        "images": "a",
        "samples": 3,
        "NMAE": pytest.approx(1.3 / 3),
        "tissue all around: samples": 2,
        "tissue all around: NMAE": pytest.approx(0.2),
        "near an edge: samples": 1,
        "near an edge: NMAE": pytest.approx(0.9),
    }
    assert second["near an edge: NMAE"] == "none"
