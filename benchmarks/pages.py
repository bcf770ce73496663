"""Measures the page of a large model, 12 layers of 12 heads over 512 tokens, in headless Chromium.

    python benchmarks/pages.py

The heads are made up: each attends mostly to the token before, the one after, the first, the last, itself, or to no
single place. `pages/file_mb` is the size of the file, `pages/write_s` the time to write it, `pages/drawn_s` that from
opening it until the first head is drawn. `pages/frame_ms` and `pages/frame_p95_ms` are intervals between frames while
the heads scroll, 16.7 at 60 frames a second; `pages/switch_ms` is the time to draw another head.
"""

import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from measure import parser_of, write_figures
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from attention_zoo.pipelines.engine.pages.page import write_page
from attention_zoo.pipelines.engine.views import LayeredHeads

SCROLL = """
window.intervals = [];
let last = null, y = 0;
function frame(now) {
  if (last !== null) intervals.push(now - last);
  last = now;
  scrollTo(0, y += 20);
  if (intervals.length < 150) requestAnimationFrame(frame);
}
requestAnimationFrame(frame);
"""
SWITCH = """
const began = performance.now();
document.querySelectorAll(".thumbs button")[arguments[0]].click();
return performance.now() - began;
"""


def made_up_heads(layers, heads, tokens):
    """Returns weights `(layers, heads, tokens, tokens)`: scores of noise, most with a place that stands out."""
    rng = np.random.default_rng(0)
    places = [np.eye(tokens, k=-1), np.eye(tokens, k=1), np.eye(tokens)[:1], np.eye(tokens)[-1:], np.eye(tokens), 0]
    weights = np.empty((layers, heads, tokens, tokens), "float32")
    for number in range(layers * heads):
        scores = rng.normal(size=(tokens, tokens)) + 6.5 * places[number % len(places)]
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        weights[divmod(number, heads)] = scores / scores.sum(-1, keepdims=True)
    return weights


def chromium():
    """Returns a headless Chromium; the caller closes it."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,900"):
        options.add_argument(flag)
    return webdriver.Chrome(options, Service(shutil.which("chromedriver")))


def measured(browser, page):
    """Returns the figures of one opening of the page."""
    browser.get(page.as_uri())
    root = "return document.documentElement.dataset."
    while not browser.execute_script(f"{root}complete"):
        time.sleep(0.05)
    drawn = browser.execute_script("return performance.getEntriesByName('drawn')[0].startTime")
    browser.execute_script(SCROLL)
    while len(intervals := browser.execute_script("return intervals")) < 150:
        time.sleep(0.2)
    switch = median(browser.execute_script(SWITCH, head) for head in (77, 30, 5, 100, 143))
    return {
        "pages/drawn_s": drawn / 1000,
        "pages/frame_ms": median(intervals),
        "pages/frame_p95_ms": float(np.percentile(intervals, 95)),
        "pages/switch_ms": switch,
    }


def main():
    """Prints one line per figure: the median over the openings, and the range."""
    parser = parser_of(__doc__, "128 tokens, one opening", repeats=5, rounds="how often the page is opened")
    arguments = parser.parse_args()
    tokens = 128 if arguments.quick else 512
    view = LayeredHeads([f"token{number % 97}" for number in range(tokens)], made_up_heads(12, 12, tokens), "made up")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        page = write_page(view, Path(folder) / "heads.html")
        figures = {"pages/write_s": time.perf_counter() - began, "pages/file_mb": page.stat().st_size / 1e6}
        print(f"pages/write_s {figures['pages/write_s']:.1f}\npages/file_mb {figures['pages/file_mb']:.1f}")
        browser = chromium()
        try:
            rounds = [measured(browser, page) for _ in range(1 if arguments.quick else arguments.repeats)]
        finally:
            browser.quit()
    for name in rounds[0]:
        values = [figures[name] for figures in rounds]
        figures[name] = median(values)
        print(f"{name} {figures[name]:.2f} ({min(values):.2f} to {max(values):.2f})")
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    main()
