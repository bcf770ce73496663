"""The pages in a browser: what they show, how they answer to pointer and keys, and that they load nothing else."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from selenium.webdriver import ActionChains, Keys

from attention_zoo.pipelines.engine.views import (
    Alignment,
    ConfusionMatrix,
    Frames,
    HeatMaps,
    LayeredHeads,
    PointMap,
    Scatter,
    ShadedText,
    Spans,
)

IMAGE = np.linspace(0, 255, 20 * 30 * 3).reshape(20, 30, 3).astype("uint8")
TOKENS = ["[CLS]", "the", "cat", "sat", "[SEP]"]
PREVIOUS = 0.9 * np.eye(5)[[0, 0, 1, 2, 3]] + 0.1 * np.eye(5)[[4] * 5]  # .9 to the token before, .1 to the separator
LAYERS = np.stack([np.stack([PREVIOUS, np.eye(5)[[0] * 5]]), np.stack([np.full((5, 5), 0.2), np.eye(5)])])
CORNERS = np.zeros((3, 6, 6))
CORNERS[0, 0, 0] = CORNERS[1, 5, 5] = CORNERS[2, 0, 5] = 1
VIEWS = {
    "alignment": Alignment(
        ["▁3", "▁h", "ours", "</s>"],
        ["▁3", "▁heures"],
        np.array([[[0.75, 0.125, 0.125, 0], [0.25, 0.5, 0.25, 0]], [[0, 0, 0, 1], [1, 0, 0, 0]]]),
        ["alignment", "head 1"],
        "3 hours → 3 heures",
        ("source", "translation"),
        links=[(1, 1)],
        alternatives=[
            Alignment(
                ["▁3", "▁h", "ours", "</s>"], ["▁trois"], np.array([[[0.5, 0.25, 0.25, 0]]]), title="trois (-1.50)"
            )
        ],
    ),
    "confusion_matrix": ConfusionMatrix(["cat", "dog"], np.array([[30, 10], [1, 1999]]), "test split"),
    "frames": Frames(
        np.stack([IMAGE] * 3),
        CORNERS,
        np.array([-0.5, 0, 0.25]),
        1,
        "rad",
        np.array([-0.25, 0, 0.5]),
        ("left", "right"),
        [[([[0, 0], [8, 0], [8, 8]], 0.25, True), ([[20, 10], [29, 10], [29, 19]], 0.01, False)], [], None],
    ),
    "heat_maps": HeatMaps(IMAGE, CORNERS, ["a", "red", "square"], "a red square", "reference: a square"),
    "layered_heads": LayeredHeads(TOKENS, LAYERS, "the cat sat"),
    "point_map": PointMap(
        np.array([[0, 0], [1, 0], [3, 0], [0, 9]]), ["cat", "dog", "mouse", "car"], ["animal"] * 3 + ["thing"], "words"
    ),
    "scatter": Scatter(np.array([-1.5, 0.0, 3.0]), np.array([-1.0, 0.25, 1.0]), "test split"),
    "shaded_text": ShadedText(
        [["Good ", "fun"], ["Go!"]], [np.array([0.75, 0.25]), np.ones(1)], np.array([0.8, 0.2]), "good", [True, False]
    ),
    "spans": Spans(
        "𝒲e met Ann Lee",
        [(7, 14, "PER", 0.9)],
        ["𝒲e", "met", "Ann", "Lee"],
        ["O", "O", "B-PER", "I-PER"],
        ["O", "B-PER", "I-PER"],
        np.array([[0.9, 0.8, 0.2, 0.1], [0.1, 0.1, 0.7, 0.1], [0, 0.1, 0.1, 0.8]]),
        np.eye(4),
        title="names",
    ),
}
HOSTILE = "</script><img src=x onerror='hacked=1'><script>hacked=1</script>\"'&lt;"


@pytest.mark.parametrize("name", VIEWS)
def test_a_page_is_drawn_on_400_pixels_in_both_schemes_without_a_request(browser, name):
    browser.complaints()
    papers = []
    for scheme in ("light", "dark"):
        browser.open(VIEWS[name], 400, scheme)
        assert browser.js("return document.documentElement.scrollWidth") <= 400
        papers.append(browser.js("return getComputedStyle(document.body).backgroundColor"))
    assert papers == ["rgb(255, 255, 255)", "rgb(29, 32, 38)"]
    assert browser.one("h1").text == (getattr(VIEWS[name], "title", "") or "Where the model looked, frame by frame")
    assert browser.complaints() == []


def test_a_page_loads_nothing_even_if_a_script_asks(browser):
    browser.open(VIEWS["alignment"])
    asked = "const done = arguments[0]; fetch('https://example.org').then(() => done('came'), () => done('refused'))"
    assert browser.driver.execute_async_script(asked) == "refused"
    assert any("Content Security Policy" in one for one in browser.complaints())


def test_axe_finds_nothing_serious_in_any_page(browser, axe):
    for name, view in VIEWS.items():
        for scheme in ("light", "dark"):
            browser.open(view, scheme=scheme)
            browser.js("for (const part of document.querySelectorAll('details')) part.open = true")
            assert browser.violations(axe) == [], f"{name}, {scheme}"


def hostile(view):
    """A view all of whose texts would be HTML, if a page took them for it."""
    texts = {}
    for name, value in vars(view).items():
        if isinstance(value, str):
            texts[name] = HOSTILE
        elif isinstance(value, list) and value and isinstance(value[0], str):
            texts[name] = [f"{HOSTILE}{number}" for number in range(len(value))]
        elif name == "alternatives":
            texts[name] = [hostile(other) for other in value]
        elif name == "sides" or name == "directions":
            texts[name] = (HOSTILE, HOSTILE)
    if isinstance(view, ShadedText):
        texts["sentences"] = [[HOSTILE] * len(words) for words in view.sentences]
    if isinstance(view, Spans):
        texts |= {"spans": [(7, 14, HOSTILE, 0.9)], "tags": [texts["tag_names"][0]] * len(view.words)}
    return replace(view, **texts)


@pytest.mark.parametrize("name", VIEWS)
def test_texts_are_never_html(browser, name):
    browser.complaints()
    browser.open(hostile(VIEWS[name]))
    browser.js("for (const part of document.querySelectorAll('details')) part.open = true")
    browser.wait(lambda: HOSTILE in browser.js("return document.querySelector('main').textContent"))
    assert browser.js("return window.hacked") is None and browser.all("main img, main script") == []
    assert browser.complaints() == []
    ElementTree.fromstring(browser.js("return svgOf(document.querySelector('.picture'))"))


def test_an_alignment_answers_to_pointer_keys_and_click(browser):
    browser.open(VIEWS["alignment"])
    assert browser.texts("#written li") == ["3", "heures"] and browser.texts("#read li") == ["3", "hours", "</s>"]
    image, frame = browser.one(".matrix image"), browser.one(".matrix").rect
    place = {name: float(image.get_attribute(name)) for name in ("x", "y", "width", "height")}
    assert browser.all(".matrix")[0].is_displayed() and len(browser.all(".matrix")) == 3
    browser.point(
        browser.one(".matrix"), int(place["x"] + place["width"] / 2), int(place["y"] + place["height"] * 0.75)
    )
    assert browser.said() == browser.one("#hint").text == "heures → hours: 0.75" and frame["width"] > 0
    shades = lambda: browser.js(
        "return [...document.querySelectorAll('#read span')].map((w) => w.style.backgroundColor)"
    )
    assert len(set(shades())) == 3
    browser.one(".matrix-box").send_keys(Keys.ARROW_LEFT)
    assert browser.said() == "heures → 3: 0.25"
    browser.press(Keys.ENTER)
    pressed = [button.get_attribute("aria-pressed") for button in browser.all("#written button")]
    assert pressed == ["false", "true"] and browser.said().startswith("heures looked at hours 0.75, 3 0.25")
    browser.button("pieces").click()
    assert browser.texts("#read li") == ["3", "h", "ours", "</s>"]
    browser.button("head 1").click()
    browser.all("#written button")[0].click()
    assert browser.said().startswith("3 looked at </s> 1,")
    browser.one("summary").click()
    browser.wait(lambda: browser.texts("tbody tr"))
    assert browser.texts("tbody tr")[0] == "3 </s> 1 3 0 h 0"


def test_other_answers_stand_beside_the_answer(browser):
    browser.open(VIEWS["alignment"])
    assert browser.texts(".maps h2") == ["alignment", "trois (-1.50)", "head 1"]
    browser.one(".alternative .matrix-box").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert browser.said() == "trois → hours: 0.5"
    colors = browser.js("return [...document.querySelectorAll('#read span')].map((word) => word.style.backgroundColor)")
    assert colors[0] == colors[1] != colors[2]
    browser.one("summary").click()
    browser.wait(lambda: browser.texts("caption"))
    assert browser.texts("tbody tr")[2] == "trois 3 0.5 hours 0.5 </s> 0"


def test_the_names_of_the_axes_lie_within_a_matrix_of_one_column(browser):
    browser.open(Alignment(["a"], ["b"], np.ones((1, 1, 1)), sides=("source sentence", "translation")))
    side, drawing = (browser.one(f"svg.matrix{inside}").rect for inside in (" .side", ""))
    assert drawing["x"] <= side["x"] and side["x"] + side["width"] <= drawing["x"] + drawing["width"]


def test_a_matrix_takes_the_colors_of_the_scheme_and_of_paper(browser):
    browser.open(VIEWS["alignment"])
    shown = lambda: browser.one(".matrix image").get_attribute("href")
    light = shown()
    browser.scheme("dark")
    browser.wait(lambda: shown() != light)
    browser.js("dispatchEvent(new Event('beforeprint'))")
    assert shown() == light
    browser.js("dispatchEvent(new Event('afterprint'))")
    assert shown() != light


def test_heat_maps_follow_the_words(browser):
    browser.open(VIEWS["heat_maps"])
    pixels = lambda: browser.js("return document.getElementById('image').toDataURL()")
    first = pixels()
    assert (
        browser.texts(".strip button") == ["a", "red", "square"] and browser.one(".known").text == "reference: a square"
    )
    assert browser.said() == "1 of 3: a, strongest top left"
    browser.press(Keys.ARROW_RIGHT)
    assert browser.said() == "2 of 3: red, strongest bottom right" and browser.one("#caption").text == "red"
    assert pixels() != first
    browser.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert browser.said() == "3 of 3: square, strongest top right"
    browser.one("#play").click()
    browser.wait(lambda: browser.one("#caption").text == "a")
    assert browser.one("#play").text == "Pause" and pixels() == first
    browser.button("image").click()
    assert pixels() != first


def test_frames_play_with_values_and_truth(browser):
    browser.open(VIEWS["frames"])
    told = "frame 1 of 3: answer −0.50 rad (left), truth −0.25 rad (left); 2 attended regions, 1 of them causal"
    assert browser.one("#numbers").text == f"{told}, without one the answer moves by at most 0.250 rad"
    color = (
        "return [...document.getElementById('attended').getContext('2d').getImageData(40, 0, 1, 1).data].slice(0, 3)"
    )
    assert browser.js(color) == [255, 171, 102]  # on the line around the causal region
    browser.press(Keys.ARROW_RIGHT)
    browser.wait(
        lambda: (
            browser.one("#numbers").text
            == "frame 2 of 3: answer +0.00 rad, truth +0.00 rad; 0 attended regions, 0 of them causal"
        )
    )
    assert browser.one("#attended").get_attribute("aria-label") == "Frame 2 under its map, strongest bottom right"
    browser.one("#play").click()
    browser.wait(lambda: browser.one("#numbers").text.startswith("frame 3") and browser.one("#play").text == "Play")
    assert browser.one("#numbers").text.endswith("; regions not examined")
    assert "Outlined, in 2 of the 3 frames: attended regions" in browser.all(".explained")[-1].text
    plot = browser.one(".plot")
    browser.point(plot, 2, 20)
    ActionChains(browser.driver).click().perform()
    browser.wait(lambda: browser.one("#numbers").text.startswith("frame 1"))


def test_heads_are_grouped_selected_and_summed(browser):
    browser.open(VIEWS["layered_heads"])
    browser.wait(lambda: browser.js("return document.documentElement.dataset.complete"))
    labels = [button.get_attribute("aria-label") for button in browser.all(".thumbs button")]
    assert labels == [
        "layer 1, head 1: previous token",
        "layer 1, head 2: first token",
        "layer 2, head 1: no single place",
        "layer 2, head 2: same word",
    ]
    browser.wait(lambda: browser.js("return document.querySelector('.thumbs canvas').width") == 5)
    assert "at least 40%" in browser.one("#explained").text and "left out" not in browser.one("#explained").text
    assert browser.one("#measured").text.startswith("Measured: previous token 90%, next token")
    for token in ("cat", "sat"):
        browser.button(token).click()
    assert browser.one("#sum").text.startswith("cat + sat → the 0.9, cat 0.9, [SEP] 0.2")
    browser.press(Keys.ARROW_UP)
    assert browser.js("return document.activeElement.textContent") == "cat"
    browser.button("matrix").click()
    browser.one(".matrix-box").send_keys(Keys.ARROW_DOWN)
    assert browser.said() == "the → [CLS]: 0.9" and len(browser.all(".matrix .kept")) == 2
    browser.button("same word (1)").click()
    assert browser.one("#head").text == "Layer 2, head 2: same word" and len(browser.all(".thumbs .other")) == 3
    assert browser.one("#sum").text.startswith("cat + sat → cat 1, sat 1, [CLS] 0")
    browser.button("arcs").click()
    assert len(browser.all(".arcs path")) == 2
    browser.button("Select none").click()
    assert len(browser.all(".arcs path")) == 5


def test_entities_and_tags_stand_where_they_are(browser):
    browser.open(VIEWS["spans"])
    assert browser.one(".annotated").text == "𝒲e met Ann Lee PER 0.9" and browser.one("mark").text == "Ann Lee PER 0.9"
    lattice = browser.one(".matrix-box")
    lattice.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert browser.said() == "Ann is B-PER: 0.7, chosen" and len(browser.all(".marked")) == 4


def test_points_are_searched_and_have_neighbours(browser):
    browser.open(VIEWS["point_map"])
    assert len(browser.all(".map circle")) == 4
    browser.one("#search").send_keys("d")
    assert browser.said() == "1 found; Enter chooses the first"
    browser.press(Keys.ENTER)
    assert browser.texts("#neighbours li") == ["cat 1", "mouse 2", "car 9.06"]
    browser.button("thing").click()
    assert len(browser.all(".map circle")) == 3 and browser.all(".map line")
    browser.all("#neighbours button")[1].click()
    assert browser.said().startswith("mouse: nearest dog, cat")


def test_answers_stand_at_their_truths_and_the_farthest_come_first(browser):
    browser.open(VIEWS["scatter"])
    dots = browser.all(".scatter circle")
    assert len(dots) == 3 and dots[2].rect["x"] > dots[0].rect["x"] and dots[2].rect["y"] < dots[0].rect["y"]
    browser.point(dots[1])
    assert browser.said() == browser.one("#hint").text == "example 2: truth 0, answer 0.25"
    browser.one(".scatter").send_keys(Keys.ARROW_RIGHT)
    assert browser.said() == "example 3: truth 3, answer 1" and browser.all(".scatter .chosen")
    browser.one("summary").click()
    browser.wait(lambda: browser.texts("tbody tr"))
    assert browser.texts("tbody tr") == ["3 3 1 -2", "1 -1.5 -1 0.5", "2 0 0.25 0.25"]


def test_classes_and_sentences_have_their_numbers(browser):
    browser.open(VIEWS["confusion_matrix"])
    assert browser.texts("tbody tr") == ["cat 30 10 75%", "dog 1 1,999 100%"]
    assert browser.texts("tfoot tr") == ["precision 97% 100% 99%"]
    browser.button("shares of a class").click()
    browser.all("tbody td")[1].click()
    assert browser.texts("tbody tr")[0] == "cat 75% 25% 75%"
    assert browser.said() == "10 of 40 of class cat were answered with dog (25%)"
    browser.open(VIEWS["shaded_text"])
    assert browser.texts(".sentence .share") == ["★ 80%", "20%"]
    browser.point(browser.all(".word")[0])
    assert browser.said() == "Good: 0.75 of its sentence, which has 0.8 of the text"
    color = lambda: browser.js("return document.querySelectorAll('.word')[2].style.backgroundColor")
    before = color()
    browser.button("words in their sentence").click()
    assert color() != before


@pytest.mark.parametrize("name", ["alignment", "heat_maps", "layered_heads", "shaded_text"])
def test_what_is_shown_is_saved_as_svg(browser, name):
    browser.open(VIEWS[name])
    browser.one("#save").click()
    file = browser.folder / "downloads" / Path(browser.said().removeprefix("Saved as ")).name
    browser.wait(file.is_file)
    svg = ElementTree.parse(file).getroot()
    words = [text for element in svg.iter("{http://www.w3.org/2000/svg}text") for text in element.itertext()]
    expected = {"alignment": "heures", "heat_maps": "square", "layered_heads": "cat", "shaded_text": "Good"}
    assert expected[name] in words
    images = [element.get("href", "") for element in svg.iter("{http://www.w3.org/2000/svg}image")]
    assert (name == "shaded_text") == (not images) and all(one.startswith("data:image/png") for one in images)
