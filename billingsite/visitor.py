"""A browser's place in the self-check: signs in, keeps cookies, asks pages and the API of this machine's own server."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any

TIMEOUT_S = 20


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    url: str

    @property
    def path(self) -> str:
        """Where the answer came from in the end, after every redirection."""
        return urllib.parse.urlsplit(self.url).path

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Visitor:
    """One session at one site. Answers of any status are returned, never raised."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.cookies = CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),  # Nothing between us and our own server.
            urllib.request.HTTPCookieProcessor(self.cookies),
        )

    def get(self, path: str, **query: str) -> Answer:
        suffix = f"?{urllib.parse.urlencode(query)}" if query else ""
        return self._open(urllib.request.Request(f"{self.site}{path}{suffix}"))  # noqa: S310  Always http, see `site`.

    def json(self, path: str, **query: str) -> Any:
        """Return what the API answers. Raise ValueError where that is no success."""
        answer = self.get(path, **query)
        if answer.status != 200:
            raise ValueError(f"{path} answers {answer.status}: {answer.text[:200]}")
        return json.loads(answer.body)

    def sign_in(self, email: str, password: str) -> Answer:
        """Fill in the form as it is served, and return the page that follows."""
        form = self.get("/sign-in/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        fields = {"username": email, "password": password, "csrfmiddlewaretoken": token[1] if token else ""}
        request = urllib.request.Request(  # noqa: S310
            f"{self.site}/sign-in/", data=urllib.parse.urlencode(fields).encode(), headers={"Referer": f"{self.site}/sign-in/"}
        )
        return self._open(request)

    def cookie_header(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                return Answer(response.status, response.read(), response.url)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), error.url or "")
