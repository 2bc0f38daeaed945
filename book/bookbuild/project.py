"""The project as the book sees it: its address, its chapters and its notebooks."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout that holds this file."""

CHAPTERS = ("dl_ept", "condnet", "deepspio", "contrast_t1")
"""One folder of ``notebooks`` each, in the order of the book; each replicates a paper."""

NOTEBOOK_FOLDERS = (*CHAPTERS, "teaching")
"""All folders of ``notebooks``."""


@dataclass(frozen=True)
class Address:
    """Where the project is published: ``[tool.mrrepro]`` of pyproject.toml, and nowhere else.

    Parameters
    ----------
    repository : str
        ``https://<host>/<owner>/<name>``, or empty while the owner has not set it.
    release : str
        The tag that Colab, Binder and the install cell use, or empty.
    """

    repository: str
    release: str

    def __post_init__(self) -> None:
        """Refuse an address that no button could lead to."""
        if self.repository and not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", self.repository):
            raise ValueError(
                "repository in [tool.mrrepro] of pyproject.toml must read https://<host>/<owner>/<name> "
                f"without a slash at its end, but is {self.repository!r}."
            )
        if self.release and not re.fullmatch(r"[\w.+-]+", self.release):
            raise ValueError(f"release in [tool.mrrepro] must be the name of a tag, but is {self.release!r}.")

    @property
    def is_set(self) -> bool:
        """True when both the address and the release are there."""
        return bool(self.repository and self.release)


def read_address(root: Path = ROOT) -> Address:
    """Read the one setting that feeds the buttons and the install cells."""
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf8")).get("tool", {}).get("mrrepro", {})
    return Address(settings.get("repository", ""), settings.get("release", ""))


def notebook_sources(root: Path = ROOT) -> list[Path]:
    """List the percent scripts of ``notebooks``, chapter by chapter, in the order of their numbers."""
    return [
        path for folder in NOTEBOOK_FOLDERS for path in sorted((root / "notebooks" / folder).glob("[0-9][0-9]_*.py"))
    ]
