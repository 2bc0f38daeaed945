"""What the recorded sweeps of DL-EPT say of its claims; the shipped networks are of them."""

from __future__ import annotations

import pytest

from mrrepro.metrics.evidence import points_of, undecided_of
from mrrepro.papers.dl_ept.evidence import CLAIMS, RecordedSweeps
from mrrepro.papers.dl_ept.field_reading import reads_fields
from mrrepro.papers.dl_ept.network_files import read_slice_network
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES
from mrrepro.papers.dl_ept.shipped import shipped_files
from mrrepro.runs.code import code_digest
from mrrepro.runs.ledger import Ledger

OF_FIELDS = {"noise_robust_at_100", "more_noise_robust_than_hept", "erroneous_at_snr_20", "transceive_phase_suffices"}


def test_every_attempted_claim_has_evidence_or_a_reason_why_none():
    sweeps = RecordedSweeps("demo")
    evidence, undecided = sweeps.claims(), undecided_of(sweeps, CLAIMS)
    assert set(undecided) == {"hept_mean_within_10_percent"}
    assert set(evidence) == set(CLAIMS) - set(undecided)
    seedless = evidence.pop("hept_errors_at_boundaries")
    assert (seedless.seeds, seedless.n_cases) == ((0,), 3)
    assert all(found.seeds == (0, 1, 2) for found in evidence.values())


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_recorded_networks_read_their_fields_so_that_something_is_said_of_noise(scale):
    sweeps = RecordedSweeps(scale)
    documents = sweeps.documents("headline", "unseen_sets", "unseen_sets")
    assert all(reads_fields(documents, method, q) for method in ("mask", "tissue") for q in QUANTITIES)
    decided = set(sweeps.claims()) | set(points_of(sweeps, CLAIMS))
    assert decided >= OF_FIELDS - ({"transceive_phase_suffices"} if scale == "paper" else set())
    assert "dl_ept.discussion.erroneous_snr" in {record.id for record in Ledger("dl_ept").records(scale)}


@pytest.mark.parametrize("third", ["mask", "tissue"])
def test_shipped_networks_are_those_of_the_recorded_training(third):
    run = next(run for run in RecordedSweeps("demo").runs("headline") if run["seed"] == 0)
    for path in shipped_files(third):
        network = read_slice_network(path)
        stage = f"dl_ept/{path.stem}"
        assert network.receipt["training_key"] == run["stages"][stage]["key"], "mrrepro ship dl_ept"
        assert network.receipt["code"] == {name: code_digest(name) for name in network.receipt["code"]}
        assert path.stat().st_size < 5e6
        assert "No medical device" in network.receipt["no_medical_device"]
