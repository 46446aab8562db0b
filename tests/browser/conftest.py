"""Real Chromium, real server, the test's own database. A run of its own: Playwright's loop and pytest-asyncio's clash."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright
from pytest_django import Settings

from accounts.models import User
from billingsite.kafka_node import HOST, free_ports
from tests.processes import manage, program, running, valkey, wait

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps a loop in this thread; the ORM is used beside it, never in it.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.browser)


@dataclass
class Watched:
    """A page, and what it must not do: complain, break the content policy, ask another host."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def on_request(self, request: Request) -> None:
        host = urlsplit(request.url).netloc
        if host and f"//{host}" not in self.address:
            self.complaints.append(f"asked {request.url}")


Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, "These tests drive a real Chromium: install it, or name it in CHROMIUM."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[str]:
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def secret() -> str:
    """The key of the sessions that tests begin on the server's behalf."""
    return django_settings.SECRET_KEY


@pytest.fixture
def _one_layer(settings: Settings, redis_url: str) -> None:
    """Let the test push to the browser as the worker does."""
    host = {"address": redis_url}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [host]}}}


@pytest.fixture
def open_page(browser: Browser, address: str, server: object, transactional_db: None) -> Iterator[Open]:
    """Open a path as a user (or a stranger) in a window of its own. Nothing may complain until the test ends.

    Asks for `server` so that windows close before the test's own servers stop.
    """
    contexts: list[BrowserContext] = []
    watched: list[Watched] = []

    def open_page(
        path: str,
        user: User | None = None,
        width: int = 1440,
        scheme: str = "light",
        at: str | None = None,
        expect_errors: bool = False,
    ) -> Page:
        place = at or address
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light", locale="en-GB"
        )
        contexts.append(context)
        if user:
            client = Client()
            client.force_login(user)
            context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": place}])
        context.set_default_navigation_timeout(90_000)  # A busy machine is no fault of the page.
        page = context.new_page()
        watch = Watched(page, place)
        page.on("console", watch.on_console)
        page.on("request", watch.on_request)
        page.on("pageerror", lambda error: watch.complaints.append(str(error)))
        if not expect_errors:
            watched.append(watch)
        page.goto(f"{place}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [complaint for watch in watched for complaint in watch.complaints] == []


class Server:
    """A web server that a test may stop and start again under one address."""

    def __init__(self, *options: str, **env: str) -> None:
        self.port = free_ports(1)[0]
        self.address = f"http://{HOST}:{self.port}"
        self.options = options
        self.env = {"SITE_URL": f"http://localhost:{self.port}"} | env

    def start(self) -> None:
        command = ("-m", "uvicorn", "billingsite.asgi:application", "--host", HOST, "--port", str(self.port), *self.options)
        self.process = program(*command, "--log-level", "warning", "--timeout-graceful-shutdown", "1", **self.env)
        wait(self._answers, self.process)

    def stop(self) -> None:
        with running(self.process):
            pass

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((HOST, self.port)) == 0


@pytest.fixture(scope="session")
def address(redis_url: str, secret: str) -> Iterator[str]:
    server = Server(REDIS_URL=redis_url, SECRET_KEY=secret, DEBUG="1", STAFF_SECOND_FACTOR="0")
    server.start()
    yield server.address
    server.stop()


@pytest.fixture(scope="session")
def production(redis_url: str, secret: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server as an installation runs it: hashed, compressed files and no debugging."""
    folder = str(tmp_path_factory.mktemp("production"))
    collecting = manage("collectstatic", "--no-input", "-v0", COREHOUR_DATA_DIR=folder)
    assert collecting.wait(timeout=300) == 0
    server = Server(REDIS_URL=redis_url, SECRET_KEY=secret, DEBUG="0", COREHOUR_DATA_DIR=folder)
    server.start()
    yield server.address
    server.stop()


@pytest.fixture
def server(redis_url: str, secret: str) -> Iterator[Callable[..., Server]]:
    """Start a server of the test's own, with uvicorn options and environment variables."""
    servers: list[Server] = []

    def start(*options: str, **env: str) -> Server:
        own = {"REDIS_URL": redis_url, "SECRET_KEY": secret, "DEBUG": "1", "STAFF_SECOND_FACTOR": "0"}
        server = Server(*options, **own | env)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def screens() -> Path | None:
    """Where to keep pictures of what was tested, if anywhere."""
    folder = os.environ.get("BROWSER_SCREENS")
    return Path(folder) if folder else None
