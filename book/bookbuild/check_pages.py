"""Look through the built pages: nothing from another server, alternative text on every image, no dead local link.

Nor may a directive of the markup stand in a page as text, which is what one that was not understood becomes.

``python -m bookbuild.check_pages _build/html``
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_DIRECTIVE = re.compile(r"(?:`{3,}|:{3,})\{[\w-]+\}")
_VERBATIM = ("pre", "code", "script", "style")
_LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}
_LOADING_RELATIONS = {"stylesheet", "preload", "prefetch", "preconnect", "icon", "shortcut icon", "modulepreload"}


class _PageParser(HTMLParser):
    """Collect what a page loads, where it links to, its anchors and its images."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.without_alt: list[str] = []
        self.directives: list[str] = []
        self._verbatim = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in one element."""
        self._verbatim += tag in _VERBATIM
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        address = found.get(_LOADED.get(tag, ""), "")
        if address and (tag != "link" or found.get("rel", "") in _LOADING_RELATIONS):
            self.loaded.append(address)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        alt = found.get("alt", "").strip()
        if tag == "img" and (
            not alt or alt.endswith((".png", ".svg", ".jpeg", ".gif"))
        ):  # Sphinx falls back to the path
            self.without_alt.append(found.get("src", ""))

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._verbatim -= tag in _VERBATIM

    def handle_data(self, data: str) -> None:
        """Take in text."""
        if not self._verbatim:
            self.directives += _DIRECTIVE.findall(data)


def breaches(folder: Path) -> list[str]:
    """List in words what is wrong with the pages of a folder; empty when nothing is."""
    pages = {path.resolve(): _parse(path) for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts}
    if not pages:
        return [f"{folder} holds no pages"]
    found = []
    for path, page in pages.items():
        name = path.relative_to(folder.resolve()).as_posix()
        for address in page.loaded:
            if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
                found.append(f"{name} loads {address} from another server")
        found += [f"{name}: the image {address} has no alternative text" for address in page.without_alt]
        found += [f"{name} shows the directive {directive} as text" for directive in page.directives]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                found.append(f"{name} links to {link}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name} links to {link}, but that page has no such place")
    return found


def _parse(path: Path) -> _PageParser:
    parser = _PageParser()
    parser.feed(path.read_text("utf8"))
    return parser


def main() -> int:
    """Check the folder that the command line names; return 1 when something is wrong."""
    found = breaches(Path(sys.argv[1]))
    print(
        "\n".join(found) if found else f"the pages of {sys.argv[1]} load nothing from elsewhere and hold no dead link"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
