"""The documentation builds strictly, shows every page, and every link of what was built leads somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from pages import ROOT, Page

DOCS = ROOT / "docs"


def build(folder: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs` does; --quiet would hide warnings from --strict as well."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        [*command, "--config-file", str(config)], check=False, cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """Every built page by its path."""
    folder = tmp_path_factory.mktemp("site")
    built = build(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return {path: Page(path) for path in sorted(folder.rglob("*.html"))}


def dead(site: dict[Path, Page], page: Page) -> list[str]:
    """Links of a page that lead to no file or no anchor of the site."""
    found = []
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme in ("http", "https", "mailto"):
            continue
        target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
        there = site[target].anchors | {""} if target in site else {""}
        if link.startswith("/") or not target.is_file() or unquote(parts.fragment) not in there:
            found.append(link)
    return found


@pytest.mark.slow
def test_every_link_leads_somewhere(site: dict[Path, Page]) -> None:
    # 404.html is served for any address, so its links begin at the root.
    pages = [page for page in site.values() if page.path.name != "404.html"]
    assert len(pages) > 40
    assert {page.path.name: dead(site, page) for page in pages if dead(site, page)} == {}


@pytest.mark.slow
def test_reading_asks_no_other_host(site: dict[Path, Page]) -> None:
    foreign = {fetched for page in site.values() for fetched in page.fetched if urlsplit(fetched).netloc}
    assert foreign == set()


@pytest.mark.slow
def test_what_a_page_fetches_is_there(site: dict[Path, Page]) -> None:
    for page in site.values():
        for fetched in page.fetched if page.path.name != "404.html" else []:
            assert fetched.startswith("data:") or (page.path.parent / urlsplit(fetched).path).is_file(), fetched


@pytest.mark.slow
def test_search_finds_every_page(site: dict[Path, Page]) -> None:
    root = next(path.parent for path in site if path.name == "404.html")
    index = (root / "search" / "search_index.json").read_text()
    for page in DOCS.rglob("*.md"):
        assert f'"{page.relative_to(DOCS).with_suffix(".html").as_posix()}"' in index


def test_nav_lists_every_page_once() -> None:
    listed = re.findall(r"[\w./-]+\.md", yaml.dump(_config()["nav"]))
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def _config() -> dict:
    # The tags of Material's extensions name Python objects; only their text matters here.
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
    return yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)  # noqa: S506 - a safe loader


@pytest.mark.slow
def test_broken_link_stops_the_build(tmp_path: Path) -> None:
    broken = ["nowhere.md", "tutorial.md#nowhere", "/tutorial.md", "../README.md", "nowhere.png"]
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Home\n\n" + " ".join(f"[x]({link})" for link in broken))
    (tmp_path / "docs" / "tutorial.md").write_text("# Tutorial\n")
    settings = re.sub(r"^nav:.*", "", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "mkdocs.yml").write_text(settings)
    built = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert built.returncode != 0
    for link in broken:
        assert f"'{link}'" in built.stderr, link


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "clients/python/README.md", "tests/cluster/README.md"]
)
def test_links_of_the_repository_lead_somewhere(page: str) -> None:
    """As GitHub shows it: relative to the file, anchors as GitHub makes them."""
    path = ROOT / page
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = path.parent / parts.path if parts.path else path
        assert target.exists(), link
        assert not parts.fragment or parts.fragment in _headings(target), link


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
