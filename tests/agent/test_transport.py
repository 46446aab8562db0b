"""The agent against a broker with TLS, log-ins and rights: it gets in as it should, and can do nothing but what it must."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ACL, ACLOperation, ACLPermissionType, KafkaAdminClient, ResourcePattern, ResourceType
from kafka.errors import KafkaError

from agent.config import ConfigError, load
from agent.service import Service
from tests.agent.secure_broker import AGENT, OTHER_TOPIC, PASSWORD, TOPIC, Secure, secure_broker
from tests.agent.tokens import SCOPE, Issuer

SCRAM = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    with secure_broker(tmp_path_factory.mktemp("secure")) as files:
        yield files


def sent(state: Path, password: str = PASSWORD, **flags: str) -> str | None:
    """Measure once and send. None when the broker has it, else the trouble that `status` shows."""
    environ = {"KAFKA_SASL_USERNAME": AGENT, "KAFKA_SASL_PASSWORD": password, "COREHOUR_AGENT_STATE_DIR": str(state)}
    service = Service(load({"machine": "web-1", "interval": "1", **flags}, environ))
    return None if service.once(threading.Event()) else service.delivery.publisher.trouble


def stored(broker: Secure) -> int:
    with closing(KafkaConsumer(bootstrap_servers=broker.open)) as consumer:
        return sum(consumer.end_offsets([TopicPartition(TOPIC, 0)]).values())


def test_by_password_over_tls(broker: Secure, state: Path) -> None:
    before = stored(broker)

    assert sent(state, bootstrap=broker.scram, ssl_cafile=str(broker.authority), **SCRAM) is None
    assert stored(broker) == before + 1


def test_a_wrong_password_is_said_in_words(broker: Secure, state: Path) -> None:
    trouble = sent(state, "wrong", bootstrap=broker.scram, ssl_cafile=str(broker.authority), **SCRAM)

    assert "it refused the log-in of web-1" in str(trouble)


def test_a_broker_that_the_authority_did_not_certify_gets_nothing(broker: Secure, state: Path) -> None:
    before = stored(broker)

    assert sent(state, bootstrap=broker.scram, ssl_cafile=str(broker.stranger), **SCRAM) is not None
    assert stored(broker) == before


def test_by_certificate(broker: Secure, state: Path) -> None:
    flags = {"security_protocol": "SSL", "bootstrap": broker.mutual_tls, "ssl_cafile": str(broker.authority)}
    before = stored(broker)

    assert sent(state, **flags, ssl_certfile=str(broker.certificate), ssl_keyfile=str(broker.key)) is None
    assert sent(state, **flags, ssl_certfile=str(broker.stranger), ssl_keyfile=str(broker.stranger_key)) is not None
    assert stored(broker) == before + 1


def test_another_topic_is_not_the_agents(broker: Secure, state: Path) -> None:
    trouble = sent(state, bootstrap=broker.scram, ssl_cafile=str(broker.authority), topic=OTHER_TOPIC, **SCRAM)

    assert trouble is not None


def by_token(broker: Secure) -> dict[str, str]:
    flags = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}
    return flags | {"bootstrap": broker.oauth, "ssl_cafile": str(broker.authority)}


def test_by_a_token_from_an_address_that_gives_them_to_clients(
    broker: Secure, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(broker.authority))
    before, issuer = stored(broker), broker.issuer
    with issuer.serving(broker.server, broker.server_key) as address:
        asked = by_token(broker) | {"sasl_oauth_url": address, "sasl_oauth_scope": SCOPE}

        assert sent(state, **asked) is None
        assert (stored(broker), issuer.given) == (before + 1, 1)
        assert "no token from 127.0.0.1: HTTP Error 401" in str(sent(state, "wrong", **asked))
    assert (stored(broker), issuer.refused) == (before + 1, 1)  # Asked once, however often the connection is tried.


def test_by_a_token_that_a_command_prints(broker: Secure, state: Path) -> None:
    before = stored(broker)

    assert sent(state, **by_token(broker), sasl_oauth_command=f"echo {broker.issuer.token(AGENT)}") is None
    assert stored(broker) == before + 1


@pytest.mark.parametrize("whose", ["another issuer's", "somebody else's"])
def test_a_token_that_the_broker_does_not_believe_gets_nothing_in(broker: Secure, state: Path, whose: str) -> None:
    token = {
        "another issuer's": lambda: Issuer({}).token(AGENT),
        "somebody else's": lambda: broker.issuer.token("web-2"),
    }[whose]()
    before = stored(broker)

    assert sent(state, **by_token(broker), sasl_oauth_command=f"echo {token}") is not None
    assert stored(broker) == before


def as_agent(broker: Secure) -> dict[str, Any]:
    return {
        "bootstrap_servers": broker.scram,
        "ssl_cafile": str(broker.authority),
        "sasl_plain_username": AGENT,
        "sasl_plain_password": PASSWORD,
        **SCRAM,
    }


def read(options: dict[str, Any]) -> None:
    with closing(KafkaConsumer(**options, group_id=None, auto_offset_reset="earliest")) as consumer:
        consumer.assign([TopicPartition(TOPIC, 0)])
        for _ in range(20):
            if consumer.poll(timeout_ms=500):
                return
        raise AssertionError("neither refused nor read")


def join_group(options: dict[str, Any]) -> None:
    with closing(KafkaConsumer(TOPIC, **options, group_id="corehour-usage")) as consumer:
        for _ in range(20):
            consumer.poll(timeout_ms=500)
        raise AssertionError("neither refused nor kept out")


def write_elsewhere(options: dict[str, Any]) -> None:
    with closing(KafkaProducer(**options, max_block_ms=5_000)) as producer:
        producer.send(OTHER_TOPIC, b"x").get(timeout=10)


def by_admin(act: Callable[[KafkaAdminClient], Any]) -> Callable[[dict[str, Any]], None]:
    def attempt(options: dict[str, Any]) -> None:
        with closing(KafkaAdminClient(**options)) as admin:
            act(admin)

    return attempt


def acl() -> ACL:
    topic = ResourcePattern(ResourceType.TOPIC, TOPIC)
    return ACL(f"User:{AGENT}", "*", ACLOperation.READ, ACLPermissionType.ALLOW, topic)


FORBIDDEN: dict[str, Callable[[dict[str, Any]], None]] = {
    "read its own topic": read,
    "join the worker's group": join_group,
    "write to another topic": write_elsewhere,
    "make a topic": by_admin(lambda admin: admin.create_topics({"mine": {"num_partitions": 1}})),
    "delete its topic": by_admin(lambda admin: admin.delete_topics([TOPIC])),
    "give itself rights": by_admin(lambda admin: _raise(admin.create_acls([acl()]))),
    "see the rights of others": by_admin(lambda admin: _raise(admin.describe_acls(acl()))),
}


def _raise(answer: Any) -> None:
    """Some answers carry refusals in them instead of raising."""
    text = str(answer)
    if "Authorization" in text or "not authorized" in text.lower():
        raise KafkaError(text)


@pytest.mark.parametrize("attempt", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_the_agents_log_in_may_do_nothing_else(broker: Secure, attempt: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(KafkaError, match="(?i)authoriz"):
        attempt(as_agent(broker))


@pytest.mark.parametrize("bootstrap", ["127.0.0.1:9092", "localhost:9092,127.0.0.2:1", "[::1]:9092"])
def test_on_this_machine_plaintext_is_fine(bootstrap: str) -> None:
    assert load({"machine": "web-1", "bootstrap": bootstrap}, {}).security_protocol == "PLAINTEXT"


def test_to_another_machine_plaintext_has_to_be_asked_for() -> None:
    flags = {"machine": "web-1", "bootstrap": "kafka.example.com:9092"}

    with pytest.raises(ConfigError, match="not encrypted: set security_protocol to SSL"):
        load(flags, {})
    assert load({**flags, "plaintext": "yes"}, {}).plaintext
    assert load({**flags, "security_protocol": "SSL"}, {}).security_protocol == "SSL"
