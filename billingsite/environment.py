"""Reads the environment for settings.py, so that a bad value stops the start with a sentence that says how to mend it."""

import ipaddress
import os
import re
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str) -> str:
    """Return the variable, or the default where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable as a list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return a comma-separated variable of networks. Raise ImproperlyConfigured for anything else."""
    try:
        return [ipaddress.ip_network(word) for word in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}. An example: 10.20.0.0/16,192.168.7.5/32.") from error


def flag(name: str, *, default: bool) -> bool:
    """Return a yes-or-no variable. Raise ImproperlyConfigured for anything else."""
    value = text(name, "yes" if default else "no").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no. Set it to 1 or 0.")


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return one of the allowed words. Raise ImproperlyConfigured for any other."""
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r} must be one of {', '.join(allowed)}.")
    return value


def formed(name: str, default: str, pattern: str, example: str) -> str:
    """Return a text of the pattern's form. Raise ImproperlyConfigured, with the example, for any other."""
    value = text(name, default)
    if not re.fullmatch(pattern, value):
        raise ImproperlyConfigured(f"{name}={value!r} is not of the right form. An example: {example}.")
    return value


def iban(name: str) -> str:
    """Return a bank account without blanks, or nothing. Raise ImproperlyConfigured where its check digits are wrong."""
    value = text(name, "").replace(" ", "")
    formed = re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", value) is not None
    if value and not (formed and int("".join(str(int(letter, 36)) for letter in value[4:] + value[:4])) % 97 == 1):
        raise ImproperlyConfigured(f"{name}={value!r} is no IBAN, or has a digit wrong. An example: DE89370400440532013000.")
    return value


def whole(name: str, default: int, *, low: int, high: int) -> int:
    """Return a whole number in [low, high]. Raise ImproperlyConfigured for anything else."""
    value = text(name, str(default))
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise ImproperlyConfigured(f"{name}={value!r} must be a whole number from {low} to {high}.")
    return int(value)


def secret(name: str, file: Path) -> str:
    """Return the variable, else the content of the file, which is made with a random secret (mode 600) on first use."""
    if value := text(name, ""):
        return value
    try:
        if not file.exists():
            _make_secret(file)
        return file.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"Cannot use {file} ({error.strerror}). Set {name} or COREHOUR_DATA_DIR.") from error


def _make_secret(file: Path) -> None:
    """Several processes start at once: whoever links first has made the secret, whole, and the others read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as new:
        new.write(secrets.token_urlsafe(64))
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
