"""The page on which a visitor draws numbers, used as visitors do."""

import time
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from drawings import DIGITS, DRAWINGS, WIDTH, line, placed
from PIL import Image
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from skdigits.images import read_digits


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
                    round(left + x * width / WIDTH), round(top + y * width / WIDTH)
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
    def answer(self):
        return self.text("text")

    def spoken(self):
        """What a screen reader is told once the hand rests."""
        before = time.monotonic()
        WebDriverWait(self.browser, 10, 0.1).until(
            lambda _: time.monotonic() - before > 0.9 and self.text("status")
        )
        return self.text("status")

    def digits(self):
        """The caption of each digit."""
        items = self.browser.find_elements(By.CSS_SELECTOR, ".draw-digits li")
        return [item.text.replace("\u202f", " ") for item in items]

    def seen(self, number=0):
        """The image of a digit as the network sees it."""
        script = """
        const canvas = document.querySelectorAll(".draw-digits canvas")[arguments[0]];
        const pixels = canvas.getContext("2d").getImageData(0, 0, 28, 28).data;
        return Array.from(pixels).filter((_, index) => index % 4 === 0);
        """
        values = self.browser.execute_script(script, number)
        return np.array(values, dtype=np.uint8).reshape(28, 28)

    def saved(self):
        """The pixels of the file that is saved."""
        script = """
        const [done] = arguments;
        HTMLAnchorElement.prototype.click = async function () {
            done([this.download, this.href]);
        };
        document.querySelector(".draw-save").click();
        """
        name, url = self.browser.execute_async_script(script)
        assert name == "drawing.png"
        return Image.open(BytesIO(b64decode(url.partition(",")[2]))).convert("L")


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


# Mouse, pen, finger.


@pytest.mark.parametrize("digit", DIGITS)
def test_reads_what_a_mouse_draws(drawn, digit):
    drawn.draw(DIGITS[digit].strokes)
    assert drawn.answer == str(digit)
    assert drawn.spoken().startswith(f"Reads {digit}. Confidence: ")


def test_the_answer_is_visible_while_a_finger_draws_on_a_phone(page_of, screen):
    screen(390, 664, phone=True)
    page = page_of()
    assert "0 to 9" in page.browser.find_element(By.CSS_SELECTOR, "article p").text
    page.draw(DRAWINGS["2026"].strokes, "touch")
    assert page.answer == "2026"
    assert page.browser.execute_script("return scrollY") == 0
    text, paper, tools = (page.find(name) for name in ("text", "paper", "tools"))
    assert float(text.value_of_css_property("font-size")[:-2]) > 48
    assert 0 < text.rect["y"] < paper.rect["y"]
    assert tools.rect["y"] + tools.rect["height"] <= 664


def test_reads_what_a_pen_draws(drawn):
    drawn.draw(DIGITS[5].strokes, "pen")
    assert drawn.answer == "5"


@pytest.mark.parametrize("name", ["2026", "lines"])
def test_reads_numbers_and_shows_each_digit(drawn, name):
    drawn.draw(DRAWINGS[name].strokes)
    assert drawn.answer == DRAWINGS[name].text
    # A pointer moves by whole pixels: the saved drawing is not quite that of the test.
    reading = read_digits(drawn.saved())
    assert reading.text == drawn.answer
    captions = [
        f"{digit} " + (">99 %" if share > 0.995 else f"{round(100 * share)} %")
        for digit, share in ((each, each.confidence) for each in reading)
    ]
    assert drawn.digits() == captions
    for number, digit in enumerate(reading):
        np.testing.assert_allclose(drawn.seen(number), digit.image, atol=1)


def test_reads_while_the_pen_is_down(drawn):
    actions = ActionBuilder(drawn.browser, duration=0)
    actions.pointer_action.move_to(drawn.paper, -10, -60).pointer_down()
    actions.pointer_action.move_to(drawn.paper, -10, 60)
    actions.perform()
    before = drawn.text("status")
    WebDriverWait(drawn.browser, 10).until(lambda _: drawn.answer == "1")
    assert drawn.text("status") == before
    ActionChains(drawn.browser).release().perform()


def test_a_stroke_goes_on_outside_the_paper(drawn):
    # A seven of which the right half is missing: the pen is out there, and back again.
    drawn.draw([line((450, 80), (650, 80), (650, 200), (450, 300), points=8)])
    ink = np.array(drawn.saved()) < 128
    assert ink[80, 590]
    assert ink[290, 470]


def test_undo_and_clear(drawn):
    for name in ("undo", "clear", "save"):
        assert not drawn.find(name).is_enabled()
    drawn.draw(placed(1, 100, 120, 150))
    drawn.draw(placed(7, 300, 120, 150))
    assert drawn.answer == "17"
    drawn.find("undo").click()
    assert drawn.answer == "1"
    assert len(drawn.digits()) == 1
    drawn.draw(placed(7, 300, 120, 150))
    drawn.find("clear").click()
    assert drawn.answer == ""
    assert drawn.digits() == []
    assert not drawn.find("clear").is_enabled()


def test_examples(drawn):
    for answer in ("2026", "58034", "314 15\n926\n53 589", "2026"):
        drawn.find("example").click()
        assert drawn.answer == answer


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
        ("cross", "No digits found."),
        ("cut at the bottom", "Leave some paper around each digit."),
    ],
)
def test_says_what_is_wrong(drawn, name, words):
    assert drawn.text("words") == "The result appears here."
    drawn.draw(DRAWINGS[name].strokes)
    assert drawn.answer == DRAWINGS[name].text
    assert drawn.text("words") == words
    assert drawn.spoken().endswith(words)


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
    names = [
        drawn.find(name).accessible_name for name in ("undo", "clear", "save", "width")
    ]
    assert names == ["Undo", "Clear", "Save", "Pen"]
    drawn.draw(DIGITS[1].strokes)
    assert drawn.digits() == ["1 >99 %"]


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
    assert drawn.answer == str(digit)
    assert drawn.spoken().startswith(f"Reads {digit}. Confidence: ")


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
    rows, columns = np.nonzero(np.array(drawn.saved()) < 128)
    assert np.ptp(rows) > 60
    assert np.ptp(columns) > 60


def test_keys_take_back(drawn):
    drawn.press(Keys.SPACE, DOWN * 16, Keys.SPACE)
    assert drawn.answer == "1"
    drawn.press(RIGHT * 10, Keys.SPACE, UP * 16, Keys.ESCAPE)
    assert drawn.answer == "11"
    drawn.press(Keys.BACKSPACE)
    assert drawn.answer == "1"
    drawn.press(RIGHT * 5, Keys.SPACE, DOWN * 16, Keys.SPACE)
    assert drawn.answer == "11"
    drawn.press(Keys.CONTROL + "z" + Keys.NULL)
    assert drawn.answer == "1"
    drawn.press(Keys.DELETE)
    assert drawn.answer == ""


# Wherever it is looked at.


def test_works_from_a_folder(page_of, screen, folder):
    page = page_of((folder / "draw.html").as_uri())
    page.draw(DIGITS[2].strokes)
    assert page.answer == "2"


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
    assert {"Draw numbers", "6", "Undo", "Pen"} <= contrasts.keys()
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
