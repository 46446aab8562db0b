"""The operator's desk for machines, refused messages and the books of ingest."""

import base64
import json
import uuid
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import Customer
from tests.cast import a_bucket, a_customer, a_machine, a_member, an_operator, signed_in
from usage.models import Machine, Reason, RejectedMessage, UsageBucket
from usage.periods import BUCKET_MS

pytestmark = pytest.mark.django_db
AT = 1_764_028_800_000  # 2025-11-25T00:00:00Z: too old by the time this test runs, which a replay overrules


@pytest.fixture
def acme() -> Customer:
    return a_customer()


@pytest.fixture
def desk() -> Client:
    return signed_in(an_operator())


def a_refusal(offset: int = 0, machine: str = "web-1", **fields: Any) -> RejectedMessage:
    """A sound message that came before its machine was known."""
    stream = uuid.UUID("0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f")
    sample = {"seq": offset, "start": AT, "end": AT + 10_000, "cpu_ms": 31_250, "memory_mib_ms": 163_840_000, "disk_mib_ms": 0}
    sample |= {"net_rx": 1, "net_tx": 2, "disk_read": 3, "disk_write": 4}
    value = {"machine": machine, "stream": str(stream), "host": {"cores": 8, "memory_mib": 32768}, "samples": [sample]}
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"{stream}:{offset}",
        "ce_source": f"/machines/{machine}",
        "ce_type": "corehour.usage.v1",
        "ce_time": "2025-11-25T00:00:10Z",
        "content-type": "application/json",
    }
    given = {
        "topic": "resource_usage",
        "topic_id": "t",
        "partition": 1,
        "offset": offset,
        "timestamp_ms": AT + 10_000,
        "key": machine.encode(),
        "value": json.dumps(value).encode(),
        "headers": [[name, base64.b64encode(text.encode()).decode()] for name, text in headers.items()],
        "machine_code": machine,
        "reason": Reason.UNKNOWN_MACHINE,
    }
    return RejectedMessage.objects.create(**given | fields)


def test_a_machine_is_made_and_then_keeps_its_customer_and_code(acme: Customer, desk: Client) -> None:
    bolt = a_customer("bolt")
    desk.post("/admin/usage/machine/add/", {"customer": acme.pk, "code": "web-1", "name": "Web"})
    machine = Machine.objects.get()

    desk.post(f"/admin/usage/machine/{machine.pk}/change/", {"customer": bolt.pk, "code": "web-9", "name": "Renamed"})

    machine.refresh_from_db()
    assert (machine.customer, machine.code, machine.name) == (acme, "web-1", "Renamed")


def test_a_machine_with_usage_cannot_be_deleted_and_one_without_can(acme: Customer, desk: Client) -> None:
    used, unused = a_machine(acme, "web-1"), a_machine(acme, "web-2")
    a_bucket(used, AT)

    answers = [desk.post(f"/admin/usage/machine/{machine.pk}/delete/", {"post": "yes"}).status_code for machine in (used, unused)]
    bulk = {"action": "delete_selected", "_selected_action": [used.pk], "post": "yes"}
    desk.post("/admin/usage/machine/", bulk)

    assert answers == [403, 302]
    assert list(Machine.objects.all()) == [used]


def test_a_refused_message_shows_its_bytes_and_headers(desk: Client) -> None:
    rejected = a_refusal(value=b'{"cpu_ms": 1, "name": "<script>alert(1)</script>"}')

    page = desk.get(f"/admin/usage/rejectedmessage/{rejected.pk}/change/").content.decode()

    assert "&quot;cpu_ms&quot;: 1,\n" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert "ce_type: corehour.usage.v1" in page
    assert "resource_usage-1@0" in page


def test_bytes_that_are_no_text_are_shown_too(desk: Client) -> None:
    rejected = a_refusal(value=b"\xff\x00{", key=b"", headers=[])

    page = desk.get(f"/admin/usage/rejectedmessage/{rejected.pk}/change/").content.decode()

    assert "\\xff" in page


