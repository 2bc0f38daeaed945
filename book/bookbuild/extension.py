"""The Sphinx extension of the book: executed notebooks, generated parts, and the buttons that need an address."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from bookbuild.outputs import page_of
from bookbuild.pages import fill, is_generated
from bookbuild.project import Address, read_address

LOGGER = logging.getLogger(__name__)
EXECUTED = "MRREPRO_EXECUTED"
ADDRESS_PAGE = "book/rerun"
ADDRESS_LABEL = "the-address-of-the-project"


def executed_folder(root: Path) -> Path:
    """Return the folder of the executed notebooks: the variable MRREPRO_EXECUTED, else those of scale ``demo``."""
    return Path(os.environ.get(EXECUTED) or root / "_build" / "executed" / "demo").absolute()


def _executed_copy(app: Sphinx, docname: str) -> Path:
    return executed_folder(Path(app.srcdir)) / Path(docname).relative_to("notebooks").with_suffix(".ipynb")


def set_address(app: Sphinx, config: Config) -> None:
    """Give the theme the project's address, or take away the default that it would show instead."""
    address = read_address(Path(app.srcdir))
    options = config.html_theme_options
    for name in ("repository_url", "repository_branch", "launch_buttons"):
        options.pop(name, None)
    options.update(use_issues_button=False, use_repository_button=False, use_edit_page_button=False)
    if not address.is_set:
        return
    options.update(
        repository_url=address.repository,
        repository_branch=address.release,
        path_to_docs="",
        use_repository_button=True,
        use_issues_button=True,
        launch_buttons={
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        },
    )


def explain_missing_address(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Lead the buttons to the page that says how to set the address, as long as it is not set."""
    address: Address = read_address(Path(app.srcdir))
    if address.is_set or doctree is None or "header_buttons" not in context:
        return
    url = f"{'' if page == ADDRESS_PAGE else context['pathto'](ADDRESS_PAGE)}#{ADDRESS_LABEL}"
    why = "The address of the project is not set; this leads to what to do"
    if page.startswith("notebooks/"):
        launch = [("Colab", "fas fa-cloud"), ("Binder", "fas fa-cloud")]
        buttons = [{"type": "link", "text": text, "tooltip": why, "icon": icon, "url": url} for text, icon in launch]
        group = {"type": "group", "tooltip": "Run this notebook", "icon": "fas fa-rocket", "buttons": buttons}
        context["header_buttons"].append({**group, "label": "launch-buttons"})
    issue = {"type": "link", "text": "", "tooltip": why, "icon": "fas fa-lightbulb", "url": url}
    context["header_buttons"].append({**issue, "label": "source-issues-button"})


def read_source(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put the executed notebook in the place of the clean one, and fill in the generated parts of a page."""
    root = Path(app.srcdir)
    if not docname.startswith("notebooks/"):
        content[0] = fill(content[0])
        return
    executed = _executed_copy(app, docname)
    if not executed.exists():
        LOGGER.warning("%s has not been executed: run `python3 tasks.py book`", docname, location=docname)
        return
    images = executed.with_name(f"{executed.stem}_images")
    folder = "/" + Path(os.path.relpath(images, root)).as_posix()
    page = page_of(nbformat.read(executed, as_version=4), folder, docname.removeprefix("notebooks/"))
    images.mkdir(exist_ok=True)
    for name, pixels in page.images.items():
        (images / name).write_bytes(pixels)
    content[0] = nbformat.writes(page.notebook)


def find_outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Name the pages to read again although their source is as it was."""
    outdated = []
    for docname in env.found_docs - added - changed:
        read_at = env.all_docs.get(docname, 0) / 1e6
        if docname.startswith("notebooks/"):
            executed = _executed_copy(app, docname)
            if not executed.exists() or executed.stat().st_mtime > read_at:
                outdated.append(docname)
        elif is_generated(Path(env.doc2path(docname)).read_text("utf8")):
            outdated.append(docname)
    return outdated


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("config-inited", set_address, priority=100)
    app.connect("source-read", read_source)
    app.connect("env-get-outdated", find_outdated)
    app.connect("html-page-context", explain_missing_address, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
