"""Every page: nothing is missing, nothing comes from elsewhere, everything fits."""

import json
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

WIDTHS = [390, 768, 1440]

# The theme lets the article scroll, and not the page.
SCROLLED = """
const article = document.querySelector(".bd-article-container");
return Math.max(
    document.documentElement.scrollWidth - innerWidth,
    article.scrollWidth - article.clientWidth
);
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
    too_wide = {}
    for width in WIDTHS:
        screen(width)
        scrolled = browser.execute_script(SCROLLED)
        if scrolled > 0:
            too_wide[width] = scrolled
    assert not too_wide
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


@pytest.mark.parametrize("name", ["DigitMLPClassifier", "draw"])
def test_search_box_finds(browser, site, screen, name):
    browser.get(site)
    browser.find_element(By.CSS_SELECTOR, ".search-button__button").click()
    box = browser.switch_to.active_element
    assert box.tag_name == "input"
    box.send_keys(name, Keys.ENTER)
    WebDriverWait(browser, 20).until(
        lambda browser: any(
            name.lower() in link.text.lower()
            for link in browser.find_elements(By.CSS_SELECTOR, "#search-results li a")
        )
    )
