"""A passkey in a real browser: made, used to sign in and to confirm, and refused when it is gone. Chromium plays the device."""

import pytest
from playwright.sync_api import CDPSession, Page, expect

from accounts.models import Passkey
from billingsite.kafka_node import HOST
from tests.browser.conftest import Open
from tests.cast import a_customer, a_member, signed_in


@pytest.fixture
def site(address: str) -> str:
    """The server under its name: browsers give passkeys to names, not to 127.0.0.1."""
    return address.replace(HOST, "localhost")


def with_authenticator(page: Page) -> CDPSession:
    """Give the page's window a device with a finger on it, which asks nobody."""
    control = page.context.new_cdp_session(page)
    control.send("WebAuthn.enable")
    device = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    control.send("WebAuthn.addVirtualAuthenticator", {"options": device})
    return control


def test_a_passkey_is_made_in_the_settings_and_signs_in_from_then_on(open_page: Open, site: str) -> None:
    olga = a_member(a_customer())
    page = open_page("/settings/passkeys/", olga, at=site)
    with_authenticator(page)

    page.get_by_label("What do you call it?").fill("Work laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("The passkey is added.")).to_be_visible(timeout=30_000)
    expect(page.get_by_label("Name of Work laptop")).to_have_value("Work laptop")

    page.get_by_label("What do you call it?").fill("Once more")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("This device has a passkey of yours already.")).to_be_visible(timeout=30_000)

    page.context.clear_cookies()
    page.goto(f"{site}/sign-in/?next=/usage/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{site}/usage/", timeout=30_000)

    page.goto(f"{site}/confirm/?next=/settings/keys/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{site}/settings/keys/", timeout=30_000)
    assert Passkey.objects.get().uses >= 2


def test_a_removed_passkey_is_refused_in_words(open_page: Open, site: str) -> None:
    olga = a_member(a_customer())
    page = open_page("/settings/passkeys/", olga, at=site)
    with_authenticator(page)
    page.get_by_label("What do you call it?").fill("Work laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_label("Name of Work laptop")).to_be_visible(timeout=30_000)
    signed_in(olga).post(f"/settings/passkeys/{Passkey.objects.get().pk}/remove/")

    page.context.clear_cookies()
    page.goto(f"{site}/sign-in/")
    page.get_by_role("button", name="Use a passkey").click()

    expect(page.get_by_text("This passkey was not accepted.")).to_be_visible(timeout=30_000)
    assert page.url == f"{site}/sign-in/?next="
