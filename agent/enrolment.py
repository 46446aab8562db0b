"""`enrol`: a token for a key. The key is made here, its public half goes to the server, which tells where to send."""

import base64
import json
import logging
import re
from pathlib import Path
from typing import Any

from agent import keys, private
from agent.config import CODE, ENROLMENT_FILE, Config
from agent.keys import KEY_FILE, MachineKey
from agent.server import Server, ServerProblem

ENROL_DOMAIN = b"corehour.enrol.1\n"
ROTATE_DOMAIN = b"corehour.rotate.1\n"
NEXT_KEY_FILE = "next-key.pem"
SETTINGS = ("machine", "topic", "bootstrap", "security_protocol", "sasl_mechanism")

log = logging.getLogger("agent")


def enrol(address: str, token: str, state_dir: Path) -> tuple[str, str]:
    """Register a new key for the token's machine; return the machine's code and the key's id.

    Raise ServerProblem, FolderProblem, OSError. The key is on disk before the server knows it, so that a full disk spends no
    token; if the answer is lost, the token is spent, and a new one is needed.
    """
    key = keys.generate()
    draft = state_dir / "enrolling.pem"
    keys.keep(key, draft)
    try:
        told = Server(address).post(
            "/api/v1/enrol/",
            {"token": token, "public_key": _base64(key.public), "proof": key.sign(ENROL_DOMAIN + token.encode())},
        )
        folder = state_dir / _code(told, address)
        private.folder(folder)
        draft.replace(folder / KEY_FILE)
    finally:
        draft.unlink(missing_ok=True)  # A key that the server refused, or whose answer was lost, is of no use.
    (folder / NEXT_KEY_FILE).unlink(missing_ok=True)
    _remember(state_dir, folder, address, told)
    return folder.name, key.id


def change_key(config: Config, server: Server, key: MachineKey) -> MachineKey:
    """Change to a new key; the server takes both for a week. Raise ServerProblem, and the old one stays.

    The new key is kept beside the old one first, and tried again with the same one if the answer was lost.
    """
    draft = config.key_path.with_name(NEXT_KEY_FILE)
    new = keys.load(draft) or keys.generate()
    keys.keep(new, draft)
    body = {"public_key": _base64(new.public), "proof": new.sign(ROTATE_DOMAIN + key.id.encode())}
    try:
        server.post("/api/v1/agent/key/", body)
    except ServerProblem as problem:
        if problem.status == 403:  # This key will never do: another one next time.
            draft.unlink(missing_ok=True)
        raise
    draft.replace(config.key_path)
    log.info("%s: messages are signed with key %s from now on", config.machine, new.id)
    return new


def _code(told: Any, address: str) -> str:
    """The machine's code in the answer, which becomes the name of a folder. Raise ServerProblem."""
    code = told.get("machine") if isinstance(told, dict) else None
    if not isinstance(code, str) or not re.fullmatch(CODE, code):
        raise ServerProblem(f"{address} answers, but not as a server of Corehour does: check the address")
    return code


def told(folder: Path) -> dict[str, Any]:
    """What the server said when this machine was enrolled: beside settings, the keys by which it speaks and reads."""
    try:
        said = json.loads((folder / ENROLMENT_FILE).read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _remember(state_dir: Path, folder: Path, address: str, told: dict[str, Any]) -> None:
    settings = {name: told[name] for name in SETTINGS if told.get(name)} | {"server": address}
    if told.get("ssl_ca"):
        private.write(folder / "broker-ca.pem", str(told["ssl_ca"]).encode())
        settings["ssl_cafile"] = str(folder / "broker-ca.pem")
    private.write(folder / ENROLMENT_FILE, json.dumps(told, indent=1).encode())
    private.write(state_dir / ENROLMENT_FILE, json.dumps(settings, indent=1).encode())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
