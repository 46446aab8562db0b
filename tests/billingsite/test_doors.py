"""What stands between the product and the world: header fields, hosts, cookies, forged requests, hostile texts."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.models import Customer
from accounts.whence import address_of
from tests.access_lines import _has, _is_api
from tests.access_world import World, address, build, routes
from tests.cast import a_customer, a_machine, a_member, signed_in, with_key
from usage.models import Machine

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
SQL = ["'", "' OR '1'='1", "1; DROP TABLE accounts_user--", "') UNION SELECT 1--", "%27", "\\", '"', "a' AND sleep(5)--"]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://evil.example")', "=cmd|' /C calc'!A0"]


@pytest.fixture(autouse=True)
def _no_one_is_throttled() -> None:
    cache.clear()


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/api/v1/machines/", "/api/v1/nothing/", "/admin/", "/no-such-page/"])
def test_every_answer_carries_the_fields(path: str) -> None:
    headers = signed_in(a_member(a_customer())).get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


def test_what_somebody_was_shown_is_kept_by_no_cache() -> None:
    acme = a_customer()

    assert "no-store" in signed_in(a_member(acme)).get("/settings/").headers["Cache-Control"]
    assert with_key(acme).get("/api/v1/machines/").headers["Cache-Control"] == "private, no-store"


def test_another_host_gets_a_short_word_and_the_log_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        answer = Client().get("/sign-in/", headers={"host": "evil.example"})

    assert (answer.status_code, len(answer.content) < 100) == (400, True)
    assert [record.exc_info for record in caplog.records if "evil.example" in record.getMessage()] == [None]


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        (2, "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "<script>", ""),
    ],
)
def test_no_more_proxies_are_believed_than_there_are(settings: Settings, proxies: int, told: str, address: str) -> None:
    settings.TRUSTED_PROXIES = proxies

    assert address_of(RequestFactory().get("/", headers={"x-forwarded-for": told})) == address


def test_no_unsafe_request_of_a_browser_works_without_the_token() -> None:
    """A page of another site can make a browser send a form; it cannot read the token."""
    world: World = build()
    forged = {}
    for name, pattern in routes():
        for method in ("post", "put", "patch", "delete"):
            if not _has(pattern, method) or name in PUBLIC:
                continue
            who = "operator" if name.startswith("admin:") else "owner"
            client = Client(enforce_csrf_checks=True)
            client.cookies = world.clients[who].cookies
            kind = "application/json" if _is_api(pattern) else "application/x-www-form-urlencoded"
            answer = getattr(client, method)(address(name, pattern, world.number), content_type=kind)
            if answer.status_code not in (403, 404, 405):
                forged[f"{method} {name}"] = answer.status_code

    assert forged == {}


# These ask for no cookie, so there is nothing to forge with.
PUBLIC = {"api-enrol", "api-agent-key", "api-agent-sync", "api-agent-messages", "api-nothing"}


@pytest.mark.parametrize("text", SQL)
@pytest.mark.parametrize(
    "path", ["/api/v1/machines/?customer={}", "/api/v1/machines/{}/", "/api/v1/usage/?machine={}", "/api/v1/samples/?machine={}",
             "/api/v1/machines/?cursor={}", "/api/v1/invoices/{}/", "/usage/?group={}&range={}", "/?customer={}"],
)  # fmt: skip
def test_sql_in_a_parameter_is_only_a_text(path: str, text: str) -> None:
    acme = a_customer()
    a_machine(acme)
    client = signed_in(a_member(acme)) if not path.startswith("/api/") else with_key(acme)

    answer = client.get(path.replace("{}", text))

    assert answer.status_code in (200, 400, 404)
    assert (Customer.objects.count(), Machine.objects.count()) == (1, 1)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_becomes_a_formula_in_a_spreadsheet(text: str) -> None:
    acme = a_customer()
    a_machine(acme, name=text)

    cells = signed_in(a_member(acme)).get("/usage/usage.csv?group=machine&range=this-month").content.decode()

    starts = tuple(f"{separator}{quote}{sign}" for separator in ",\n" for quote in ("", '"') for sign in "=+-@\t")
    assert not any(start in cells for start in starts)


def test_behind_https_cookies_are_bound_to_the_host_and_the_check_has_nothing_to_say(tmp_path: Path) -> None:
    say = (
        "from django.conf import settings as s; import django; django.setup();"
        "print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS)"
    )
    env = {"DJANGO_SETTINGS_MODULE": "billingsite.settings", "BEHIND_HTTPS": "1", "COREHOUR_DATA_DIR": str(tmp_path)}

    told = subprocess.run([sys.executable, "-c", say], env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert told.stdout.split() == ["__Host-sessionid", "__Host-csrftoken", "True", "True", "31536000"]
    assert checked.returncode == 0, checked.stderr


SECRETS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bch_[A-Za-z0-9_-]{43}\b|\bxox[bp]-[0-9]{8}"
)


def test_no_secret_lies_in_the_repository() -> None:
    skipped = {"var", ".venv", ".git", "__pycache__", "node_modules", ".mypy_cache", ".ruff_cache", ".hypothesis"}
    files = [path for path in ROOT.rglob("*") if path.is_file() and not skipped & set(path.relative_to(ROOT).parts)]

    found = [str(path.relative_to(ROOT)) for path in files if SECRETS.search(path.read_bytes())]

    assert SECRETS.search(b"ch_" + b"a" * 43)
    assert found == []
