"""The one writer of plans, versions, prices and subscriptions: draft, publish, subscribe, leave."""

from datetime import datetime
from fractions import Fraction

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from accounts.audit import record
from accounts.models import Customer
from invoices.catalogue import MICRO, STORED, details_of, terms_of
from invoices.models import Invoice, PlanVersion, Price, RatePlan, Subscription, Tier, validate_quarter_hour
from invoices.money import NANO
from invoices.plan_fields import PlanFileError
from invoices.plan_file import PlanDocument, check_prices
from invoices.plan_price import dump_price
from invoices.terms import PriceTerms


class PlanError(ValueError):
    """Why a plan cannot be published or subscribed to, as a sentence for the operator."""


@transaction.atomic
def save_draft(document: PlanDocument) -> tuple[PlanVersion, bool]:
    """Store a document as the plan's draft. Return it and whether anything changed.

    Where the newest version already says the same, nothing does, so loading a file twice makes no second version.
    """
    plan = _plan(document)
    newest = plan.versions.order_by("-number").first()
    if newest is not None and _says(newest) == (document.prices, document.commitment):
        return newest, False
    if newest is None or newest.state == PlanVersion.State.PUBLISHED:
        newest = plan.versions.create(number=newest.number + 1 if newest else 1, effective_from=document.effective_from)
    newest.commitment_nano = int(document.commitment * NANO)
    newest.save(update_fields=["commitment_nano"])
    newest.prices.all().delete()
    for terms in document.prices:
        _save_price(newest, terms)
    return newest, True


@transaction.atomic
def new_draft(plan: RatePlan) -> PlanVersion:
    """Begin the plan's next version as a copy of its newest. Raise PlanError where a draft exists."""
    newest = plan.versions.order_by("-number").first()
    if newest is not None and newest.state == PlanVersion.State.DRAFT:
        raise PlanError(f"{newest} is a draft already.")
    number, commitment_nano = (newest.number + 1, newest.commitment_nano) if newest else (1, 0)
    draft = plan.versions.create(number=number, commitment_nano=commitment_nano)
    for terms in terms_of(newest).prices if newest else ():
        _save_price(draft, terms)
    return draft


@transaction.atomic
def publish(version: PlanVersion, effective_from: datetime | None = None) -> PlanVersion:
    """Freeze a draft and put it in force from an instant on. Raise PlanError where that would be wrong."""
    version = PlanVersion.objects.select_for_update().select_related("plan").get(pk=version.pk)
    start = effective_from or version.effective_from
    if version.state != PlanVersion.State.DRAFT:
        raise PlanError(f"{version} is published already.")
    if start is None:
        raise PlanError(f"{version} needs an instant from which it is in force.")
    _hold_customers(version.plan)
    _check_start(version, start)
    _check_prices(version)
    version.state, version.effective_from, version.published_at = PlanVersion.State.PUBLISHED, start, now()
    version.save(update_fields=["state", "effective_from", "published_at"])
    record("rates.published", f"plan-version:{version.pk}", after={"version": str(version), "effective_from": start})
    return version


@transaction.atomic
def subscribe(customer: Customer, plan: RatePlan, start: datetime, end: datetime | None = None) -> Subscription:
    """Bill a customer by a plan in [start, end). Raise PlanError where the plan could not price it."""
    subscription = Subscription(customer=customer, plan=plan, start=start, end=end)
    _validate(subscription)
    check_unbilled(subscription)
    subscription.save()
    about = {"plan": plan.code, "start": start, "end": end}
    record("subscription.started", f"subscription:{subscription.pk}", customer_pk=customer.pk, after=about)
    return subscription


@transaction.atomic
def leave(subscription: Subscription, end: datetime) -> Subscription:
    """End a subscription at an instant; none of what was used before is lost. Raise PlanError where that time is billed."""
    subscription.end = end
    _validate(subscription)
    check_unbilled(subscription)
    subscription.save(update_fields=["end"])
    record("subscription.ended", f"subscription:{subscription.pk}", customer_pk=subscription.customer_id, after={"end": end})
    return subscription


def check_unbilled(subscription: Subscription) -> None:
    """Raise PlanError where a new or a moved subscription would price anew what a final invoice has billed.

    Wants a transaction: it waits for whoever is finalising a month of this customer, and holds off the next one.
    """
    list(Customer.objects.select_for_update().filter(pk=subscription.customer_id).values_list("pk"))
    changed = _first_change(Subscription.objects.filter(pk=subscription.pk).first(), subscription)
    last = Invoice.objects.final().filter(customer=subscription.customer_id).order_by("-period_end").first()
    if changed is not None and last is not None and changed < last.period_end:
        raise PlanError(
            f"{last} has billed {subscription.customer} up to {last.period_end:%Y-%m-%d %H:%M} UTC;"
            " a subscription can start, end or be moved from then on only."
        )


