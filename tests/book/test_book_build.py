"""A small book, built with the project's own configuration from made-up notebooks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from bookbuild.check_pages import breaches
from bookbuild.execute import Execution
from bookbuild.extension import EXECUTED
from bookbuild.pairs import write_pair
from bookbuild.project import ROOT

SCRIPT = """\
# %% [markdown]
# # A trial
#
# The integral $\\\\int_0^1 x^2\\\\,\\\\mathrm{d}x$ and [Figure](#fig-wave), [Table](#tab-numbers);
# {cite:t}`dellamaggiora2022`.

# %% tags=["parameters"]
scale = "demo"
seed = 0
overrides = {}

# %% tags=["hide-input"]
from matplotlib import pyplot as plt

from mrrepro.runs.figures import show, show_receipt, show_table, show_text

figure, axes = plt.subplots()
axes.plot([0, 1])
print("drawn")
show(figure, alt="A line that rises from left to right.", caption="A line, $y=x$.", name="fig-wave")
print("shown")
show_table([{"method": "ours", "NMAE": 0.25}], caption="Errors of one method, at `demo`.", name="tab-numbers")
show_text(f"It is {1 / 4} in [Figure](#fig-wave).")
show_receipt({"seed": 7, "data": "simulated"})
"""
TOC = """\
format: jb-book
root: book/introduction
defaults: {numbered: true}
parts:
  - caption: Pages
    chapters:
      - file: book/rerun
      - file: book/references
      - file: book/parameters
      - file: notebooks/deepspio/01_trial
