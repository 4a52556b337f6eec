"""The report in headless Chromium: every width, both lights, print, keyboard, hostile values."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from churnlens.report import render
from churnlens.results import Review

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

SHOWN = [("review", "en"), ("review", "zh"), ("quiet", "en"), ("crowded", "zh"), ("hostile", "en")]
WIDTHS = {"desktop": (1440, 900), "projector": (1920, 1080), "phone": (390, 844)}
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

# Elements that hide part of their own text, and text of drawings that leaves its drawing.
CUT = """() => {
  const cut = [];
  for (const e of document.querySelectorAll("main *")) {
    const style = getComputedStyle(e);
    if (e.closest(".unseen") || e.closest("svg") || !e.getClientRects().length) continue;
    const hides = ["hidden", "clip"].includes(style.overflowX) || style.textOverflow === "ellipsis";
    if (hides && e.scrollWidth > e.clientWidth + 1) cut.push(e.outerHTML.slice(0, 120));
  }
  for (const text of document.querySelectorAll("svg.drawing text")) {
    const box = text.getBoundingClientRect(), svg = text.closest("svg").getBoundingClientRect();
    if (!box.width || !svg.width) continue;
    if (box.left < -1 || box.right > innerWidth + 1) cut.push(text.textContent);
    if (box.left < svg.left - 12 || box.right > svg.right + 12) cut.push(text.textContent);
  }
  return cut;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield started
        started.close()


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str, str], Path]:
    folder = tmp_path_factory.mktemp("reports")

    @functools.cache
    def write(case: str, lang: str) -> Path:
        review: Review = request.getfixturevalue(case)
        path = folder / f"{case}-{lang}.html"
        path.write_text(render(review, lang=lang), encoding="utf-8")
        return path

    return write


class Visit:
    """A page opened with an eye on requests, console and errors."""

    def __init__(self, browser, path: Path, size=(1440, 900), scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, offline=True
        )
        self.page = self.context.new_page()
        self.trouble: list[str] = []
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", self._asked)
        self.page.goto(path.as_uri())

    def _asked(self, request) -> None:
        if not request.url.startswith(("file:", "data:")):
            self.trouble.append(request.url)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize(("case", "lang"), SHOWN)
def test_fits_every_width_and_stays_silent(browser, files, case, lang):
    with Visit(browser, files(case, lang)) as visit:
        for width, height in WIDTHS.values():
            visit.page.set_viewport_size({"width": width, "height": height})
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
            assert visit.page.evaluate(CUT) == []
        assert visit.page.evaluate("window.hacked") is None
        assert visit.trouble == []


@pytest.mark.parametrize(
    ("case", "size", "scheme"),
    [
        ("review", "desktop", "light"),
        ("review", "desktop", "dark"),
        ("review", "phone", "light"),
        ("quiet", "phone", "dark"),
        ("hostile", "desktop", "light"),
    ],
)
def test_axe_finds_nothing(browser, files, case, size, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    with Visit(browser, files(case, "en"), WIDTHS[size], scheme) as visit:
        if (size, scheme) == ("desktop", "light"):
            visit.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        found = axe.Axe().run(visit.page)
        assert found.response["violations"] == [], found.generate_report()


def test_opens_in_a_second(browser, files):
    with Visit(browser, files("crowded", "en")) as visit:
        loaded = visit.page.evaluate(
            "performance.timing.loadEventEnd - performance.timing.navigationStart"
        )
        assert loaded < 1000


def test_keyboard_reaches_every_control(browser, files):
    with Visit(browser, files("review", "en")) as visit:
        page = visit.page
        expected = page.evaluate(
            "[...document.querySelectorAll('a[href], button, input, summary, [tabindex=\"0\"]')]"
            ".filter(e => e.checkVisibility())"
            ".filter(e => !e.closest('details:not([open]) > :not(summary)')).length"
        )
        seen = set()
        for _ in range(expected + 5):
            page.keyboard.press("Tab")
            seen.add(
                page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)")
            )
        assert len(seen) >= expected


def test_arrow_keys_step_through_the_pages(browser, files):
    with Visit(browser, files("review", "en"), WIDTHS["projector"]) as visit:
        page = visit.page
        page.click("#meeting")
        shown = (
            "[...document.querySelectorAll('.page')].filter(p => p.checkVisibility())"
            ".map(p => p.id)"
        )
        assert page.evaluate(shown) == ["verdict"]
        page.keyboard.press("ArrowRight")
        assert page.evaluate(shown) == ["issue-1"]
        assert page.inner_text("#place") == "2 / 15"
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(shown) == ["verdict"]
        page.keyboard.press("Escape")
        assert len(page.evaluate(shown)) == 15


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_fills_one_projector_screen(browser, files, lang):
    with Visit(browser, files("review", lang), WIDTHS["projector"]) as visit:
        page = visit.page
        page.click("#meeting")
        for _ in range(6):
            assert page.evaluate("document.documentElement.scrollHeight") <= 1080
            page.keyboard.press("ArrowRight")


def _sheets(visit):
    return len(re.findall(rb"/Type\s*/Page\b", visit.page.pdf(prefer_css_page_size=True)))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_issue_prints_on_one_sheet(browser, files, lang):
    with Visit(browser, files("review", lang)) as visit:
        issues = visit.page.locator(".page.issue").count()
        assert issues > 0
        assert issues < _sheets(visit) <= visit.page.locator(".page").count()
        for k in range(issues):
            visit.page.evaluate(
                """k => {
                    const issue = document.querySelectorAll(".page.issue")[k];
                    for (const page of document.querySelectorAll(".page"))
                        page.style.display = page === issue ? "" : "none";
                }""",
                k,
            )
            assert _sheets(visit) == 1


def test_reads_without_scripts(browser, files):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(files("review", "en").as_uri())
    assert page.locator(".page").count() == 15
    assert page.locator("svg.drawing").first.is_visible()
    context.close()
