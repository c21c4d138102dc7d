"""The page on which a visitor draws a digit, used as visitors do."""

import inspect
import json
import time

import numpy as np
import pytest
from drawings import DIGITS, DRAWINGS, SIDE, placed
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from skdigits.images import (
    BlankImageError,
    CutDigitError,
    SeveralDigitsError,
    normalize_digit,
    read_digits,
)
from skdigits.pretrained import load_digit_reader

PROBLEMS = {
    "blank": BlankImageError,
    "cut": CutDigitError,
    "several": SeveralDigitsError,
}

MIN_CONFIDENCE = inspect.signature(read_digits).parameters["min_confidence"].default


class Page:
    """The page, and a hand that draws on it."""

    def __init__(self, browser):
        self.browser = browser
        self.paper = self.find("paper")

    def find(self, name):
        return self.browser.find_element(By.CSS_SELECTOR, f".draw-{name}")

    def draw(self, strokes, kind="mouse"):
        """Draw through the browser's own input, as a mouse, "pen" or finger does."""
        script = """
        const place = document.querySelector(".draw-ink").getBoundingClientRect();
        if (place.top < 90 || place.bottom > innerHeight) {
            scrollBy({top: place.top - 100, behavior: "instant"});
        }
        const {left, top, width} = document
            .querySelector(".draw-ink")
            .getBoundingClientRect();
        return [left, top, width];
        """
        left, top, width = self.browser.execute_script(script)
        for stroke in strokes:
            pointer = PointerInput(kind, kind)
            actions = ActionBuilder(self.browser, mouse=pointer, duration=0)
            for number, (x, y) in enumerate(stroke):
                actions.pointer_action.move_to_location(
                    round(left + x * width / SIDE), round(top + y * width / SIDE)
                )
                if number == 0:
                    actions.pointer_action.pointer_down()
            actions.pointer_action.pointer_up()
            actions.perform()

    def press(self, *keys):
        self.paper.send_keys("".join(keys))

    def text(self, name):
        return self.find(name).get_attribute("textContent").strip()

    @property
    def sign(self):
        return self.text("sign")

    def spoken(self):
        """What a screen reader is told once the hand rests."""
        before = time.monotonic()
        WebDriverWait(self.browser, 10, 0.1).until(
            lambda _: time.monotonic() - before > 0.9 and self.text("status")
        )
        return self.text("status")

    def chances(self):
        rows = self.browser.find_elements(By.CSS_SELECTOR, ".draw tbody tr")
        return {
            row.find_element(By.TAG_NAME, "th").text: row.find_elements(
                By.TAG_NAME, "td"
            )[-1].text.replace("\u202f", " ")
            for row in rows
        }

    def seen(self):
        """The picture that is shown as what the network sees."""
        script = """
        const canvas = document.querySelector(".draw-seen");
        const pixels = canvas.getContext("2d").getImageData(0, 0, 28, 28).data;
        return Array.from(pixels).filter((_, index) => index % 4 === 0);
        """
        values = self.browser.execute_script(script)
        return np.array(values, dtype=np.uint8).reshape(28, 28)


@pytest.fixture
def page_of(browser, site):
    def open_page(url=site + "draw.html"):
        browser.get(url)
        return Page(browser)

    return open_page


@pytest.fixture
def drawn(page_of, screen):
    """The page on a wide screen."""
    return page_of()


@pytest.fixture(scope="module")
def reader():
    return load_digit_reader()


# The page and the package.


@pytest.fixture(scope="module")
def seen_by_page(browser, site):
    """What the page's scripts make of each drawing."""
    browser.get(site + "draw.html")
    script = """
    const {paper, normalize, network, weights} = skdigits;
    const strokes = arguments[0].map((points) => ({
        points: points.map(([x, y]) => ({x, y})), width: arguments[1],
    }));
    const grey = paper.rasterize(strokes);
    const seen = normalize.normalize(grey, paper.SIDE);
    const chances = seen.image
        && network.probabilities(network.decode(weights), seen.image);
    return JSON.stringify({
        grey: Array.from(grey),
        problem: seen.problem,
        image: seen.image && Array.from(seen.image),
        chances,
    });
    """
    return {
        name: json.loads(browser.execute_script(script, each.strokes, each.width))
        for name, each in DRAWINGS.items()
    }


