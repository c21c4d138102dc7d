"""Every page: nothing is missing, nothing comes from elsewhere, everything fits."""

import json
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

WIDTHS = [390, 768, 1280, 1440]

# The theme lets the article scroll, and not the page.
SCROLLED = """
const article = document.querySelector(".bd-article-container");
return Math.max(
    document.documentElement.scrollWidth - innerWidth,
    article.scrollWidth - article.clientWidth
);
"""

# Text that its box cuts off. Wide tables have a scroll bar of their own.
CUT = """
return Array.from(document.querySelectorAll("article *, .prev-next-footer *"))
    .filter((element) => getComputedStyle(element).overflowX !== "visible")
    .filter((element) => element.scrollWidth > element.clientWidth + 1)
    .filter((element) => element.clientWidth > 1)
    .filter((element) => !element.matches(".pst-scrollable-table-container"))
    .map((element) => element.textContent.trim().slice(0, 60));
"""

EMPTY_SIDEBAR = """
const sidebar = document.querySelector(".bd-sidebar-primary");
return Boolean(sidebar && sidebar.checkVisibility() && !sidebar.querySelector("li"));
"""


def requests(browser):
    """Addresses that the browser has asked for since this was called last."""
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            yield message["params"]["request"]["url"]


def test_page_loads_from_here_without_errors_and_fits(browser, site, screen, page):
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(site + page)
    assert browser.title
    too_wide, cut = {}, {}
    for width in WIDTHS:
        screen(width)
        too_wide[width] = max(0, browser.execute_script(SCROLLED))
        cut[width] = browser.execute_script(CUT)
    assert set(too_wide.values()) == {0}, too_wide
    assert not any(cut.values()), cut
    assert not browser.execute_script(EMPTY_SIDEBAR)
    assert [
        entry["message"]
        for entry in browser.get_log("browser")
        if entry["level"] in ("WARNING", "SEVERE")
    ] == []
    asked = [url for url in requests(browser) if not url.startswith(("data:", "blob:"))]
    assert site + page in asked
    assert [url for url in asked if not url.startswith((site, "about:"))] == []


class Links(HTMLParser):
    """Where a page leads, and the places in it that one can lead to."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.anchors = [], {""}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes[key] for key in ("id", "name") if key in attributes}
        for key in ("href", "src"):
            if attributes.get(key) is not None:
                self.targets.append(attributes[key])


# Most pages lead to the same few.
links = cache(Links)


def test_links_lead_somewhere(folder, page):
    missing = []
    for target in links(folder / page).targets:
        url = urlsplit(urljoin(f"http://site/{page}", target))
        if url.netloc != "site":
            continue
        path = folder / unquote(url.path).lstrip("/")
        if path.is_dir():
            path /= "index.html"
        found = path.exists()
        if found and url.fragment and path.suffix == ".html":
            found = unquote(url.fragment) in links(path).anchors
        if not found:
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("DigitMLPClassifier", "api/skdigits.DigitMLPClassifier.html"),
        ("draw", "draw.html"),
        ("epochs", "guide/train.html"),
        ("overfitting", "guide/train.html"),
        ("CSV", "guide/train.html"),
        ("GPU", "install.html"),
        ("licence", "install.html"),
        ("license", "install.html"),
        ("photograph", "guide/photographs.html"),
    ],
)
def test_search_finds(browser, site, screen, words, wanted):
    browser.get(site)
    browser.find_element(By.CSS_SELECTOR, ".search-button__button").click()
    box = browser.switch_to.active_element
    assert box.tag_name == "input"
    box.send_keys(words, Keys.ENTER)

    def found(browser):
        links = browser.find_elements(By.CSS_SELECTOR, "#search-results li a")
        return [urlsplit(link.get_attribute("href")).path[1:] for link in links]

    WebDriverWait(browser, 20).until(lambda browser: wanted in found(browser)[:4])


def test_reference_links_types_errors_and_sources(folder):
    targets = links(folder / "api/skdigits.images.read_digits.html").targets
    for name in ("PageReading", "ImageError"):
        target = f"skdigits.images.{name}.html#skdigits.images.{name}"
        assert target in targets
    for path in (folder / "api").glob("*.html"):
        assert any("/_modules/" in target for target in links(path).targets), path.name
