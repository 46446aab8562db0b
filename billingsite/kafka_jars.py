"""Fetches Apache Kafka's jars once per user and version, so that a broker needs neither an installation nor Maven."""

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

KAFKA_VERSION = "4.4.0"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",  # Without a binding of slf4j-api's version Kafka logs nothing.
)
TRIES = 3


class JarsMissing(Exception):
    """The jars are not here and could not be fetched. The text is for a person."""


def cache_dir() -> Path:
    return Path(os.environ.get("COREHOUR_CACHE_DIR") or Path.home() / ".cache" / "corehour")


def are_here() -> bool:
    return _ready().is_dir()


def _ready() -> Path:
    return cache_dir() / f"kafka-{KAFKA_VERSION}"


def jars() -> Path:
    """Return the folder of Kafka's jars, fetching them if this user has not got them yet (10 to 20 s)."""
    ready = _ready()
    if are_here():
        return ready
    try:
        ready.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="kafka-", dir=ready.parent) as draft:
            _publish(_fetch(Path(draft)), ready)
    except OSError as error:
        raise JarsMissing(
            f"Cannot keep Kafka's jars in {ready.parent} ({error.strerror}). Set COREHOUR_CACHE_DIR to another folder."
        ) from error
    return ready


def _fetch(draft: Path) -> Path:
    """Fill a folder with the jars. A torn download is fetched again, since the resolver takes any file it finds for whole."""
    error: Exception | None = None
    for _ in range(TRIES):
        try:
            return _collect(_resolve(draft / "maven"), draft / "jars")
        except OSError as refused:
            if refused.errno is not None and not _is_network(refused):
                raise
            error = refused
        except (RuntimeError, AssertionError, zipfile.BadZipFile) as refused:
            error = refused
        _drop_torn(draft / "maven")
    where = f"Cannot fetch Apache Kafka {KAFKA_VERSION} from Maven Central"
    raise JarsMissing(f"{where}. Check the network (or HTTPS_PROXY) and start again ({type(error).__name__}).")


def _resolve(repository: Path) -> list[Path]:
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    maven = MavenContext(repo_cache=repository, timeout=30)
    wanted = [maven.create_dependency(Coordinate.parse(text)) for text in COORDINATES]
    asked, followed = maven.resolver.resolve(wanted)
    needed = [*asked, *(found for found in followed if found.scope in {"compile", "runtime"})]
    return [dependency.artifact.resolve() for dependency in needed]


def _is_network(error: OSError) -> bool:
    import requests

    return isinstance(error, requests.RequestException)


def _collect(found: list[Path], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for jar in found:
        with zipfile.ZipFile(jar):  # Reads the directory at the file's end, which a torn download lacks.
            shutil.copy(jar, folder)
    return folder


def _drop_torn(repository: Path) -> None:
    for jar in repository.rglob("*.jar"):
        if not zipfile.is_zipfile(jar):
            jar.unlink()


def _publish(made: Path, ready: Path) -> None:
    """Rename into place, so that a folder of that name is always whole. Another process may have been faster."""
    try:
        made.rename(ready)
    except OSError:
        if not ready.is_dir():
            raise
