"""Letters about invoices: that one is made, soon due or overdue, or paid. Asked for at once; written when sent."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts import formats, mails, notices, security_words
from accounts.audit import record
from accounts.languages import language_of
from accounts.letters import Attachment, Letter
from accounts.models import AuditEntry, Mail, Notice
from accounts.notice_words import letter_of
from invoices import display, documents
from invoices.issued import Invoice, Payment
from invoices.money import amount_text
from invoices.refusals import BillingError

SOON = timedelta(days=3)
# Days after the due date on which a reminder goes out; what is older than the last by so many is for a person.
OVERDUE_DAYS = (1, 14)
LAST = timedelta(days=30)


def finalised(invoice: Invoice) -> None:
    """Tell of a final invoice, and ask for the mail that brings it. Called in its transaction."""
    customer, language = invoice.customer, language_of(invoice.locale)
    wanted = {address: language for address, _language in notices.readers(customer, Notice.Kind.INVOICE)}
    everybody = wanted | dict.fromkeys(mails.contacts(customer), language)
    mails.ask(customer, Mail.Kind.INVOICE, f"invoice:{invoice.pk}:final", invoice.pk, everybody.items())
    total = amount_text(invoice.total_minor, invoice.currency)
    facts = {"number": invoice.number, "total": total, "currency": invoice.currency}
    notices.tell(customer, Notice.Kind.INVOICE, {f"invoice:{invoice.pk}": facts}, by_mail=False)


def paid(payment: Payment) -> None:
    """Ask for a receipt; money that went back gets none. Called in the payment's transaction."""
    if payment.amount_minor > 0:
        mails.ask_contacts(payment.invoice.customer, Mail.Kind.RECEIPT, f"payment:{payment.pk}", payment.pk)


@transaction.atomic
def again(invoice: Invoice) -> list[str]:
    """Ask for an invoice's mail once more and return where it goes. Raise BillingError for a draft, and for nobody to ask."""
    if invoice.state != Invoice.State.FINALISED:
        raise BillingError(f"{invoice} is a draft; only a final invoice is mailed.")
    addresses = mails.contacts(invoice.customer)
    if not addresses:
        raise BillingError(f"{invoice.customer} has no address for invoices and no member for billing.")
    before = Mail.objects.filter(occasion__startswith=f"invoice:{invoice.pk}:again:").values("occasion").distinct().count()
    mails.ask_contacts(invoice.customer, Mail.Kind.INVOICE, f"invoice:{invoice.pk}:again:{before + 1}", invoice.pk)
    record("invoice.mailed", f"invoice:{invoice.pk}", customer_pk=invoice.customer_id, after={"to": addresses})
    return addresses


@transaction.atomic
def remind(at: datetime | None = None) -> int:
    """Ask for every reminder that is due and was not asked for yet. Return for how many invoices."""
    wanted = {occasion: (kind, invoice) for invoice, kind, occasion in _reminders(at or now())}
    known = set(Mail.objects.filter(occasion__in=wanted).values_list("occasion", flat=True))
    for occasion in wanted.keys() - known:
        kind, invoice = wanted[occasion]
        mails.ask_contacts(invoice.customer, kind, occasion, invoice.pk)
    return len(wanted.keys() - known)


def _reminders(at: datetime) -> Iterator[tuple[Invoice, Mail.Kind, str]]:
    """Invoices that are owed and near or past their day, with the reminder that belongs to today."""
    latest = at.date() + SOON + timedelta(days=1)  # A day more, for zones in which it is tomorrow already.
    found = Invoice.objects.final().with_settlement().select_related("customer")
    for invoice in found.filter(due_on__gte=at.date() - LAST, due_on__lte=latest):
        if invoice.outstanding_minor <= 0 or invoice.due_on is None:
            continue
        past = (at.astimezone(ZoneInfo(invoice.timezone)).date() - invoice.due_on).days
        steps = [days for days in OVERDUE_DAYS if past >= days]
        if steps:
            yield invoice, Mail.Kind.OVERDUE, f"invoice:{invoice.pk}:overdue:{steps[-1]}"
        elif -SOON.days <= past <= 0:
            yield invoice, Mail.Kind.DUE_SOON, f"invoice:{invoice.pk}:due"


