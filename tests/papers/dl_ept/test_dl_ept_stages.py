"""The DL-EPT chapter end to end at a size of seconds: what stages write, kills, workers, controls."""

from __future__ import annotations

import importlib
import math
import pkgutil
import shutil

import numpy as np
import pytest
import torch

from mrrepro.papers import dl_ept
from mrrepro.papers.dl_ept import database as database_module
from mrrepro.papers.dl_ept.cases import TEST_HEAD, VARIED, database_cases, property_factors
from mrrepro.papers.dl_ept.database import DATABASE, INDEX
from mrrepro.papers.dl_ept.evidence import CLAIMS, RecordedSweeps, slope_of
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES
from mrrepro.papers.dl_ept.networks import TRAININGS, batches_of, database_slices, read_network
from mrrepro.papers.dl_ept.recipe import STAGES, VARIANTS
from mrrepro.papers.dl_ept.reconstruction import by_network, measure_case, tissue_region
from mrrepro.papers.dl_ept.simulation import TUMOUR_LABEL
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.stages import Stage, make
from mrrepro.runs.workers import VARIABLE, each
from mrrepro.tissues import tissue_properties


def test_a_head_has_its_sets_properties(tiny_artifacts, tiny_settings):
    index = tiny_artifacts[DATABASE.name].json(INDEX)
    case = tiny_artifacts[DATABASE.name].arrays("second_M1.npz")
    factors = property_factors(index["second_M1"]["property_set"], tiny_settings.bodies)
    for tissue, (sigma, eps) in zip(VARIED, factors, strict=True):
        inside = case["labels"] == HEAD_TISSUES.index(tissue)
        reference = tissue_properties(tissue, 128e6)
        assert inside.any()
        np.testing.assert_allclose(case["conductivity"][inside], reference.conductivity * sigma, rtol=1e-6)
        np.testing.assert_allclose(
            case["relative_permittivity"][inside], reference.relative_permittivity * eps, rtol=1e-6
        )


def test_starting_from_a_neighbour_saves_products(tiny_artifacts):
    index = tiny_artifacts[DATABASE.name].json(INDEX)
    for first, others in (("first_M0", ["first_M1"]), ("phantom_1", ["phantom_12", "phantom_24", "phantom_38"])):
        assert all(index[name]["products"] < index[first]["products"] for name in others)
    assert all(facts["relative_residual"] <= 3e-3 for facts in index.values())


def test_a_killed_database_goes_on(tiny_artifacts, tiny_settings, tiny_store, tmp_path, monkeypatch):
    """What was simulated stays, the rest is made, and the bits are those of an uninterrupted run."""
    root = tmp_path / "store"
    shutil.copytree(tiny_store.root / "dl_ept" / "anatomies", root / "dl_ept" / "anatomies")
    store, calls = ArtifactStore(root), []
    solve = database_module.simulate_case

    def dying(case, *arguments, **named):
        calls.append(case.name)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return solve(case, *arguments, **named)

    monkeypatch.setattr(database_module, "simulate_case", dying)
    with pytest.raises(KeyboardInterrupt):
        make(DATABASE, tiny_settings, 0, store, progress=False)
    resumed = make(DATABASE, tiny_settings, 0, store, progress=False)
    assert len(calls) == len(database_cases(tiny_settings.bodies)) + 1  # only the killed one was begun twice
    whole = tiny_artifacts[DATABASE.name]
    for name in ("phantom_42", "first_M1"):
        first, second = whole.arrays(f"{name}.npz"), resumed.arrays(f"{name}.npz")
        assert all(np.array_equal(first[key], second[key]) for key in first)


def test_workers_give_the_same(monkeypatch):
    items = {number: (number,) for number in range(5)}
    here = dict(each(_square, items))
    monkeypatch.setenv(VARIABLE, "2")
    pytest.importorskip("distributed", reason="Dask is not installed")
    assert dict(each(_square, items)) == here == {n: n * n for n in range(5)}


@pytest.mark.parametrize("value", ["many", "0"])
def test_a_bad_number_of_workers_is_named(monkeypatch, value):
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(ValueError, match=VARIABLE):
        list(each(_square, {1: (1,), 2: (2,)}))


def _square(number):
    return number * number


