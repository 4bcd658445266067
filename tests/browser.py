"""A browser without a window: the machine's own Chromium, with a profile that ends with the test.

The rule kept: it asks nobody on the network but what a test has it open.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)
SIZE: Final = (1400, 1600)
"""Of the window: the UI draws only the rows of a timeline that are in sight."""
_PATIENCE: Final = 90.0
"""Seconds until a page shows what it is to show; a busy machine takes five."""


@dataclass
class Browser:
    """One window."""

    driver: Chrome

    def open(self, address: str) -> None:
        """Go there."""
        self.driver.get(address)

    @property
    def address(self) -> str:
        """Where it is."""
        return self.driver.current_url

    def sign_in(self, name: str, secret: str) -> None:
        """Have the cookie of a session, as the page that is open would set it."""
        self.driver.add_cookie({"name": name, "value": secret, "path": "/", "secure": True, "httpOnly": True})

    def click(self, link: str) -> None:
        """Follow the link that begins with these words, once it is there."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                found = self.driver.find_elements(By.XPATH, f"//a[starts-with(normalize-space(.), '{link}')]")
                return found[0].click()
            except (IndexError, WebDriverException):
                assert time.monotonic() < until, f"no link {link} to click; the page says:\n{self.text[:2000]}"
                time.sleep(0.2)

    @property
    def text(self) -> str:
        """What a person reads, in frames as well."""
        return "\n".join(self._each("return document.body ? document.body.innerText : ''"))

    @property
    def source(self) -> str:
        """All of the page as it stands now, read or not."""
        return "\n".join(self._each("return document.documentElement.outerHTML"))

    def _each(self, script: str) -> list[str]:
        """What a script says of the page and of each frame in it."""
        said = [str(self.driver.execute_script(script))]
        for frame in self.driver.find_elements(By.TAG_NAME, "iframe"):
            self.driver.switch_to.frame(frame)
            try:
                said.append(str(self.driver.execute_script(script)))
            finally:
                self.driver.switch_to.default_content()
        return said

    def wait(self, shows: Callable[[str], Any], what: str) -> str:
        """Wait until what is read is so; the text."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                text = self.text
            except WebDriverException:
                text = ""  # between two pages
            if shows(text):
                return text
            assert time.monotonic() < until, f"waited for {what}; the page says:\n{text[:3000]}"
            time.sleep(0.2)

    def keep(self, **items: str) -> None:
        """Put into the page's own storage what somebody would choose in its settings."""
        for name, value in items.items():
            self.driver.execute_script("localStorage.setItem(arguments[0], arguments[1])", name, value)

    def screenshot(self, path: Path, *, width: int = 1400, height: int = 900) -> None:
        """A picture of the window at this size."""
        self.driver.set_window_size(width, height)
        time.sleep(0.7)  # it lays itself out anew
        self.driver.save_screenshot(str(path))
        self.driver.set_window_size(*SIZE)


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start one, or skip the test where the machine has none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = program
    for flag in (*_FLAGS, f"--user-data-dir={profile}", "--window-size={},{}".format(*SIZE)):
        options.add_argument(flag)
    window = Chrome(options=options, service=Service(driver))
    try:
        yield Browser(window)
    finally:
        window.quit()
