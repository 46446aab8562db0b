"""Webhooks from their cause to a receiver that checks them: recorded once, signed, tried for a day, and the owner's alone."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils.timezone import now
from pytest_django import Settings

from accounts import outbox, sealed, webhooks
from accounts.models import AuditEntry, Customer, WebhookDelivery, WebhookEndpoint, WebhookEvent
from accounts.signatures import signature
from accounts.webhook_models import EVENTS
from tests.accounts.receiver import Receiver, receiving, verified
from tests.cast import a_customer, a_member, an_operator, signed_in, with_key

pytestmark = pytest.mark.django_db
URL = "https://hooks.acme.example/corehour"


@pytest.fixture
def acme() -> Customer:
    return a_customer("acme")


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Receiver]:
    """A receiver that may be called: the operator has allowed this machine's own network and its authority."""
    with receiving(tmp_path) as made:
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *args, **how: real("127.0.0.1" if host == made.host else host, *args, **how)
        )
        settings.WEBHOOK_ALLOWED_NETWORKS, settings.WEBHOOK_CA_FILE = [ip_network("127.0.0.0/8")], made.ca_file
        yield made


def _deliver_due(at: datetime | None = None) -> int:
    return sum(outbox.deliver(pk) for pk in outbox.claim(at))


def test_the_published_example_is_signed_as_published() -> None:
    made = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_gets_what_happened_and_can_check_it(acme: Customer, receiver: Receiver) -> None:
    _, secret = webhooks.add(acme, receiver.url, ["invoice.paid"])
    outbox.emit(acme.pk, "invoice.paid", "one", {"invoice": "CH-1"})
    outbox.emit(acme.pk, "machine.silent", "two", {"machine": "web-1"})

    assert _deliver_due() == 1

    ((headers, body),) = receiver.came
    assert json.loads(body)["type"] == "invoice.paid"
    assert json.loads(body)["data"] == {"invoice": "CH-1"}
    assert headers["content-type"] == "application/json"
    assert verified(secret, headers, body, time.time())
    assert not verified(secret, headers, body + b" ", time.time())
    assert not verified(secret, {**headers, "webhook-id": "msg_other"}, body, time.time())
    assert not verified(secret, headers, body, time.time() + 3600)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.status) == ("delivered", 1, 204)


def test_an_event_is_recorded_with_its_cause_or_not_at_all(acme: Customer) -> None:
    webhooks.add(acme, URL, ["invoice.paid"])

    with transaction.atomic():
        outbox.emit(acme.pk, "invoice.paid", "one", {})
        transaction.set_rollback(True)

    assert not WebhookEvent.objects.exists()
    assert outbox.emit(acme.pk, "invoice.paid", "one", {})
    assert not outbox.emit(acme.pk, "invoice.paid", "one", {})
    assert WebhookDelivery.objects.count() == 1


def test_nothing_is_kept_for_a_customer_who_does_not_listen(acme: Customer) -> None:
    webhooks.add(a_customer("bolt"), URL, list(EVENTS))
    endpoint, _ = webhooks.add(acme, URL, list(EVENTS))
    webhooks.change(endpoint, {"enabled": False})

    assert not outbox.emit(acme.pk, "invoice.paid", "one", {})
    assert not WebhookEvent.objects.exists()


