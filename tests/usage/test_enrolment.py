"""How a machine's key gets in, is changed and ends; and that the workers' memory of it is fresh enough."""

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries, Settings

from tests.usage.build import NOW_MS, machine
from tests.usage.signed import KEY, OTHER_KEY, name_of, register, signed
from usage.enrolment import ENROL_DOMAIN, OVERLAP, ROTATE_DOMAIN, EnrolmentRefused, create_token, enrol, revoke, rotate
from usage.key_models import EnrolmentToken, MachineKey, UnsignedPermission
from usage.keys import FRESH_S, Trust, verify_all
from usage.wire_errors import Refused

pytestmark = pytest.mark.django_db


def proof(key: Ed25519PrivateKey, content: bytes) -> str:
    return base64.b64encode(key.sign(content)).decode()


def enrolled(secret: str, key: Ed25519PrivateKey = KEY) -> MachineKey:
    return enrol(secret, key.public_key().public_bytes_raw(), proof(key, ENROL_DOMAIN + secret.encode()))


def changed(old: MachineKey, key: Ed25519PrivateKey) -> MachineKey:
    return rotate(old, key.public_key().public_bytes_raw(), proof(key, ROTATE_DOMAIN + old.keyid.encode()))


class Clock:
    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def test_a_token_lets_one_key_in_once() -> None:
    token, secret = create_token(machine())

    key = enrolled(secret)

    assert (key.machine.code, key.keyid) == ("web-1", name_of(KEY))
    with pytest.raises(EnrolmentRefused, match="used"):
        enrolled(secret, OTHER_KEY)
    assert MachineKey.objects.count() == 1
    assert secret not in str(EnrolmentToken.objects.values().get(pk=token.pk))


def test_a_token_ends_after_a_day_and_a_made_up_one_never_began() -> None:
    _, secret = create_token(machine(), lives=timedelta(0))

    for refused in (secret, "che_made-up"):
        with pytest.raises(EnrolmentRefused, match="unknown, used or out of date"):
            enrolled(refused)


def test_who_brings_a_key_must_hold_its_other_half() -> None:
    _, secret = create_token(machine())

    with pytest.raises(EnrolmentRefused, match="proof"):
        enrol(secret, KEY.public_key().public_bytes_raw(), proof(OTHER_KEY, ENROL_DOMAIN + secret.encode()))

    assert enrolled(secret).keyid == name_of(KEY)  # The token is not spent by a try that failed.


def test_a_retired_machine_gets_no_key_and_its_token_stays() -> None:
    _, secret = create_token(machine(retired_at=now()))

    with pytest.raises(EnrolmentRefused, match="retired"):
        enrolled(secret)

    assert EnrolmentToken.objects.filter(used_at=None).count() == 1


def test_a_new_enrolment_ends_the_old_key() -> None:
    old = enrolled(create_token(machine())[1])

    enrolled(create_token(machine())[1], OTHER_KEY)

    old.refresh_from_db()
    assert old.state() == "revoked"


def test_a_changed_key_and_the_old_one_both_count_for_a_while() -> None:
    old = enrolled(create_token(machine())[1])

    new = changed(old, OTHER_KEY)

    old.refresh_from_db()
    assert (old.state(), new.state()) == ("being replaced", "in use")
    assert old.expires_at is not None
    assert OVERLAP - timedelta(minutes=1) < old.expires_at - now() <= OVERLAP
    assert changed(old, OTHER_KEY) == new  # Asked again, since the answer was lost.
    assert verify_all([signed(), signed(by=OTHER_KEY)], NOW_MS, "default") == [True, True]


def test_a_revoked_key_changes_to_no_other() -> None:
    old = enrolled(create_token(machine())[1])
    revoke(machine())

    with pytest.raises(EnrolmentRefused, match="no longer in use"):
        changed(old, OTHER_KEY)


def test_a_revoked_key_ends_within_a_minute_for_a_worker_that_knew_it() -> None:
    register(machine())
    clock = Clock()
    worker = Trust("default", clock)
    worker.freshen()
    worker.look_up([name_of(KEY)])
    assert name_of(KEY) in worker.known

    revoke(machine())
    clock.at += FRESH_S
    worker.freshen()
    worker.look_up([name_of(KEY)])

    assert FRESH_S <= 60
    assert name_of(KEY) not in worker.known


def test_a_key_that_has_just_come_counts_at_once_and_made_up_names_do_not_ask_again_and_again(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    clock = Clock()
    worker = Trust("default", clock)
    worker.freshen()

    with django_assert_num_queries(1):
        worker.look_up(["no such key", "nor this"])
        worker.look_up(["no such key", "nor this"])
    register(machine())
    worker.look_up([name_of(KEY)])

    assert list(worker.known) == [name_of(KEY)]


def test_whether_unsigned_counts(settings: Settings) -> None:
    settings.USAGE_REQUIRE_SIGNATURE = True
    permitted, other = machine(customer="paper-lab").customer, machine("web-2", customer="acme").customer
    UnsignedPermission.objects.create(customer=permitted, reason="the paper's producers")
    worker = Trust("default")
    worker.freshen()

    assert worker.may_send_unsigned(permitted.pk, has_key=False)
    assert not worker.may_send_unsigned(permitted.pk, has_key=True)
    assert not worker.may_send_unsigned(other.pk, has_key=False)
    settings.USAGE_REQUIRE_SIGNATURE = False
    assert worker.may_send_unsigned(other.pk, has_key=False)


def test_a_batch_is_verified_with_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    register(machine())
    verify_all([signed()], NOW_MS, "default")

    with django_assert_num_queries(0):
        right, unsigned, wrong = verify_all([signed(), signed(headers=()), signed(value=b"{}")], NOW_MS, "default")

    assert (right, unsigned) == (True, False)
    assert isinstance(wrong, Refused)