def plan_beside(before: Subscription | None, wanted: Subscription) -> Subscription | None:
    """Return a subscription to another plan in the same time. To shorten one adds no time, so it asks nothing."""
    if before is not None and before.pk is not None:
        later = before.end is not None and (wanted.end is None or wanted.end > before.end)
        if not (wanted.start < before.start or later):
            return None
    others = (
        Subscription.objects.filter(customer=wanted.customer_id).exclude(plan=wanted.plan_id).select_related("customer", "plan")
    )
    before_end = Q() if wanted.end is None else Q(start__lt=wanted.end)
    return others.filter(before_end, Q(end__isnull=True) | Q(end__gt=wanted.start)).first()


def _first_change(before: Subscription | None, after: Subscription) -> datetime | None:
    """The first instant that is priced otherwise than before; None where nothing is."""
    if before is None:
        return after.start
    starts = {before.start, after.start} if before.start != after.start else set()
    ends = {before.end, after.end} if before.end != after.end else set()
    return min((edge for edge in starts | ends if edge is not None), default=None)


def _plan(document: PlanDocument) -> RatePlan:
    plan, _ = RatePlan.objects.get_or_create(code=document.code, defaults={"name": document.name, "currency": document.currency})
    if plan.currency != document.currency:
        raise PlanError(f"Plan {plan.code!r} is priced in {plan.currency}; another currency needs another plan.")
    if plan.name != document.name:
        plan.name = document.name
        plan.save(update_fields=["name"])
    return plan


def _says(version: PlanVersion) -> tuple[tuple[PriceTerms, ...], Fraction]:
    terms = terms_of(version)
    return terms.prices, terms.commitment


def _save_price(version: PlanVersion, terms: PriceTerms) -> None:
    price = Price.objects.create(
        version=version,
        position=terms.position,
        name=terms.name,
        model=terms.model.value,
        meter=terms.meter,
        unit=terms.unit,
        price_nano=int(terms.unit_price * NANO),
        package_micro=int(terms.package_size * MICRO),
        included_micro=int(terms.included * MICRO),
        flat_when_zero=terms.flat_when_zero,
        proration=terms.proration.value,
        machine_class=terms.selector,
        details=details_of(terms),
    )
    Tier.objects.bulk_create(
        Tier(
            price=price,
            up_to_micro=None if tier.up_to is None else int(tier.up_to * MICRO),
            price_nano=int(tier.unit_price * NANO),
            flat_nano=int(tier.flat * NANO),
        )
        for tier in terms.tiers
    )


def _hold_customers(plan: RatePlan) -> None:
    """Wait for whoever is finalising a month at this plan's prices, and let nobody begin until the new ones are in force."""
    subscribed = Subscription.objects.filter(plan=plan).values("customer")
    list(Customer.objects.select_for_update().filter(pk__in=subscribed).order_by("pk").values_list("pk"))


def _check_start(version: PlanVersion, start: datetime) -> None:
    """A version must follow the one before, and must not reach into a month that is billed already."""
    try:
        validate_quarter_hour(start)
    except ValidationError as error:
        raise PlanError(error.messages[0]) from error
    last = version.plan.versions.filter(state=PlanVersion.State.PUBLISHED).order_by("-effective_from").first()
    if last is not None and last.effective_from is not None and start <= last.effective_from:
        raise PlanError(f"{last} is in force from {last.effective_from:%Y-%m-%d %H:%M} UTC; the next one must start later.")
    billed = Invoice.objects.final().filter(customer__subscriptions__plan=version.plan, period_end__gt=start).first()
    if billed is not None:
        raise PlanError(f"{billed} has billed usage after {start:%Y-%m-%d %H:%M} UTC; a new price must start after it.")


def _check_prices(version: PlanVersion) -> None:
    """Hold what was typed into the admin to the rules of a plan file."""
    try:
        prices = terms_of(version).prices
    except PlanFileError as error:
        raise PlanError(str(error)) from error
    if not prices:
        raise PlanError(f"{version} has no price.")
    if named := next((price.name for price in prices if price.labels), None):
        raise PlanError(f"{named}: a machine's one label is its class; others are for quotes, and would bill nothing here.")
    try:
        check_prices([dump_price(price) for price in prices], STORED)
    except PlanFileError as error:
        raise PlanError(str(error)) from error


def _validate(subscription: Subscription) -> None:
    """Run the model's own checks. The database refuses an overlap once more, for two who subscribe at once."""
    try:
        subscription.full_clean(validate_constraints=False)
    except ValidationError as error:
        raise PlanError(" ".join(error.messages)) from error
