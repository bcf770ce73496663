"""The book as `mkdocs build` wrote it: its links, what it loads, and its accessibility."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

BOOK = Path(__file__).resolve().parent.parent / "build" / "book"
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
SERIOUS = ("serious", "critical")
BY_SCRIPT = "scrollable-region-focusable"  # the theme's script lets keys scroll a listing when it comes into view


class Page(HTMLParser):
    """What a page links to, what it loads, and the names of its places."""

    def __init__(self, path):
        super().__init__()
        self.path, self.links, self.loads, self.places = path, set(), set(), {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.places |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        if tag == "a" and attributes.get("href"):
            self.links.add(attributes["href"])
        if attributes.get(LOADING.get(tag)) and attributes.get("rel") != "canonical":
            self.loads.add(attributes[LOADING[tag]])


@pytest.fixture(scope="module")
def pages():
    """The pages of the book by their paths."""
    if not (BOOK / "index.html").is_file():
        pytest.skip("there is no build/book: `mkdocs build --strict` writes it")
    return {path.resolve(): Page(path) for path in sorted(BOOK.rglob("*.html"))}


def test_links_lead_to_files_of_the_book_and_places_in_them(pages):
    broken = []
    for page in pages.values():
        for link in page.links | page.loads:
            target, _, place = link.partition("#")
            if re.match(r"[a-z]+:", target) or page.path.name == "404.html":  # its links begin with the server's root
                continue
            path = (page.path.parent / unquote(target)).resolve() if target else page.path.resolve()
            there = path.is_file() and (path not in pages or unquote(place) in pages[path].places)
            if not there:
                broken.append(f"{page.path.relative_to(BOOK)}: {link}")
    assert len(pages) > 20 and broken == []


def test_the_book_loads_nothing_from_a_network(pages):
    loaded = {file for page in pages.values() for file in page.loads}
    assert loaded and [file for file in loaded if re.match(r"([a-z]+:)?//", file)] == []
    for sheet in BOOK.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_axe_finds_nothing_serious_in_the_book(pages, browser, axe):
    found = {}
    for path in pages:
        browser.visit(path.as_uri())
        serious = [one for one in browser.violations(axe) if one[1] in SERIOUS and one[0] != BY_SCRIPT]
        if serious:
            found[path.name] = serious
    assert found == {}
