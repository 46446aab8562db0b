"""What a person should know before an agent starts to work: said in the log at the start, by `status` and by the doctor."""

from collections.abc import Iterator

from agent.config import Config, in_the_open
from agent.identity import Identity

NOT_ENROLLED = (
    "not enrolled: usage is sent unsigned, and a server counts that only for customers that were permitted to. "
    "Enrol this machine: corehour-agent enrol URL TOKEN"
)


def at_start(config: Config, identity: Identity) -> Iterator[str]:
    if identity.key is None:
        yield f"{config.machine} is {NOT_ENROLLED}"
    if in_the_open(config.server) and not config.plaintext:
        yield open_server(config)


def open_server(config: Config) -> str:
    return (
        f"{config.server} is another machine and http is not encrypted: whoever is between can read the API key, hold wishes and "
        "watermarks back, and set the time by which usage is stamped. Take https, or set plaintext to yes if the network is "
        f"yours alone ({config.origins['server']})"
    )
