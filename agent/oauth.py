"""Tokens for SASL OAUTHBEARER: from a command that prints one (AWS, any cloud), or from an address that gives them to clients
(Entra ID, Confluent, Keycloak)."""

import json
import shlex
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WITHIN_S = 10.0
SPARE_S = 60.0
REFUSED_S = 10.0
COMMAND_LIVES_S = 240.0  # What a command prints says nothing of its end; AWS gives 15 minutes.


class NoToken(OSError):
    """No token could be had; the text says from where and why."""


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where tokens come from, and what goes with them (`logicalCluster` and `identityPoolId` for Confluent Cloud)."""

    command: str | None = None
    url: str | None = None
    client: str | None = None
    secret: str | None = None
    scope: str | None = None
    extensions: str | None = None

    def fetch(self) -> tuple[str, float]:
        """A token and for how many seconds it may be used. Raise NoToken."""
        return self._from_command(self.command) if self.command else self._from_url(self.url or "")

    def pairs(self) -> dict[str, str]:
        return dict(part.split("=", 1) for part in (self.extensions or "").split(",") if "=" in part)

    def _from_command(self, command: str) -> tuple[str, float]:
        try:
            done = subprocess.run(  # noqa: S603 - the machine's user wrote it into the settings; no shell
                shlex.split(command), capture_output=True, text=True, timeout=WITHIN_S, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise NoToken(f"sasl_oauth_command gave no token: {type(error).__name__}") from error
        if not (token := done.stdout.strip()):
            raise NoToken("sasl_oauth_command printed nothing")
        return token, COMMAND_LIVES_S

    def _from_url(self, url: str) -> tuple[str, float]:
        form = {"grant_type": "client_credentials", "client_id": self.client, "client_secret": self.secret, "scope": self.scope}
        body = urllib.parse.urlencode({name: text for name, text in form.items() if text}).encode()
        try:
            with urllib.request.urlopen(url, body, timeout=WITHIN_S) as answer:  # noqa: S310 - the configuration allows https only
                said = json.load(answer)
            return str(said["access_token"]), float(said.get("expires_in", COMMAND_LIVES_S)) - SPARE_S
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoToken(f"no token from {urllib.parse.urlsplit(url).hostname}: {error}") from error


class Tokens:
    """A token as long as it is good, then another. After a refusal nobody is asked again for a while: issuers count those."""

    def __init__(self, source: TokenSource, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.source = source
        self.problem: NoToken | None = None
        self._monotonic = monotonic
        self._token, self._until = "", float("-inf")

    def token(self) -> str:
        """Raise NoToken."""
        if self._monotonic() >= self._until:
            self._fetch()
        if self.problem is not None:
            raise self.problem
        return self._token

    def _fetch(self) -> None:
        try:
            self._token, lives_s = self.source.fetch()
            self.problem = None
        except NoToken as problem:
            self.problem, lives_s = problem, REFUSED_S
        self._until = self._monotonic() + lives_s


def provider(tokens: Tokens) -> Any:
    """What kafka-python asks for a token with each connection."""
    from kafka.net.sasl.oauth import AbstractTokenProvider

    class Provider(AbstractTokenProvider):  # type: ignore[misc] # kafka-python has no types
        def token(self) -> str:
            return tokens.token()

        def extensions(self) -> dict[str, str]:
            return tokens.source.pairs()

    return Provider()