def test_the_desk_filters_by_reason_state_and_machine(desk: Client) -> None:
    a_refusal(0, "web-1")
    a_refusal(1, "db-1", reason=Reason.NOT_JSON, state=RejectedMessage.State.DISCARDED)

    def shown(query: str) -> list[str]:
        page = desk.get(f"/admin/usage/rejectedmessage/?{query}").content.decode()
        return [machine for machine in ("web-1", "db-1") if f">{machine}<" in page.replace("\n", "").replace(" ", "")]

    assert shown("") == ["web-1", "db-1"]
    assert shown("state__exact=open") == ["web-1"]
    assert shown("reason__exact=not_json") == ["db-1"]
    assert shown("machine_code__icontains=db") == ["db-1"]
    assert shown("q=web-1") == ["web-1"]


def test_a_message_is_replayed_once_its_cause_is_mended(acme: Customer, desk: Client) -> None:
    rejected = a_refusal()
    url = f"/admin/usage/rejectedmessage/{rejected.pk}/replay/"
    desk.post(url, {"_form_submitted": "on"})
    rejected.refresh_from_db()
    before = rejected.state
    machine = a_machine(acme, "web-1")

    answer = desk.post(url, {"_form_submitted": "on"}, headers={"hx-request": "true"})

    rejected.refresh_from_db()
    assert (before, rejected.state, rejected.resolution) == ("open", "replayed", "1 sample stored")
    assert answer["HX-Redirect"].endswith(f"/admin/usage/rejectedmessage/{rejected.pk}/change/")
    assert UsageBucket.objects.get(machine=machine).cpu_ms == 31_250
    assert LogEntry.objects.get().change_message == "Replayed: 1 sample stored"


def test_replaying_twice_adds_nothing(acme: Customer, desk: Client) -> None:
    machine, rejected = a_machine(acme, "web-1"), a_refusal()
    for _ in range(2):
        desk.post("/admin/usage/rejectedmessage/", {"action": "replay_chosen", "_selected_action": [rejected.pk]})

    assert UsageBucket.objects.get(machine=machine, start_ms=AT // BUCKET_MS * BUCKET_MS).samples == 1


def test_discarding_asks_for_a_reason_and_keeps_it(desk: Client) -> None:
    first, second = a_refusal(0), a_refusal(1)
    chosen = {"action": "discard_chosen", "_selected_action": [first.pk, second.pk]}

    question = desk.post("/admin/usage/rejectedmessage/", chosen)
    empty = desk.post("/admin/usage/rejectedmessage/", chosen | {"reason": " ", "_form_submitted": "on"})
    open_still = RejectedMessage.objects.filter(state="open").count()
    desk.post("/admin/usage/rejectedmessage/", chosen | {"reason": "A test machine", "_form_submitted": "on"})

    assert "2 messages will never be counted" in question.content.decode()
    assert (empty.status_code, open_still) == (200, 2)
    assert set(RejectedMessage.objects.values_list("state", "resolution")) == {("discarded", "A test machine")}
    assert RejectedMessage.objects.get(pk=first.pk).resolved_by is not None


def test_who_may_only_look_cannot_decide(acme: Customer) -> None:
    rejected = a_refusal()
    looker = a_member(email="looker@corehour.example", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_rejectedmessage"))
    client = signed_in(looker)

    pages = [client.get(f"/admin/usage/rejectedmessage/{rejected.pk}/change/").status_code]
    pages += [
        client.post(f"/admin/usage/rejectedmessage/{rejected.pk}/{name}/", {"_form_submitted": "on", "reason": "x"}).status_code
        for name in ("replay", "discard")
    ]
    client.post("/admin/usage/rejectedmessage/", {"action": "replay_chosen", "_selected_action": [rejected.pk]})

    rejected.refresh_from_db()
    assert pages == [200, 403, 403]
    assert rejected.state == "open"


@pytest.mark.parametrize("model", ["usagebucket", "streamrun", "ingestoffset", "ingestincident", "rejectedmessage"])
def test_the_books_are_shown_and_never_edited(acme: Customer, desk: Client, model: str) -> None:
    a_bucket(a_machine(acme), AT)

    assert desk.get(f"/admin/usage/{model}/").status_code == 200
    assert desk.get(f"/admin/usage/{model}/add/").status_code == 403
