"""Who may listen to whose machines, and for how long. The channel layer is the one in memory; the rest is real."""

import time
from dataclasses import dataclass
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.guarded import GuardedSocket
from accounts.models import Customer, Membership, User
from accounts.watch import Ticket, refusals
from tests.cast import a_customer, a_member, an_operator, signed_in
from tests.sockets import close_code, communicator, in_database, opened, refusal
from usage.live import FLEET_GROUP, customer_group

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]
POINT = {
    "machine": "web-1",
    "t": 1_796_052_600_000,
    "cpu_percent": 6.25,
    "cores": 0.5,
    "memory_mib": 2048,
    "memory_percent": 12.5,
}


@dataclass
class Cast:
    acme: Customer
    olga: User
    member: Client
    stranger: Client
    staff: Client


@pytest.fixture
def cast(monkeypatch: pytest.MonkeyPatch) -> Cast:
    monkeypatch.setattr(GuardedSocket, "recheck_s", 0.05)
    acme = a_customer()
    olga = a_member(acme)
    stranger = a_member(a_customer("bolt"), email="boris@bolt.example")
    return Cast(acme, olga, signed_in(olga), signed_in(stranger), signed_in(an_operator()))


async def push(group: str, *points: dict[str, Any]) -> None:
    layer = get_channel_layer()
    assert layer is not None
    await layer.group_send(group, {"type": "usage.points", "points": list(points)})


async def test_a_member_hears_the_points_of_the_customer_and_of_no_other(cast: Cast) -> None:
    bolt = await Customer.objects.aget(code="bolt")

    async with opened("/ws/usage/?customer=acme", cast.member) as socket:
        await push(customer_group(bolt.pk), POINT | {"machine": "foreign"})
        await push(FLEET_GROUP, POINT | {"machine": "fleet"})
        await push(customer_group(cast.acme.pk), POINT)

        assert await socket.receive_json_from(timeout=5) == {"points": [POINT]}
        assert await socket.receive_nothing()


@pytest.mark.parametrize("path", ["/ws/usage/", "/ws/cost/"])
async def test_strangers_and_the_signed_out_are_refused(cast: Cast, path: str) -> None:
    assert await refusal(f"{path}?customer=acme") == 4401
    assert await refusal(f"{path}?customer=acme", cast.stranger) == 4404
    assert await refusal(f"{path}?customer=acme", cast.staff) == 4404
    assert await refusal(f"{path}?customer=nobody", cast.member) == 4404
    assert await refusal(path, cast.member) == 4404
    assert await refusal(f"{path}?customer=acme", cast.member) is None


async def test_the_fleet_is_for_staff(cast: Cast) -> None:
    assert await refusal("/ws/fleet/") == 4401
    assert await refusal("/ws/fleet/", cast.member) == 4404

    async with opened("/ws/fleet/", cast.staff) as socket:
        await push(FLEET_GROUP, POINT)

        assert await socket.receive_json_from(timeout=5) == {"points": [POINT]}


async def test_another_sites_page_and_another_address_are_refused(cast: Cast) -> None:
    assert await refusal("/ws/usage/?customer=acme", cast.member, origin="https://evil.example") is not None
    assert await refusal("/ws/nothing/", cast.member) == 4404


async def test_a_socket_closes_when_its_reader_signs_out(cast: Cast) -> None:
    async with opened("/ws/usage/?customer=acme", cast.member) as socket:
        await in_database(cast.member.logout)()

        assert await close_code(socket) == 4401


async def test_a_socket_closes_when_the_membership_ends(cast: Cast) -> None:
    async with opened("/ws/usage/?customer=acme", cast.member) as socket:
        await Membership.objects.filter(user=cast.olga).adelete()

        assert await close_code(socket) == 4404


async def test_a_socket_closes_when_the_account_is_switched_off(cast: Cast) -> None:
    async with opened("/ws/fleet/", cast.staff) as socket:
        await User.objects.filter(is_staff=True).aupdate(is_active=False)

        assert await close_code(socket) == 4401


