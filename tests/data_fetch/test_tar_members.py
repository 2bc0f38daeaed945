"""Subjects come out of a large tar on a server without the rest of it."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest
from misbehaving_server import Good, ignores_ranges, page, status, wrong_range
from tiny_files import nifti_bytes, tar_bytes

from data_fetch import errors
from data_fetch.datasets.ixi_pd import DATASET, TAR, TarSource, belongs

pytest.importorskip("nibabel", reason="nibabel is not installed: NIfTI cannot be read")
SUBJECTS = ["IXI002-Guys-0828", "IXI012-HH-1211", "IXI013-HH-1212", "IXI034-HH-1260"]


def image(number: int) -> bytes:
    return gzip.compress(nifti_bytes(np.full((2, 3, 4), number, np.int16), np.diag([1.0, 1.0, 1.2, 1.0])), mtime=0)


@pytest.fixture
def members() -> dict[str, bytes]:
    """Four subjects, and a megabyte of ballast before each."""
    noise = np.random.default_rng(0)
    held: dict[str, bytes] = {}
    for number, subject in enumerate(SUBJECTS):
        held[f"ballast-{number}"] = noise.bytes(1 << 20)
        held[f"{subject}-PD.nii.gz"] = image(number)
    return held


@pytest.fixture
def source(server):
    def make(archive: bytes, *answers, size: int | None = None) -> TarSource:
        url = server.on("/IXI-PD.tar", *answers or [Good(archive)])
        return TarSource(DATASET, replace(TAR, url=url, size=size or len(archive)), "-PD.nii.gz")

    return make


def sent(server) -> int:
    return sum(seen.sent for seen in server.requests)


def test_one_subject_travels_alone(source, server, store, members) -> None:
    archive = tar_bytes(members)
    subject = source(archive).load("IXI013", store)
    assert np.array_equal(subject.images["PD"].values, np.full((2, 3, 4), 2))
    assert subject.images["PD"].geometry.voxel_size == pytest.approx((1e-3, 1e-3, 1.2e-3))
    assert subject.provenance.subject == "IXI013-HH-1212"
    assert sent(server) < 100_000 < len(archive)
    assert sorted(path.name for path in (store.cache / "ixi_pd").iterdir()) == [
        "IXI013-HH-1212-PD.nii.gz",
        "IXI013-HH-1212-PD.nii.gz.sha256",
        "order.txt",
    ]


def test_what_is_here_needs_no_network(source, server, store, members) -> None:
    ixi = source(tar_bytes(members))
    first = ixi.get(["first:2"], store)
    assert [path.name.removesuffix("-PD.nii.gz") for path in first] == SUBJECTS[:2]
    asked = len(server.requests)
    assert ixi.get(["first:2"], store) == first
    assert ixi.get(["IXI012", "IXI002-Guys-0828"], store) == first[::-1]
    assert len(server.requests) == asked
    assert ixi.subjects(store) == tuple(SUBJECTS[:2])


def test_all_subjects_and_more_than_there_are(source, store, members) -> None:
    ixi = source(tar_bytes(members))
    assert len(ixi.get([], store)) == 4
    assert len(ixi.get(["first:9"], store)) == 4
    with pytest.raises(ValueError, match="IXI999"):
        ixi.get(["IXI002", "IXI999"], store)
    with pytest.raises(ValueError, match="first:N"):
        ixi.get(["first:0"], store)


def test_a_server_without_ranges_is_read_through_once(source, server, store, members) -> None:
    archive = tar_bytes(members)
    ixi = source(archive, ignores_ranges(archive))
    assert len(ixi.get(["IXI012", "IXI034"], store)) == 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("trouble", ["cut", "503", "stall", "another range"])
def test_trouble_on_the_way_is_overcome(trouble, source, store, members) -> None:
    archive = tar_bytes(members)
    troubles = {"cut": Good(archive, cut_after=100), "503": status(503), "stall": Good(archive, stall_after=100)}
    bad = (troubles | {"another range": wrong_range(archive)})[trouble]
    ixi = source(archive, Good(archive), bad, Good(archive), bad, bad, Good(archive))
    assert ixi.load("IXI034", store).images["PD"].values[0, 0, 0] == 3


def test_a_server_that_stays_broken_leaves_nothing_wrong(source, store, members) -> None:
    archive = tar_bytes(members)
    ixi = source(archive, *[Good(archive)] * 4, status(503))
    with pytest.raises(errors.ServerTrouble):
        ixi.get([], store)
    assert not list((store.cache / "ixi_pd").glob("*.part"))
    ixi = source(archive)
    assert len(ixi.get([], store)) == 4


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("other size", errors.WrongSize),
        ("page", errors.WebPageInstead),
        ("absent", errors.NotFound),
        ("no tar", errors.UnreadableFile),
        ("damaged member", errors.UnreadableFile),
        ("cut archive", errors.UnreadableFile),
    ],
)
def test_what_is_wrong_is_told(case, kind, source, store, members) -> None:
    if case == "damaged member":
        broken = bytearray(members["IXI012-HH-1211-PD.nii.gz"])
        broken[len(broken) // 2] ^= 255
        members["IXI012-HH-1211-PD.nii.gz"] = bytes(broken)
    archive = tar_bytes(members)
    if case == "cut archive":  # in the middle of the ballast before the fourth subject, and the size agrees
        archive = archive[: 3 * (1 << 20) + 500_000]
    cases = {
        "other size": lambda: source(archive, size=len(archive) + 512),
        "page": lambda: source(archive, page("Log in")),
        "absent": lambda: source(archive, status(404)),
        "no tar": lambda: source(bytes([7]) * 5000),
    }
    ixi = cases.get(case, lambda: source(archive))()
    with pytest.raises(kind):
        ixi.get(["IXI012", "IXI034"], store)
    assert not (store.cache / "ixi_pd" / "IXI034-HH-1260-PD.nii.gz").exists()
    if case != "cut archive":
        assert not (store.cache / "ixi_pd" / "IXI012-HH-1211-PD.nii.gz").exists()


def test_damage_on_this_disk_is_found_by_the_kept_digest(source, store, members) -> None:
    ixi = source(tar_bytes(members))
    path = ixi.get(["IXI002"], store)[0]
    assert [state.state for state in ixi.states(store)] == ["fine"]
    path.write_bytes(image(9))  # a whole file, but another one
    state = ixi.states(store)[0]
    assert state.state == "refused"
    assert "wrong checksum" in state.message
    assert not path.exists()


def test_a_mirrored_archive_is_used_in_place_of_the_server(source, server, store, members, tmp_path) -> None:
    archive = tar_bytes(members)
    ixi = source(archive)
    (tmp_path / "mirror" / "ixi_pd").mkdir(parents=True)
    (tmp_path / "mirror" / "ixi_pd" / "IXI-PD.tar").write_bytes(archive)
    mirrored = replace(store, mirror=tmp_path / "mirror")
    assert ixi.load("IXI034", mirrored).images["PD"].values[0, 0, 0] == 3
    assert not server.requests
    states = {state.local: state.state for state in ixi.states(mirrored)}
    assert states == {"IXI034-HH-1260-PD.nii.gz": "fine", "ixi_pd/IXI-PD.tar": "refused"}, "the MD5 is not IXI's"


def test_names_of_subjects() -> None:
    assert belongs("IXI012-HH-1211", "IXI012")
    assert belongs("IXI012-HH-1211", "IXI012-HH-1211")
    assert not belongs("IXI012-HH-1211", "IXI01")
    assert not belongs("IXI012-HH-1211", "IXI012-HH")
