"""`enrol`: a token for a key. The key is made here, its public half goes to the server, which tells where to send."""

import base64
import json
import logging
from pathlib import Path
from typing import Any

from agent import keys
from agent.config import ENROLMENT_FILE, Config
from agent.keys import KEY_FILE, MachineKey
from agent.server import Server

ENROL_DOMAIN = b"corehour.enrol.1\n"
ROTATE_DOMAIN = b"corehour.rotate.1\n"
SETTINGS = ("machine", "topic", "bootstrap", "security_protocol", "sasl_mechanism")

log = logging.getLogger("agent")


def enrol(address: str, token: str, state_dir: Path) -> str:
    """Register a new key for the token's machine; return the machine's code. Raise ServerProblem, OSError.

    The key is on disk before the server knows it: if the answer is lost, the token is spent, and a new one is needed.
    """
    key = keys.generate()
    draft = state_dir / "enrolling.pem"
    keys.keep(key, draft)
    told = Server(address).post(
        "/api/v1/enrol/",
        {"token": token, "public_key": _base64(key.public), "proof": key.sign(ENROL_DOMAIN + token.encode())},
    )
    folder = state_dir / str(told["machine"])
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft.replace(folder / KEY_FILE)
    _remember(state_dir, folder, address, told)
    return str(told["machine"])


def change_key(config: Config, server: Server, key: MachineKey) -> MachineKey:
    """Change to a new key; the server takes both for a week. Raise ServerProblem, and the old one stays.

    The new key is kept beside the old one first, and tried again with the same one if the answer was lost.
    """
    draft = config.key_path.with_name("next-key.pem")
    new = keys.load(draft) or keys.generate()
    keys.keep(new, draft)
    body = {"public_key": _base64(new.public), "proof": new.sign(ROTATE_DOMAIN + key.id.encode())}
    server.post("/api/v1/agent/key/", body)
    draft.replace(config.key_path)
    log.info("%s: messages are signed with key %s from now on", config.machine, new.id)
    return new


def told(config: Config) -> dict[str, Any]:
    """What the server said when this machine was enrolled: beside settings, the keys by which it speaks and reads."""
    try:
        said = json.loads((config.folder / ENROLMENT_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _remember(state_dir: Path, folder: Path, address: str, told: dict[str, Any]) -> None:
    settings = {name: told[name] for name in SETTINGS if told.get(name)} | {"server": address}
    if told.get("ssl_ca"):
        keys.write_private(folder / "broker-ca.pem", str(told["ssl_ca"]).encode())
        settings["ssl_cafile"] = str(folder / "broker-ca.pem")
    keys.write_private(folder / ENROLMENT_FILE, json.dumps(told, indent=1).encode())
    keys.write_private(state_dir / ENROLMENT_FILE, json.dumps(settings, indent=1).encode())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
