"""A real broker as an installation should have it: TLS, log-ins by SCRAM, certificate or token, and rights for each of them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)

from billingsite.broker import EmbeddedKafka
from billingsite.kafka_node import HOST, Node, free_ports
from tests.agent.tokens import AUDIENCE, NAME, Issuer

TOPIC, OTHER_TOPIC = "resource_usage", "payroll"
AGENT, PASSWORD = "web-1", "of no use after the test"
Pair = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


@dataclass(frozen=True)
class Secure:
    """Where its listeners are, and the files of who may connect."""

    scram: str
    oauth: str
    mutual_tls: str
    open: str
    authority: Path
    certificate: Path
    key: Path
    stranger: Path
    stranger_key: Path
    server: Path
    server_key: Path
    issuer: Issuer


@contextmanager
def secure_broker(folder: Path) -> Iterator[Secure]:
    """One topic that the agent may write and describe, and one that is none of its business."""
    plain, scram, oauth, mutual = free_ports(4)
    authority, stranger = issue("authority"), issue("another authority")
    files = Secure(
        scram=f"{HOST}:{scram}",
        oauth=f"{HOST}:{oauth}",
        mutual_tls=f"{HOST}:{mutual}",
        open=f"{HOST}:{plain}",
        authority=pem(folder / "ca.pem", authority[1]),
        certificate=pem(folder / "agent.pem", *(agent := issue(AGENT, authority))[1:]),
        key=key_pem(folder / "agent-key.pem", agent[0]),
        stranger=pem(folder / "stranger.pem", *(other := issue(AGENT, stranger))[1:]),
        stranger_key=key_pem(folder / "stranger-key.pem", other[0]),
        server=pem(folder / "server.pem", *(server := issue("server", authority))[1:]),
        server_key=key_pem(folder / "server-key.pem", server[0]),
        issuer=Issuer({AGENT: PASSWORD}),
    )
    (folder / "broker.pem").write_bytes(files.server_key.read_bytes() + files.server.read_bytes())
    (folder / "jwks.json").write_text(files.issuer.jwks())
    ports = {"SASL_SSL": scram, "OAUTH": oauth, "SSL": mutual}
    with (
        _java_may_read(folder / "jwks.json"),
        EmbeddedKafka(folder / "kafka", port=plain, more=lambda node: _listeners(node, ports, folder)),
    ):
        _grant(files.open)
        yield files


@contextmanager
def _java_may_read(keys: Path) -> Iterator[None]:
    """Kafka takes its tokens' keys only from where its own command line says."""
    allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "JAVA_TOOL_OPTIONS", allowed)
        yield


def _listeners(node: Node, ports: Mapping[str, int], folder: Path) -> Mapping[str, object]:
    doors = ",".join(f"{name}://{HOST}:{port}" for name, port in {"PLAINTEXT": node.port, **ports}.items())
    tokens = "org.apache.kafka.common.security.oauthbearer"
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        "listeners": f"{doors},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": doors,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,OAUTH:SASL_SSL,SSL:SSL",
        "listener.name.sasl_ssl.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.oauth.oauthbearer.sasl.jaas.config": f"{tokens}.OAuthBearerLoginModule required;",
        "listener.name.oauth.oauthbearer.sasl.server.callback.handler.class": f"{tokens}.OAuthBearerValidatorCallbackHandler",
        "sasl.oauthbearer.jwks.endpoint.url": (folder / "jwks.json").as_uri(),
        "sasl.oauthbearer.expected.issuer": NAME,
        "sasl.oauthbearer.expected.audience": AUDIENCE,
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": login,
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": folder / "broker.pem",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": folder / "ca.pem",
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # The test itself, over the plain listener.
    }


def _grant(bootstrap: str) -> None:
    """What docs/agent.md says an agent needs: to write and describe one topic."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics({TOPIC: {"num_partitions": 1}, OTHER_TOPIC: {"num_partitions": 1}}, wait_for_metadata=True)
        admin.alter_user_scram_credentials([UserScramCredentialUpsertion(AGENT, "SCRAM-SHA-512", PASSWORD)])
        topic = ResourcePattern(ResourceType.TOPIC, TOPIC)
        allowed = (ACLOperation.WRITE, ACLOperation.DESCRIBE)
        admin.create_acls([ACL(f"User:{AGENT}", "*", operation, ACLPermissionType.ALLOW, topic) for operation in allowed])


def issue(name: str, by: Pair | None = None) -> Pair:
    """A key with a certificate of an hour; without `by` an authority of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.now(UTC) - timedelta(minutes=5)
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=by[1].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
    )
    return key, builder.sign(by[0] if by else key, hashes.SHA256())


def pem(path: Path, *certificates: x509.Certificate) -> Path:
    path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
    return path


def key_pem(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