async def test_a_socket_stays_open_for_those_who_still_may(cast: Cast) -> None:
    async with opened("/ws/usage/?customer=acme", cast.member) as socket:
        assert await socket.receive_nothing(timeout=0.5)


async def test_whoever_talks_is_cut_off(cast: Cast) -> None:
    async with opened("/ws/usage/?customer=acme", cast.member) as socket:
        await socket.send_to(text_data="{" * 10_000)

        assert await close_code(socket) == 4400


async def test_a_closed_socket_leaves_its_group(cast: Cast) -> None:
    layer: Any = get_channel_layer()
    socket = communicator("/ws/usage/?customer=acme", cast.member)
    await socket.connect(timeout=5)
    assert layer.groups[customer_group(cast.acme.pk)]

    await socket.disconnect()

    assert not layer.groups.get(customer_group(cast.acme.pk))


async def test_a_person_has_so_many_sockets_and_not_more(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GuardedSocket, "per_user", 2)
    other = await in_database(a_member)(cast.acme, email="oscar@acme.example")
    colleague = await in_database(signed_in)(other)

    async with opened("/ws/usage/?customer=acme", cast.member), opened("/ws/cost/?customer=acme", cast.member):
        assert await refusal("/ws/usage/?customer=acme", cast.member) == 4429
        assert await refusal("/ws/usage/?customer=acme", colleague) is None
    assert await refusal("/ws/usage/?customer=acme", cast.member) is None


async def test_a_socket_closes_when_the_password_changes(cast: Cast) -> None:
    async with opened("/ws/usage/?customer=acme", cast.member) as socket:
        cast.olga.set_password("another long password")
        await cast.olga.asave()

        assert await close_code(socket) == 4401


async def test_staff_who_view_as_a_customer_hear_it_until_the_view_ends(cast: Cast) -> None:
    bolt = await Customer.objects.aget(code="bolt")
    dialog = f"/admin/accounts/customer/{cast.acme.pk}/view-as/"
    await in_database(cast.staff.get)(dialog)
    await in_database(cast.staff.post)(dialog, {"_form_submitted": "1"})

    async with opened("/ws/usage/?customer=acme", cast.staff) as socket, opened("/ws/cost/?customer=acme", cast.staff) as cost:
        await push(customer_group(bolt.pk), POINT | {"machine": "foreign"})
        await push(customer_group(cast.acme.pk), POINT)
        assert await socket.receive_json_from(timeout=5) == {"points": [POINT]}
        assert await refusal("/ws/usage/?customer=bolt", cast.staff) == 4404
        assert await socket.receive_nothing(timeout=0.5)
        await in_database(cast.staff.post)("/viewing/end/")

        assert (await close_code(socket), await close_code(cost)) == (4404, 4404)
    assert await refusal("/ws/usage/?customer=acme", cast.staff) == 4404


async def test_a_view_is_over_after_its_hour_for_sockets_too(cast: Cast) -> None:
    dialog = f"/admin/accounts/customer/{cast.acme.pk}/view-as/"
    await in_database(cast.staff.get)(dialog)
    await in_database(cast.staff.post)(dialog, {"_form_submitted": "1"})

    def let_the_hour_pass() -> None:
        session = cast.staff.session
        session["viewing"] = [cast.acme.pk, int(time.time()) - 1]
        session.save()

    async with opened("/ws/usage/?customer=acme", cast.staff) as socket:
        await in_database(let_the_hour_pass)()

        assert await close_code(socket) == 4404


async def test_many_sockets_are_checked_in_three_queries(cast: Cast) -> None:
    def count() -> tuple[int, dict[Ticket, int]]:
        keys = [str(cast.member.session.session_key), str(cast.stranger.session.session_key), "nobody"]
        with CaptureQueriesContext(connection) as queries:
            found = refusals([Ticket(key, cast.acme.pk) for key in keys])
        return len(queries), {ticket: code for ticket, code in found.items() if ticket.session_key != "nobody"}

    queries, found = await in_database(count)()

    assert queries == 3
    assert list(found.values()) == [4404]