def test_the_tumour_is_a_sphere_in_the_brain(tiny_artifacts):
    tumour = tiny_artifacts["dl_ept/tests"].arrays(f"{TEST_HEAD}_tumour.npz")
    healthy = tiny_artifacts[DATABASE.name].arrays(f"{TEST_HEAD}.npz")
    inside = tumour["labels"] == TUMOUR_LABEL
    volume = inside.sum() * 12.0**3
    assert volume == pytest.approx(4 / 3 * math.pi * 15.0**3, rel=0.5)  # eight voxels of 12 mm make no better sphere
    assert np.allclose(tumour["conductivity"][inside], 1.4)
    assert np.allclose(tumour["relative_permittivity"][inside], 73.0)
    assert (healthy["labels"][inside] > 0).all()
    assert np.array_equal(tumour["labels"][~inside], healthy["labels"][~inside])


def test_batches_are_functions_of_their_number(tiny_artifacts, tiny_settings):
    selected = TRAININGS["mask", "conductivity"].select(tiny_settings)
    slices = database_slices(tiny_artifacts[DATABASE.name], ("phantom_1", "first_M1"), selected)
    first, again = (batches_of(slices, selected, 5, "cpu") for _ in range(2))
    assert torch.equal(first(7)[0], again(7)[0])
    assert not torch.equal(first(7)[0], first(8)[0])


def test_a_saved_network_gives_the_recorded_numbers(tiny_artifacts, tiny_settings):
    """Reading the file, measuring with the stage's noise and averaging by hand is what Table 1 holds."""
    case = tiny_artifacts[DATABASE.name].arrays(f"{TEST_HEAD}.npz")
    rows = tiny_artifacts["dl_ept/table1"].json("table1.json")["rows"]
    row = next(
        r
        for r in rows
        if (r["case"], r["method"], r["region"], r["quantity"], r["erosion"])
        == (TEST_HEAD, "mask", "grey_matter", "conductivity", 0)
    )
    network = read_network(tiny_artifacts["dl_ept/mask_conductivity"])
    noiseless = measure_case(case, "mask", tiny_settings.measurement, 0)
    found = by_network(network, noiseless, tiny_settings.measurement.image_size).numpy()
    inside = case["labels"] == HEAD_TISSUES.index("grey_matter")
    assert row["n"] == inside.sum()
    assert row["mean"] == pytest.approx(found[inside].mean(), rel=0.05)  # another draw of noise of about 1 %


def test_exchanged_fields_change_the_maps(tiny_artifacts):
    document = tiny_artifacts["dl_ept/unseen_sets"].json("unseen_sets.json")
    for quantity in QUANTITIES:
        own, other = (document[quantity][f"tissue, {kind}"] for kind in ("own fields", "fields of another case"))
        assert own["nrmse"] != other["nrmse"]
        assert math.isfinite(slope_of(document, "tissue", quantity, "white_matter"))


def test_erosion_stops_where_too_few_voxels_remain():
    labels = np.zeros((20, 20, 20), dtype=np.uint8)
    label = HEAD_TISSUES.index("white_matter")
    labels[4:16, 4:16, 4:16] = label
    assert tissue_region(labels, "white_matter", 3).inside.sum() == 6**3
    assert tissue_region(labels, "white_matter", 3, least=6**3 + 1).erosion == 2
    assert tissue_region(labels, "white_matter", 3, least=12**3 + 1).erosion == 0


def test_every_decided_claim_is_in_the_ledger():
    from mrrepro.runs.ledger import Ledger

    entries = Ledger("dl_ept").entries
    attempted = {
        name.removeprefix("dl_ept.claim.")
        for name, entry in entries.items()
        if ".claim." in name and entry.status == "attempt"
    }
    assert set(CLAIMS) == attempted
    known = {variant.name for variant in VARIANTS}
    assert all(set(variants) <= known for variants, _ in CLAIMS.values())


def test_claims_without_recordings_are_left_out(tmp_path):
    assert RecordedSweeps("demo", tmp_path).claims() == {}


def test_every_stage_of_the_chapter_can_be_made_alone():
    """By `mrrepro run dl_ept --stages --only`, which knows the recipe's."""
    modules = [
        importlib.import_module(f"{dl_ept.__name__}.{found.name}") for found in pkgutil.iter_modules(dl_ept.__path__)
    ]
    known = [value for module in modules for value in vars(module).values() if isinstance(value, Stage)]
    assert {stage.name for stage in known} <= {stage.name for stage in STAGES}
    assert "dl_ept/held_out_fields" in {stage.name for stage in STAGES}
