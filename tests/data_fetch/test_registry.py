"""The registry and the records: complete, consistent, and honest about what they do not know."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import data_fetch
from data_fetch.datasets import SOURCES
from data_fetch.head_labels import HEAD_LABELS
from data_fetch.registry import registered_files, subject_files
from data_fetch.sources import RegisteredSource

REGISTERED = [name for name, source in SOURCES.items() if isinstance(source, RegisteredSource)]
EXPECTED_FILES = {
    "synthseg_heads": 20,
    "eptlib_tutorial": 1,
    "hcp_mni152": 4,
    "open_ms": 150,
    "tcga_fg_6692": 9,
    "tcga_du_7294": 4,
    "ds004917": 104,
    "kirby21": 6,
}


def test_the_data_sets_that_the_chapters_need_are_there() -> None:
    needed = {"synthseg_heads", "eptlib_tutorial", "hcp_mni152", "open_ms", "tcga_fg_6692", "ds004917", "ixi_pd", "egd"}
    assert needed | {"ucsf_pdgm", "brats", "tcga_gbm", "rider_breast"} <= set(data_fetch.names())


@pytest.mark.parametrize("name", REGISTERED)
def test_every_file_can_be_verified(name) -> None:
    files = registered_files(name)
    assert len(files) == EXPECTED_FILES[name]
    for file in files:
        digits = {"sha256": 64, "git-blob-sha1": 40}[file.checksum.algorithm]
        assert re.fullmatch(rf"[0-9a-f]{{{digits}}}", file.checksum.value)
        assert file.url.startswith("https://")
        assert file.size is None or file.size > 1000
        assert file.licence
        assert not re.search(r"/(HEAD|main|master)/", file.url), "an address must not move on"


def test_places_and_checksums_are_unique() -> None:
    files = [file for name in REGISTERED for file in registered_files(name)]
    assert max(Counter(file.local.casefold() for file in files).values()) == 1
    assert max(Counter(file.checksum.value for file in files).values()) == 1
    assert max(Counter(file.url for file in files).values()) == 1


@pytest.mark.parametrize("name", REGISTERED)
def test_the_record_agrees_with_the_registry(name) -> None:
    record, files = SOURCES[name].dataset, registered_files(name)
    assert record.subject_count == len({file.subject for file in files})
    if all(file.size is not None for file in files):
        assert record.bytes_in_all == sum(file.size for file in files)


def test_every_subject_of_a_set_has_the_same_roles() -> None:
    for name in ("open_ms", "ds004917", "kirby21", "synthseg_heads"):
        subjects = SOURCES[name].subjects(None)
        roles = {tuple(sorted(subject_files(name, subject))) for subject in subjects}
        assert len(roles) == 1
    assert roles == {("labels",)}
    assert set(subject_files("open_ms", "07")) == {"T1", "T1POST", "T2", "FLAIR", "lesions"}


@pytest.mark.parametrize("name", SOURCES)
def test_a_record_says_what_a_reader_must_know(name) -> None:
    record = SOURCES[name].dataset
    assert record.name == name
    assert record.licence
    assert record.page.startswith("https://")
    assert record.citations
    assert all(entry.count("{") == entry.count("}") for entry in record.citations)
    assert all(re.match(r"@(article|misc|inproceedings)\{\w+,\n", entry) for entry in record.citations)
    if record.access != "open" or name in ("ixi_pd", "rider_breast"):
        assert record.unverified, "what has no published checksum, or was not tried, says so"


def test_bibtex_keys_are_unique() -> None:
    entries = {entry for source in SOURCES.values() for entry in source.dataset.citations}
    keys = [key for entry in entries for key in re.findall(r"@\w+\{(\w+),", entry)]
    assert len(keys) == len(set(keys))


def test_wrong_names_are_told() -> None:
    with pytest.raises(ValueError, match="name must be one of synthseg_heads"):
        data_fetch.load("synthseg", "01")
    with pytest.raises(ValueError, match="subject must be one of 01, 02"):
        data_fetch.load("synthseg_heads", "21")


def test_the_label_table_in_the_documentation_is_the_table() -> None:
    """Each row of the docstring holds two entries: number and a name, shortened in places."""
    import data_fetch.head_labels as module

    rows = [line for line in module.__doc__.splitlines() if re.match(r"(\d|\.\.)", line)]
    found = {}
    for row in rows:
        for cell in (row[:38], row[38:]):
            if match := re.match(r"\s*(\d+)\s+(\S.*?)\s*$", cell):
                found[int(match[1])] = match[2]
    assert set(found) == set(HEAD_LABELS)
    for number, name in found.items():
        for word in (part for part in re.split(r"[ ,]+", name) if not part.endswith(".")):
            assert word in HEAD_LABELS[number]


def test_importing_needs_no_optional_package_and_reads_no_file() -> None:
    """nibabel, h5py, pydicom and SciPy come when a format is read, not before; the library is not pulled in at all."""
    script = (
        "import sys\n"
        "absent = ('nibabel', 'h5py', 'pydicom', 'scipy', 'idc_index', 'mrrepro', 'torch')\n"
        "sys.modules.update(dict.fromkeys(absent))\n"
        "import data_fetch, data_fetch.cli\n"
        "print(len(data_fetch.names()))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(SOURCES)


def test_nothing_here_unpickles_or_evaluates() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(data_fetch.__file__).parent.rglob("*.py")]
    for word in ("allow_pickle", "import pickle", "eval(", "exec(", "extractall", "yaml.load", "torch.load"):
        assert not any(word in text for text in sources), word
