"""What the agent is told: flags go before the environment, that before the TOML file, that before what enrolment told, that
before the defaults."""

import json
import os
import re
import tomllib
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from agent import keys
from agent.oauth import Tokens, TokenSource
from agent.publisher import Broker

SYSTEM_FILE = Path("/etc/corehour-agent.toml")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
TRANSPORTS = ("KAFKA", "HTTP", "AUTO")
WISHES = ("pause", "resume", "interval")
ENROLMENT_FILE = "enrolment.json"


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
    sasl_oauth_command: str | None
    sasl_oauth_url: str | None
    sasl_oauth_scope: str | None
    sasl_oauth_extensions: str | None
    ssl_cafile: str | None
    ssl_certfile: str | None
    ssl_keyfile: str | None
    plaintext: bool
    transport: str
    seal: bool
    obey: tuple[str, ...]
    obey_interval: tuple[int, int]

    def broker(self) -> Broker:
        names = ("topic", "security_protocol", "sasl_mechanism", "sasl_username", "sasl_password")
        files = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
        return Broker(self.bootstrap, **{name: getattr(self, name) for name in names + files}, tokens=self._tokens())

    def _tokens(self) -> Tokens | None:
        if self.sasl_mechanism != "OAUTHBEARER":
            return None
        source = TokenSource(
            command=self.sasl_oauth_command,
            url=self.sasl_oauth_url,
            client=self.sasl_username,
            secret=self.sasl_password,
            scope=self.sasl_oauth_scope,
            extensions=self.sasl_oauth_extensions,
        )
        return Tokens(source)

    @property
    def folder(self) -> Path:
        """What this machine keeps: spool, socket, key."""
        return self.state_dir / self.machine

    @property
    def spool_path(self) -> Path:
        return self.folder / "spool.sqlite3"

    @property
    def key_path(self) -> Path:
        return self.folder / keys.KEY_FILE


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


def _secure_url(text: str) -> str:
    if urllib.parse.urlsplit(text).scheme != "https":
        raise ValueError("an address that begins with https://")
    return _url(text)


def _yes(text: str) -> bool:
    if text.lower() not in ("yes", "no", "true", "false", "1", "0"):
        raise ValueError("yes or no")
    return text.lower() in ("yes", "true", "1")


def _wishes(text: str) -> tuple[str, ...]:
    parts = () if text == "none" else tuple(text.split(","))
    if not set(parts) <= set(WISHES):
        raise ValueError("none, or some of " + ",".join(WISHES))
    return parts


def _range(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,4})-([0-9]{1,4})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= 3600:
        raise ValueError("two whole numbers from 1 to 3600 such as 1-60")
    return int(found[1]), int(found[2])


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
    Setting("sasl_oauth_command", "KAFKA_SASL_OAUTH_COMMAND", str, None, "OAUTHBEARER: command that prints a token"),
    Setting("sasl_oauth_url", "KAFKA_SASL_OAUTH_URL", _secure_url, None, "OAUTHBEARER: address that gives tokens to a client"),
    Setting("sasl_oauth_scope", "KAFKA_SASL_OAUTH_SCOPE", str, None, "OAUTHBEARER: scope to ask for"),
    Setting("sasl_oauth_extensions", "KAFKA_SASL_OAUTH_EXTENSIONS", str, None, "OAUTHBEARER: NAME=VALUE,NAME=VALUE"),
    Setting("ssl_cafile", "KAFKA_SSL_CAFILE", _file, None, "certificate authority of the broker, PEM"),
    Setting("ssl_certfile", "KAFKA_SSL_CERTFILE", _file, None, "this machine's certificate for the broker, PEM"),
    Setting("ssl_keyfile", "KAFKA_SSL_KEYFILE", _file, None, "the key of that certificate, PEM"),
    Setting("plaintext", "COREHOUR_AGENT_PLAINTEXT", _yes, "no", "allow an unencrypted connection beyond this machine"),
    Setting("transport", "COREHOUR_AGENT_TRANSPORT", _one_of(*TRANSPORTS), "AUTO", "KAFKA, HTTP or AUTO: HTTP while Kafka fails"),
    Setting("seal", "COREHOUR_AGENT_SEAL", _yes, "no", "encrypt usage for the server, so that the broker cannot read it"),
    Setting("obey", "COREHOUR_AGENT_OBEY", _wishes, "pause,resume,interval", "what the portal may ask for, or none"),
    Setting("obey_interval", "COREHOUR_AGENT_OBEY_INTERVAL", _range, "1-60", "intervals that the portal may ask for, seconds"),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
CONFIG_ENV = "COREHOUR_AGENT_CONFIG"


