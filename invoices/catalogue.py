"""Reads plans: subscriptions, published versions and their prices become terms that the rater understands."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from accounts.models import Customer
from invoices.models import PlanVersion, Price, Subscription, Tier
from invoices.money import NANO
from invoices.parts import Contract
from invoices.plan_fields import PlanFileError
from invoices.plan_price import Reading, dump_price, price_of
from invoices.terms import Model, PriceTerms, Proration, TierTerms, VersionTerms
from usage.periods import Period

MICRO = 10**6
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
STORED = Reading(custom=None)  # Which meters there are was checked when it was stored.
# What dump_price() says that a price and its tiers have columns for.
COLUMN_KEYS = {
    "name", "model", "meter", "unit", "unit_price", "tiers", "package_size", "package_price", "included", "flat_when_zero",
    "proration",
}  # fmt: skip


def contracts(customer: Customer, period: Period) -> list[Contract]:
    """Return what the customer subscribed to in a period, by plan. Five queries, however many plans and prices."""
    running = Q(end__isnull=True) | Q(end__gt=period.start)
    subscriptions = (
        Subscription.objects.filter(running, customer=customer, start__lt=period.end)
        .select_related("plan")
        .prefetch_related(Prefetch("plan__versions", published_versions(), to_attr="published"))
        .order_by("plan__code", "start")
    )
    return [_contract(subscription) for subscription in subscriptions]


def published_versions() -> QuerySet[PlanVersion]:
    """Return published versions with their prices and tiers, earliest first."""
    versions = PlanVersion.objects.filter(state=PlanVersion.State.PUBLISHED).order_by("effective_from")
    return versions.select_related("plan").prefetch_related("prices__tiers")


def terms_of(version: PlanVersion) -> VersionTerms:
    """Return a version as the rater reads it. A draft without a date counts from when it was made."""
    return VersionTerms(
        plan_code=version.plan.code,
        plan_name=version.plan.name,
        number=version.number,
        currency=version.plan.currency,
        effective_from=version.effective_from or version.created_at,
        prices=tuple(_price_terms(price) for price in version.prices.all()),
        commitment=Fraction(version.commitment_nano, NANO),
    )


def _contract(subscription: Subscription) -> Contract:
    versions: list[PlanVersion] = subscription.plan.published  # type: ignore[attr-defined]  # The prefetch above.
    return Contract(
        plan_code=subscription.plan.code,
        start=subscription.start,
        end=subscription.end,
        versions=[terms_of(version) for version in versions],
    )


def offered_versions(code: str, customers: QuerySet[Customer] | None) -> list[VersionTerms]:
    """Return the published versions of a plan that one of the customers ever subscribed to; None is every plan there is."""
    versions = published_versions().filter(plan__code=code)
    if customers is not None:
        versions = versions.filter(plan__in=Subscription.objects.filter(customer__in=customers).values("plan"))
    found = [terms_of(version) for version in versions]
    if not found:
        raise PlanFileError("plan", f"there is no published plan {code[:63]!r} of yours.")
    return found


def draft_of(code: str) -> VersionTerms:
    """Return the draft of a plan, as if it had been in force for ever."""
    draft = PlanVersion.objects.filter(plan__code=code, state=PlanVersion.State.DRAFT).first()
    if draft is None:
        raise PlanFileError("draft", f"plan {code[:63]!r} has no draft.")
    return replace(terms_of(draft), effective_from=LONG_AGO)


def details_of(terms: PriceTerms) -> dict[str, Any]:
    """Return the keys of a price, as in a plan file, that have no column of their own."""
    columns = COLUMN_KEYS if terms.labels else COLUMN_KEYS | {"selector"}
    return {key: value for key, value in dump_price(terms).items() if key not in columns}


def _price_terms(price: Price) -> PriceTerms:
    """A price of a few columns is read as it is; the further keys are a document, checked when it was stored."""
    terms = PriceTerms(
        position=price.position,
        name=price.name,
        model=Model(price.model),
        meter=price.meter,
        unit=price.unit,
        unit_price=Fraction(price.price_nano, NANO),
        tiers=tuple(_tier_terms(tier) for tier in price.tiers.all()),
        package_size=Fraction(price.package_micro, MICRO),
        included=Fraction(price.included_micro, MICRO),
        flat_when_zero=price.flat_when_zero,
        proration=Proration(price.proration),
        selector=price.machine_class,
    )
    if not price.details:
        return terms
    plain = {key: value for key, value in dump_price(terms).items() if key not in price.details}
    return price_of({**plain, **price.details}, price.position, STORED)


def _tier_terms(tier: Tier) -> TierTerms:
    return TierTerms(
        up_to=None if tier.up_to_micro is None else Fraction(tier.up_to_micro, MICRO),
        unit_price=Fraction(tier.price_nano, NANO),
        flat=Fraction(tier.flat_nano, NANO),
    )
