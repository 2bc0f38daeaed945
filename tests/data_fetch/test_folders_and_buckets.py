"""Data sets from a reader's own folder, from a public bucket, and by idc-index."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from misbehaving_server import Good
from tiny_files import dicom_bytes, write_nifti, write_series

from data_fetch import errors
from data_fetch.datasets import brats, rider_breast, tcga_gbm, ucsf_pdgm
from data_fetch.s3 import list_folder
from data_fetch.tumour_labels import enhancing_tumour, tumour_core, whole_tumour

pytest.importorskip("nibabel", reason="nibabel is not installed: NIfTI cannot be read")
needs_pydicom = pytest.mark.skipif(
    importlib.util.find_spec("pydicom") is None, reason="pydicom is not installed: DICOM cannot be read"
)
IMAGE = np.zeros((2, 2, 2), np.int16)


def tumour(*labels: int) -> np.ndarray:
    return np.array([0, *labels, *[0] * (7 - len(labels))], np.uint8).reshape(2, 2, 2)


def test_the_same_number_means_two_things_in_brats(store) -> None:
    """Enhancing tumour is 4 until 2021 and 3 from 2023; the layout of the folder decides."""
    old = store.cache / "brats" / "2021" / "BraTS2021_00002"
    for role in ("t1", "t1ce", "t2", "flair"):
        write_nifti(old / f"BraTS2021_00002_{role}.nii.gz", IMAGE)
    write_nifti(old / "BraTS2021_00002_seg.nii.gz", tumour(1, 2, 2, 4))
    new = store.cache / "brats" / "BraTS-GLI-00003-000"
    for role in ("t1n", "t1c", "t2w", "t2f"):
        write_nifti(new / f"BraTS-GLI-00003-000-{role}.nii.gz", IMAGE)
    write_nifti(new / "BraTS-GLI-00003-000-seg.nii.gz", tumour(1, 2, 3, 3))
    assert set(brats.SOURCE.subjects(store)) == {"BraTS2021_00002", "BraTS-GLI-00003-000"}
    first = brats.SOURCE.load("BraTS2021_00002", store).labels["tumour"]
    second = brats.SOURCE.load("BraTS-GLI-00003-000", store).labels["tumour"]
    assert (first.convention, second.convention) == ("BraTS until 2021", "BraTS from 2023")
    assert [int(region(first).sum()) for region in (whole_tumour, tumour_core, enhancing_tumour)] == [4, 2, 1]
    assert [int(region(second).sum()) for region in (whole_tumour, tumour_core, enhancing_tumour)] == [4, 3, 2]
    assert len(brats.SOURCE.get([], store)) == 10
    assert {state.state for state in brats.SOURCE.states(store)} == {"fine"}
    next(old.iterdir()).unlink()
    found = brats.SOURCE.states(store)
    assert [(state.local, state.state) for state in found if state.state != "fine"] == [("BraTS2021_00002", "refused")]
    assert len([state for state in found if state.state == "fine"]) == 5  # the other subject is told all the same


def test_a_label_of_the_other_convention_is_refused(store) -> None:
    place = store.cache / "brats" / "BraTS2021_00002"
    for role in ("t1", "t1ce", "t2", "flair"):
        write_nifti(place / f"BraTS2021_00002_{role}.nii.gz", IMAGE)
    write_nifti(place / "BraTS2021_00002_seg.nii.gz", tumour(3))
    with pytest.raises(errors.UnreadableFile, match=r"\[3\] are not in the convention BraTS until 2021"):
        brats.SOURCE.load("BraTS2021_00002", store)


def test_ucsf_pdgm_from_a_folder(store) -> None:
    place = store.cache / "ucsf_pdgm" / "UCSF-PDGM-v3" / "UCSF-PDGM-0004_nifti"
    for role in ("T1", "T1c", "T2", "FLAIR", "T1_bias"):
        write_nifti(place / f"UCSF-PDGM-0004_{role}.nii.gz", IMAGE)
    write_nifti(place / "UCSF-PDGM-0004_tumor_segmentation.nii.gz", tumour(1, 2, 4))
    subject = ucsf_pdgm.SOURCE.load("UCSF-PDGM-0004", store)
    assert set(subject.images) == {"T1", "T1c", "T2", "FLAIR"}
    assert enhancing_tumour(subject.labels["tumour"]).sum() == 1
    (place / "UCSF-PDGM-0004_T1c.nii.gz").unlink()
    with pytest.raises(errors.NotAtHand, match=r"UCSF-PDGM-0004_T1c\.nii\.gz missing"):
        ucsf_pdgm.SOURCE.load("UCSF-PDGM-0004", store)


@pytest.mark.parametrize("source", [brats.SOURCE, ucsf_pdgm.SOURCE])
def test_without_a_folder_the_page_is_named(source, store) -> None:
    with pytest.raises(errors.NotAtHand, match=source.dataset.page):
        source.load("any", store)
    assert source.states(store) == []
    (store.cache / source.dataset.name).mkdir(parents=True)
    with pytest.raises(errors.NotAtHand, match="holds no folder"):
        source.subjects(store)


SLICES = {f"{n}.dcm": dicom_bytes(np.full((3, 4), n), (0.0, 0.0, 2.0 * n)) for n in range(4)}
LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>{cut}</IsTruncated>{rows}</ListBucketResult>"""


