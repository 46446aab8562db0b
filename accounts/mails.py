"""The one writer of mail rows: asked for inside a transaction, sent after it, tried again when that fails.

A row is claimed before it is sent, so a task that is delivered twice sends once. Whoever dies between the mail server's
yes and the row's `sent` leaves a claim that runs out, and the mail goes out again under the same Message-ID.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from celery import signature
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F, Q
from django.utils import translation
from django.utils.timezone import now

from accounts.languages import language_of
from accounts.letters import Letter
from accounts.mail_models import Mail
from accounts.models import AuditEntry, Customer, Membership, User

log = logging.getLogger(__name__)
TASK = "invoices.tasks.send_mail"
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))
CLAIM = timedelta(minutes=10)
BATCH = 200
Compose = Callable[[Mail], Letter | None]


def contacts(customer: Customer) -> list[str]:
    """Return where a customer's invoices go: its own address for them, else its people for billing, else its owners."""
    if customer.invoice_email:
        return [customer.invoice_email]
    members = Membership.objects.filter(customer=customer, user__is_active=True).order_by("user__email")
    held = list(members.values_list("role", "user__email"))
    billing = [email for role, email in held if role == Membership.Role.BILLING]
    return billing or [email for role, email in held if role == Membership.Role.OWNER]


def ask(customer: Customer | None, kind: Mail.Kind, occasion: str, about: int, recipients: Iterable[tuple[str, str]]) -> None:
    """Ask for a mail to each (address, language), to be sent once the transaction is committed."""
    rows = [
        Mail(customer=customer, kind=kind, occasion=occasion, about=about, recipient=address, language=language)
        for address, language in dict(recipients).items()
    ]
    if rows:
        Mail.objects.bulk_create(rows, ignore_conflicts=True)
        transaction.on_commit(lambda: _queue(occasion), robust=True)


def ask_contacts(customer: Customer, kind: Mail.Kind, occasion: str, about: int) -> None:
    """Ask for a mail to whoever gets the customer's invoices, in the customer's language."""
    language = language_of(customer.locale)
    ask(customer, kind, occasion, about, ((address, language) for address in contacts(customer)))


def ask_person(user: User, entry: AuditEntry) -> None:
    """Ask for a mail to a person about what just happened to their account, and is in the audit trail."""
    language = language_of(user.language or settings.LANGUAGE_CODE)
    ask(None, Mail.Kind.SECURITY, f"audit:{entry.pk}", entry.pk, [(user.email, language)])


def ask_again(mail: Mail) -> None:
    """Try a mail anew that failed or was given up."""
    fresh = Mail.objects.filter(pk=mail.pk, state__in=[Mail.State.FAILED, Mail.State.WAITING])
    fresh.update(state=Mail.State.WAITING, attempts=0, next_at=now())
    transaction.on_commit(lambda: _queue(mail.occasion), robust=True)


def waiting(at: datetime | None = None, occasion: str | None = None) -> list[int]:
    """Return the mails that should go out now, the longest waiting first."""
    moment = at or now()
    found = Mail.objects.filter(_due(moment))
    found = found.filter(occasion=occasion) if occasion else found
    return list(found.order_by("next_at", "pk").values_list("pk", flat=True)[:BATCH])


def send(pk: int, compose: Compose, at: datetime | None = None) -> bool:
    """Send a mail that nobody else is sending. Return whether it went out; a failure is noted, never raised."""
    moment = at or now()
    if (
        not Mail.objects.filter(pk=pk)
        .filter(_due(moment))
        .update(state=Mail.State.SENDING, claimed_at=moment, attempts=F("attempts") + 1)
    ):
        return False
    mail = Mail.objects.select_related("customer").get(pk=pk)
    try:
        with translation.override(mail.language):
            letter = compose(mail)
            if letter is None:
                _drop(mail)
                return False
            _post(mail, letter)
    except Exception as error:  # Whatever it is, the mail is kept, and the others go on.
        _failed(mail, error, moment)
        return False
    return True


def _due(moment: datetime) -> Q:
    """Waiting and due, or claimed by somebody who never came back."""
    return Q(state=Mail.State.WAITING, next_at__lte=moment) | Q(state=Mail.State.SENDING, claimed_at__lt=moment - CLAIM)


def _post(mail: Mail, letter: Letter) -> None:
    host = urlsplit(settings.SITE_URL).hostname or "localhost"
    text = letter.text()
    message = EmailMultiAlternatives(
        subject=letter.line,
        body=text,
        to=[mail.recipient],
        headers={"Message-ID": f"<mail-{mail.pk}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(letter.html(), "text/html")
    for file in letter.attachments:
        message.attach(file.name, file.content, file.kind)
    message.send()
    Mail.objects.filter(pk=mail.pk).update(state=Mail.State.SENT, sent_at=now(), subject=letter.line, text=text, problem="")


def _drop(mail: Mail) -> None:
    """What it would have said is no longer so."""
    Mail.objects.filter(pk=mail.pk).update(state=Mail.State.DROPPED)


def _failed(mail: Mail, error: Exception, moment: datetime) -> None:
    """Note why, and when to try again; after the last pause it is given up, and a person may ask again."""
    log.warning("mail %s, attempt %s: %s", mail.pk, mail.attempts, type(error).__name__)
    left = mail.attempts <= len(PAUSES)
    Mail.objects.filter(pk=mail.pk).update(
        state=Mail.State.WAITING if left else Mail.State.FAILED,
        next_at=moment + PAUSES[mail.attempts - 1] if left else moment,
        problem=f"{type(error).__name__}: {error}"[:500],
    )


def _queue(occasion: str) -> None:
    """Hand it to a worker at once; should that fail, or be none within reach, the beat finds the row within a minute."""
    if not settings.REDIS_URL:  # A queue inside this process, which no worker reads.
        return
    signature(TASK, args=(occasion,)).apply_async(retry=False)
