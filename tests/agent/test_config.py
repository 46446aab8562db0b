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
        ("KAFKA_BOOTSTRAP_SERVERS", "a:99999", "It must be HOST:PORT"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:0", "It must be HOST:PORT"),
        ("COREHOUR_AGENT_SERVER", "http://127.0.0.1:abc", "It must be an address such as https://"),
        ("COREHOUR_AGENT_SERVER", "http://127.0.0.1:99999", "It must be an address such as https://"),
        ("COREHOUR_AGENT_SERVER", "http://[::1", "It must be an address such as https://"),
        ("COREHOUR_AGENT_SERVER", "https://a b", "It must be an address such as https://"),
        ("COREHOUR_AGENT_SERVER", "https://a/?b", "It must be an address such as https://"),
        ("KAFKA_SASL_OAUTH_URL", "http://a", "It must be an address that begins with https://"),
        ("COREHOUR_AGENT_STATE_DIR", __file__, "It must be the path of a folder, and this is a file"),
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
    with pytest.raises(ConfigError, match="or give --machine CODE, set COREHOUR_MACHINE, or write"):
        load({}, {})


def test_the_file_is_checked_too(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    for content, complaint in (
        ("intervall = 5", "Did you mean interval?"),
        ("a = ", "is not TOML"),
        ("interval = true", "interval in .*agent.toml: True will not do. It must be one text in quotes, or a whole number"),
        ("interval = [5]", r"interval in .*: \[5\] will not do"),
        ("interval = 2.5", "interval in .*: 2.5 will not do"),
        ("topic = {}", "topic in .*: an empty value will not do"),
        ('bootstrap = ""', "bootstrap in .*: an empty value will not do. It must be HOST:PORT"),
        ("bootstrap = []", "bootstrap in .*: an empty value will not do. It must be HOST:PORT"),
        ("bootstrap = [[]]", "bootstrap in .* It must be a list of texts, or one text"),
        ('sasl_password = ""', "sasl_password in .*: an empty value will not do. It must be some text"),
        ('state_dir = "~nobody-here/x"', "state_dir in .*: .* this machine knows no such user"),
        ('seal = "maybe"', "seal in .*: 'maybe' will not do. It must be yes or no"),
        ("spool_mib = " + "9" * 5_000, "is not TOML"),
        ("interval = " + 2_000 * "[", "is not TOML"),
    ):
        file.write_text(content)
        with pytest.raises(ConfigError, match=complaint.replace("?", "[?]")):
            load({"config": str(file), "machine": "web-1"}, {})
    with pytest.raises(ConfigError, match="cannot read .*missing.toml"):
        load({"config": str(tmp_path / "missing.toml")}, {})


@pytest.mark.parametrize("said", ["[]", '""', '"none"'])
def test_obeying_nothing_can_be_said_in_several_ways(tmp_path: Path, said: str) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(f'machine = "web-1"\nobey = {said}\nobey_interval = {said}\n')

    nothing, all_of_it = load({"config": str(file)}, {}), load({"machine": "web-1"}, {})

    assert (nothing.obey, nothing.obey_interval) == ((), None)
    assert (all_of_it.obey, all_of_it.obey_interval) == (("pause", "resume", "interval"), (1, 60))
    assert load({"machine": "web-1", "obey": ""}, {}).obey == ()
    assert load({"machine": "web-1"}, {"COREHOUR_AGENT_OBEY": "", "COREHOUR_AGENT_OBEY_INTERVAL": ""}).obey_interval is None


def test_lists_in_the_file_stand_for_their_parts(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(
        'machine = "web-1"\nobey = ["pause", "resume"]\nobey_interval = [5, 10]\nbootstrap = ["127.0.0.1:1", "[::1]:2"]\n'
    )

    config = load({"config": str(file)}, {})

    assert (config.obey, config.obey_interval, config.bootstrap) == (("pause", "resume"), (5, 10), "127.0.0.1:1,[::1]:2")


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    config = load({}, {"COREHOUR_MACHINE": "web-1", "COREHOUR_AGENT_INTERVAL": "", "COREHOUR_AGENT_CONFIG": ""})

    assert config.interval == 5


def test_each_setting_tells_who_said_it(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('topic = "from-file"\nstate_dir = "' + str(tmp_path) + '"\n')
    (tmp_path / "enrolment.json").write_text('{"machine": "web-1", "server": "https://billing.example.com"}')

    origins = load({"config": str(file), "interval": "7"}, {"COREHOUR_AGENT_SEAL": "yes"}).origins

    assert (origins["interval"], origins["seal"]) == ("--interval", "COREHOUR_AGENT_SEAL")
    assert (origins["topic"], origins["keep_days"]) == (f"topic in {file}", "the default")
    assert (origins["machine"], origins["server"]) == ("machine as enrolled", "server as enrolled")


def test_a_wrong_secret_is_not_repeated() -> None:
    secret = {setting.name for setting in SETTINGS if setting.secret}

    assert secret == {"api_key", "sasl_password"}
    with pytest.raises(ConfigError) as raised:
        load({}, {"COREHOUR_MACHINE": "web-1", "COREHOUR_AGENT_API_KEY": "two words"})
    assert str(raised.value) == "COREHOUR_AGENT_API_KEY: this value will not do. It must be a key as the portal shows it."


def test_every_setting_is_in_the_documentation() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "agent.md").read_text()

    for setting in SETTINGS:
        assert f"| `{setting.name}` | `{setting.env}` |" in text
