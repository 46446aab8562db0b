"""What the product is made of, as CycloneDX 1.6 (JSON): `python -m billingsite.bill_of_materials > sbom.json`.

Versions and hashes are those of requirements.lock; licences are told where a package is installed here.
"""

import json
import re
import sys
import uuid
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def locked(text: str) -> dict[str, tuple[str, list[str]]]:
    """Each package of a lock file with its version and the SHA-256 of every file that may be installed."""
    found: dict[str, tuple[str, list[str]]] = {}
    name = ""
    for line in text.splitlines():
        if pin := PIN.match(line):
            name = normal(pin[1])
            found[name] = (pin[2], [])
        elif (digest := HASH.search(line)) and name:
            found[name][1].append(digest[1])
    return found


def normal(name: str) -> str:
    """A package's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def document(packages: dict[str, tuple[str, list[str]]]) -> dict[str, Any]:
    """The bill. The same lock makes the same bill."""
    content = json.dumps(packages, sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "corehour", "name": "corehour"}},
        "components": list(_components(packages)),
        "dependencies": [
            {"ref": "corehour", "dependsOn": [_purl(name, version) for name, (version, _) in sorted(packages.items())]}
        ],
    }


def _components(packages: dict[str, tuple[str, list[str]]]) -> Iterator[dict[str, Any]]:
    for name, (version, digests) in sorted(packages.items()):
        component: dict[str, Any] = {"type": "library", "bom-ref": _purl(name, version), "name": name, "version": version}
        component |= {"purl": _purl(name, version), "hashes": [{"alg": "SHA-256", "content": digest} for digest in digests]}
        if licence := _licence(name):
            component["licenses"] = [{"license": {"name": licence}}]
        yield component


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _licence(name: str) -> str:
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return ""
    classified = [line.rsplit(" :: ", 1)[1] for line in told.get_all("Classifier") or [] if line.startswith("License ::")]
    expression = told.get_all("License-Expression") or []
    return ", ".join(expression or classified)


if __name__ == "__main__":
    json.dump(document(locked(LOCK.read_text())), sys.stdout, indent=2)