def bucket_listing(slices: dict[str, bytes], cut: str = "false", etag: str | None = None) -> bytes:
    row = "<Contents><Key>uuid/{}</Key><ETag>&quot;{}&quot;</ETag><Size>{}</Size></Contents>"
    rows = [row.format(name, etag or hashlib.md5(raw).hexdigest(), len(raw)) for name, raw in slices.items()]
    return LISTING.format(cut=cut, rows="".join(rows)).encode()


@pytest.fixture
def breast(server) -> rider_breast.BucketSource:
    server.on("/", Good(bucket_listing(SLICES), headers={"Content-Type": "application/xml"}))
    for name, raw in SLICES.items():
        server.on(f"/uuid/{name}", Good(raw))
    return rider_breast.BucketSource(rider_breast.DATASET, server.url(""), {"RIDER-1": "uuid"}, 4)


@needs_pydicom
def test_a_series_comes_from_a_bucket(breast, server, store) -> None:
    subject = breast.load("RIDER-1", store)
    assert np.array_equal(subject.images["anatomical"].values[0, 0], [0, 1, 2, 3])
    assert len(subject.provenance.files) == 4
    asked = len(server.requests)
    breast.load("RIDER-1", store)
    assert len(server.requests) == asked, "what is here needs no network"
    assert [state.state for state in breast.states(store)] == ["fine"] * 4
    damaged = store.cache / "rider_breast" / "RIDER-1" / "2.dcm"
    damaged.write_bytes(damaged.read_bytes() + b"x")
    breast.load("RIDER-1", store)
    assert damaged.read_bytes() == SLICES["2.dcm"]


def test_a_bucket_that_changed_is_told(breast, server, store) -> None:
    server.on("/", Good(bucket_listing(dict(list(SLICES.items())[:3]))))
    with pytest.raises(errors.UnexpectedAnswer, match="3 files now, not 4"):
        breast.get([], store)
    server.on("/uuid/2.dcm", Good(SLICES["1.dcm"]))
    server.on("/", Good(bucket_listing(SLICES)))
    with pytest.raises(errors.WrongChecksum):
        breast.get([], store)
    with pytest.raises(ValueError, match="subject must be one of RIDER-1"):
        breast.get(["RIDER-2"], store)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (bucket_listing({}), errors.NotFound),
        (bucket_listing(SLICES, cut="true"), errors.UnexpectedAnswer),
        (bucket_listing(SLICES, etag="0123456789abcdef0123456789abcdef-2"), errors.UnexpectedAnswer),
        (b"<html><body>hello</body>", errors.UnexpectedAnswer),
    ],
    ids=["nothing", "cut off", "no md5", "no listing"],
)
def test_a_listing_that_cannot_be_used_is_told(body, kind, server, store) -> None:
    server.on("/", Good(body))
    with pytest.raises(kind):
        list_folder(server.url(""), "uuid/", store.patience)


