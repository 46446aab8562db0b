"""From a setting's text to its value, or a ValueError that says what it must be."""

import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

WISHES = ("pause", "resume", "interval")
ADDRESS = "an address such as https://billing.example.com"


def matching(pattern: str, what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(what)
        return text

    return check


some = matching(r"[^\0]+", "some text; leave it out where there is none")


def whole(low: int, high: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return check


def one_of(*allowed: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text.upper() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return text.upper()

    return check


def url(text: str) -> str:
    """http or https, a host, a port that exists, and nothing behind the path."""
    try:
        parts = urllib.parse.urlsplit(text)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # A port that is no number, half an address of version 6.
        sound = False
    if not sound or re.search(r"[\s\x00-\x1f\x7f?#]", text):
        raise ValueError(ADDRESS)
    return text


def secure_url(text: str) -> str:
    if not text.lower().startswith("https://"):
        raise ValueError("an address that begins with https://")
    return url(text)


def yes(text: str) -> bool:
    if text.lower() not in ("yes", "no", "true", "false", "1", "0"):
        raise ValueError("yes or no")
    return text.lower() in ("yes", "true", "1")


def wishes(text: str) -> tuple[str, ...]:
    """Nothing at all, and "none", allow nothing."""
    parts = () if text in ("", "none") else tuple(text.split(","))
    if not set(parts) <= set(WISHES):
        raise ValueError("none, or some of " + ",".join(WISHES))
    return parts


def span(text: str) -> tuple[int, int] | None:
    """LOW-HIGH in seconds; None, which no number lies in, for nothing at all and "none"."""
    if text in ("", "none"):
        return None
    found = re.fullmatch(r"([0-9]{1,4})[-,]([0-9]{1,4})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= 3600:
        raise ValueError("two whole numbers from 1 to 3600 such as 1-60, or none")
    return int(found[1]), int(found[2])


def folder(text: str) -> Path:
    if not text.strip() or "\0" in text:
        raise ValueError("the path of a folder")
    try:
        path = Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError("the path of a folder, and this machine knows no such user") from None
    if path.exists() and not path.is_dir():
        raise ValueError("the path of a folder, and this is a file")
    return path


def file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("the path of a file that exists")
    return text


def brokers(text: str) -> str:
    """HOST:PORT, or several."""
    for part in text.split(","):
        found = re.fullmatch(r"(?:\[[0-9a-fA-F:.]+\]|[^\s\x00-\x1f:,\[\]/]+):([0-9]{1,5})", part)
        if not found or not 1 <= int(found[1]) <= 65_535:
            raise ValueError("HOST:PORT, or several with commas between")
    return text


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine by its very name or address."""
    return bool(re.fullmatch(r"localhost|127(\.[0-9]{1,3}){3}|::1|\[::1\]", host or ""))
