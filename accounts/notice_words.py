"""A notice in words: what it says in the list, in a toast and by mail, in the language that is active."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import formats
from accounts.letters import Letter
from accounts.models import Customer, Notice

NAMED = 3


@dataclass(frozen=True, slots=True)
class Words:
    """What a notice says, and the page on which one can do something about it."""

    title: str
    text: str
    link: str
    link_words: str


def words_of(notice: Notice, customer: Customer) -> Words:
    """Say a notice as this customer writes numbers and times."""
    match notice.kind:
        case Notice.Kind.INVOICE:
            return _invoice(notice.facts[0], customer)
        case Notice.Kind.SILENT:
            return _silent(notice.facts, customer)
        case Notice.Kind.BUDGET:
            return _budget(notice.facts[0], customer)
        case _:
            return _keys(notice.facts, customer)


def letter_of(notice: Notice) -> Letter:
    """Write the mail of a notice."""
    words = words_of(notice, notice.customer)
    page = f"{settings.SITE_URL}{reverse('settings')}"
    return Letter(
        subject=f"{words.title} ({notice.customer.name})",
        paragraphs=(words.text,),
        link=(words.link_words, f"{settings.SITE_URL}{words.link}?customer={notice.customer.code}"),
        foot=_("You choose in your settings what comes by mail: %(page)s") % {"page": page},
    )


def _invoice(facts: dict[str, Any], customer: Customer) -> Words:
    total = formats.money(Decimal(facts["total"]), facts["currency"], customer.locale)
    return Words(
        title=_("Invoice %(number)s is final") % facts,
        text=_("It comes to %(total)s.") % {"total": total},
        link=reverse("invoice", args=[facts["number"]]),
        link_words=_("See the invoice"),
    )


def _silent(facts: Sequence[dict[str, Any]], customer: Customer) -> Words:
    names = [one["name"] for one in facts]
    counted = {"name": names[0], "count": len(facts)}
    since = min(one["since"] for one in facts)
    said = {"names": _list_of(names), "since": formats.minute(datetime.fromisoformat(since), customer.zone, customer.locale)}
    return Words(
        title=ngettext("%(name)s is silent", "%(count)d machines are silent", len(facts)) % counted,
        text=_("Nothing has come from %(names)s since %(since)s. Is the agent running, and does it reach the server?") % said,
        link=reverse("machine", args=[facts[0]["code"]]) if len(facts) == 1 else reverse("machines"),
        link_words=ngettext("See the machine", "See the machines", len(facts)),
    )


def _budget(facts: dict[str, Any], customer: Customer) -> Words:
    said = {name: formats.money(Decimal(facts[name]), facts["currency"], customer.locale) for name in ("budget", "spent")}
    month = formats.day(datetime.fromisoformat(facts["month"]), customer.zone, customer.locale, "yMMMM")
    return Words(
        title=_("The budget of %(budget)s is crossed") % said,
        text=_("%(month)s has come to %(spent)s so far. Nothing is switched off: usage goes on, and so does its cost.")
        % (said | {"month": month}),
        link=reverse("overview"),
        link_words=_("See what drives it"),
    )


def _keys(facts: Sequence[dict[str, Any]], customer: Customer) -> Words:
    day = formats.minute(datetime.fromisoformat(min(one["at"] for one in facts)), customer.zone, customer.locale, "yMMMd")
    names = {"names": _list_of([f"{one['name']} ({one['prefix']}…)" for one in facts]), "day": day}
    return Words(
        title=ngettext("An API key expires soon", "%(count)d API keys expire soon", len(facts)) % {"count": len(facts)},
        text=_("%(names)s: from %(day)s on, programs that use it are refused. Rotate it, and give them the new secret.") % names,
        link=reverse("keys"),
        link_words=_("See the keys"),
    )


def _list_of(names: Sequence[str]) -> str:
    """Name the first few and count the rest."""
    more = len(names) - NAMED
    shown = ", ".join(names[:NAMED])
    return shown if more <= 0 else _("%(names)s and %(more)d more") % {"names": shown, "more": more}