@pytest.mark.parametrize("name", DRAWINGS)
def test_same_picture_and_probabilities_as_in_python(name, seen_by_page, reader):
    seen = seen_by_page[name]
    expected = DRAWINGS[name].expected
    grey = np.array(seen["grey"], dtype=np.uint8).reshape(SIDE, SIDE)
    if expected in PROBLEMS:
        assert seen["problem"] == expected
        with pytest.raises(PROBLEMS[expected]):
            normalize_digit(grey)
        return
    assert seen["problem"] is None
    image = normalize_digit(grey)
    np.testing.assert_array_equal(seen["image"], image.ravel())
    chances = reader.predict_proba(image.reshape(1, -1))[0]
    np.testing.assert_allclose(seen["chances"], chances, rtol=0, atol=1e-4)
    if expected is not None:
        assert chances.argmax() == expected


# Mouse, pen, finger.


@pytest.mark.parametrize("digit", DIGITS)
def test_reads_what_a_mouse_draws(drawn, digit):
    drawn.draw(DIGITS[digit].strokes)
    assert drawn.sign == str(digit)
    assert drawn.spoken().startswith(f"Reads {digit}, ")


@pytest.mark.parametrize("digit", [3, 4, 7])
def test_reads_what_a_finger_draws_on_a_phone(page_of, screen, digit):
    screen(390, 844, phone=True)
    page = page_of()
    page.draw([])  # scrolls the paper into view
    before = page.browser.execute_script("return scrollY")
    page.draw(DIGITS[digit].strokes, "touch")
    assert page.sign == str(digit)
    assert page.browser.execute_script("return scrollY") == before


def test_reads_what_a_pen_draws(drawn):
    drawn.draw(DIGITS[5].strokes, "pen")
    assert drawn.sign == "5"


def test_shows_what_the_network_sees_and_thinks(drawn, reader):
    drawn.draw(DIGITS[4].strokes)
    image = drawn.seen()
    # A picture in MNIST's format stays as it is.
    np.testing.assert_array_equal(normalize_digit(image), image)
    chances = reader.predict_proba(image.reshape(1, -1))[0]
    shown = {
        str(digit): ">99 %" if chance > 0.995 else f"{round(100 * chance)} %"
        for digit, chance in enumerate(chances)
    }
    assert drawn.chances() == shown


def test_reads_while_the_pen_is_down(drawn):
    drawn.draw([[(60, 60)]])
    actions = ActionBuilder(drawn.browser, duration=0)
    actions.pointer_action.move_to(drawn.paper, -10, -60).pointer_down()
    actions.pointer_action.move_to(drawn.paper, -10, 60)
    actions.perform()
    before = drawn.text("status")
    WebDriverWait(drawn.browser, 10).until(lambda _: drawn.seen().any())
    assert drawn.text("status") == before
    ActionChains(drawn.browser).release().perform()


def test_a_stroke_goes_on_outside_the_paper(drawn):
    # Out at the right and in again; without capture the second half were lost.
    drawn.draw([[(60, 60), (120, 60), (260, 60), (260, 200), (120, 200), (60, 200)]])
    assert drawn.sign == ""
    assert drawn.text("words") == "Leave some paper at the right."


def test_undo_and_clear(drawn):
    empty = drawn.chances()
    assert len(set(empty.values())) == 1
    for name in ("undo", "clear"):
        assert not drawn.find(name).is_enabled()
    drawn.draw(placed(1, 0, 60, 110))
    one = drawn.seen()
    drawn.draw(placed(7, 120, 60, 110))
    assert drawn.sign == ""
    drawn.find("undo").click()
    np.testing.assert_array_equal(drawn.seen(), one)
    drawn.draw(placed(7, 120, 60, 110))
    drawn.find("clear").click()
    assert not drawn.seen().any()
    assert drawn.chances() == empty
    assert not drawn.find("clear").is_enabled()


def test_pen_width(drawn):
    ink = []
    for keys in (Keys.HOME, Keys.END):
        drawn.find("width").send_keys(keys)
        drawn.draw(DIGITS[1].strokes)
        ink.append(int((drawn.seen() > 0).sum()))
        drawn.find("clear").click()
    assert ink[1] > 1.5 * ink[0]


