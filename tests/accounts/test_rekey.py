"""A new key for what is sealed: everything opens with it alone afterwards, and what no key opens is said."""

import base64
import hashlib

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.utils.timezone import now
from pytest_django import Settings

from accounts import outbox, sealed, second_factor, webhooks
from accounts.models import SecondFactor, WebhookEndpoint
from tests.cast import a_customer, a_member

pytestmark = pytest.mark.django_db
OLD = "old-key-of-more-than-thirty-two-characters"
NEW = "new-key-of-more-than-thirty-two-characters"


def test_after_a_rekey_the_old_key_may_go(settings: Settings) -> None:
    settings.DATA_KEYS = OLD
    acme = a_customer()
    endpoint, before = webhooks.add(acme, "https://hooks.acme.example/", ["invoice.paid"])
    secret = webhooks.rotate(endpoint)
    second_factor.begin(a_member(acme))

    settings.DATA_KEYS = f"{NEW},{OLD}"
    call_command("rekey")
    settings.DATA_KEYS = NEW

    assert outbox.live_secrets(WebhookEndpoint.objects.get(), now()) == [secret, before]
    assert len(sealed.opened(SecondFactor.objects.get().pending or b"")) == 20


def test_what_no_key_opens_is_said_and_stays(settings: Settings) -> None:
    settings.DATA_KEYS = OLD
    webhooks.add(a_customer(), "https://hooks.acme.example/", ["invoice.paid"])
    settings.DATA_KEYS = NEW

    with pytest.raises(CommandError, match="1 secrets open with no key"):
        call_command("rekey")

    settings.DATA_KEYS = OLD
    assert outbox.live_secrets(WebhookEndpoint.objects.get(), now())


def test_a_second_factor_from_before_data_keys_still_opens(settings: Settings) -> None:
    """It was sealed with a key made from SECRET_KEY."""
    digest = hashlib.sha256(f"second factor {settings.SECRET_KEY}".encode()).digest()
    old = Fernet(base64.urlsafe_b64encode(digest)).encrypt(b"twenty bytes exactly")

    assert sealed.opened(old) == b"twenty bytes exactly"
