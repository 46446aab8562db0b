"""Units of measure as they stand behind a number. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

_SHORT: Mapping[str, str] = MappingProxyType(
    {
        "core-hour": "core\u2011h",
        "GiB-hour": "GiB\u2011h",
        "GiB-month": "GiB\u2011months",
        "percent-sample": "%\u2011samples",
    }
)


def short_unit(name: str) -> str:
    """Return a unit as it stands behind a number, with hyphens that do not break."""
    return _SHORT.get(name, name)
