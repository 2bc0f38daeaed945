"""EGD over an imitation of XNAT: what is fetched, and that a password shows up nowhere."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from misbehaving_server import Good, page, redirect, serving, status
from tiny_files import nifti_bytes

from data_fetch import errors
from data_fetch.credentials import Credentials, find_credentials
from data_fetch.datasets.egd import DATASET, XnatSource
from data_fetch.tumour_labels import enhancing_tumour, whole_tumour

pytest.importorskip("nibabel", reason="nibabel is not installed: NIfTI cannot be read")
USER, PASSWORD = "reader", "correct horse battery staple"
AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SUBJECT = "EGD-0001"
PLACE = f"/data/projects/egd/subjects/{SUBJECT}"


def listing(rows: list[dict[str, str]]):
    return Good(json.dumps({"ResultSet": {"Result": rows}}).encode(), headers={"Content-Type": "application/json"})


def guarded(answer):
    """Answer only who brings the right header."""

    def check(handler) -> None:
        (answer if handler.headers["Authorization"] == AUTHORIZATION else status(401))(handler)

    return check


def volumes() -> dict[str, bytes]:
    def packed(array: np.ndarray) -> bytes:
        return gzip.compress(nifti_bytes(array, np.eye(4)), mtime=0)

    held = {role: packed(np.full((2, 3, 4), n, np.float32)) for n, role in enumerate(("T1", "T2", "FLAIR", "T1GD"))}
    return held | {"MASK": packed((np.arange(24).reshape(2, 3, 4) > 20).astype(np.uint8))}


@pytest.fixture
def egd(server) -> XnatSource:
    """Lay the imitation out as EGD's own downloader expects it: experiment MR_<id>, resource NIFTI, <type>.nii.gz."""
    held = volumes()
    server.on("/data/projects/egd/subjects", guarded(listing([{"ID": "S1", "label": SUBJECT}])))
    scans = [{"ID": str(n), "type": role, "quality": "usable"} for n, role in enumerate([*held, "LOCALIZER"])]
    server.on(f"{PLACE}/experiments/MR_{SUBJECT}/scans", guarded(listing(scans)))
    for number, (role, content) in enumerate(held.items()):
        files = f"{PLACE}/experiments/MR_{SUBJECT}/scans/{number}/resources/NIFTI/files"
        digest = hashlib.md5(content).hexdigest()
        row = {"Name": f"{role}.nii.gz", "Size": str(len(content)), "digest": digest if role != "T2" else ""}
        server.on(files, guarded(listing([row])))
        server.on(f"{files}/{role}.nii.gz", guarded(Good(content)))
    metadata = json.dumps({"Clinical_data": {"Age": 54}}).encode()
    row = {"Name": "metadata.json", "Size": str(len(metadata)), "digest": hashlib.md5(metadata).hexdigest()}
    server.on(f"{PLACE}/resources/METADATA/files", guarded(listing([row])))
    server.on(f"{PLACE}/resources/METADATA/files/metadata.json", guarded(Good(metadata)))
    return XnatSource(DATASET, server.url(""), "egd")


@pytest.fixture
def account(monkeypatch) -> None:
    monkeypatch.setenv("MRREPRO_XNAT_USER", USER)
    monkeypatch.setenv("MRREPRO_XNAT_PASSWORD", PASSWORD)


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def assert_secret(text: str | bytes) -> None:
    plain = text.decode("latin-1") if isinstance(text, bytes) else text
    for secret in (PASSWORD, AUTHORIZATION.removeprefix("Basic ")):
        assert secret not in plain


@pytest.mark.usefixtures("account")
def test_a_subject_is_loaded_and_the_password_is_stored_nowhere(egd, store, caplog, capfd) -> None:
    with caplog.at_level(logging.DEBUG):
        subject = egd.load(SUBJECT, store)
    assert [subject.images[role].values[0, 0, 0] for role in ("T1", "T2", "FLAIR", "T1GD")] == [0, 1, 2, 3]
    assert whole_tumour(subject.labels["tumour"]).sum() == 3
    assert subject.metadata == {"Clinical_data": {"Age": 54}}
    assert subject.on_one_grid
    assert len(subject.provenance.files) == 6
    with pytest.raises(ValueError, match="EGD, which marks the whole tumour only"):
        enhancing_tumour(subject.labels["tumour"])
    assert_secret(everything_below(store.cache))
    assert_secret(caplog.text)
    assert_secret("".join(capfd.readouterr()))


@pytest.mark.usefixtures("account")
def test_what_is_here_needs_no_account(egd, server, store, monkeypatch) -> None:
    egd.load(SUBJECT, store)
    monkeypatch.delenv("MRREPRO_XNAT_USER")
    asked = len(server.requests)
    egd.load(SUBJECT, store)
    assert len(server.requests) == asked
    assert {state.state for state in egd.states(store)} == {"fine"}
    (store.cache / "egd" / "SUBJECTS" / SUBJECT / "T1.nii.gz").write_bytes(volumes()["T2"])
    assert [state.state for state in egd.states(store)].count("refused") == 1
    with pytest.raises(errors.NotAtHand, match="account"):
        egd.load(SUBJECT, store)