def test_what_fails_is_tried_nine_times_within_a_day_and_then_given_up(
    acme: Customer, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhooks.add(acme, receiver.url, ["invoice.paid"])
    outbox.emit(acme.pk, "invoice.paid", "one", {})
    receiver.status = 500
    begins = at = now()
    tries = []
    monkeypatch.setattr(outbox, "now", lambda: at)

    while (row := WebhookDelivery.objects.get()).state == "pending":
        at = row.next_at
        assert outbox.claim(at - timedelta(seconds=1)) == []
        assert _deliver_due(at) == 0
        tries.append(round((at - begins).total_seconds()))

    assert tries == [0, 5, 60, 300, 1_800, 7_200, 21_600, 50_400, 85_800]
    assert (row.state, row.status, row.error) == ("failed", 500, "Answered 500")
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 1


def test_a_receiver_that_comes_back_gets_what_waited(acme: Customer, receiver: Receiver) -> None:
    webhooks.add(acme, receiver.url, ["invoice.paid"])
    outbox.emit(acme.pk, "invoice.paid", "one", {})
    receiver.status = 503
    _deliver_due()
    receiver.status = 200

    assert _deliver_due(now() + timedelta(seconds=6)) == 1

    assert WebhookDelivery.objects.get().attempts == 2


def test_a_claimed_delivery_is_nobody_elses_until_its_lease_is_over(acme: Customer) -> None:
    webhooks.add(acme, URL, ["invoice.paid"])
    outbox.emit(acme.pk, "invoice.paid", "one", {})
    moment = now()

    assert len(outbox.claim(moment)) == 1
    assert outbox.claim(moment) == []
    assert len(outbox.claim(moment + outbox.LEASE)) == 1


def test_a_receiver_that_says_gone_is_called_no_more(acme: Customer, receiver: Receiver) -> None:
    endpoint, _ = webhooks.add(acme, receiver.url, ["invoice.paid"])
    outbox.emit(acme.pk, "invoice.paid", "one", {})
    receiver.status = 410

    _deliver_due()

    endpoint.refresh_from_db()
    assert not endpoint.enabled
    assert WebhookDelivery.objects.get().state == "failed"


def test_what_waits_for_a_webhook_that_is_switched_off_is_given_up(acme: Customer, receiver: Receiver) -> None:
    endpoint, _ = webhooks.add(acme, receiver.url, ["invoice.paid"])
    outbox.emit(acme.pk, "invoice.paid", "one", {})

    webhooks.change(endpoint, {"enabled": False})
    outbox.send_test(endpoint)

    assert _deliver_due() == 1
    assert [row.state for row in WebhookDelivery.objects.order_by("pk")] == ["failed", "delivered"]
    assert b"webhook.test" in receiver.came[0][1]


def test_an_address_inside_is_noted_and_not_called(acme: Customer, receiver: Receiver, settings: Settings) -> None:
    webhooks.add(acme, receiver.url, ["invoice.paid"])
    outbox.emit(acme.pk, "invoice.paid", "one", {})
    settings.WEBHOOK_ALLOWED_NETWORKS = []

    assert _deliver_due() == 0

    assert receiver.came == []
    assert WebhookDelivery.objects.get().error == "127.0.0.1 is no address of the public Internet."


def test_for_a_day_a_message_is_signed_with_the_old_secret_too(acme: Customer, receiver: Receiver) -> None:
    endpoint, old = webhooks.add(acme, receiver.url, ["invoice.paid"])

    new = webhooks.rotate(endpoint)
    outbox.send_test(endpoint)
    _deliver_due()
    WebhookEndpoint.objects.update(before_until=now() - timedelta(seconds=1))
    outbox.send_test(endpoint)
    _deliver_due()

    during, after = receiver.came
    assert verified(old, *during, time.time())
    assert verified(new, *during, time.time())
    assert not verified(old, *after, time.time())
    assert verified(new, *after, time.time())


def test_a_secret_is_kept_sealed_and_opens_with_an_older_key_too(acme: Customer, settings: Settings) -> None:
    settings.DATA_KEYS = "first-key-of-more-than-thirty-two-characters"
    endpoint, secret = webhooks.add(acme, URL, ["invoice.paid"])
    settings.DATA_KEYS = f"second-key-of-more-than-thirty-two-characters,{settings.DATA_KEYS}"
    endpoint.refresh_from_db()

    assert secret.encode() not in bytes(endpoint.sealed)
    assert outbox.live_secrets(endpoint, now()) == [secret]
    settings.DATA_KEYS = "third-key-of-more-than-thirty-two-characters!"
    with pytest.raises(sealed.NotOurs):
        outbox.live_secrets(endpoint, now())


@pytest.mark.parametrize(
    ("url", "events", "field"),
    [
        ("http://hooks.acme.example/", ["invoice.paid"], "url"),
        ("https://127.0.0.1/", ["invoice.paid"], "url"),
        ("https://[fd00:ec2::254]/", ["invoice.paid"], "url"),
        (URL, ["invoice.lost"], "events"),
        (URL, [], "events"),
    ],
)
def test_what_cannot_be_called_is_refused_when_it_is_added(acme: Customer, url: str, events: list[str], field: str) -> None:
    with pytest.raises(webhooks.WebhookError) as refused:
        webhooks.add(acme, url, events)

    assert refused.value.field == field
    assert not WebhookEndpoint.objects.exists()


def test_a_customer_has_at_most_ten(acme: Customer) -> None:
    for _ in range(10):
        webhooks.add(acme, URL, ["invoice.paid"])

    with pytest.raises(webhooks.WebhookError, match="at most 10"):
        webhooks.add(acme, URL, ["invoice.paid"])


def test_old_events_are_forgotten(acme: Customer) -> None:
    webhooks.add(acme, URL, ["invoice.paid"])
    outbox.emit(acme.pk, "invoice.paid", "one", {})

    assert outbox.forget_old(now() + timedelta(days=29)) == 0
    assert outbox.forget_old(now() + timedelta(days=31)) == 1
    assert not WebhookDelivery.objects.exists()


def test_an_owner_adds_tests_rotates_and_removes_one_on_the_pages(acme: Customer, receiver: Receiver) -> None:
    owner = signed_in(a_member(acme))
    page = owner.post(reverse("webhook-new"), {"url": receiver.url, "events": ["invoice.paid"], "note": "Books"})
    endpoint = acme.webhooks.get()
    secret = page.context["secret"]

    owner.post(reverse("webhook-test", args=[endpoint.pk]))
    _deliver_due()

    assert secret in page.content.decode()
    assert secret not in owner.get(reverse("webhook", args=[endpoint.pk])).content.decode()
    assert verified(secret, *receiver.came[0], time.time())
    delivery = endpoint.deliveries.get()
    owner.post(reverse("webhook-redeliver", args=[endpoint.pk, delivery.pk]))
    assert _deliver_due() == 1
    assert receiver.came[0][0]["webhook-id"] == receiver.came[1][0]["webhook-id"]
    assert owner.post(reverse("webhook-rotate", args=[endpoint.pk])).context["secret"] != secret
    owner.post(reverse("webhook-change", args=[endpoint.pk]), {"url": receiver.url, "events": ["invoice.paid"]})
    endpoint.refresh_from_db()
    assert not endpoint.enabled
    owner.post(reverse("webhook-remove", args=[endpoint.pk]))
    assert not acme.webhooks.exists()
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"webhook.added", "webhook.tested", "webhook.redelivered", "webhook.rotated", "webhook.removed"} <= actions


