"""Links between pages lead somewhere, and no page is out of reach."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS, ROOT, pages, shown

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
MAKE = re.compile(r"(?:`|```sh\n|\n)make ([a-z]+)\b", re.MULTILINE)
OWNED = [page for page in pages() if "adr" not in page.parts]


def prose(page):
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page):
    return [
        a or b
        for a, b in LINK.findall(prose(page))
        if not (a or b).startswith(("http:", "https:", "mailto:"))
    ]


def anchors(page):
    """The anchors that GitHub gives a page's headings."""
    found: set[str] = set()
    if page.suffix != ".md":
        return found
    for heading in HEADING.findall(prose(page)):
        text = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        found.add(text.replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", pages(), ids=shown)
def test_links_lead_somewhere(page):
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        wanted = {anchor} if anchor and target.suffix == ".md" else set()
        if not target.exists() or not wanted <= anchors(target):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached():
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md" or not page.is_relative_to(ROOT) or not page.exists():
            continue
        reached.add(page)
        ahead += [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
    assert {shown(page) for page in OWNED} - {shown(page) for page in reached} == set()


@pytest.mark.parametrize("page", OWNED, ids=shown)
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(MAKE.findall(page.read_text(encoding="utf-8"))) <= targets


def test_images_are_in_the_repository():
    images = [link for page in pages() for link in links(page) if link.endswith((".svg", ".png"))]
    assert any("docs/images/" in link for link in images)
    assert sorted((DOCS / "images").glob("*"))