def compose(mail: Mail) -> Letter | None:
    """Write a mail in the language that is active. None where there is nothing to say any more."""
    if mail.kind == Mail.Kind.NOTICE:
        return letter_of(Notice.objects.select_related("customer").get(pk=mail.about))
    if mail.kind == Mail.Kind.SECURITY:
        return security_words.letter_of(AuditEntry.objects.get(pk=mail.about))
    if mail.kind == Mail.Kind.RECEIPT:
        return _receipt(Payment.objects.select_related("invoice").get(pk=mail.about))
    invoice = Invoice.objects.with_settlement().get(pk=mail.about)
    if mail.kind == Mail.Kind.INVOICE:
        return _invoice(invoice)
    if not invoice.owing or invoice.due_on is None:
        return None
    return _reminder(invoice, invoice.due_on, soon=mail.kind == Mail.Kind.DUE_SOON)


def _invoice(invoice: Invoice) -> Letter:
    words = {"number": invoice.number, "seller": invoice.seller_name, "total": _money(invoice, invoice.total_minor)}
    owed = _("Please pay by %(day)s.") % {"day": _day(invoice, invoice.due_on)} if invoice.due_on and invoice.owing else ""
    return Letter(
        subject=_("Invoice %(number)s from %(seller)s: %(total)s") % words,
        paragraphs=(
            _("Hello,"),
            _("your invoice %(number)s is ready; you find it attached as a PDF.") % words,
            owed or _("Nothing is to be paid."),
        ),
        facts=_facts(invoice),
        link=_link(invoice),
        foot=_foot(invoice),
        attachments=(_paper(invoice),),
    )


def _reminder(invoice: Invoice, due: date, *, soon: bool) -> Letter:
    words = {
        "number": invoice.number,
        "owed": _money(invoice, invoice.outstanding_minor),
        "day": _day(invoice, due),
    }
    if soon:
        subject = _("Invoice %(number)s is due on %(day)s")
        said = _("this is a friendly reminder: %(owed)s of invoice %(number)s are due on %(day)s.")
    else:
        subject = _("Invoice %(number)s is overdue")
        said = _("%(owed)s of invoice %(number)s were due on %(day)s, and no payment has reached us yet.")
    return Letter(
        subject=subject % words,
        paragraphs=(_("Hello,"), said % words, _("If you have paid in the meantime, nothing is left to do.")),
        facts=_facts(invoice),
        link=_link(invoice),
        foot=_foot(invoice),
        attachments=(_paper(invoice),),
    )


def _receipt(payment: Payment) -> Letter:
    invoice = payment.invoice
    words = {"number": invoice.number, "amount": _money(invoice, payment.amount_minor)}
    left = invoice.outstanding_minor
    rest = (
        _("%(owed)s are still to be paid.") % {"owed": _money(invoice, left)} if left > 0 else _("The invoice is paid in full.")
    )
    return Letter(
        subject=_("Payment received for invoice %(number)s: %(amount)s") % words,
        paragraphs=(_("Hello,"), _("thank you: we have received %(amount)s for invoice %(number)s.") % words, rest),
        facts=(
            (_("Received"), _day(invoice, payment.received_on)),
            (_("Reference"), payment.reference),
            (_("Amount"), _money(invoice, payment.amount_minor)),
        ),
        link=_link(invoice),
        foot=_foot(invoice),
    )


def _facts(invoice: Invoice) -> tuple[tuple[str, str], ...]:
    zone = ZoneInfo(invoice.timezone)
    due = ((_("Due"), _day(invoice, invoice.due_on)),) if invoice.due_on else ()
    return (
        (_("Invoice"), invoice.number or ""),
        (_("Period"), formats.span(invoice.period_start, invoice.period_end, zone, invoice.locale)),
        (_("Total"), _money(invoice, invoice.total_minor)),
        *due,
    )


def _link(invoice: Invoice) -> tuple[str, str]:
    return _("See every line and what it is made of"), f"{settings.SITE_URL}{reverse('invoice', args=[invoice.number])}"


def _foot(invoice: Invoice) -> str:
    return _("%(seller)s writes to you because you receive the invoices of %(customer)s.") % {
        "seller": invoice.seller_name,
        "customer": invoice.customer_name,
    }


def _paper(invoice: Invoice) -> Attachment:
    file = documents.file_of(invoice, "pdf")
    return Attachment(file.name, file.content, file.kind)


def _money(invoice: Invoice, amount_minor: int) -> str:
    return display.money(amount_minor, invoice.currency, invoice.locale)


def _day(invoice: Invoice, day: date) -> str:
    return display.day(day, invoice.locale)
