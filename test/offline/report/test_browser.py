"""The report in a real browser."""

import shutil

import pytest

from reloc_ros.offline.report.page import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def test_a_browser_shows_every_section_without_complaint_and_turns_the_map(evaluated, tmp_path, browser):
    file = tmp_path / "report.html"
    write_report(evaluated, file)
    for size, scheme in (((1280, 900), "light"), ((390, 844), "dark")):
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, offline=True
        )
        page = context.new_page()
        complaints, requests = [], []
        page.on("console", lambda message: complaints.append(message.text))  # noqa: B023
        page.on("pageerror", lambda error: complaints.append(str(error)))  # noqa: B023
        page.on("request", lambda request: requests.append(request.url))  # noqa: B023
        page.goto(file.as_uri())
        for section in ("map", "coverage", "accuracy", "worst", "lost", "landmarks", "making"):
            assert page.locator(f"#{section} h2").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        seen = "document.getElementById('place').toDataURL()"
        page.wait_for_function(f"{seen}.length > 2000")
        first = page.evaluate(seen)
        page.click("#from-above")
        page.wait_for_function(f"before => {seen} !== before", arg=first)
        page.uncheck("#show-cameras")
        page.focus("#place")
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(100)
        assert complaints == []
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
        context.close()
