"""Which language a page speaks: the person's own choice, else the first one that their browser asks for and that is there."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header

from accounts.languages import PORTAL, portal_language

# Operators and programs: one language, whoever asks.
ENGLISH = ("/admin/", "/api/", "/static/")


class PageLanguage:
    """Speaks the reader's language while a page of the portal is made."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer: HttpResponseBase
        if request.path.startswith(ENGLISH):
            return self.get_response(request)  # type: ignore[no-any-return]
        language = _wanted(request)
        with translation.override(language):
            answer = self.get_response(request)
        answer.headers.setdefault("Content-Language", language)
        patch_vary_headers(answer, ["Accept-Language"])
        return answer


def _wanted(request: HttpRequest) -> str:
    if request.user.is_authenticated and request.user.language:
        return portal_language(request.user.language)
    for asked, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")[:200]):
        generic = asked.split("-")[0]
        found = next((code for code in PORTAL if code.split("-")[0] == generic), None)
        if found is not None:
            return found
    return portal_language("")
