"""Reads plans: subscriptions, published versions and their prices become terms that the rater understands."""

from fractions import Fraction

from django.db.models import Prefetch, Q, QuerySet

from accounts.models import Customer
from invoices.models import PlanVersion, Price, Subscription
from invoices.money import NANO
from invoices.parts import Contract
from invoices.terms import Model, PriceTerms, Proration, TierTerms, VersionTerms
from usage.periods import Period

MICRO = 10**6


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
    )


def _contract(subscription: Subscription) -> Contract:
    versions: list[PlanVersion] = subscription.plan.published  # type: ignore[attr-defined]  # The prefetch above.
    return Contract(
        plan_code=subscription.plan.code,
        start=subscription.start,
        end=subscription.end,
        versions=[terms_of(version) for version in versions],
    )


def _price_terms(price: Price) -> PriceTerms:
    tiers = (
        TierTerms(
            up_to=None if tier.up_to_micro is None else Fraction(tier.up_to_micro, MICRO),
            unit_price=Fraction(tier.price_nano, NANO),
            flat=Fraction(tier.flat_nano, NANO),
        )
        for tier in price.tiers.all()
    )
    return PriceTerms(
        position=price.position,
        name=price.name,
        model=Model(price.model),
        meter=price.meter,
        unit=price.unit,
        unit_price=Fraction(price.price_nano, NANO),
        tiers=tuple(tiers),
        package_size=Fraction(price.package_micro, MICRO),
        included=Fraction(price.included_micro, MICRO),
        flat_when_zero=price.flat_when_zero,
        proration=Proration(price.proration),
        selector=price.machine_class,
    )
