"""What it costs: plans and their prices, and who subscribed to what. Invoices are in issued.py, the books in books.py.

Whole numbers only. `_nano`: 1e-9 of the currency's major unit. `_micro`: 1e-6 of the price's unit. `_minor`: the
currency's minor unit. Finalised invoices and published versions are frozen by triggers; see invoices/guards.py.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from accounts.models import CODE, Customer, validate_currency
from invoices.books import CreditNote, Discount, InvoiceRun, LedgerEntry, OneOffItem, RunItem, TaxRate
from invoices.fleet import FleetLoad
from invoices.issued import Invoice, InvoiceCounter, InvoiceLine, InvoiceQuerySet, Payment, Voiding
from invoices.spot import SpotPrice
from invoices.terms import Model, Proration, units_of
from usage.meters import METERS
from usage.periods import BUCKET_MS, to_ms

__all__ = [
    "CreditNote", "Discount", "FleetLoad", "Invoice", "InvoiceCounter", "InvoiceLine", "InvoiceQuerySet", "InvoiceRun",
    "LedgerEntry", "OneOffItem", "Payment", "PlanVersion", "Price", "RatePlan", "RunItem", "SpotPrice", "Subscription", "TaxRate",
    "Tier", "Voiding", "validate_quarter_hour",
]  # fmt: skip

METER_CHOICES = [(meter.code, meter.name) for meter in METERS.values()]
UNIT_CHOICES = [(unit, unit) for unit in dict.fromkeys(unit for meter in METERS for unit in units_of(meter))]
MODEL_CHOICES = [
    (Model.PER_UNIT.value, "Per unit"),
    (Model.GRADUATED.value, "Graduated: each part at its tier's price"),
    (Model.VOLUME.value, "Volume: all at the price of the last tier reached"),
    (Model.PACKAGE.value, "Package: started packages"),
    (Model.FLAT.value, "Flat fee per month"),
    (Model.SAMPLE_TARIFF.value, "Per percent and sample"),
    (Model.PERCENTAGE.value, "Percentage of an amount"),
    (Model.GRADUATED_PERCENTAGE.value, "Graduated percentage of an amount"),
    (Model.TIME_OF_USE.value, "Time of use: by weekday and hour"),
    (Model.SPOT_SERIES.value, "Spot: a series of prices"),
    (Model.RESERVED.value, "Reserved: a level paid for in full, and more at another price"),
]
PRORATION_CHOICES = [
    (Proration.NONE.value, "Whole fee"),
    (Proration.DAY.value, "By local calendar days"),
    (Proration.SECOND.value, "By elapsed seconds"),
]


def validate_quarter_hour(instant: datetime) -> None:
    """Raise ValidationError unless an instant is one at which usage can be split exactly."""
    if to_ms(instant) % BUCKET_MS or instant.microsecond:
        raise ValidationError("Usage is kept by the quarter hour: choose a time such as 14:15:00.")


class RatePlan(models.Model):
    """A product on the price list. What it costs is in its versions."""

    code = models.CharField(max_length=63, unique=True, validators=[CODE])
    name = models.CharField(max_length=120)
    currency = models.CharField(
        max_length=3, validators=[validate_currency], help_text="ISO 4217; frozen with the first published version"
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class PlanVersion(models.Model):
    """One edition of a plan's prices: a draft until published, then frozen, in force from an instant until the next."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"

    plan = models.ForeignKey(RatePlan, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT, editable=False)
    effective_from = models.DateTimeField(null=True, blank=True, validators=[validate_quarter_hour], help_text="UTC")
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    commitment_nano = models.BigIntegerField(
        default=0, help_text="Least that a month comes to, in 1e-9 of the currency; what is missing is charged"
    )

    class Meta:
        ordering = ["plan", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="version_once"),
            models.UniqueConstraint(fields=["plan"], condition=Q(state="draft"), name="version_one_draft"),
            models.UniqueConstraint(fields=["plan", "effective_from"], condition=Q(state="published"), name="version_one_start"),
            models.CheckConstraint(
                condition=Q(state="draft", published_at__isnull=True)
                | Q(state="published", published_at__isnull=False, effective_from__isnull=False),
                name="version_state",
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="version_number"),
            models.CheckConstraint(condition=Q(commitment_nano__gte=0), name="version_commitment"),
        ]

    def __str__(self) -> str:
        return f"{self.plan.name}, version {self.number}"


