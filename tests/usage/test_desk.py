"""Mending refused messages, many at once, and what the desk counts."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from tests.cast import a_customer, a_machine, a_member, an_operator, signed_in
from tests.usage.build import LIMITS, NOW_MS, TOPIC_ID, body, offset_row, paper, raw, sample
from usage.audit import checks
from usage.desk import bulk_step, draft_fix, fix_rejected, judge, raw_of, replay_rejected
from usage.desk_counts import reason_counts
from usage.ingest import store
from usage.models import IngestIncident, Machine, RejectedMessage, StreamRun, UsageBucket, UsageSample
from usage.offsets import Position
from usage.payload import hexadecimal, reassigned
from usage.periods import from_ms
from usage.wire_errors import Refused

pytestmark = pytest.mark.django_db
UNKNOWN = (("ce_type", b"corehour.usage.v1"), ("ce_source", b"/machines/web-9"))


@pytest.fixture
def person() -> User:
    return User.objects.create_user("op@example.com")


@pytest.fixture
def desk(_web: None) -> Client:
    return signed_in(an_operator())


@pytest.fixture(autouse=True)
def _web() -> Iterator[None]:
    """The books and web-1, at the time at which the messages of tests/usage/build.py are new."""
    with time_machine.travel(from_ms(NOW_MS)):
        offset_row()
        a_machine(a_customer(), "web-1")
        yield


def _refused(*contents: Any, **changes: Any) -> list[RejectedMessage]:
    records = [raw(content, offset=number, **changes) for number, content in enumerate(contents)]
    store(Position("resource_usage", TOPIC_ID, 0, 0), records, LIMITS)
    return list(RejectedMessage.objects.order_by("pk"))


def _of_web_9(*seqs: int) -> list[RejectedMessage]:
    return _refused(*[body(sample(seq), machine="web-9") for seq in seqs], key=b"web-9", headers=UNKNOWN)


def _url(name: str, *arguments: object) -> str:
    return "/admin/usage/rejectedmessage/" + "/".join([*map(str, arguments), name, ""])


class TestFix:
    def test_a_message_given_to_another_machine_keeps_its_bytes_and_counts_for_that_one(self, person: User) -> None:
        (row,) = _of_web_9(0)
        before = raw_of(row)

        fix_rejected(row.pk, person, draft_fix(row, None, "web-1"), "The agent had an old name")
        row = replay_rejected(row.pk, person, LIMITS)

        assert (row.state, row.resolution, row.fix_reason, row.fixed_by) == (
            "replayed",
            "1 sample stored",
            "The agent had an old name",
            person,
        )
        assert raw_of(row) == before
        assert StreamRun.objects.get().machine.code == "web-1"
        assert [difference for check in checks() for difference in check.differences] == []

    def test_an_edited_value_is_judged_instead_of_the_bytes_that_came(self, person: User) -> None:
        (row,) = _refused(body(sample(0, cpu_ms=10**9)))
        mended = draft_fix(row, json.dumps(body(sample(0, cpu_ms=10_000))).encode(), "")

        verdict = judge(mended, LIMITS)
        fix_rejected(row.pk, person, mended, "A counter that had wrapped")
        replay_rejected(row.pk, person, LIMITS)

        assert verdict == "1 sample of web-1"
        assert UsageBucket.objects.get().cpu_ms == 10_000
        assert b"1000000000" in bytes(RejectedMessage.objects.get().value)

    def test_what_is_still_wrong_is_still_refused_and_says_so(self, person: User) -> None:
        (row,) = _of_web_9(0)
        fix_rejected(row.pk, person, draft_fix(row, b'{"machine": "web-1"}', ""), "Half a message")

        with pytest.raises(Refused):
            replay_rejected(row.pk, person, LIMITS)

        row.refresh_from_db()
        assert (row.state, row.replays) == ("open", 1)
        assert row.last_refusal.startswith("wrong_type: ")

    def test_a_reading_of_version_0_changes_its_machine_and_not_a_digit(self) -> None:
        value, headers = reassigned(b'{"cpu_usage": 37.50000000000000001, "machine_id": 7, "memory_usage": 1e1}', (), "web-1")

        assert value == b'{"cpu_usage":37.50000000000000001,"machine_id":"web-1","memory_usage":1e1}'
        assert headers == ()

    @pytest.mark.parametrize("value", [b"[1]", b"no", b'{"a": 1, "a": 2}', b"\xff"])
    def test_what_has_no_machine_to_replace_is_refused(self, value: bytes) -> None:
        with pytest.raises(Refused):
            reassigned(value, (), "web-1")

    def test_a_reading_that_is_replayed_keeps_the_identity_of_its_offset(self, person: User) -> None:
        reading = paper({"machine_id": "web-9", "cpu_usage": 50, "memory_usage": 50}, offset=0)
        store(Position("resource_usage", TOPIC_ID, 0, 0), [reading], LIMITS)
        row = RejectedMessage.objects.get()

        fix_rejected(row.pk, person, draft_fix(row, None, "web-1"), "Renamed")
        replay_rejected(row.pk, person, LIMITS)

        assert UsageSample.objects.get().seq == 0

    def test_a_message_that_is_closed_stays_as_it_is(self, person: User) -> None:
        (row,) = _of_web_9(0)
        RejectedMessage.objects.update(state="discarded")

        with pytest.raises(Refused, match="discarded before"):
            fix_rejected(row.pk, person, draft_fix(row, None, "web-1"), "late")


class TestFixPage:
    def test_it_checks_saves_and_replays(self, desk: Client) -> None:
        (row,) = _of_web_9(0)
        form = {"machine": "web-1", "value": bytes(row.value).decode(), "reason": "Renamed"}

        page = desk.get(_url("fix", row.pk)).content.decode()
        checked = desk.post(_url("fix", row.pk), form | {"do": "check"}).content.decode()
        saved = RejectedMessage.objects.get().fixed_value
        desk.post(_url("fix", row.pk), form | {"do": "replay"})

        assert "&quot;machine&quot;: &quot;web-9&quot;" in page
        assert "1 sample of web-1" in checked
        assert saved is None
        row.refresh_from_db()
        assert (row.state, row.fix_reason) == ("replayed", "Renamed")
        assert b'"machine":"web-1"' in bytes(row.fixed_value or b"")
        shown = desk.get(_url("change", row.pk)).content.decode()
        assert "As mended" in shown
        assert "Renamed" in shown

    def test_an_unknown_machine_and_a_missing_reason_are_named(self, desk: Client) -> None:
        (row,) = _of_web_9(0)

        page = desk.post(_url("fix", row.pk), {"machine": "db-7", "value": "", "reason": "", "do": "save"}).content.decode()

        assert "There is no machine &#x27;db-7&#x27;." in page
        assert "This field is required." in page
        assert RejectedMessage.objects.get().fixed_value is None

    def test_bytes_that_are_no_text_can_be_replaced(self, desk: Client) -> None:
        (row,) = _refused(b"\xff\x00")

        page = desk.get(_url("fix", row.pk)).content.decode()
        form = {"machine": "", "value": json.dumps(body(sample(0))), "reason": "Garbled", "do": "replay"}
        desk.post(_url("fix", row.pk), form)

        assert "The bytes are no text" in page
        assert RejectedMessage.objects.get().state == "replayed"

    def test_who_may_only_look_cannot_fix(self) -> None:
        (row,) = _of_web_9(0)
        looker = a_member(email="looker@corehour.example", is_staff=True)
        looker.user_permissions.set(Permission.objects.filter(codename="view_rejectedmessage"))
        client = signed_in(looker)

        answers = [client.get(url).status_code for url in (_url("fix", row.pk), "/admin/usage/rejectedmessage/bulk/replay/")]

        assert answers == [403, 403]
        assert "bulk/replay" not in client.get("/admin/usage/rejectedmessage/").content.decode()


class TestBulk:
    def test_all_of_a_reason_are_replayed_in_steps_and_say_what_became_of_them(self, desk: Client) -> None:
        _of_web_9(0, 1, 2)
        _refused_later = raw(body(sample(0, cpu_ms=10**9)), offset=3)
        store(Position("resource_usage", TOPIC_ID, 0, 3), [_refused_later], LIMITS)
        a_machine(Machine.objects.get().customer, "web-9")
        url = "/admin/usage/rejectedmessage/bulk/replay/?reason__exact=unknown_machine"

        page = desk.get(url).content.decode()
        step = desk.post(url, {"after": "0", "until": str(RejectedMessage.objects.latest("pk").pk)}).json()

        assert "3 open messages" in page
        assert (step["replayed"], step["samples"], step["refused"], step["finished"]) == (3, 3, 0, True)
        assert RejectedMessage.objects.filter(state="open").count() == 1

    def test_what_is_still_refused_is_counted_by_reason(self, person: User) -> None:
        rows = _of_web_9(0, 1)

        step = bulk_step(RejectedMessage.objects.all(), person, "replay", "", 0, rows[-1].pk)

        assert (step.refused, step.refusals, step.finished) == (2, {"unknown_machine": 2}, True)

    def test_a_step_ends_in_time_and_the_next_goes_on_behind_it(self, person: User, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = _of_web_9(0, 1, 2)
        monkeypatch.setattr("usage.desk.STEP_S", -1)

        first = bulk_step(RejectedMessage.objects.all(), person, "discard", "old", 0, rows[-1].pk)
        second = bulk_step(RejectedMessage.objects.all(), person, "discard", "old", first.after, rows[-1].pk)

        assert (first.discarded, first.finished, second.discarded, second.after) == (1, False, 1, rows[1].pk)

    def test_what_comes_after_the_page_was_opened_is_left_alone(self, person: User) -> None:
        rows = _of_web_9(0, 1)

        bulk_step(RejectedMessage.objects.all(), person, "discard", "old", 0, rows[0].pk)

        assert list(RejectedMessage.objects.order_by("pk").values_list("state", flat=True)) == ["discarded", "open"]

    def test_discarding_many_needs_a_reason(self, desk: Client) -> None:
        rows = _of_web_9(0, 1)
        url = "/admin/usage/rejectedmessage/bulk/discard/"
        body = {"after": "0", "until": str(rows[-1].pk)}

        empty = desk.post(url, body | {"reason": " "}).status_code
        done = desk.post(url, body | {"reason": "A test fleet"}).json()

        assert (empty, done["discarded"]) == (400, 2)
        assert set(RejectedMessage.objects.values_list("resolution", flat=True)) == {"A test fleet"}

    def test_a_selection_too_large_for_one_request_goes_to_the_page_with_the_bar(
        self, desk: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = _of_web_9(0, 1)
        monkeypatch.setattr("usage.rejected_admin.MOST_AT_ONCE", 1)
        chosen = {"action": "replay_chosen", "_selected_action": [row.pk for row in rows], "select_across": "1"}

        answer = desk.post("/admin/usage/rejectedmessage/?reason__exact=unknown_machine", chosen)

        assert answer["Location"] == "/admin/usage/rejectedmessage/bulk/replay/?reason__exact=unknown_machine"


def test_the_desk_counts_by_reason(desk: Client) -> None:
    _of_web_9(0, 1)
    RejectedMessage.objects.filter(offset=0).update(state="discarded")

    (count,) = reason_counts()
    page = desk.get("/admin/usage/rejectedmessage/").content.decode()

    assert (count.label, count.open, count.replayed, count.discarded) == ("Unknown machine", 1, 0, 1)
    assert "bulk/replay/?reason__exact=unknown_machine" in page


def test_an_incident_is_acknowledged_by_name(desk: Client) -> None:
    incident = IngestIncident.objects.create(kind="overlap", machine_code="web-1", detail="x")

    desk.post("/admin/usage/ingestincident/", {"action": "acknowledge_chosen", "_selected_action": [incident.pk]})

    incident.refresh_from_db()
    assert incident.acknowledged_at is not None
    assert str(incident.acknowledged_by) == "otto@corehour.example"


def test_bytes_are_shown_as_they_are() -> None:
    assert hexadecimal(b'{"a\x00\xff') == '000000  7b 22 61 00 ff                                   {"a..'
    assert hexadecimal(b"x" * 2_050).endswith("… 2 bytes more")
