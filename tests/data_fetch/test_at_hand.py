"""What is here and what is missing, told without a byte of traffic."""

from __future__ import annotations

import gzip
import shutil

import numpy as np
import pytest
from tiny_files import nifti_bytes, write_series

import data_fetch
from data_fetch import at_hand
from data_fetch.kept import keep_digest
from data_fetch.registry import subject_files
from data_fetch.store import Store

pytest.importorskip("nibabel", reason="nibabel is not installed: NIfTI cannot be read")


@pytest.fixture
def here(tmp_path) -> Store:
    return Store(tmp_path / "cache")


def write_person(folder, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.nii.gz"
    path.write_bytes(gzip.compress(nifti_bytes(np.ones((2, 3, 4), np.int16), np.eye(4)), mtime=0))
    keep_digest(path)


def test_missing_subjects_are_said_with_size_and_command(here) -> None:
    found = at_hand("open_ms", ("01", "02"), here)
    assert not found.complete
    assert "subjects 01, 02 not at hand (about 33 MB)" in found.sentence(), "two thirtieths of 490 MB"
    assert "mrrepro data get open_ms --subjects 01,02" in found.sentence()


def test_sizes_that_the_registry_has_are_added(here) -> None:
    found = at_hand("synthseg_heads", ("01", "02"), here)
    sizes = [subject_files("synthseg_heads", name)["labels"].size for name in ("01", "02")]
    assert found.bytes_missing == sum(size or 0 for size in sizes) > 3_000_000


def test_an_account_is_named_with_its_page(here) -> None:
    sentence = at_hand("egd", ("first:2",), here).sentence()
    assert "needs an account, asked for at https://xnat.bmia.nl" in sentence
    assert "mrrepro data get egd --subjects first:2" in sentence
    assert "own terms" in at_hand("ucsf_pdgm", ("UCSF-PDGM-0004",), here).sentence()


def test_a_damaged_file_is_refused_and_said(here) -> None:
    file = subject_files("hcp_mni152", "2mm")["T1"]
    (here.cache / file.local).parent.mkdir(parents=True)
    (here.cache / file.local).write_bytes(b"\x1f\x8b not the template")
    found = at_hand("hcp_mni152", ("2mm",), here)
    assert not found.complete
    assert "wrong" in found.sentence()


def test_people_of_the_erasmus_database_are_counted_in_order(here) -> None:
    for subject in ("EGD-0007", "EGD-0002"):
        for role in ("T1", "T2", "FLAIR", "T1GD", "MASK"):
            write_person(here.cache / "egd" / "SUBJECTS" / subject, role)
    found = at_hand("egd", ("first:1",), here)
    assert found.complete
    assert {file.path.parent.name for file in found.files} == {"EGD-0002"}
    assert all(here.cache / file.local == file.path for file in found.files)
    assert not at_hand("egd", ("first:3",), here).complete
    shutil.rmtree(here.cache / "egd" / "SUBJECTS" / "EGD-0002")
    assert {file.path.parent.name for file in at_hand("egd", ("first:1",), here).files} == {"EGD-0007"}


def test_members_of_the_tar_that_are_here(here) -> None:
    for name in ("IXI012-HH-1211", "IXI013-HH-1212"):
        write_person(here.cache / "ixi_pd", f"{name}-PD")
    (here.cache / "ixi_pd" / "order.txt").write_text("IXI012-HH-1211\nIXI013-HH-1212\n")
    assert [file.role for file in at_hand("ixi_pd", ("first:2",), here).files] == ["PD", "PD"]
    assert at_hand("ixi_pd", ("IXI013",), here).complete
    missing = at_hand("ixi_pd", ("first:4",), here)
    assert not missing.complete
    assert "28 MB" in missing.sentence()


def test_unknown_names_are_refused(here) -> None:
    with pytest.raises(ValueError, match="name must be one of"):
        at_hand("nonsense", ("01",), here)
    with pytest.raises(ValueError, match="subject must be one of"):
        at_hand("open_ms", ("99",), here)


def test_every_data_set_can_say_what_is_here(here) -> None:
    """Again and again in one process, and with an empty cache: nothing is there and nothing is asked of a server."""
    for name in (*data_fetch.names(), *data_fetch.names()):
        subject = {"egd": "first:1", "ixi_pd": "IXI012", "ucsf_pdgm": "UCSF-PDGM-0004", "brats": "BraTS2021_00002"}.get(
            name
        ) or data_fetch.subjects(name, here)[0]
        found = data_fetch.at_hand(name, (subject,), here)
        assert (found.complete, found.files, found.missing) == (False, (), (subject,)), name
        assert name in found.sentence()


def test_slices_that_are_here_are_found(here) -> None:
    """Both sets of DICOM series, where they lie; one slice short, or one wrong, and the patient is missing."""
    pytest.importorskip("pydicom", reason="pydicom is not installed: DICOM cannot be written")
    slices = []
    for role in ("T1", "T2"):
        write_series(here.cache / "tcga_gbm" / "TCGA-14-1794" / role, np.zeros((3, 2, 2)))
        slices.extend(f"tcga_gbm/TCGA-14-1794/{role}/{name}" for name in ("001.dcm", "002.dcm", "003.dcm"))
    found = at_hand("tcga_gbm", ("TCGA-14-1794", "TCGA-02-0006"), here)
    assert [(file.local, here.cache / file.local == file.path) for file in found.files] == [(x, True) for x in slices]
    assert found.missing == ("TCGA-02-0006",)
    breast = here.cache / "rider_breast" / "RIDER-1125105682"
    write_series(breast, np.zeros((60, 2, 2)))
    for path in breast.iterdir():
        keep_digest(path)
    found = at_hand("rider_breast", ("RIDER-1125105682",), here)
    assert found.complete
    assert {file.local.rpartition("/")[0] for file in found.files} == {"rider_breast/RIDER-1125105682"}
    damaged = next(path for path in breast.iterdir() if path.suffix == ".dcm")
    damaged.write_bytes(damaged.read_bytes() + b"x")
    found = at_hand("rider_breast", ("RIDER-1125105682",), here)
    assert (found.complete, found.files) == (False, ())
    assert "wrong checksum" in found.sentence()
    assert not at_hand("rider_breast", ("RIDER-1125105682",), here).complete, "59 slices are left"