def imitation_of_idc_index(series: dict[str, str], asked: list[str]) -> ModuleType:
    """Give the two calls that are used, with the signatures of idc-index 0.13."""

    class IDCClient:
        def sql_query(self, sql_query: str) -> dict[str, list[str]]:
            asked.append(sql_query)
            return {"SeriesInstanceUID": list(series), "SeriesDescription": list(series.values())}

        def download_dicom_series(
            self, seriesInstanceUID, downloadDir, dry_run=False, quiet=True, show_progress_bar=True, dirTemplate="%x"
        ) -> None:
            from pathlib import Path

            assert dirTemplate is None
            write_series(Path(downloadDir), np.full((3, 2, 2), len(seriesInstanceUID)), series=seriesInstanceUID)

    module = ModuleType("idc_index")
    module.IDCClient = IDCClient
    return module


@needs_pydicom
def test_series_come_by_idc_index(store, monkeypatch) -> None:
    asked: list[str] = []
    held = {"1.2": "AX T1 ", "1.2.3": "AX T2 FSE", "1.2.3.4": "AX T1 POST"}
    monkeypatch.setitem(sys.modules, "idc_index", imitation_of_idc_index(held, asked))
    subject = tcga_gbm.SOURCE.load("TCGA-02-0006", store)
    assert {role: volume.values[0, 0, 0] for role, volume in subject.images.items()} == {"T1": 3, "T2": 5}
    assert len(subject.provenance.files) == 6
    assert "TCGA-02-0006" in asked[0]
    monkeypatch.setitem(sys.modules, "idc_index", None)
    assert tcga_gbm.SOURCE.load("TCGA-02-0006", store).on_one_grid
    assert {state.state for state in tcga_gbm.SOURCE.states(store)} == {"fine"}


def test_series_that_the_index_does_not_list_are_told(store, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "idc_index", imitation_of_idc_index({}, []))
    with pytest.raises(errors.NotAtHand, match=r"controlled access.*cancerimagingarchive"):
        tcga_gbm.SOURCE.get(["TCGA-19-0963"], store)
    assert not list(store.cache.rglob("*.dcm"))


def test_without_idc_index_the_way_is_named(store, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "idc_index", None)
    with pytest.raises(errors.MissingPackage, match="pip install idc-index"):
        tcga_gbm.SOURCE.load("TCGA-14-1794", store)


@needs_pydicom
def test_slices_that_the_reader_brought_are_read(store, tmp_path) -> None:
    mirrored = replace(store, mirror=tmp_path / "mirror")
    for role in ("T1", "T2"):
        write_series(tmp_path / "mirror" / "tcga_gbm" / "TCGA-14-1794" / role, np.zeros((3, 2, 2)))
    assert set(tcga_gbm.SOURCE.load("TCGA-14-1794", mirrored).images) == {"T1", "T2"}


@needs_pydicom
def test_series_that_another_process_brought_are_not_fetched_again(store, monkeypatch) -> None:
    """Whoever waited for the other looks again before it asks the index."""

    @contextmanager
    def locked(local, store):
        write_series(store.cache / local, np.zeros((3, 2, 2)))
        yield

    monkeypatch.setattr(tcga_gbm, "locked", locked)
    monkeypatch.setitem(sys.modules, "idc_index", None)
    assert len(tcga_gbm.SOURCE.get(["TCGA-14-1794"], store)) == 6
