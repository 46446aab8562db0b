"""A real browser on a live page, and what it shows: Chromium without a window, watched from inside the page."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.programs import BenchmarkError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Notes when each pushed point is part of the picture: two frames after it came, and only once the chart's pixels are others.
WATCH = """(() => {
  const seen = (window.seenPoints = []);
  let [pending, waiting, before] = [[], false, 0];
  const look = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => requestAnimationFrame(check));
  };
  const check = () => {
    waiting = false;
    const canvas = document.querySelector("[data-fleet-chart] canvas");
    const pixels = canvas && new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    let sum = 0;
    for (let i = 0; pixels && i < pixels.length; i++) sum = (Math.imul(sum, 31) + pixels[i]) | 0;
    if (sum === before) return look();
    before = sum;
    const at = Date.now();
    for (const [machine, t] of pending.splice(0)) seen.push([machine, t, at]);
  };
  window.WebSocket = class extends WebSocket {
    constructor(...place) {
      super(...place);
      this.addEventListener("message", ({ data }) => {
        const { points } = JSON.parse(data);
        if (!points) return;
        pending.push(...points.map(({ machine, t }) => [machine, t]));
        look();
      });
    }
  };
})();"""


@contextlib.contextmanager
def watching(address: str, cookie: str) -> Iterator[Page]:
    """Open the overview as the person of that cookie, and wait until it is live."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise BenchmarkError("This measures in a real Chromium, and there is none.")
    name, _, value = cookie.partition("=")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": name, "value": value, "url": address}])
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(address, timeout=60_000)
        page.locator("[data-word]", has_text="Live").wait_for(timeout=60_000)
        yield page
        browser.close()


def seen_in(page: Page) -> dict[tuple[str, int], int]:
    """When each point was first part of the picture: (machine, end of the sample) to epoch ms."""
    rows: Any = page.evaluate("window.seenPoints")
    return {(machine, end_ms): at for machine, end_ms, at in rows}
