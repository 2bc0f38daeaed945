"""The first cell of every notebook, written from one template."""

from __future__ import annotations

from bookbuild.project import Address

TAGS = ("install", "remove-cell")

_SET = """\
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("mrrepro") is None:  # Colab and other bare machines
    from importlib.metadata import PackageNotFoundError, version

    try:
        keep = [f"torch=={{version('torch')}}"]  # the torch that is there stays as it is
    except PackageNotFoundError:
        keep = []
    wanted = "mrrepro[notebooks] @ git+{repository}@{release}"
    if subprocess.run([sys.executable, "-m", "pip", "install", "-q", wanted, *keep]).returncode:
        raise SystemExit("mrrepro {release} could not be installed; see pip's message above.")
"""

_UNSET = """\
import importlib.util

if importlib.util.find_spec("mrrepro") is None:
    raise SystemExit(
        "mrrepro is not installed, and this copy names no address to install it from: "
        "its owner has not yet set repository and release in pyproject.toml. "
        "Clone the project and run this notebook there (python3 tasks.py setup)."
    )
"""


def install_cell(address: Address) -> str:
    """Return the source of the install cell for this address; 15 lines at most."""
    if address.is_set:
        return _SET.format(repository=address.repository, release=address.release).rstrip("\n")
    return _UNSET.rstrip("\n")
