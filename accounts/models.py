"""Who: customers, the people who may act for them, and the keys that programs use."""

import hashlib
import secrets
import zoneinfo
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, ClassVar

import babel
import babel.numbers
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.utils.timezone import now

from accounts.door_models import Attempts, AuditEntry, AuditHead, IdempotentAnswer, Passkey, SecondFactor, SignedInSession
from accounts.mail_models import Mail
from accounts.notice_models import Notice, NoticeOccasion
from accounts.scopes import READING
from accounts.webhook_models import WebhookDelivery, WebhookEndpoint, WebhookEvent

__all__ = [
    "ApiKey", "Attempts", "AuditEntry", "AuditHead", "Customer", "IdempotentAnswer", "Mail", "Membership", "Notice",
    "NoticeOccasion", "Passkey", "SecondFactor", "SignedInSession", "User", "UserManager", "WebhookDelivery",
    "WebhookEndpoint", "WebhookEvent",
]  # fmt: skip
CODE = RegexValidator(r"\A[a-z0-9][a-z0-9-]{0,62}\Z", "Use 1 to 63 lower-case letters, digits and hyphens.")
COUNTRY = RegexValidator(r"\A[A-Z]{2}\Z", "Use a country's two capital letters of ISO 3166, such as DE.")
MAX_GRACE_HOURS = 60 * 24
MAX_DUE_DAYS = 365


def validate_currency(code: str) -> None:
    """Raise ValidationError unless the code is a currency of ISO 4217."""
    if code not in babel.numbers.list_currencies():
        raise ValidationError(f"{code!r} is no currency. Use a three-letter ISO 4217 code such as EUR.")


def validate_locale(name: str) -> None:
    """Raise ValidationError unless numbers and dates can be written in that locale."""
    try:
        babel.Locale.parse(name, sep="-")
    except (ValueError, babel.UnknownLocaleError) as error:
        raise ValidationError(f"{name!r} is no known locale. An example: de-DE.") from error


def validate_timezone(name: str) -> None:
    """Raise ValidationError unless the name is an IANA time zone that this server knows."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"{name!r} is no IANA time zone. An example: Europe/Berlin.")


def mailed_by_default() -> list[str]:
    """Kinds of notices that come by mail until a person says otherwise. Invoices are mailed to whoever pays them anyway."""
    return [Notice.Kind.SILENT.value, Notice.Kind.BUDGET.value, Notice.Kind.KEY.value]


class UserManager(BaseUserManager["User"]):
    """Makes users who sign in by e-mail."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a person by e-mail as they type it; addresses are kept in lower case."""
        return self.get(email=(username or "").lower())

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in by e-mail; staff see the admin, members see their customers' portal."""

    class StaffRole(models.TextChoices):
        OPERATOR = "operator", "Operator: everything but handing out powers"
        BILLING = "billing", "Billing: sees all, changes plans, invoices and customers"
        SUPPORT = "support", "Support: sees all, changes nothing"

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_staff = models.BooleanField(default=False)
    staff_role = models.CharField(max_length=8, choices=StaffRole.choices, blank=True, help_text="What a member of staff may do")
    is_active = models.BooleanField(default=True)
    language = models.CharField(max_length=16, blank=True, help_text="Of the portal; empty: as the browser asks")
    mail_about = models.JSONField(default=mailed_by_default, blank=True, help_text="Kinds of notices that come by mail, too")
    created_at = models.DateTimeField(default=now, editable=False)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    acting_roles: Collection[str] | None = None  # Set by accounts.access while a request needs certain roles.
    viewing: int | None = None  # The customer whom staff view as: set by accounts.viewing for as long as a request lasts.

    def __str__(self) -> str:
        return self.email


class Customer(models.Model):
    """Who is billed: one currency, one time zone in which months and days are counted."""

    code = models.CharField(max_length=63, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3, validators=[validate_currency], help_text="ISO 4217, three letters")
    timezone = models.CharField(max_length=64, default="UTC", validators=[validate_timezone], help_text="IANA name")
    address = models.TextField(blank=True, help_text="As printed on the invoice")
    country = models.CharField(
        max_length=2, blank=True, validators=[COUNTRY], help_text="ISO 3166, two letters; decides the tax. Empty: the seller's"
    )
    tax_id = models.CharField(max_length=40, blank=True)
    invoice_email = models.EmailField(
        blank=True, help_text="Where invoices and reminders go. Empty: to the members for billing, or else to the owners"
    )
    buyer_reference = models.CharField(
        max_length=100, blank=True, help_text="What the customer wants quoted on its invoices; a German authority's Leitweg-ID"
    )
    prices_include_tax = models.BooleanField(default=False, help_text="The plan's prices hold the tax already")
    locale = models.CharField(
        max_length=16, default="en-GB", validators=[validate_locale], help_text="How numbers and dates are written, e.g. de-DE"
    )
    grace_hours = models.PositiveSmallIntegerField(
        default=24, validators=[MaxValueValidator(MAX_GRACE_HOURS)], help_text="From the end of a month to its final invoice"
    )
    due_days = models.PositiveSmallIntegerField(
        default=14, validators=[MaxValueValidator(MAX_DUE_DAYS)], help_text="From issue to payment"
    )
    budget_minor = models.BigIntegerField(
        null=True, blank=True, help_text="When a month's cost crosses it, people are told; in cents. Empty: none"
    )
    members: "models.ManyToManyField[User, Membership]" = models.ManyToManyField(
        User, through="Membership", related_name="customers"
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(grace_hours__lte=MAX_GRACE_HOURS), name="customer_grace_bounded"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The zone in which this customer's days and months begin."""
        return zoneinfo.ZoneInfo(self.timezone)


class Membership(models.Model):
    """What a person may do for a customer."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        BILLING = "billing", "Billing"
        VIEWER = "viewer", "Viewer"

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.VIEWER)
    notices_seen = models.BigIntegerField(default=0, editable=False, help_text="The newest notice that the person has looked at")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "customer"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=["owner", "billing", "viewer"]), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def live(self, at: datetime | None = None) -> "ApiKeyQuerySet":
        """Keys that open something at that moment: neither revoked nor expired."""
        at = at or now()
        return self.filter(models.Q(revoked_at=None) | models.Q(revoked_at__gt=at)).filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=at)
        )


class ApiKey(models.Model):
    """A program's key to one customer, for its scopes. Only its SHA-256 is kept; 256 random bits need no slow hash.

    A `revoked_at` to come is the end of an overlap: the key was rotated and works until then.
    """

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.CharField(max_length=400, default=" ".join(READING), help_text="Such as usage:read, with spaces between")
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"

    @property
    def scope_list(self) -> list[str]:
        return self.scopes.split()

    @staticmethod
    def digest_of(secret: str) -> str:
        """The hexadecimal SHA-256 under which a secret is kept."""
        return hashlib.sha256(secret.encode()).hexdigest()

    @classmethod
    def issue(
        cls, customer: Customer, name: str, scopes: Iterable[str] = READING, expires_at: datetime | None = None
    ) -> tuple["ApiKey", str]:
        """Make a key. The second value is the secret, to be shown once: nothing can recover it."""
        secret = f"ch_{secrets.token_urlsafe(32)}"
        key = cls.objects.create(
            customer=customer,
            name=name,
            prefix=secret[:9],
            digest=cls.digest_of(secret),
            scopes=" ".join(scopes),
            expires_at=expires_at,
        )
        return key, secret
