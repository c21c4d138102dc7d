"""The built site, on a server of its own, and a browser that looks at it.

The browser resolves no name: what is not on the site cannot come from elsewhere.
"""

import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

SITE = Path(__file__).parents[1] / "_build" / "html"

ARGUMENTS = """
--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic
--no-first-run --disable-background-networking --disable-component-update
--disable-sync --host-resolver-rules=MAP\t*\t~NOTFOUND,\tEXCLUDE\t127.0.0.1
"""


def pages():
    """Paths of all pages but listings of code; a missing one if nothing is built."""
    found = sorted(
        path.relative_to(SITE).as_posix()
        for path in SITE.rglob("*.html")
        if not {"_static", "_modules"} & set(path.parts)
    )
    return found or ["index.html"]


def pytest_generate_tests(metafunc):
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", pages())


@pytest.fixture(scope="session")
def folder():
    if not (SITE / "index.html").exists():
        pytest.fail(f"There is no site in {SITE}. Build it: make docs")
    return SITE


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def site(folder):
    """Address of the site, with a slash at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def program(*names):
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    pytest.fail(
        f"The tests of the site need {names[0]}, which is not installed. On Debian: "
        "apt-get update && apt-get install -y chromium chromium-driver"
    )


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    options = ChromeOptions()
    options.binary_location = program("chromium", "chromium-browser", "google-chrome")
    for argument in ARGUMENTS.split():
        options.add_argument(argument.replace("\t", " "))
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('browser')}")
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    driver = Chrome(options=options, service=Service(program("chromedriver")))
    driver.set_page_load_timeout(60)
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def screen(browser):
    """A function that sets the size of the screen, and whether it is a phone's."""

    def resize(width, height=900, *, phone=False):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": height,
                "deviceScaleFactor": 2 if phone else 1,
                "mobile": phone,
            },
        )
        browser.execute_cdp_cmd(
            "Emulation.setTouchEmulationEnabled", {"enabled": phone}
        )

    resize(1440)
    yield resize
    resize(1440)


@pytest.fixture
def media(browser):
    """A function that sets what the visitor's system prefers."""

    def prefer(**features):
        listed = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value}
            for name, value in features.items()
        ]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})

    yield prefer
    prefer()
