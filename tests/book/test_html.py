"""What a reader's browser gets: the built pages, checked one by one."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

from hsirepro.book import ROOT, Book

pytestmark = pytest.mark.xdist_group("book")

PAGES = Book(ROOT, ROOT / "_build").pages()
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
REMOTE = re.compile(r"^(https?:)?//")


@cache
def parse(page: Path) -> BeautifulSoup:
    """Return a page's tree."""
    return BeautifulSoup(page.read_text("utf-8"), "html.parser")


def article(soup: BeautifulSoup) -> Tag:
    """Return what the author wrote, without menus."""
    found = soup.find("article")
    assert isinstance(found, Tag)
    return found


# Each check returns what is wrong with a page, as a list of short texts.


def broken_targets(page: Path) -> list[str]:
    """Links, images, scripts and styles that lead to no file, or to no place in it."""
    soup, wrong = parse(page), []
    for tag in soup.find_all(["a", "link", "img", "script", "source"]):
        target = str(tag.get("href") or tag.get("src") or "")
        parts = urlsplit(target)
        if parts.scheme or parts.netloc or (not parts.path and not parts.fragment):
            continue
        file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not file.is_file():
            wrong.append(f"{target}: no such file")
        elif parts.fragment and file.suffix == ".html":
            place = unquote(parts.fragment)
            if not parse(file).find(attrs={"id": place}):
                wrong.append(f"{target}: no such place")
    return wrong


def nameless_images(page: Path) -> list[str]:
    """Images without a description that says something."""
    alts = [(img.get("src"), str(img.get("alt") or "").strip()) for img in parse(page)("img")]
    path = re.compile(r"[/\\]|\.(png|jpe?g|svg|gif)$|^<")
    return [f"{src}: {alt!r}" for src, alt in alts if len(alt.split()) < 4 or path.search(alt)]


def empty_numbers(page: Path) -> list[str]:
    """Table cells with nothing in them, and outputs that show a value that is none.

    An em dash is something: it says that a paper published no value.
    """
    body = article(parse(page))
    cells = [cell for row in body.select("tbody tr") for cell in row.find_all(["td", "th"])]
    empty = re.compile(r"|nan|none|[-+]?inf|<na>|nat", re.IGNORECASE)
    wrong = [
        f"cell {number} is {cell.get_text(strip=True)!r}"
        for number, cell in enumerate(cells)
        if empty.fullmatch(cell.get_text(strip=True)) and not cell.find(["img", "code"])
    ]
    for output in body.select(".cell_output"):
        found = re.search(r"(?<![\w.-])[-+]?(nan|inf)(?!\w)", output.get_text())
        wrong += [f"output shows {found[0]!r}"] if found else []
    return wrong


def loose_headings(page: Path) -> list[str]:
    """Headings that leave a level out, or a page that has not exactly one first heading."""
    found = article(parse(page)).find_all(re.compile(r"^h[1-6]$"))
    levels = [int(heading.name[1]) for heading in found]
    wrong = [] if levels[:1] == [1] and levels.count(1) == 1 else [f"first headings: {levels}"]
    steps = pairwise(levels)
    return wrong + [
        f"h{above} is followed by h{below}" for above, below in steps if below > above + 1
    ]


def repeated_ids(page: Path) -> list[str]:
    """Ids that occur twice."""
    ids = [str(tag["id"]) for tag in parse(page).find_all(id=True)]
    return sorted({name for name in ids if ids.count(name) > 1})


def missing_head(page: Path) -> list[str]:
    """Language and title, which a screen reader says first."""
    soup = parse(page)
    language = soup.html.get("lang") if soup.html else None
    title = soup.title.get_text(strip=True) if soup.title else ""
    return ([] if language == "en" else [f"lang={language!r}"]) + ([] if title else ["no title"])


def remote_parts(page: Path) -> list[str]:
    """Scripts, styles, fonts, frames and pictures from another host."""
    soup = parse(page)
    loaded = soup.select("script[src], img[src], iframe[src], source[src]")
    linked = [tag for tag in soup.select("link[href]") if "canonical" not in (tag.get("rel") or [])]
    targets = [str(tag["src"]) for tag in loaded] + [str(tag["href"]) for tag in linked]
    inline = " ".join(tag.get_text() for tag in soup(["script", "style"]) if not tag.get("src"))
    wrong = [target for target in targets if REMOTE.match(target)]
    return wrong + re.findall(r"https?://[^\s\"'\\)]+\.(?:js|css|mjs|woff2?)\b", inline)


