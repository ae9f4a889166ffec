"""The dashboard in a real browser: the system's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAIT_MS = 90_000


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # chromium refuses to run as root within its sandbox
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*root, "--disable-dev-shm-usage"])
        yield browser
        browser.close()


def upload(page: Page, picture: Path) -> None:
    """Upload it, once the page stands still: a page that is drawn anew meanwhile may lose the file."""
    expect(page.get_by_text("Upload a picture on the left")).to_be_visible(timeout=WAIT_MS)
    page.locator("input[type=file]").first.set_input_files(picture, timeout=WAIT_MS)


def overlay_of(page: Page) -> tuple[np.ndarray, str]:
    """The first picture of the page as the browser got it, and its address."""
    image = page.locator("[data-testid=stImage] img").first
    expect(image).to_be_visible(timeout=WAIT_MS)
    source = str(image.get_attribute("src"))
    data = page.request.get(str(image.evaluate("image => image.src"))).body()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return pixels.astype(np.int16), source


def share_of_green(overlay: np.ndarray) -> float:
    """Of the pixels those that are tinted in the colour that the server gives vessels."""
    blue, green, red = np.moveaxis(overlay, -1, 0)
    return float(((green > red + 20) & (green > blue + 20)).mean())