def test_without_credentials_the_page_to_ask_is_named(egd, store) -> None:
    with pytest.raises(errors.NotAtHand, match=r"xnat\.bmia\.nl/data/archive/projects/egd") as caught:
        egd.load(SUBJECT, store)
    assert "MRREPRO_XNAT_USER" in str(caught.value)
    assert "netrc" in str(caught.value)


def test_credentials_come_from_netrc(egd, store, monkeypatch, tmp_path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f'machine 127.0.0.1 login {USER} password "{PASSWORD}"\n')
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert egd.subjects(store) == (SUBJECT,)
    netrc.write_text("machine other.org login a password b\n")
    with pytest.raises(errors.NotAtHand):
        egd.subjects(store)
    netrc.write_text(f"machine 127.0.0.1 login {USER} word {PASSWORD}\n")
    with pytest.raises(errors.NotAtHand, match="cannot be read") as caught:
        egd.subjects(store)
    assert_secret(str(caught.value))


@pytest.mark.usefixtures("account")
def test_a_refused_password_is_told_and_not_shown(egd, store, monkeypatch) -> None:
    monkeypatch.setenv("MRREPRO_XNAT_USER", "other")
    with pytest.raises(errors.AccessRefused, match="account") as caught:
        egd.load(SUBJECT, store)
    assert_secret("".join(map(str, (caught.value, caught.getrepr(showlocals=True)))))


@pytest.mark.usefixtures("account")
def test_credentials_do_not_follow_a_redirect(egd, server, store) -> None:
    """The file is redirected to another server, which gets the request and not the password."""
    content = volumes()["T1"]
    with serving() as other:
        other.on("/elsewhere", Good(content))
        files = f"{PLACE}/experiments/MR_{SUBJECT}/scans/0/resources/NIFTI/files/T1.nii.gz"
        server.on(files, guarded(redirect(other.url("/elsewhere"))))
        egd.load(SUBJECT, store)
        assert [seen.authorization for seen in other.requests] == [None]


@pytest.mark.usefixtures("account")
def test_a_login_page_in_place_of_a_listing_is_told(egd, server, store) -> None:
    server.on("/data/projects/egd/subjects", page("XNAT sign in"))
    with pytest.raises(errors.WebPageInstead, match="XNAT sign in"):
        egd.subjects(store)
    server.on("/data/projects/egd/subjects", Good(b"[1, 2]"))
    with pytest.raises(errors.UnexpectedAnswer, match="no XNAT listing"):
        egd.subjects(store)


@pytest.mark.usefixtures("account")
def test_a_wrong_md5_is_refused(egd, server, store) -> None:
    files = f"{PLACE}/experiments/MR_{SUBJECT}/scans/0/resources/NIFTI/files"
    server.on(f"{files}/T1.nii.gz", Good(volumes()["T1"][:-1] + b"x"))
    with pytest.raises(errors.WrongChecksum, match="md5"):
        egd.load(SUBJECT, store)
    assert not (store.cache / "egd" / "SUBJECTS" / SUBJECT / "T1.nii.gz").exists()


@pytest.mark.usefixtures("account")
def test_without_an_md5_a_damaged_volume_is_refused(egd, server, store) -> None:
    broken = bytearray(volumes()["T2"])
    broken[-5] ^= 1  # in the CRC-32 at the end
    files = f"{PLACE}/experiments/MR_{SUBJECT}/scans/1/resources/NIFTI/files"
    server.on(f"{files}/T2.nii.gz", Good(bytes(broken)))
    with pytest.raises(errors.UnreadableFile, match="damaged"):
        egd.load(SUBJECT, store)
    assert not (store.cache / "egd" / "SUBJECTS" / SUBJECT / "T2.nii.gz").exists()


@pytest.mark.usefixtures("account")
def test_a_scan_that_is_not_listed_is_told(egd, server, store) -> None:
    server.on(f"{PLACE}/experiments/MR_{SUBJECT}/scans", listing([{"ID": "0", "type": "T1"}]))
    with pytest.raises(errors.NotFound, match="T2, FLAIR, T1GD, MASK"):
        egd.load(SUBJECT, store)
    with pytest.raises(ValueError, match="subject must be a label"):
        egd.load("../other", store)


def test_a_password_goes_over_https_only() -> None:
    credentials = Credentials(USER, PASSWORD)
    assert credentials.header("https://xnat.org")["Authorization"] == AUTHORIZATION
    with pytest.raises(errors.AccessRefused, match="https only"):
        credentials.header("http://xnat.org")
    assert_secret(repr(credentials))
    assert USER not in repr(credentials)


@pytest.mark.usefixtures("account")
def test_the_environment_goes_before_netrc(tmp_path, monkeypatch) -> None:
    (tmp_path / "netrc").write_text("machine xnat.org login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert find_credentials("https://xnat.org", "page") == Credentials(USER, PASSWORD)


def test_a_folder_that_the_own_downloader_filled_is_read(store, tmp_path) -> None:
    place = tmp_path / "mirror" / "egd" / "SUBJECTS" / SUBJECT
    place.mkdir(parents=True)
    for role, content in volumes().items():
        (place / f"{role}.nii.gz").write_bytes(content)
    mirrored = replace(store, mirror=tmp_path / "mirror")
    subject = XnatSource(DATASET, "https://xnat.invalid", "egd").load(SUBJECT, mirrored)
    assert set(subject.images) == {"T1", "T2", "FLAIR", "T1GD"}
