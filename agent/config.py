"""What the agent is told: flags go before the environment, that before the TOML file, that before the defaults."""

import os
import re
import tomllib
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from agent.publisher import Broker

SYSTEM_FILE = Path("/etc/corehour-agent.toml")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class ConfigError(Exception):
    """A setting is missing or wrong; the text names where it came from and how to mend it."""


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of the agent, checked."""

    machine: str
    bootstrap: str
    topic: str
    interval: int
    state_dir: Path
    spool_mib: int
    keep_days: int
    server: str | None
    api_key: str | None
    security_protocol: str
    sasl_mechanism: str | None
    sasl_username: str | None
    sasl_password: str | None
    ssl_cafile: str | None

    def broker(self) -> Broker:
        return Broker(
            bootstrap=self.bootstrap,
            topic=self.topic,
            security_protocol=self.security_protocol,
            sasl_mechanism=self.sasl_mechanism,
            sasl_username=self.sasl_username,
            sasl_password=self.sasl_password,
            ssl_cafile=self.ssl_cafile,
        )

    @property
    def spool_path(self) -> Path:
        return self.state_dir / self.machine / "spool.sqlite3"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table below. `check` turns text into the value or raises ValueError with what it should be."""

    name: str
    env: str
    check: Callable[[str], Any]
    default: str | None
    help: str
    secret: bool = False


def _matching(pattern: str, what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(what)
        return text

    return check


def _whole(low: int, high: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return check


def _one_of(*allowed: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text.upper() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return text.upper()

    return check


def _url(text: str) -> str:
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address such as https://billing.example.com")
    return text


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("the path of a file that exists")
    return text


def _brokers(text: str) -> str:
    if not all(re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\s:,]+):[0-9]{1,5}", part) for part in text.split(",")):
        raise ValueError("HOST:PORT, or several with commas between")
    return text


def default_state_dir() -> Path:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/corehour-agent")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "corehour-agent"


CODE = r"[a-z0-9][a-z0-9-]{0,62}"
CODE_WORDS = "1 to 63 lower-case letters, digits and hyphens, as shown in the portal"
SETTINGS = (
    Setting("machine", "COREHOUR_MACHINE", _matching(CODE, CODE_WORDS), None, "machine code, as the portal shows it"),
    Setting("bootstrap", "KAFKA_BOOTSTRAP_SERVERS", _brokers, "127.0.0.1:9092", "Kafka brokers"),
    Setting("topic", "USAGE_TOPIC", _matching(r"[A-Za-z0-9._-]{1,249}", "a Kafka topic name"), "resource_usage", "Kafka topic"),
    Setting("interval", "COREHOUR_AGENT_INTERVAL", _whole(1, 3600), "5", "seconds that one sample covers"),
    Setting("state_dir", "COREHOUR_AGENT_STATE_DIR", _folder, "", "folder of the spool and the control socket"),
    Setting("spool_mib", "COREHOUR_AGENT_SPOOL_MIB", _whole(1, 100_000), "100", "most disk that waiting samples may take, MiB"),
    Setting("keep_days", "COREHOUR_AGENT_KEEP_DAYS", _whole(0, 365), "7", "days to keep sent samples when no server is set"),
    Setting("server", "COREHOUR_AGENT_SERVER", _url, None, "the portal's address, to learn what is stored"),
    Setting("api_key", "COREHOUR_AGENT_API_KEY", str, None, "API key for the server", secret=True),
    Setting("security_protocol", "KAFKA_SECURITY_PROTOCOL", _one_of(*PROTOCOLS), "PLAINTEXT", ", ".join(PROTOCOLS)),
    Setting("sasl_mechanism", "KAFKA_SASL_MECHANISM", _one_of(*MECHANISMS), None, ", ".join(MECHANISMS)),
    Setting("sasl_username", "KAFKA_SASL_USERNAME", str, None, "log-in at the broker"),
    Setting("sasl_password", "KAFKA_SASL_PASSWORD", str, None, "password at the broker", secret=True),
    Setting("ssl_cafile", "KAFKA_SSL_CAFILE", _file, None, "certificate authority of the broker, PEM"),
)
CONFIG_ENV = "COREHOUR_AGENT_CONFIG"


def load(flags: Mapping[str, str | None], environ: Mapping[str, str] = os.environ) -> Config:
    """The settings of one run. Raise ConfigError for the first that is missing or wrong."""
    path = _config_path(flags, environ)
    table = _read(path) if path else {}
    values = {setting.name: _value(setting, flags, environ, table, path) for setting in SETTINGS}
    values["state_dir"] = values["state_dir"] or default_state_dir()
    config = Config(**values)
    _check_together(config)
    return config


def _config_path(flags: Mapping[str, str | None], environ: Mapping[str, str]) -> Path | None:
    named = flags.get("config") or environ.get(CONFIG_ENV)
    if named:
        return Path(named).expanduser()
    return SYSTEM_FILE if SYSTEM_FILE.is_file() else None


def _read(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Mend --config or {CONFIG_ENV}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from error
    known = [setting.name for setting in SETTINGS]
    for name in table:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(known)}."
            raise ConfigError(f"{path}: unknown setting {name}. {hint}")
    return table


def _value(
    setting: Setting, flags: Mapping[str, str | None], environ: Mapping[str, str], table: Mapping[str, Any], path: Path | None
) -> Any:
    flag = "--" + setting.name.replace("_", "-")
    candidates = (
        (flag, flags.get(setting.name)),
        (setting.env, environ.get(setting.env) or None),
        (f"{setting.name} in {path}", _text(table.get(setting.name))),
        ("the default", setting.default),
    )
    origin, text = next(((origin, text) for origin, text in candidates if text is not None), ("", None))
    if text is None and setting.name == "machine":
        raise ConfigError(f'no machine code. Give {flag} CODE, set {setting.env}, or write machine = "CODE" in {SYSTEM_FILE}.')
    if not text:
        return None
    try:
        return setting.check(text)
    except ValueError as error:
        shown = "this value" if setting.secret else repr(text)
        raise ConfigError(f"{origin}: {shown} will not do. It must be {error}.") from error


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _check_together(config: Config) -> None:
    if not config.security_protocol.startswith("SASL"):
        return
    for name in ("sasl_mechanism", "sasl_username", "sasl_password"):
        if getattr(config, name) is None:
            raise ConfigError(f"{config.security_protocol} needs {name}: set KAFKA_{name.upper()} or write it in the file.")


FLAGS = tuple(setting for setting in SETTINGS if not setting.secret)
assert {setting.name for setting in SETTINGS} == {field.name for field in fields(Config)}  # noqa: S101 - the table is the truth