# Words.


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("two digits", "Several digits. Draw one at a time."),
        ("cut at the left", "Leave some paper at the left."),
        ("cut at the bottom", "Leave some paper at the bottom."),
    ],
)
def test_says_what_is_wrong(drawn, name, words):
    assert drawn.text("words") == "Draw a digit, from 0 to 9."
    # What leaves the paper, a pointer cannot begin there.
    strokes = [
        [(min(max(x, 2), SIDE - 2), min(max(y, 2), SIDE - 2)) for x, y in stroke]
        for stroke in DRAWINGS[name].strokes
    ]
    drawn.draw(strokes)
    assert drawn.sign == ""
    assert drawn.text("words") == words
    assert drawn.spoken() == words


def test_says_when_it_is_not_sure(drawn, reader):
    least = 1
    for name in ("a dot", "scribble", "with a dot"):
        drawn.draw(DRAWINGS[name].strokes)
        chances = reader.predict_proba(drawn.seen().reshape(1, -1))[0]
        best = int(chances.argmax())
        if chances[best] < MIN_CONFIDENCE:
            percent = f"{round(100 * chances[best])}\u202f%"
            assert drawn.sign == "?"
            assert drawn.text("words") == f"Not sure. Perhaps {best}, {percent}."
        else:
            assert drawn.sign == str(best)
        least = min(least, chances[best])
        drawn.find("clear").click()
    assert least < MIN_CONFIDENCE  # else nothing has been tried


def test_is_announced_once_the_hand_rests(drawn):
    drawn.browser.execute_script(
        """
        window.said = [];
        const status = document.querySelector(".draw-status");
        new MutationObserver(() => said.push(status.textContent))
            .observe(status, {childList: true});
        """
    )
    drawn.draw(DIGITS[5].strokes)
    assert drawn.spoken().startswith("Reads 5")
    assert len(drawn.browser.execute_script("return said")) == 1
    status = drawn.find("status")
    assert status.aria_role == "status"
    assert status.get_attribute("aria-live") == "polite"


def test_everything_has_a_name(drawn):
    assert drawn.paper.accessible_name == "Paper to draw on"
    described = drawn.paper.get_attribute("aria-describedby")
    assert "Space" in drawn.browser.find_element(By.ID, described).text
    names = [drawn.find(name).accessible_name for name in ("undo", "clear", "width")]
    assert names == ["Undo", "Clear", "Pen"]
    assert drawn.find("seen").accessible_name == "The drawing as the network sees it"
    table = drawn.browser.find_element(By.CSS_SELECTOR, ".draw table")
    assert table.accessible_name == "Probability of each digit"


# Keys.

RIGHT, DOWN, LEFT, UP = (
    Keys.ARROW_RIGHT,
    Keys.ARROW_DOWN,
    Keys.ARROW_LEFT,
    Keys.ARROW_UP,
)

BY_KEYS = {
    1: [DOWN * 2, Keys.SPACE, DOWN * 18, Keys.SPACE],
    4: [LEFT * 7, Keys.SPACE, DOWN * 9, RIGHT * 12, Keys.SPACE]
    + [UP * 9, LEFT * 3, Keys.SPACE, DOWN * 20, Keys.SPACE],
    7: [LEFT * 7, Keys.SPACE, RIGHT * 14, (DOWN * 2 + LEFT) * 9, Keys.SPACE],
}  # fmt: skip


def tab_to_paper(page):
    for _ in range(60):
        if page.browser.switch_to.active_element == page.paper:
            return
        ActionChains(page.browser).send_keys(Keys.TAB).perform()
    pytest.fail("The paper cannot be reached with Tab.")


@pytest.mark.parametrize("digit", BY_KEYS)
def test_reads_what_keys_draw(drawn, digit):
    tab_to_paper(drawn)
    ActionChains(drawn.browser).send_keys(*BY_KEYS[digit]).perform()
    assert drawn.sign == str(digit)
    assert drawn.spoken().startswith(f"Reads {digit}, ")


def test_focus_is_seen(drawn):
    tab_to_paper(drawn)
    style = drawn.paper.value_of_css_property
    assert style("outline-style") == "solid"
    assert style("outline-width") == "3px"
    drawn.press(LEFT)
    assert drawn.find("cursor").is_displayed()
    ActionChains(drawn.browser).send_keys(Keys.TAB).perform()
    assert not drawn.find("cursor").is_displayed()


def test_keys_tell_where_the_pen_is(drawn):
    drawn.press(Keys.SPACE)
    assert drawn.text("status").replace("\u202f", " ") == (
        "Pen down, 50 % from the left, 25 % from the top."
    )
    drawn.press(Keys.SPACE)
    assert drawn.text("status") == "Pen up."


