"""Every notebook keeps the rules, and each rule catches what it is there for."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import pytest
import yaml

from bookbuild.pairs import differences
from bookbuild.project import ROOT, notebook_sources
from bookbuild.rules import breaches, read, typed_numbers

SOURCES = notebook_sources()
GOOD = """\
# %% tags=["install"]
import mrrepro

# %% [markdown]
# # Title
#
# Text.

# %% tags=["parameters"]
scale = "demo"
seed = 0
data = "simulated"
overrides = {}

# %%
seed + 1
"""


def of(script: str) -> list[str]:
    return breaches(jupytext.reads(script, fmt="py:percent"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: f"{source.parent.name}/{source.stem}")
def test_notebook(source: Path) -> None:
    assert breaches(read(source)) == []
    assert differences(source) == []


def test_every_notebook_stands_in_the_contents() -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    listed = {chapter["file"] for part in contents["parts"] for chapter in part["chapters"]}
    notebooks = {name for name in listed if name.startswith("notebooks/")}
    assert notebooks == {source.relative_to(ROOT).with_suffix("").as_posix() for source in SOURCES}


def test_no_notebook_lies_beside_the_chapters() -> None:
    known = {source.with_suffix(suffix) for source in SOURCES for suffix in (".py", ".ipynb")}
    there = {path for path in (ROOT / "notebooks").rglob("*.*") if ".ipynb_checkpoints" not in path.parts}
    assert {path for path in there if path.suffix in (".py", ".ipynb")} == known


def test_a_good_notebook_breaks_no_rule() -> None:
    assert of(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('tags=["install"]', "", "first cell is not the install cell"),
        ("# # Title", "# Title", "does not open with the title"),
        ("# Text.", "# # Another", "more than one title"),
        ('tags=["parameters"]', "", "0 cells tagged parameters"),
        ("seed + 1\n", 'seed + 1\n\n# %% tags=["parameters"]\nscale = "demo"\n', "2 cells tagged parameters"),
        ("seed = 0\n", "", "lacks seed"),
        ('scale = "demo"', 'scale = "smoke"', "default scale"),
        ("seed + 1\n", "seed + 1\n" * 16, "16 lines of code, 15 at most"),
        ("# %%\nseed + 1\n", '# %% tags=["hide-input"]\n' + "seed + 1\n" * 31, "31 lines of code, 30 at most"),
        ("seed + 1", "plt.show()", "without alternative text"),
        ("# Text.", "# ![](a.png)", "no alternative text"),
        ("# Text.", "# The error was 0.63 in the end.", "the number 0.63 is typed"),
    ],
)
def test_each_rule_catches_its_breach(old: str, new: str, said: str) -> None:
    assert old in GOOD
    assert any(said in line for line in of(GOOD.replace(old, new))), of(GOOD.replace(old, new))


def test_hidden_cells_may_have_30_lines() -> None:
    assert of(GOOD.replace("# %%\nseed + 1\n", '# %% tags=["hide-input"]\n' + "seed + 1\n" * 30)) == []


@pytest.mark.parametrize(
    "text",
    [
        "The field is 1.5 T and the voxel 0.5 mm, at 11.5 dB.",
        "With $x = 0.25$ and\n$$ y = 0.5 $$",
        "See Section 3.2, Fig. 4.1 and Python 3.11.",
        "Use `seed = 0.5`.",
        "## 1.2 Heading",
        "[here](https://example.org/1.0)",
        "Version v0.1.0, or 2.13.0.",
        "The window is 0.41 wide. <!-- typed: 0.41: the definition of the window -->",
    ],
)
def test_these_numbers_may_be_typed(text: str) -> None:
    assert typed_numbers(text) == []


@pytest.mark.parametrize("text", ["an NMAE of 0.41", "rose from 1.02 to 3", "It is -0.5.", "(0.7)", "slope 0.98,"])
def test_these_are_results(text: str) -> None:
    assert typed_numbers(text)


def test_an_allowance_covers_only_what_it_names() -> None:
    assert typed_numbers("0.41 and 0.42 <!-- typed: 0.41: a definition -->") == ["0.42"]


def test_no_two_notebooks_share_a_label() -> None:
    owners: dict[str, set[str]] = {}
    for source in SOURCES:
        for label in re.findall(r'name="((?:fig|tab)-[\w-]+)"|^# :label: ([\w-]+)', source.read_text("utf8"), re.M):
            owners.setdefault("".join(label), set()).add(f"{source.parent.name}/{source.stem}")
    shared = {label: names for label, names in owners.items() if len(names) > 1}
    assert len(owners) > 50
    assert not shared
