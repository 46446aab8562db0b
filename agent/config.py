"""What the agent is told: flags go before the environment, that before the TOML file, that before what enrolment told, that
before the defaults."""

import json
import os
import tomllib
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from agent import checks, keys
from agent.oauth import Tokens, TokenSource
from agent.publisher import Broker

SYSTEM_FILE = Path("/etc/corehour-agent.toml")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
TRANSPORTS = ("KAFKA", "HTTP", "AUTO")
ENROLMENT_FILE = "enrolment.json"


class ConfigError(Exception):
    """A setting is missing or wrong; the text names where it came from and how to mend it."""


class NoMachine(ConfigError):
    """Nobody has said which machine this is: it was never enrolled."""


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
    obey_interval: tuple[int, int] | None
    origins: Mapping[str, str]

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
    """One row of the table below. `check` turns text into the value or raises ValueError with what it should be.

    `several`: a list in the file stands for its parts with commas between. `empty`: nothing is a value too, namely none.
    """

    name: str
    env: str
    check: Callable[[str], Any]
    default: str | None
    help: str
    secret: bool = False
    several: bool = False
    empty: bool = False


def default_state_dir() -> Path:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/corehour-agent")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "corehour-agent"


CODE = r"[a-z0-9][a-z0-9-]{0,62}"
CODE_WORDS = "1 to 63 lower-case letters, digits and hyphens, as shown in the portal"
SETTINGS = (
    Setting("machine", "COREHOUR_MACHINE", checks.matching(CODE, CODE_WORDS), None, "machine code, as the portal shows it"),
    Setting("bootstrap", "KAFKA_BOOTSTRAP_SERVERS", checks.brokers, "127.0.0.1:9092", "Kafka brokers", several=True),
    Setting(
        "topic", "USAGE_TOPIC", checks.matching(r"[A-Za-z0-9._-]{1,249}", "a Kafka topic name"), "resource_usage", "Kafka topic"
    ),
    Setting("interval", "COREHOUR_AGENT_INTERVAL", checks.whole(1, 3600), "5", "seconds that one sample covers"),
    Setting("state_dir", "COREHOUR_AGENT_STATE_DIR", checks.folder, None, "folder of the spool and the control socket"),
    Setting(
        "spool_mib", "COREHOUR_AGENT_SPOOL_MIB", checks.whole(1, 100_000), "100", "most disk that waiting samples may take, MiB"
    ),
    Setting(
        "keep_days", "COREHOUR_AGENT_KEEP_DAYS", checks.whole(0, 365), "7", "days to keep sent samples when no server is set"
    ),
    Setting("server", "COREHOUR_AGENT_SERVER", checks.url, None, "the portal's address, to learn what is stored"),
    Setting(
        "api_key",
        "COREHOUR_AGENT_API_KEY",
        checks.matching(r"[!-~]+", "a key as the portal shows it"),
        None,
        "API key for the server",
        secret=True,
    ),
    Setting("security_protocol", "KAFKA_SECURITY_PROTOCOL", checks.one_of(*PROTOCOLS), "PLAINTEXT", ", ".join(PROTOCOLS)),
    Setting("sasl_mechanism", "KAFKA_SASL_MECHANISM", checks.one_of(*MECHANISMS), None, ", ".join(MECHANISMS)),
    Setting("sasl_username", "KAFKA_SASL_USERNAME", checks.some, None, "log-in at the broker"),
    Setting("sasl_password", "KAFKA_SASL_PASSWORD", checks.some, None, "password at the broker", secret=True),
    Setting("sasl_oauth_command", "KAFKA_SASL_OAUTH_COMMAND", checks.some, None, "OAUTHBEARER: command that prints a token"),
    Setting(
        "sasl_oauth_url", "KAFKA_SASL_OAUTH_URL", checks.secure_url, None, "OAUTHBEARER: address that gives tokens to a client"
    ),
    Setting("sasl_oauth_scope", "KAFKA_SASL_OAUTH_SCOPE", checks.some, None, "OAUTHBEARER: scope to ask for"),
    Setting("sasl_oauth_extensions", "KAFKA_SASL_OAUTH_EXTENSIONS", checks.some, None, "OAUTHBEARER: NAME=VALUE,NAME=VALUE"),
    Setting("ssl_cafile", "KAFKA_SSL_CAFILE", checks.file, None, "certificate authority of the broker, PEM"),
    Setting("ssl_certfile", "KAFKA_SSL_CERTFILE", checks.file, None, "this machine's certificate for the broker, PEM"),
    Setting("ssl_keyfile", "KAFKA_SSL_KEYFILE", checks.file, None, "the key of that certificate, PEM"),
    Setting("plaintext", "COREHOUR_AGENT_PLAINTEXT", checks.yes, "no", "allow an unencrypted connection beyond this machine"),
    Setting(
        "transport", "COREHOUR_AGENT_TRANSPORT", checks.one_of(*TRANSPORTS), "AUTO", "KAFKA, HTTP or AUTO: HTTP while Kafka fails"
    ),
    Setting("seal", "COREHOUR_AGENT_SEAL", checks.yes, "no", "encrypt usage for the server, so that the broker cannot read it"),
    Setting(
        "obey",
        "COREHOUR_AGENT_OBEY",
        checks.wishes,
        "pause,resume,interval",
        "what the portal may ask for, or none",
        several=True,
        empty=True,
    ),
    Setting(
        "obey_interval",
        "COREHOUR_AGENT_OBEY_INTERVAL",
        checks.span,
        "1-60",
        "intervals that the portal may ask for, seconds",
        several=True,
        empty=True,
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
CONFIG_ENV = "COREHOUR_AGENT_CONFIG"


def load(flags: Mapping[str, str | None], environ: Mapping[str, str] = os.environ) -> Config:
    """The settings of one run. Raise ConfigError for the first that is missing or wrong."""
    said = Said.by(flags, environ)
    state_dir = said.value(BY_NAME["state_dir"]) or default_state_dir()
    said.told = enrolled(state_dir)
    machine = said.value(BY_NAME["machine"])
    if said.told.get("machine") != machine:  # Another machine's enrolment says nothing about this one.
        said.told = {}
    values = {setting.name: said.value(setting) for setting in SETTINGS}
    config = Config(**{**values, "state_dir": state_dir}, origins={setting.name: said.origin(setting) for setting in SETTINGS})
    _check_together(config)
    return config


def one(name: str, flags: Mapping[str, str | None], environ: Mapping[str, str] = os.environ) -> Any:
    """One setting, for a machine that may have no code yet. Raise ConfigError."""
    found = Said.by(flags, environ).value(BY_NAME[name])
    return default_state_dir() if name == "state_dir" and found is None else found


def address_of(text: str, plaintext: bool) -> str:
    """A portal's address as a person types it. Raise ConfigError."""
    try:
        address = checks.url(text).rstrip("/")
    except ValueError as error:
        raise ConfigError(f"URL: {_shown(text)} will not do. It must be {error}.") from error
    if in_the_open(address) and not plaintext:
        raise ConfigError(
            f"URL: {address} is another machine and http is not encrypted: whoever is between could read the token, enrol a key "
            "of their own with it and give this machine settings. Take https, or add --plaintext yes if the network between is "
            "yours alone."
        )
    return address


def in_the_open(address: str | None) -> bool:
    """Whether what is said to this address passes a network unencrypted."""
    parts = urllib.parse.urlsplit(address or "")
    return parts.scheme == "http" and not checks.is_loopback(parts.hostname)


def enrolled(state_dir: Path) -> dict[str, Any]:
    """What enrolment has told: settings, below all that the machine's user says. Nothing if it was never enrolled."""
    try:
        told = json.loads((state_dir / ENROLMENT_FILE).read_text())
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise ConfigError(f"cannot look into {state_dir}: it is another user's. Run this as that user, or as root.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"cannot read {state_dir / ENROLMENT_FILE}: {error}. Enrol this machine again.") from error
    return told if isinstance(told, dict) else {}


def _config_path(flags: Mapping[str, str | None], environ: Mapping[str, str]) -> Path | None:
    named = flags.get("config")
    if named == "":
        raise ConfigError(
            "--config: an empty value will not do. It must be the path of a TOML file; leave it out where there is none."
        )
    named = named or environ.get(CONFIG_ENV)
    try:
        return Path(named).expanduser() if named else SYSTEM_FILE if SYSTEM_FILE.is_file() else None
    except RuntimeError as error:
        raise ConfigError(f"cannot read {named}: this machine knows no such user. Mend --config or {CONFIG_ENV}.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Mend --config or {CONFIG_ENV}.") from error
    except (ValueError, RecursionError) as error:
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

    @classmethod
    def by(cls, flags: Mapping[str, str | None], environ: Mapping[str, str]) -> "Said":
        """Read the file. Raise ConfigError."""
        path = _config_path(flags, environ)
        return cls(flags, environ, _read(path) if path else {}, path)

    def value(self, setting: Setting) -> Any:
        """The checked value of the first who said something; None if nobody did. Raise ConfigError."""
        origin, said = self._first(setting)
        if said is None:
            if setting.name == "machine":
                raise NoMachine(
                    "no machine code. Enrol this machine (corehour-agent enrol URL TOKEN), or give --machine CODE, set "
                    f'{setting.env}, or write machine = "CODE" in {SYSTEM_FILE}.'
                )
            return None
        try:
            return setting.check(_text(setting, said))
        except ValueError as error:
            shown = "this value" if setting.secret and said else _shown(said)
            raise ConfigError(f"{origin}: {shown} will not do. It must be {error}.") from error

    def origin(self, setting: Setting) -> str:
        """Who said it, as a person would look for it."""
        return self._first(setting)[0]

    def _first(self, setting: Setting) -> tuple[str, Any]:
        return next(((origin, said) for origin, said in self._candidates(setting) if said is not None), ("the default", None))

    def _candidates(self, setting: Setting) -> Iterator[tuple[str, Any]]:
        yield "--" + setting.name.replace("_", "-"), self.flags.get(setting.name)
        # An empty variable is one that is not set, as everywhere; only where nothing is a value does it say that.
        yield setting.env, self.environ.get(setting.env) if setting.empty else self.environ.get(setting.env) or None
        yield f"{setting.name} in {self.path}", self.table.get(setting.name)
        yield f"{setting.name} as enrolled", self.told.get(setting.name)
        yield "the default", setting.default


def _text(setting: Setting, said: Any) -> str:
    """What was said as the text that a flag would hold. Raise ValueError for a kind that none could."""
    if isinstance(said, list) and setting.several and all(isinstance(part, str | int) for part in said):
        return ",".join(str(part) for part in said)
    if isinstance(said, bool) and setting.check is checks.yes:
        return "yes" if said else "no"
    if isinstance(said, bool) or not isinstance(said, str | int):
        raise ValueError(
            "a list of texts, or one text" if setting.several else "one text in quotes, or a whole number where one is meant"
        )
    return str(said)


def _shown(said: Any) -> str:
    return f"{said!r:.200}" if said not in ("", [], {}) else "an empty value"


def _check_together(config: Config) -> None:
    if not config.security_protocol.endswith("SSL") and not config.plaintext and not _all_loopback(config.bootstrap):
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


def _all_loopback(bootstrap: str) -> bool:
    """Whether every broker named is on this machine."""
    return all(checks.is_loopback(part.rpartition(":")[0]) for part in bootstrap.split(","))


FLAGS = tuple(setting for setting in SETTINGS if not setting.secret)
assert {setting.name for setting in SETTINGS} | {"origins"} == {field.name for field in fields(Config)}  # noqa: S101 - the table is the truth
