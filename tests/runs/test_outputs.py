"""What every report of an applied method holds."""

from __future__ import annotations

import errno
import hashlib
import json
import os

import pytest

from mrrepro.runs.outputs import applied_report, report_path, write_together


def test_inputs_of_one_name_keep_a_checksum_each(tmp_path):
    """Files that a scanner calls alike lie in folders of their own."""
    inputs = {"t1": tmp_path / "t1" / "image.nii", "t2": tmp_path / "t2" / "image.nii"}
    for role, path in inputs.items():
        path.parent.mkdir()
        path.write_text(role)
    report = applied_report("a map", inputs, {"map": tmp_path / "map.nii.gz"}, ["Look twice."])
    assert report["inputs"] == {
        role: {"file": "image.nii", "sha256": hashlib.sha256(role.encode()).hexdigest()} for role in inputs
    }
    assert (report["outputs"], report["warnings"]) == ({"map": "map.nii.gz"}, ["Look twice."])
    assert "No medical device" in report["no_medical_device"]
    write_together({tmp_path / "map.json": report, tmp_path / "map.nii": b"map"})
    assert json.loads((tmp_path / "map.json").read_text()) == report
    assert (tmp_path / "map.nii").read_bytes() == b"map"


@pytest.mark.parametrize("name", ["map.nii", "map.nii.gz"])
def test_a_report_lies_beside_its_image(tmp_path, name):
    assert report_path(tmp_path / name) == tmp_path / "map.json"


def test_a_disk_that_is_full_at_the_second_file_leaves_neither(tmp_path, monkeypatch):
    """Small files fit into the system's buffers: that the disk is full shows when they are flushed."""
    flush, flushed = os.fsync, []

    def flush_once(handle):
        flushed.append(handle)
        if len(flushed) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(handle)

    (tmp_path / "map.json").write_text("of the run before")
    monkeypatch.setattr(os, "fsync", flush_once)
    with pytest.raises(ValueError, match="cannot write .*choose a folder with room"):
        write_together({tmp_path / "map.nii": b"map", tmp_path / "map.json": {"map": 1}})
    assert [path.name for path in tmp_path.iterdir()] == ["map.json"]
    assert (tmp_path / "map.json").read_text() == "of the run before"
