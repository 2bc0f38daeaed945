"""A script and its .ipynb: written from one another, and a difference is found."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import nbformat
import pytest

from bookbuild.pairs import as_text, differences, notebook_of, write_pair

SCRIPT = """\
# %% [markdown]
# # Title

# %% tags=["parameters"]
scale = "demo"

# %%
1 + 1

# %%
1 + 1
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.mrrepro]\nrepository = ""\nrelease = ""\n')
    path = tmp_path / "notebooks" / "deepspio" / "01_trial.py"
    path.parent.mkdir(parents=True)
    path.write_text(SCRIPT)
    write_pair(path, tmp_path)
    return path


def cells_of(source: Path) -> list[nbformat.NotebookNode]:
    return list(nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells)


def test_a_written_pair_agrees_and_is_written_once(source: Path, tmp_path: Path) -> None:
    assert differences(source, tmp_path) == []
    assert not write_pair(source, tmp_path)


def test_the_first_cell_is_the_install_cell(source: Path) -> None:
    first, second = cells_of(source)[:2]
    assert set(first.metadata.tags) == {"install", "remove-cell"}
    assert 'find_spec("mrrepro")' in first.source
    assert second.source == "# Title"


def test_ids_are_unique_valid_and_the_same_on_every_machine(source: Path) -> None:
    text = source.read_text()
    ids = [cell["id"] for cell in cells_of(source)]
    assert len(set(ids)) == len(ids) == 5
    again = notebook_of(text, None, "notebooks/deepspio/01_trial.py")
    assert [cell["id"] for cell in again.cells] == ids
    nbformat.validate(again)


def test_cells_keep_their_ids_when_another_changes(source: Path, tmp_path: Path) -> None:
    before = [cell["id"] for cell in cells_of(source)]
    source.write_text(source.read_text().replace('scale = "demo"', 'scale = "demo"\nseed = 3'))
    write_pair(source, tmp_path)
    after = [cell["id"] for cell in cells_of(source)]
    assert [a == b for a, b in zip(after, before, strict=True)].count(False) <= 1


@pytest.mark.parametrize(("old", "new"), [("1 + 1", "1 + 2"), ("# # Title", "# # Other"), ('tags=["parameters"]', "")])
def test_a_changed_script_is_found(source: Path, tmp_path: Path, old: str, new: str) -> None:
    source.write_text(source.read_text().replace(old, new, 1))
    assert differences(source, tmp_path) == ["notebooks/deepspio/01_trial.py and 01_trial.ipynb differ"]


def test_a_changed_notebook_is_found(source: Path, tmp_path: Path) -> None:
    pair = source.with_suffix(".ipynb")
    pair.write_text(pair.read_text().replace("1 + 1", "1 + 3", 1))
    assert "differ" in differences(source, tmp_path)[0]


def test_outputs_are_found(source: Path, tmp_path: Path) -> None:
    pair = source.with_suffix(".ipynb")
    notebook = nbformat.read(pair, as_version=4)
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="2")]
    pair.write_text(as_text(notebook))
    assert "01_trial.ipynb holds outputs" in differences(source, tmp_path)


def test_a_full_disk_leaves_script_and_notebook_as_they_were(source: Path, tmp_path: Path, monkeypatch) -> None:
    def flush(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    source.write_text(source.read_text() + "\n# %%\n2 + 2\n")
    before = (source.read_bytes(), source.with_suffix(".ipynb").read_bytes())
    monkeypatch.setattr(os, "fsync", flush)
    with pytest.raises(OSError, match="No space"):
        write_pair(source, tmp_path)
    assert (source.read_bytes(), source.with_suffix(".ipynb").read_bytes()) == before


def test_a_missing_notebook_is_found(source: Path, tmp_path: Path) -> None:
    source.with_suffix(".ipynb").unlink()
    assert differences(source, tmp_path) == ["notebooks/deepspio/01_trial.py has no .ipynb beside it"]


def test_another_address_is_found_and_written_into_the_first_cell(source: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.mrrepro]\nrepository = "https://github.com/someone/book"\nrelease = "v1.2"\n'
    )
    assert "install cell is not that of pyproject.toml" in differences(source, tmp_path)[0]
    write_pair(source, tmp_path)
    assert differences(source, tmp_path) == []
    assert "git+https://github.com/someone/book@v1.2" in cells_of(source)[0].source
    assert len(cells_of(source)) == 5