class Price(models.Model):
    """One price of a version: one line on the invoice."""

    version = models.ForeignKey(PlanVersion, models.CASCADE, related_name="prices")
    position = models.PositiveSmallIntegerField(default=0, help_text="Order on the invoice")
    name = models.CharField(max_length=120, help_text="As printed on the invoice")
    model = models.CharField(max_length=24, choices=MODEL_CHOICES)
    meter = models.CharField(max_length=40, choices=METER_CHOICES, blank=True, help_text="None for a flat fee")
    unit = models.CharField(max_length=20, choices=UNIT_CHOICES, blank=True)
    price_nano = models.BigIntegerField(default=0, help_text="Per unit, package or month, in 1e-9 of the currency")
    package_micro = models.BigIntegerField(default=1_000_000, help_text="Size of a package, in 1e-6 of the unit")
    included_micro = models.BigIntegerField(default=0, help_text="Free quantity, in 1e-6 of the unit")
    flat_when_zero = models.BooleanField(default=False, help_text="The first tier's flat fee is due without usage, too")
    proration = models.CharField(max_length=6, choices=PRORATION_CHOICES, default=Proration.DAY.value, help_text="Of a flat fee")
    machine_class = models.CharField(max_length=40, blank=True, help_text="Only for machines of this class")
    details = models.JSONField(
        default=dict, blank=True, help_text="Further keys as in a plan file: windows, series, minimum and so on, numbers as text"
    )

    class Meta:
        ordering = ["version", "position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="price_position_once"),
            models.CheckConstraint(condition=Q(model__in=[model.value for model in Model]), name="price_model_known"),
            models.CheckConstraint(
                condition=Q(model="flat", meter="", unit="") | ~Q(model="flat") & ~Q(meter="") & ~Q(unit=""),
                name="price_meter_unless_flat",
            ),
            models.CheckConstraint(
                condition=Q(price_nano__gte=0, package_micro__gt=0, included_micro__gte=0), name="price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Tier(models.Model):
    """A step of a graduated or volume price: units above the tier before, up to and with `up_to`."""

    price = models.ForeignKey(Price, models.CASCADE, related_name="tiers")
    up_to_micro = models.BigIntegerField(null=True, blank=True, help_text="In 1e-6 of the unit; empty for the last tier")
    price_nano = models.BigIntegerField(default=0, help_text="Per unit, in 1e-9 of the currency")
    flat_nano = models.BigIntegerField(default=0, help_text="Due once the tier is entered, in 1e-9 of the currency")

    class Meta:
        ordering = ["price", F("up_to_micro").asc(nulls_last=True)]
        constraints = [
            models.UniqueConstraint(fields=["price", "up_to_micro"], name="tier_once"),
            models.UniqueConstraint(fields=["price"], condition=Q(up_to_micro__isnull=True), name="tier_one_last"),
            models.CheckConstraint(condition=Q(up_to_micro__isnull=True) | Q(up_to_micro__gt=0), name="tier_not_empty"),
            models.CheckConstraint(condition=Q(price_nano__gte=0, flat_nano__gte=0), name="tier_not_negative"),
        ]

    def __str__(self) -> str:
        return f"up to {self.up_to_micro} micro-units" if self.up_to_micro is not None else "without end"


class Subscription(models.Model):
    """A customer is billed by a plan in [start, end). Two for one plan never overlap (a trigger holds it)."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="subscriptions")
    plan = models.ForeignKey(RatePlan, models.PROTECT, related_name="subscriptions")
    start = models.DateTimeField(validators=[validate_quarter_hour], help_text="UTC")
    end = models.DateTimeField(null=True, blank=True, validators=[validate_quarter_hour], help_text="UTC; empty: goes on")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["customer", "start", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(end__isnull=True) | Q(end__gt=F("start")), name="subscription_not_empty"),
            models.UniqueConstraint(fields=["customer", "plan"], condition=Q(end__isnull=True), name="subscription_one_open"),
        ]

    def __str__(self) -> str:
        return f"{self.customer} on {self.plan}"

    def clean(self) -> None:
        """Say in words what would leave usage unpriced, or priced twice."""
        if not (self.customer_id and self.plan_id and self.start):
            return
        if self.customer.currency != self.plan.currency:
            raise ValidationError(
                f"{self.plan} is priced in {self.plan.currency}, but {self.customer} is billed in {self.customer.currency}."
            )
        if not self.plan.versions.filter(state=PlanVersion.State.PUBLISHED, effective_from__lte=self.start).exists():
            raise ValidationError(f"{self.plan} has no published version in force on {self.start:%Y-%m-%d %H:%M} UTC.")
        if self.end is not None and self.end <= self.start:
            raise ValidationError("A subscription ends after it starts.")
        others = Subscription.objects.filter(customer=self.customer, plan=self.plan).exclude(pk=self.pk)
        before_end = Q() if self.end is None else Q(start__lt=self.end)
        if others.filter(before_end, Q(end__isnull=True) | Q(end__gt=self.start)).exists():
            raise ValidationError(f"{self.customer} has a subscription to {self.plan} in that time already.")
