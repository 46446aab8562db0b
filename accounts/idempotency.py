"""`Idempotency-Key` on every POST of the API: sent again, it is answered again and done once.

The answer is kept for a day, sealed with the asker's own secret (the bearer key or the session cookie), which the server does not
keep: a new key's secret can be replayed to whoever made it, and read by nobody from the database.
"""

import base64
import hashlib
import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.timezone import now

from accounts.models import IdempotentAnswer
from accounts.problems import problem_answer

KEPT = timedelta(hours=24)
DEAD_AFTER = timedelta(minutes=5)  # Whoever has not answered by then died on the way; the next one tries again.
MOST_CHARS = 255
KEPT_FIELDS = ("Content-Type", "Location", "ETag")


class IdempotencyKeys:
    """Middleware around the API's POSTs that carry the header."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key, secret = request.headers.get("Idempotency-Key", ""), _secret_of(request)
        if request.method != "POST" or not request.path.startswith("/api/v1/") or not key or not secret:
            return self._do(request)
        if len(key) > MOST_CHARS or not key.isascii() or not key.isprintable():
            return problem_answer(
                request, HTTPStatus.BAD_REQUEST, f"An Idempotency-Key has 1 to {MOST_CHARS} printable characters."
            )
        subject, seal = _subject_and_seal(secret, key)
        content = _digest(f"{request.method} {request.get_full_path()}\n".encode() + request.body)
        if _claim(subject, content):
            return self._do_once(request, subject, seal)
        return _again(request, IdempotentAnswer.objects.filter(subject=subject).first(), content, seal)

    def _do(self, request: HttpRequest) -> HttpResponseBase:
        answer: HttpResponseBase = self.get_response(request)
        return answer

    def _do_once(self, request: HttpRequest, subject: str, seal: Fernet) -> HttpResponseBase:
        """Answer, and keep the answer. What failed for a reason that may pass is not kept, so that it can be tried again."""
        kept = False
        try:
            answer = self._do(request)
            if isinstance(answer, HttpResponse) and answer.status_code < 500 and answer.status_code not in (401, 409, 429):
                IdempotentAnswer.objects.filter(subject=subject).update(status=answer.status_code, sealed=_sealed(answer, seal))
                kept = True
            return answer
        finally:
            if not kept:
                IdempotentAnswer.objects.filter(subject=subject, status=None).delete()


def _claim(subject: str, content: str) -> bool:
    """Begin, unless it was begun before. Old ones go here, since here new ones come."""
    moment = now()
    IdempotentAnswer.objects.filter(created_at__lt=moment - KEPT).delete()
    IdempotentAnswer.objects.filter(subject=subject, status=None, created_at__lt=moment - DEAD_AFTER).delete()
    try:
        with transaction.atomic():
            IdempotentAnswer.objects.create(subject=subject, request_digest=content)
    except IntegrityError:
        return False
    return True


def _again(request: HttpRequest, row: IdempotentAnswer | None, content: str, seal: Fernet) -> HttpResponseBase:
    if row is not None and row.request_digest != content:
        return problem_answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, "This Idempotency-Key was used for another request.")
    if row is None or row.status is None or row.sealed is None:
        return problem_answer(request, HTTPStatus.CONFLICT, "The first request with this Idempotency-Key is still under way.")
    told = json.loads(seal.decrypt(bytes(row.sealed)))
    answer = HttpResponse(base64.b64decode(told["body"]), status=row.status, headers=told["headers"])
    answer["Idempotent-Replayed"] = "true"
    return answer


def _sealed(answer: HttpResponse, seal: Fernet) -> bytes:
    headers = {name: answer[name] for name in KEPT_FIELDS if name in answer}
    return seal.encrypt(json.dumps({"headers": headers, "body": base64.b64encode(answer.content).decode()}).encode())


def _secret_of(request: HttpRequest) -> str:
    return request.headers.get("Authorization", "") or request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")


def _subject_and_seal(secret: str, key: str) -> tuple[str, Fernet]:
    """Two values that nobody gets from one another: the row's name, and the key that opens it."""
    of_seal = hashlib.sha256(f"seal\n{secret}\n{key}".encode()).digest()
    return _digest(f"name\n{secret}\n{key}".encode()), Fernet(base64.urlsafe_b64encode(of_seal))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
