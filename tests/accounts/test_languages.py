"""Which language a page speaks, and that a German page speaks nothing else."""

import re
from html.parser import HTMLParser

import pytest
from django.test import Client

from tests.browser.people import acme_with_a_month
from tests.browser.places import PAGES
from tests.cast import a_customer, a_member, signed_in

pytestmark = pytest.mark.django_db
GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}
# Names, units and formats: they are the same in every language.
SAME = re.compile(
    r"(Acme|Maps|Speicherweg|Hamburg|Corehour|Systems|Europe|Berlin|olga|acme|example|web|late|silent|one|Silent|Base|fee|CPU|GiB|GB|MiB|"
    r"CSV|JSON|PDF|UBL|XML|EUR|English|Deutsch|API|Webhooks?|Passkeys?|http|localhost|Code|Name|Browser|Agent|Live|live|System|Zone|Status|Person|CH|Plan|core|h|Memory|"
    r"April|https|August|September|November|Mozilla|Unknown|UTC|usage|account|invoices|machines|plans|keys|audit|webhooks|read|write|pip|install|corehour|agent|enrol|[a-z]{1,2})"
)


class Texts(HTMLParser):
    """Every text that a person reads or hears on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in ("script", "style", "code")
        self.found |= {str(value) for name, value in attrs if name in ("aria-label", "placeholder", "title", "label") and value}

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style", "code")

    def handle_data(self, data: str) -> None:
        if not self.hidden and data.strip():
            self.found.add(" ".join(data.split()))


def texts(client: Client, path: str, **headers: str) -> set[str]:
    reader = Texts()
    reader.feed(client.get(path, headers=headers).content.decode())
    return reader.found


def leftovers(client: Client, path: str) -> set[str]:
    """Texts that are the same in both languages and hold a word that should not be."""
    both = texts(client, path, **{"accept-language": "en"}) & texts(client, path, **GERMAN)
    return {text for text in both if [word for word in re.findall(r"[A-Za-z]+", text) if not SAME.fullmatch(word)]}


def test_german_pages_have_no_english_left() -> None:
    _, olga, invoice = acme_with_a_month()
    client = signed_in(olga)

    left = {path: found for path in (*PAGES, f"/invoices/{invoice.number}/") if (found := leftovers(client, path))}

    assert left == {}


def test_german_doors_have_no_english_left() -> None:
    left = {path: found for path in ("/sign-in/", "/password/", "/password/sent/") if (found := leftovers(Client(), path))}

    assert left == {}


@pytest.mark.parametrize(
    ("asked", "heading"),
    [("de", "Anmelden"), ("de-CH;q=0.8, en;q=0.3", "Anmelden"), ("fr, de;q=0.5", "Anmelden"), ("fr", "Sign in"), ("", "Sign in")],
)
def test_a_stranger_is_spoken_to_as_the_browser_asks(asked: str, heading: str) -> None:
    answer = Client(headers={"accept-language": asked}).get("/sign-in/")

    assert f"<h1>{heading}</h1>" in answer.content.decode()
    assert "Accept-Language" in answer["Vary"]


def test_a_persons_choice_comes_before_the_browsers() -> None:
    olga = a_member(a_customer(), language="de")
    client = signed_in(olga)

    page = client.get("/plan/", headers={"accept-language": "en"})

    assert 'lang="de' in page.content.decode()
    assert page["Content-Language"] == "de"
    assert "Zurzeit gilt für Sie kein Tarif" in page.content.decode()


def test_errors_of_forms_are_german_too() -> None:
    client = signed_in(a_member(a_customer(), language="de"))

    wrong = client.post("/settings/password/", {"old_password": "x", "new_password1": "short", "new_password2": "short"})
    taken = client.post("/machines/new/", {"code": "UPPER"})

    assert "Das Passwort" in wrong.content.decode() or "Dieses Passwort" in wrong.content.decode()
    assert "Kleinbuchstaben, Ziffern und Bindestriche, bitte." in taken.content.decode()


def test_the_api_and_the_administration_stay_english() -> None:
    answer = Client(headers=GERMAN).get("/api/v1/machines/")

    assert "Sign in" in answer.content.decode() or "credentials" in answer.content.decode()
    assert "Content-Language" not in answer


def test_scripts_get_their_words_and_an_english_page_carries_none() -> None:
    client = signed_in(a_member(a_customer()))

    assert '"Reconnecting": "Verbindet neu"' in client.get("/machines/", headers=GERMAN).content.decode()
    assert 'id="words"' not in client.get("/machines/").content.decode()
