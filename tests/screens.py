"""Makes docs/screens from a running `bin/up`: `python -m tests.screens ADDRESS E-MAIL PASSWORD`, with what bin/up printed."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parent.parent / "docs" / "screens"
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
LIVE_MS = 6_000  # Until the live charts have moved.
SHOTS = (
    ("overview-light-1440", "/", 1440, 900, "light"),
    ("overview-dark-1440", "/", 1440, 900, "dark"),
    ("overview-light-360", "/", 360, 780, "light"),
    ("usage-light-1440", "/usage/?compare=previous", 1440, 900, "light"),
    ("heat-dark-1440", "/usage/?range=last-30-days&picture=heat", 1440, 900, "dark"),
)


def main(address: str, email: str, password: str) -> None:
    """Sign in once a picture, so that each shows a fresh page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
        for name, path, width, height, scheme in SHOTS:
            _shoot(browser, address, (email, password), name, {"path": path, "width": width, "height": height, "scheme": scheme})
        browser.close()


def _shoot(browser: Browser, address: str, log_in: tuple[str, str], name: str, look: dict[str, int | str]) -> None:
    dark = look["scheme"] == "dark"
    context = browser.new_context(
        viewport={"width": int(look["width"]), "height": int(look["height"])}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto(f"{address}/sign-in/")
    page.fill("input[name=username]", log_in[0])
    page.fill("input[name=password]", log_in[1])
    page.click("button[type=submit]")
    page.wait_for_selector("usage-chart[state=live]")
    if look["path"] == "/":
        page.wait_for_timeout(LIVE_MS)
    else:
        page.goto(f"{address}{look['path']}")
    page.screenshot(path=FOLDER / f"{name}.png")
    context.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