def test_a_page_says_what_is_wrong_with_an_address(acme: Customer) -> None:
    owner = signed_in(a_member(acme))

    page = owner.post(reverse("webhook-new"), {"url": "https://10.0.0.1/", "events": ["invoice.paid"]})

    assert page.status_code == 400
    assert "10.0.0.1 is no address of the public Internet." in page.content.decode()


def test_only_owners_see_them_and_only_their_own(acme: Customer) -> None:
    endpoint, _ = webhooks.add(acme, URL, ["invoice.paid"])
    viewer = signed_in(a_member(acme, email="vera@acme.example", role="viewer"))
    stranger = signed_in(a_member(a_customer("bolt"), email="bob@bolt.example"))

    assert viewer.get(reverse("webhooks")).status_code == 403
    assert stranger.get(reverse("webhook", args=[endpoint.pk])).status_code == 404
    assert stranger.post(reverse("webhook-rotate", args=[endpoint.pk])).status_code == 404
    assert viewer.get("/api/v1/webhooks/").status_code == 404
    assert stranger.get(f"/api/v1/webhooks/{endpoint.pk}/").status_code == 404


def test_a_program_does_the_same_over_the_api(acme: Customer, receiver: Receiver) -> None:
    program = with_key(acme)
    made = program.post("/api/v1/webhooks/", {"url": receiver.url, "events": ["invoice.paid"]}, "application/json")
    url = f"/api/v1/webhooks/{made.json()['id']}/"

    assert made.status_code == 201
    assert program.post(f"{url}test/").status_code == 202
    _deliver_due()
    (row,) = program.get(f"{url}deliveries/").json()["results"]
    assert (row["state"], row["status"], row["type"]) == ("delivered", 204, "webhook.test")
    assert program.post(f"{url}deliveries/{row['id']}/redeliver/").json()["state"] == "pending"
    assert program.post(f"{url}rotate/").json()["secret"].startswith("whsec_")
    etag = program.get(url)["ETag"]
    off = program.patch(url, {"enabled": False}, "application/json", headers={"if-match": etag})
    assert off.json()["enabled"] is False
    assert program.patch(url, {"enabled": True}, "application/json", headers={"if-match": etag}).status_code == 412
    assert "secret" not in program.get(url).json()
    assert program.delete(url).status_code == 204
    assert program.get(url).status_code == 404
    bad = program.post("/api/v1/webhooks/", {"url": "https://10.0.0.1/", "events": ["invoice.paid"]}, "application/json")
    assert bad.json()["errors"] == {"url": ["10.0.0.1 is no address of the public Internet."]}


def test_an_operator_delivers_once_more_and_switches_off(acme: Customer, receiver: Receiver) -> None:
    endpoint, _ = webhooks.add(acme, receiver.url, ["invoice.paid"])
    delivery = outbox.send_test(endpoint)
    operator = signed_in(an_operator())
    _deliver_due()

    again = {"action": "redeliver", "_selected_action": [delivery.pk]}
    operator.post(reverse("admin:accounts_webhookdelivery_changelist"), again)
    assert _deliver_due() == 1
    off = {"action": "switch_off", "_selected_action": [endpoint.pk]}
    operator.post(reverse("admin:accounts_webhookendpoint_changelist"), off)

    endpoint.refresh_from_db()
    assert not endpoint.enabled
    assert operator.get(reverse("admin:accounts_webhookdelivery_change", args=[delivery.pk])).status_code == 200