def load(flags: Mapping[str, str | None], environ: Mapping[str, str] = os.environ) -> Config:
    """The settings of one run. Raise ConfigError for the first that is missing or wrong."""
    path = _config_path(flags, environ)
    said = Said(flags, environ, _read(path) if path else {}, path)
    state_dir = said.value(BY_NAME["state_dir"]) or default_state_dir()
    said.told = enrolled(state_dir)
    machine = said.value(BY_NAME["machine"])
    if said.told.get("machine") != machine:  # Another machine's enrolment says nothing about this one.
        said.told = {}
    config = Config(**{**{setting.name: said.value(setting) for setting in SETTINGS}, "state_dir": state_dir})
    _check_together(config)
    return config


def state_dir_of(flags: Mapping[str, str | None], environ: Mapping[str, str] = os.environ) -> Path:
    """Where the agent keeps things, for a machine that has no code yet. Raise ConfigError."""
    path = _config_path(flags, environ)
    found: Path = Said(flags, environ, _read(path) if path else {}, path).value(BY_NAME["state_dir"]) or default_state_dir()
    return found


def address_of(text: str) -> str:
    """A portal's address as a person types it. Raise ConfigError."""
    try:
        return _url(text).rstrip("/")
    except ValueError as error:
        raise ConfigError(f"{text!r} will not do. It must be {error}.") from error


def enrolled(state_dir: Path) -> dict[str, Any]:
    """What enrolment has told: settings, below all that the machine's user says. Nothing if it was never enrolled."""
    try:
        told = json.loads((state_dir / ENROLMENT_FILE).read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {state_dir / ENROLMENT_FILE}: {error}. Enrol this machine again.") from error
    return told if isinstance(told, dict) else {}


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


@dataclass(slots=True)
class Said:
    """Everything that was said about settings, by whom it was said."""

    flags: Mapping[str, str | None]
    environ: Mapping[str, str]
    table: Mapping[str, Any]
    path: Path | None
    told: Mapping[str, Any] = field(default_factory=dict)

    def value(self, setting: Setting) -> Any:
        """The checked value of the first who said something. Raise ConfigError."""
        origin, text = next(((origin, text) for origin, text in self._candidates(setting) if text is not None), ("", None))
        if text is None and setting.name == "machine":
            raise ConfigError(
                f'no machine code. Give --machine CODE, set {setting.env}, or write machine = "CODE" in {SYSTEM_FILE}.'
            )
        if not text:
            return None
        try:
            return setting.check(text)
        except ValueError as error:
            shown = "this value" if setting.secret else repr(text)
            raise ConfigError(f"{origin}: {shown} will not do. It must be {error}.") from error

    def _candidates(self, setting: Setting) -> Iterator[tuple[str, str | None]]:
        yield "--" + setting.name.replace("_", "-"), self.flags.get(setting.name)
        yield setting.env, self.environ.get(setting.env) or None
        yield f"{setting.name} in {self.path}", _text(self.table.get(setting.name))
        yield f"{setting.name} as enrolled", _text(self.told.get(setting.name))
        yield "the default", setting.default


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return None if value is None else str(value)


def _check_together(config: Config) -> None:
    if not config.security_protocol.endswith("SSL") and not config.plaintext and not _is_loopback(config.bootstrap):
        raise ConfigError(
            f"{config.bootstrap} is another machine and {config.security_protocol} is not encrypted: set security_protocol "
            "to SSL or SASL_SSL, or plaintext to yes (COREHOUR_AGENT_PLAINTEXT) if the network between is yours alone."
        )
    if (config.ssl_certfile is None) != (config.ssl_keyfile is None):
        raise ConfigError("ssl_certfile and ssl_keyfile go together: set both or none.")
    if config.transport == "HTTP" and config.server is None:
        raise ConfigError("transport HTTP needs a server: set COREHOUR_AGENT_SERVER, or enrol this machine.")
    if config.security_protocol.startswith("SASL"):
        _check_login(config)


def _check_login(config: Config) -> None:
    needed: tuple[str, ...] = ("sasl_mechanism", "sasl_username", "sasl_password")
    if config.sasl_mechanism == "OAUTHBEARER":
        if config.sasl_oauth_command:
            return
        needed = ("sasl_oauth_url", "sasl_username", "sasl_password")
    for name in needed:
        if getattr(config, name) is None:
            raise ConfigError(f"{config.security_protocol} needs {name}: set KAFKA_{name.upper()} or write it in the file.")


def _is_loopback(bootstrap: str) -> bool:
    """Whether every broker named is on this machine."""
    return all(re.fullmatch(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\]):[0-9]+", part) for part in bootstrap.split(","))


FLAGS = tuple(setting for setting in SETTINGS if not setting.secret)
assert {setting.name for setting in SETTINGS} == {field.name for field in fields(Config)}  # noqa: S101 - the table is the truth
