"""What ingest does with signed, unsigned and sealed messages: one counts, the others wait on the desk with their reason."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from pytest_django import Settings

from accounts.models import User
from tests.usage.build import LIMITS, body, machine, paper, raw, sample
from tests.usage.signed import register, signed
from usage import keys
from usage.batch import decode_all
from usage.desk import judge, replay_rejected
from usage.ingest import store
from usage.key_models import UnsignedPermission
from usage.models import IngestOffset, RejectedMessage, UsageSample
from usage.offsets import Position, open_offset
from usage.server_keys import SealingKey, make_sealing_key
from usage.wire import RawMessage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _signatures_are_required(settings: Settings, tmp_path: Path) -> None:
    settings.USAGE_REQUIRE_SIGNATURE = True
    settings.DATA_DIR = tmp_path


def reason(message: RawMessage) -> str | None:
    """Why it is refused; None where it counts."""
    (item,) = decode_all([message], LIMITS)
    return item.refused.reason if item.refused else None


def sealed(key: SealingKey, topic: str = "resource_usage", machine_code: bytes = b"web-1") -> bytes:
    """The body of `build.body()` as the text of the wire format says to seal it."""
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    info = b"corehour.sealed.1\n"
    for part in (topic.encode(), machine_code):
        info += len(part).to_bytes(4, "big") + part
    public = X25519PublicKey.from_public_bytes(base64.b64decode(key.told()["public"]))
    return b"CHS1" + bytes.fromhex(key.id) + suite.encrypt(raw(body()).value or b"", public, info)


def test_signed_counts_and_unsigned_does_not() -> None:
    register(machine())

    assert reason(signed()) is None
    assert reason(raw(body())) == "unsigned"
    assert reason(signed(value=b"{}")) == "bad_signature"


def test_a_machine_without_a_key_needs_a_permission() -> None:
    customer = machine().customer
    assert reason(raw(body())) == "unsigned"

    UnsignedPermission.objects.create(customer=customer, reason="the paper's producers")

    keys.forget()
    assert reason(raw(body())) is None
    assert reason(paper({"machine_id": "web-1", "cpu_usage": 1, "memory_usage": 1})) is None
    register(machine())
    assert reason(raw(body())) == "unsigned"


def test_a_sealed_message_is_opened_with_any_of_the_servers_keys() -> None:
    register(machine())
    old, new = make_sealing_key(), make_sealing_key()

    assert reason(signed(sealed(old))) is None
    assert reason(signed(sealed(new))) is None
    assert reason(raw(sealed(new))) == "unsigned"


def test_a_sealed_message_for_another_machine_topic_or_server_does_not_open(settings: Settings, tmp_path: Path) -> None:
    register(machine())
    key = make_sealing_key()

    assert reason(signed(sealed(key, machine_code=b"web-2"))) == "sealed"
    assert reason(signed(sealed(key, topic="other"))) == "sealed"
    assert reason(signed(sealed(key)[:-1])) == "sealed"
    assert reason(signed(b"CHS1" + bytes(8) + sealed(key)[12:])) == "sealed"


def test_what_is_refused_for_its_signature_waits_with_its_bytes_and_counts_once_it_verifies() -> None:
    place = {"topic": "resource_usage", "partition": 0, "cluster_id": "c1", "topic_id": "t1", "first_offset": 0}
    row = open_offset(IngestOffset(**place))
    machine()
    message = signed(body(sample(0)))

    result = store(Position("resource_usage", "t1", 0, row.next_offset), [message], LIMITS)

    refused = RejectedMessage.objects.get()
    assert (result.rejected, refused.reason, bytes(refused.value)) == (1, "unknown_key", message.value)
    register(machine())

    keys.forget()
    person = User.objects.create_user("otto@corehour.example", "x")
    assert replay_rejected(refused.pk, person, LIMITS).replayed_samples == 1
    assert UsageSample.objects.count() == 1


def test_for_what_a_person_mends_that_person_answers() -> None:
    register(machine())
    forged = signed(body(sample(0)), value=b"{}")
    mended = raw(body(sample(0)), headers=forged.headers)

    assert judge(mended, LIMITS) == "1 sample of web-1"
