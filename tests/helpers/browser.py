"""A headless Chromium for tests of pages, and axe-core, which checks their accessibility."""

import json
import shutil
import subprocess
import tarfile

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from attention_zoo.pipelines.engine.pages.page import write_page

CHECK = "const done = arguments[0]; axe.run().then((found) => done(found.violations), (error) => done(String(error)))"


def fetch_axe(folder):
    """Writes axe.min.js, the script of axe-core from npm's registry, into a folder."""
    if shutil.which("npm") is None:
        pytest.fail("npm is missing: the test of accessibility fetches axe-core with it (apt-get install npm)")
    subprocess.run(["npm", "pack", "axe-core@4", "--silent"], cwd=folder, check=True, capture_output=True, timeout=120)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as packed:
        (folder / "axe.min.js").write_bytes(packed.extractfile("package/axe.min.js").read())


class Browser:
    """A headless Chromium that opens pages of views."""

    def __init__(self, folder):
        for program in ("chromium", "chromedriver"):
            if shutil.which(program) is None:
                pytest.fail(f"{program} is missing: tests of pages need it (apt-get install chromium chromium-driver)")
        options = ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.folder = folder
        self.driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        self.driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder / "downloads")}
        )

    def open(self, view, width=1000, scheme="light"):
        """Shows the page of a view."""
        self.visit(write_page(view, self.folder / "page.html").as_uri(), width, scheme)
        self.wait(lambda: self.js("return document.documentElement.dataset.drawn"))

    def visit(self, address, width=1000, scheme="light"):
        self.resize(width)
        self.scheme(scheme)
        self.driver.get(address)

    def resize(self, width):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, name):
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def wait(self, condition):
        return WebDriverWait(self.driver, 60, 0.02).until(lambda _: condition())

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        return [element.text for element in self.all(selector)]

    def button(self, text):
        return next(button for button in self.all("button") if button.text == text)

    def press(self, *keys):
        ActionChains(self.driver, 20).send_keys(*keys).perform()

    def point(self, element, x=None, y=None):
        """Moves the pointer to a place in an element, from its top left; to its middle without one."""
        chain = ActionChains(self.driver, 20)
        if x is None:
            chain.move_to_element(element).perform()
        else:
            size = element.size
            chain.move_to_element_with_offset(element, x - size["width"] // 2, y - size["height"] // 2).perform()

    def said(self):
        return self.one("#said").text

    def violations(self, axe):
        """What axe-core finds in the page: names of rules, each with the elements that break it."""
        self.js(axe)
        found = self.driver.execute_async_script(CHECK)
        return [(one["id"], one["impact"], [node["html"][:200] for node in one["nodes"]]) for one in found]

    def complaints(self):
        """What the console holds, and the addresses that were asked for beside the file itself."""
        return [entry["message"] for entry in self.driver.get_log("browser")] + self.asked_elsewhere("file://")

    def asked_elsewhere(self, own):
        """The addresses that were asked for since the last call, and do not begin with `own`."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [one["params"]["request"]["url"] for one in entries if one["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith((own, "data:", "blob:"))]
