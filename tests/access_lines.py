"""The lines of the access matrix: what each asker is answered, compared with what was reviewed in tests/data/access/."""

import os
from collections.abc import Iterable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client, RequestFactory
from django.urls import URLPattern

from tests.access_matrix import WRITE
from tests.access_world import STAFF, WHO, World, address, models_with_actions, routes

FOLDER = Path(__file__).parent / "data" / "access"
UNSAFE = ("post", "put", "patch", "delete")


def http_lines(world: World) -> Iterator[str]:
    """Yield a line for each address and method that somebody is not simply told does not exist."""
    yield _line("METHOD", "ADDRESS NAME", WHO)
    for name, pattern in sorted(routes(), key=lambda route: route[0]):
        url = address(name, pattern, world.number)
        for method in ("get", *(UNSAFE if _is_api(pattern) else ("post",))):
            if _has(pattern, method):
                answers = [outcome(client, method, url) for client in world.clients.values()]
                if set(answers) - {"405", "401", "login"}:
                    yield _line(method.upper(), name, answers)


def action_lines(world: World) -> Iterator[str]:
    """Yield a line for each action of the admin's lists. Nobody but staff reaches a list."""
    yield _line("", "MODEL ACTION", STAFF)
    for label, desk in models_with_actions():
        offered = {who: set(desk.get_actions(_as(world, who))) for who in STAFF}
        for name in sorted({getattr(action, "__name__", action) for action in desk.actions}.union(*offered.values())):
            yield _line("ACTION", f"{label} {name}", ["yes" if name in offered[who] else "-" for who in STAFF])


def _as(world: World, who: str) -> Any:
    request = RequestFactory().get("/admin/")
    request.user = world.people[who]
    return request


def _line(first: str, second: str, answers: Iterable[str]) -> str:
    return " ".join([f"{first:<8}", f"{second:<56}", *(f"{answer:<8}" for answer in answers)]).rstrip()


def _is_api(pattern: URLPattern) -> bool:
    return hasattr(pattern.callback, "cls")


def _has(pattern: URLPattern, method: str) -> bool:
    view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
    return view is None or hasattr(view, method) or view.__name__ == "NoSuchPage"


def outcome(client: Client, method: str, url: str) -> str:
    """What one asker is answered. Whatever it changed is undone, cookies too."""
    cache.clear()
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    with transaction.atomic():
        kind = "application/json" if url.startswith("/api/") else "application/x-www-form-urlencoded"
        answer = client.get(url) if method == "get" else getattr(client, method)(url, content_type=kind)
        for _ in getattr(answer, "streaming_content", ()):
            break
        transaction.set_rollback(True)
    client.cookies = SimpleCookie(cookies)
    return _word(answer)


def _word(answer: HttpResponseBase) -> str:
    where = answer.headers.get("Location", "")
    if answer.status_code == 302 and ("/sign-in/" in where or "/admin/login/" in where):
        return "login"
    return str(answer.status_code)


def agrees(name: str, lines: Iterable[str]) -> list[str]:
    """Return how the lines differ from the reviewed file; write it first if asked to."""
    file, found = FOLDER / f"{name}.txt", list(lines)
    if os.environ.get(WRITE):
        FOLDER.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(found) + "\n")
    reviewed = file.read_text().splitlines()
    return [f"- {line}" for line in reviewed if line not in found] + [f"+ {line}" for line in found if line not in reviewed]