def test_two_arrows_at_once_are_a_slope(drawn):
    drawn.press(Keys.SPACE)
    keys = ActionChains(drawn.browser).key_down(DOWN)
    for _ in range(9):  # the key pressed last is the one that repeats
        keys.key_down(RIGHT)
    keys.key_up(RIGHT).key_up(DOWN).send_keys(Keys.SPACE).perform()
    rows, columns = np.nonzero(drawn.seen())
    assert np.ptp(rows) > 12
    assert np.ptp(columns) > 8


def test_keys_take_back(drawn):
    drawn.press(Keys.SPACE, DOWN * 8, Keys.SPACE, RIGHT * 2, Keys.SPACE, DOWN * 8, " ")
    two = drawn.seen()
    drawn.press(Keys.BACKSPACE)
    one = drawn.seen()
    assert not np.array_equal(one, two)
    drawn.press(Keys.SPACE, RIGHT * 8, Keys.ESCAPE)
    assert not np.array_equal(drawn.seen(), one)
    drawn.press(Keys.CONTROL + "z" + Keys.NULL)
    np.testing.assert_array_equal(drawn.seen(), one)
    drawn.press(Keys.DELETE)
    assert not drawn.seen().any()


# Wherever it is looked at.


def test_works_from_a_folder(page_of, screen, folder):
    page = page_of((folder / "draw.html").as_uri())
    page.draw(DIGITS[2].strokes)
    assert page.sign == "2"


def test_without_javascript_it_says_so(browser, site, screen):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(site + "draw.html")
        note = browser.find_element(By.CSS_SELECTOR, "noscript p")
        assert "needs JavaScript" in note.get_attribute("textContent")
        assert note.rect["height"] > 0
        assert not browser.find_element(By.CLASS_NAME, "draw").is_displayed()
    finally:
        browser.execute_cdp_cmd(
            "Emulation.setScriptExecutionDisabled", {"value": False}
        )


def test_less_motion(media, drawn):
    bar = "return getComputedStyle(document.querySelector('.draw-bar'), '::before')"
    lasts = f"{bar}.transitionDuration"
    assert drawn.browser.execute_script(lasts) != "0s"
    media(reduced_motion="reduce")
    assert drawn.browser.execute_script(lasts) == "0s"


# Contrast of every text of the article with what lies behind it, as WCAG 2 has it.
CONTRASTS = """
const canvas = document.createElement("canvas").getContext("2d");
function rgba(colour) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return Array.from(canvas.getImageData(0, 0, 1, 1).data);
}
function luminance(colour) {
    const [r, g, b] = colour.map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(element) {
    for (let each = element; each; each = each.parentElement) {
        const colour = rgba(getComputedStyle(each).backgroundColor);
        if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
}
const found = {};
const texts = document.createTreeWalker(
    document.querySelector("article"), NodeFilter.SHOW_TEXT
);
while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest(":disabled, noscript")) {
        continue;
    }
    const colours = [rgba(getComputedStyle(element).color), behind(element)];
    const both = colours.map(luminance);
    const [dark, light] = both.sort((a, b) => a - b);
    found[text] = (light + 0.05) / (dark + 0.05);
}
return found;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(media, drawn, scheme):
    media(color_scheme=scheme)
    root = drawn.browser.find_element(By.TAG_NAME, "html")
    WebDriverWait(drawn.browser, 10).until(
        lambda _: root.get_attribute("data-theme") == scheme
    )
    drawn.draw(DIGITS[6].strokes)
    time.sleep(0.5)  # the theme's colours change gradually
    contrasts = drawn.browser.execute_script(CONTRASTS)
    assert {"Draw a digit", "6", "Undo", "Pen"} <= contrasts.keys()
    assert {text: each for text, each in contrasts.items() if each < 4.5} == {}
    ink = """
    const canvas = document.querySelector(".draw-ink");
    const {data} = canvas.getContext("2d").getImageData(
        0, 0, canvas.width, canvas.height
    );
    let [drawn, sum] = [0, 0];
    for (let index = 0; index < data.length; index += 4) {
        if (data[index + 3] === 255) {
            drawn += 1;
            sum += data[index];
        }
    }
    return sum / drawn;
    """
    assert (drawn.browser.execute_script(ink) > 128) == (scheme == "dark")
