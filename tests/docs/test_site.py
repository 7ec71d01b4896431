"""README.md and docs/ build as a site: strictly, and it asks nothing of any other place."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docs.markdown import PAGES

# what a browser fetches by itself; a link that a person may click is none of it
FETCHED = re.compile(
    r"<(?:script|img|iframe|link|source|video|audio)\b[^>]*\b(?:src|href)=\"(?:https?:)?//[^>]*>"
    r"|url\(\s*['\"]?(?:https?:)?//[^)]*\)|@import[^;]*//[^;]*;"
)


def built(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """`make site` as the Makefile words it, with other folders."""
    arguments = ["-q", "-W", "--keep-going", "-c", str(REPOSITORY / "docs" / "site"), "-b", "html"]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *arguments, str(source), str(target)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_site_is_whole_and_fetches_nothing(tmp_path: Path) -> None:
    """Every page is in the contents of the first; no script, style or font is of another place."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed: make site installs it")
    done = built(REPOSITORY, tmp_path)
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "index.html").read_text("utf-8")
    for page in PAGES:
        name = str(page.relative_to(REPOSITORY).with_suffix(".html"))
        assert (tmp_path / name).is_file()
        assert name == "README.html" or f'href="{name}"' in first, f"{name} is not in the contents"
    files = [*tmp_path.rglob("*.html"), *tmp_path.rglob("*.css")]
    assert len(files) > len(PAGES)
    found = {file.name: FETCHED.findall(file.read_text("utf-8")) for file in files}
    assert {name: fetched for name, fetched in found.items() if fetched} == {}


def test_what_a_browser_would_fetch_is_noticed() -> None:
    """The search above finds what it looks for."""
    for text in (
        '<link rel="stylesheet" href="https://fonts.example/css">',
        '<script src="//cdn.example/x.js"></script>',
        "@font-face {src: url(https://fonts.example/x.woff2)}",
    ):
        assert FETCHED.search(text)
    assert not FETCHED.search('<a href="https://semver.org">Semantic Versioning</a>')


def test_a_lost_link_is_an_error(tmp_path: Path) -> None:
    """Strict: the build of a page with one fails and names it."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed: make site installs it")
    source = tmp_path / "source"
    source.mkdir()
    (source / "README.md").write_text("# One\n\nSee [two](docs/two.md#there).\n", "utf-8")
    done = built(source, tmp_path / "target")
    assert done.returncode != 0
    assert "two.md" in done.stderr
