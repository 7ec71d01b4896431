"""Builds README.md and docs/ as a site that fetches nothing from elsewhere: `make site`.

The pages stay plain Markdown, as they read on GitHub: what a site needs besides (its first page,
the order of its pages) is taken from README.md's own table.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from runner import __version__  # noqa: E402 - found only once the repository is on the path

project = "runner"
author = "the maintainers"
version = release = __version__
root_doc = "README"
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = [".*", "build", "dist", "tests", "runner"]
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
nitpicky = True
# Colours of examples are no matter for a strict build: `{ … }` in a fragment is no JSON.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"runner {version}"
html_copy_source = False
html_use_index = False
html_show_copyright = False

_ROW = re.compile(r"^\| \[[^\]]+\]\(([\w/-]+)\.md\) \|", re.MULTILINE)


def with_contents(app: Sphinx, name: str, text: list[str]) -> None:
    """Give the first page a table of contents, in the order of its own table of pages."""
    del app
    if name == root_doc:
        pages = [*_ROW.findall(text[0]), "CHANGELOG"]
        text[0] += "\n".join(["\n```{toctree}", ":hidden:", *pages, "```\n"])


def with_index(app: Sphinx, problem: Exception | None) -> None:
    """Let the folder itself open at the first page."""
    if problem is None and app.builder.format == "html":
        shutil.copy(app.outdir / f"{root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> None:
    """Connect both."""
    app.connect("source-read", with_contents)
    app.connect("build-finished", with_index)