def places_of_a_machine(page: Path) -> list[str]:
    """Paths of the machine that built the page, as warnings in outputs show them."""
    path = re.compile(r"(?:/[\w.+-]+){2,}\.py:\d+")
    shown = article(parse(page)).select(".cell_output")
    return [found[0] for output in shown if (found := path.search(output.get_text()))]


CHECKS: dict[str, Callable[[Path], list[str]]] = {
    check.__name__: check
    for check in (
        broken_targets,
        nameless_images,
        empty_numbers,
        loose_headings,
        repeated_ids,
        missing_head,
        remote_parts,
        places_of_a_machine,
    )
}
DEFECTS = {
    "broken_targets": '<a href="gone.html">x</a><a href="#nowhere">x</a><img src="no.png">',
    "nameless_images": '<img src="a.png"><img src="b.png" alt="../_images/b.png">',
    "empty_numbers": "<table><tbody><tr><td></td><td>nan</td></tr></tbody></table>",
    "loose_headings": "<h1>a</h1><h3>b</h3><h1>c</h1>",
    "repeated_ids": '<p id="a"></p><p id="a"></p>',
    "missing_head": "<p>x</p>",
    "remote_parts": '<script src="https://cdn.example/x.js"></script>'
    '<script>load("https://cdn.example/y.js")</script>',
    "places_of_a_machine": '<div class="cell_output">/home/me/lib/a.py:21: UserWarning: x</div>',
}


@pytest.mark.parametrize("name", CHECKS)
def test_check_sees_a_planted_defect(name: str, tmp_path: Path) -> None:
    """A check that finds nothing on a bad page would prove nothing on a good one."""
    page = tmp_path / "bad.html"
    page.write_text(f"<html><body><article>{DEFECTS[name]}</article></body></html>", "utf-8")
    assert CHECKS[name](page)


def test_em_dash_and_described_image_pass(tmp_path: Path) -> None:
    """What the house rules ask for is not reported."""
    page = tmp_path / "good.html"
    page.write_text(
        '<html lang="en"><title>t</title><article><h1 id="a">a</h1><a href="#a">a</a>'
        "<table><tbody><tr><td>—</td><td>31.2</td></tr></tbody></table></article></html>",
        "utf-8",
    )
    assert {name: check(page) for name, check in CHECKS.items() if check(page)} == {}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("page", PAGES)
def test_page(book: Book, page: str, name: str) -> None:
    """Each page of the table of contents is there and passes each check."""
    assert CHECKS[name](book.out / "html" / f"{page}.html") == []


def test_first_page_leads_to_the_book(book: Book) -> None:
    """index.html opens the root of the table of contents, and its menu names every page."""
    site = book.out / "html"
    assert f"url={PAGES[0]}.html" in (site / "index.html").read_text("utf-8")
    menu = parse(site / f"{PAGES[0]}.html").select("nav a[href]")
    named = {(site / PAGES[0]).parent.joinpath(str(a["href"])).resolve() for a in menu}
    assert {(site / f"{page}.html").resolve() for page in PAGES[1:]} <= named


def test_styles_and_fonts_are_local(book: Book) -> None:
    """No style sheet fetches from another host, and MathJax has its fonts beside it."""
    static = book.out / "html" / "_static"
    for sheet in static.rglob("*.css"):
        fetched = re.findall(r"url\(['\"]?((?:https?:)?//[^)]+)\)", sheet.read_text("utf-8"))
        assert fetched == [], sheet
    assert list((static / "mathjax").rglob("*.woff"))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to open the pages with")
def test_formulas_are_set_without_a_network(book: Book, tmp_path: Path) -> None:
    """In a browser that can reach no host, every formula is set and none is faulty."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    options += ["--disable-background-networking", "--disable-component-update"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000"]
    paths = [book.out / "html" / f"{page}.html" for page in PAGES]
    wanted = {path: len(parse(path).select("article .math")) for path in paths}
    assert any(wanted.values())
    for path in filter(wanted.get, paths):
        command = [str(CHROMIUM), *options, f"--user-data-dir={tmp_path}", "--dump-dom"]
        done = subprocess.run(
            [*command, path.as_uri()], capture_output=True, text=True, timeout=120, check=True
        )
        seen = BeautifulSoup(done.stdout, "html.parser")
        assert len(seen.select("article .math mjx-container")) == wanted[path], path
        assert not seen.select("mjx-merror"), path
