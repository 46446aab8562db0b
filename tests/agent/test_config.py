"""Where settings come from, and what is said about wrong ones."""

from pathlib import Path

import pytest

from agent.config import SETTINGS, ConfigError, load
from agent.publisher import Broker


def test_one_setting_is_enough() -> None:
    config = load({}, {"COREHOUR_MACHINE": "web-1"})

    assert config.broker() == Broker("127.0.0.1:9092", "resource_usage")
    assert (config.interval, config.spool_mib, config.keep_days) == (5, 100, 7)
    assert config.spool_path == config.state_dir / "web-1" / "spool.sqlite3"


def test_flags_before_environment_before_file_before_default(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('machine = "file"\ntopic = "from-file"\ninterval = 30\nbootstrap = "file:1"\nplaintext = true\n')
    environ = {"COREHOUR_AGENT_CONFIG": str(file), "COREHOUR_MACHINE": "environment", "USAGE_TOPIC": "from-environment"}

    config = load({"machine": "flag", "topic": None}, environ)

    assert (config.machine, config.topic, config.interval, config.bootstrap) == ("flag", "from-environment", 30, "file:1")
    assert config.keep_days == 7


def test_logging_in_to_the_broker() -> None:
    environ = {
        "COREHOUR_MACHINE": "web-1",
        "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": "agent",
        "KAFKA_SASL_PASSWORD": "secret",
    }

    assert load({}, environ).broker().options()["sasl_plain_password"] == "secret"
    del environ["KAFKA_SASL_PASSWORD"]
    with pytest.raises(ConfigError, match="SASL_SSL needs sasl_password: set KAFKA_SASL_PASSWORD"):
        load({}, environ)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("COREHOUR_MACHINE", "Web 1", "COREHOUR_MACHINE: 'Web 1' will not do. It must be 1 to 63 lower-case letters"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker", "It must be HOST:PORT"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1,b", "It must be HOST:PORT"),
        ("USAGE_TOPIC", "a topic", "It must be a Kafka topic name"),
        ("COREHOUR_AGENT_INTERVAL", "0", "It must be a whole number from 1 to 3600"),
        ("COREHOUR_AGENT_INTERVAL", "2.5", "It must be a whole number from 1 to 3600"),
        ("COREHOUR_AGENT_SERVER", "ftp://x", "It must be an address such as https://"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "It must be one of PLAINTEXT, SSL"),
        ("KAFKA_SSL_CAFILE", "/nowhere/ca.pem", "It must be the path of a file that exists"),
    ],
)
def test_each_wrong_value_is_named_with_its_remedy(name: str, value: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load({}, {"COREHOUR_MACHINE": "web-1", name: value})

    assert complaint in str(raised.value)
    assert name in str(raised.value)


def test_without_a_machine_code_it_says_three_ways_to_give_one() -> None:
    with pytest.raises(ConfigError, match="Give --machine CODE, set COREHOUR_MACHINE, or write"):
        load({}, {})


def test_the_file_is_checked_too(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    for content, complaint in (
        ("intervall = 5", "Did you mean interval?"),
        ("a = ", "is not TOML"),
        ("interval = true", "'True'"),
    ):
        file.write_text(content)
        with pytest.raises(ConfigError, match=complaint.replace("?", "[?]")):
            load({"config": str(file), "machine": "web-1"}, {})
    with pytest.raises(ConfigError, match="cannot read .*missing.toml"):
        load({"config": str(tmp_path / "missing.toml")}, {})


def test_a_wrong_secret_is_not_repeated() -> None:
    secret = {setting.name for setting in SETTINGS if setting.secret}

    assert secret == {"api_key", "sasl_password"}


def test_every_setting_is_in_the_documentation() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "agent.md").read_text()

    for setting in SETTINGS:
        assert f"| `{setting.name}` | `{setting.env}` |" in text
