"""A real broker as an installation should have it: TLS, log-ins by SCRAM or certificate, and rights for each of them."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

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

TOPIC, OTHER_TOPIC = "resource_usage", "payroll"
AGENT, PASSWORD = "web-1", "of no use after the test"
Pair = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


@dataclass(frozen=True)
class Secure:
    """Where its listeners are, and the files of who may connect."""

    scram: str
    mutual_tls: str
    open: str
    authority: Path
    certificate: Path
    key: Path
    stranger: Path
    stranger_key: Path


@contextmanager
def secure_broker(folder: Path) -> Iterator[Secure]:
    """One topic that the agent may write and describe, and one that is none of its business."""
    plain, scram, mutual = free_ports(3)
    authority, stranger = issue("authority"), issue("another authority")
    files = Secure(
        scram=f"{HOST}:{scram}",
        mutual_tls=f"{HOST}:{mutual}",
        open=f"{HOST}:{plain}",
        authority=pem(folder / "ca.pem", authority[1]),
        certificate=pem(folder / "agent.pem", *(agent := issue(AGENT, authority))[1:]),
        key=key_pem(folder / "agent-key.pem", agent[0]),
        stranger=pem(folder / "stranger.pem", *(other := issue(AGENT, stranger))[1:]),
        stranger_key=key_pem(folder / "stranger-key.pem", other[0]),
    )
    broker = issue("broker", authority)
    store = folder / "broker.pem"
    store.write_bytes(key_pem(folder / "broker-key.pem", broker[0]).read_bytes() + broker[1].public_bytes(Encoding.PEM))
    with EmbeddedKafka(folder / "kafka", port=plain, more=lambda node: _listeners(node, scram, mutual, store, files.authority)):
        _grant(files.open)
        yield files


def _listeners(node: Node, scram: int, mutual: int, store: Path, authority: Path) -> Mapping[str, object]:
    open_to_all = f"PLAINTEXT://{HOST}:{node.port},SASL_SSL://{HOST}:{scram},SSL://{HOST}:{mutual}"
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        "listeners": f"{open_to_all},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": open_to_all,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": login,
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": store,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority,
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