"""
INTRODUCTION = "# A book\n\nSee [the first page](rerun.md).\n"


def set_address(project: Path, repository: str, release: str) -> None:
    (project / "pyproject.toml").write_text(f'[tool.mrrepro]\nrepository = "{repository}"\nrelease = "{release}"\n')


def build(project: Path, output: Path) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).with_name("jupyter-book" + (".exe" if sys.platform == "win32" else ""))
    command = [str(script), "build", str(project), "--path-output", str(output), "-W", "-n", "--keep-going", "-q"]
    environment = {**os.environ, EXECUTED: str(project / "_build" / "executed")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("__pycache__"))
    for page in (folder / "book").glob("*.md"):
        if page.stem not in ("rerun", "references", "parameters"):
            page.unlink()
    rerun = (folder / "book" / "rerun.md").read_text()
    absent = r"\[([^\]]*)\]\((?:scorecard|deviations|paper_scale)\.md\)"
    (folder / "book" / "rerun.md").write_text(re.sub(absent, r"\1", rerun))
    shutil.copy(ROOT / "_config.yml", folder)
    (folder / "_toc.yml").write_text(TOC)
    (folder / "book" / "introduction.md").write_text(INTRODUCTION)
    set_address(folder, "", "")
    source = folder / "notebooks" / "deepspio" / "01_trial.py"
    source.parent.mkdir(parents=True)
    source.write_text(SCRIPT)
    write_pair(source, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        Execution("smoke", folder / "_build" / "executed", folder / "artifacts", folder).run(source)
    return folder


@pytest.fixture(scope="module")
def plain(project: Path) -> Path:
    """Build with no address set."""
    done = build(project, project / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    return project / "out" / "_build" / "html"


def notebook_page(html: Path) -> str:
    return (html / "notebooks" / "deepspio" / "01_trial.html").read_text("utf8")


def test_the_pages_load_nothing_from_elsewhere_and_hold_no_dead_link(plain: Path) -> None:
    assert breaches(plain) == []
    text = notebook_page(plain)
    assert "_static/mathjax/tex-svg-full.js" in text
    assert (plain / "_static" / "mathjax" / "tex-svg-full.js").stat().st_size > 2e6
    for foreign in ("unpkg", "jsdelivr", "cdnjs", "googleapis", "require.min.js"):
        assert foreign not in text


def test_the_checks_of_the_pages_catch_what_they_are_there_for(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<script src="https://cdn.example/x.js"></script><link rel="stylesheet" href="//fonts.example/f.css">'
        '<img src="a.png"><img src="b.png" alt="b.png"><a href="gone.html">x</a><a href="#nowhere">y</a>'
        "<p>````{table} of `code`</p><p>:::{note} unread</p><pre>```{note} an example</pre><code>:::{note}</code>"
    )
    found = breaches(tmp_path)
    assert len(found) == 8
    assert [each for each in found if "as text" in each] == [
        "a.html shows the directive ````{table} as text",
        "a.html shows the directive :::{note} as text",
    ]
    assert breaches(tmp_path / "none") == [f"{tmp_path / 'none'} holds no pages"]


def test_figures_and_tables_are_numbered_and_have_texts(plain: Path) -> None:
    text = notebook_page(plain)
    assert re.search(r'<img alt="A line that rises from left to right\." src="[^"]+fig-wave\.png"', text)
    assert re.search(r'caption-number">Fig\. 4\.1 ?</span>', text)
    assert re.search(r'caption-number">Table 4\.1 ?</span>', text)
    assert text.count(">Figure 4.1<") == 2  # in a Markdown cell, and in text that was computed
    assert ">Table 4.1<" in text
    assert "It is 0.25 in" in text
    places = [text.index(mark) for mark in ("<span></span>drawn", "_images/fig-wave.png", "<span></span>shown")]
    assert places == sorted(places)


def test_provenance_is_folded_under_each(plain: Path) -> None:
    text = notebook_page(plain)
    assert text.count("<details class") >= 2
    assert text.count("Provenance") == 2
    for fact in ("scale</strong>: smoke", "seed</strong>: 7", "data</strong>: simulated", "cell-deepspio-01-trial-4"):
        assert text.count(fact) >= 2


def test_one_header_bar_and_the_install_cell_is_not_shown(plain: Path) -> None:
    text = notebook_page(plain)
    assert re.search(r'<header class="bd-header navbar[^>]*>\s*</header>', text)  # the theme's own bar is empty
    assert text.count('class="bd-header-article') == 1
    assert "find_spec" not in text


def test_without_an_address_the_buttons_lead_to_the_page_that_says_how_to_set_it(plain: Path) -> None:
    text = notebook_page(plain)
    for name in ("Colab", "Binder"):
        assert re.search(
            rf'<a href="\.\./\.\./book/rerun\.html#the-address-of-the-project"[^>]*>(?:(?!</a>).)*{name}', text, re.S
        )
    assert 'id="the-address-of-the-project"' in (plain / "book" / "rerun.html").read_text("utf8")
    assert "executablebooks" not in text
    assert re.search(r'href="\.\./\.\./_sources/notebooks/deepspio/01_trial\.ipynb"', text)
    clean = nbformat.read(plain / "_sources" / "notebooks" / "deepspio" / "01_trial.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in clean.cells)


def test_a_set_address_feeds_every_button(project: Path, plain: Path) -> None:
    set_address(project, "https://github.com/someone/book", "v1.2")
    try:
        done = build(project, project / "set")
    finally:
        set_address(project, "", "")
    assert done.returncode == 0, done.stdout + done.stderr
    text = notebook_page(project / "set" / "_build" / "html")
    place = "notebooks/deepspio/01_trial.ipynb"
    assert f"https://colab.research.google.com/github/someone/book/blob/v1.2/{place}" in text
    assert f"https://mybinder.org/v2/gh/someone/book/v1.2?urlpath=lab/tree/{place}" in text
    assert "https://github.com/someone/book/issues/new" in text
    assert "the-address-of-the-project" not in text


def test_a_changed_result_reaches_the_page_and_a_warning_fails_the_build(project: Path, plain: Path) -> None:
    executed = project / "_build" / "executed" / "deepspio" / "01_trial.ipynb"
    before = executed.read_text()
    try:
        executed.write_text(before.replace("It is 0.25", "It is 0.75"))
        assert build(project, project / "out").returncode == 0
        assert "It is 0.75 in" in notebook_page(plain)
        executed.write_text(before.replace("](#fig-wave)", "](#fig-gone)"))
        failed = build(project, project / "out")
        assert failed.returncode != 0
        assert "fig-gone" in failed.stderr
        executed.unlink()
        failed = build(project, project / "out")
        assert failed.returncode != 0
        assert "has not been executed" in failed.stderr
    finally:
        executed.write_text(before)
