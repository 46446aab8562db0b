"""Who may speak for a machine: its public keys, the tokens that let a key in, and the customers that may send without one.
Besides, what its agent says of itself, and what people ask of it."""

import hashlib
import secrets
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import Customer, User


class MachineKeyQuerySet(models.QuerySet["MachineKey"]):
    def live(self, at: datetime) -> "MachineKeyQuerySet":
        """Keys that count at that instant."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at), revoked_at=None)


class MachineKey(models.Model):
    """The public half of a key that a machine signs with. Written in `usage/enrolment.py` alone; never changed but ended."""

    machine = models.ForeignKey("usage.Machine", models.PROTECT, related_name="keys")
    keyid = models.CharField(max_length=32, unique=True, help_text="As messages name it")
    public_key = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Set when the machine changes to another key")
    revoked_at = models.DateTimeField(null=True, blank=True, help_text="From then on no message signed with it counts")
    revoked_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")

    objects: ClassVar[Any] = MachineKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.keyid

    def state(self) -> str:
        """In a word, for people."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at is None:
            return "in use"
        return "replaced" if self.expires_at <= now() else "being replaced"


class EnrolmentTokenQuerySet(models.QuerySet["EnrolmentToken"]):
    def open(self, at: datetime) -> "EnrolmentTokenQuerySet":
        """Tokens with which a key could still be registered at that instant."""
        return self.filter(used_at=None, expires_at__gt=at)


class EnrolmentToken(models.Model):
    """Lets one machine register one key, once. Only its SHA-256 is kept."""

    machine = models.ForeignKey("usage.Machine", models.CASCADE, related_name="enrolment_tokens")
    prefix = models.CharField(max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, editable=False, related_name="+")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[Any] = EnrolmentTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}… for {self.machine}"

    @property
    def state(self) -> str:
        """open, used, or over: too old, or withdrawn."""
        if self.used_at is not None:
            return "used"
        return "open" if self.expires_at > now() else "over"

    @staticmethod
    def digest_of(secret: str) -> str:
        return hashlib.sha256(secret.encode()).hexdigest()

    @staticmethod
    def make_secret() -> str:
        return f"che_{secrets.token_urlsafe(32)}"


class UnsignedPermission(models.Model):
    """A customer whose machines may send without a signature, as the paper's do. A machine that has a key signs all the same."""

    customer = models.OneToOneField(Customer, models.CASCADE, related_name="unsigned_permission")
    reason = models.CharField(max_length=200, help_text="Why these machines cannot sign")
    granted_at = models.DateTimeField(default=now, editable=False)
    granted_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, editable=False, related_name="+")

    class Meta:
        ordering = ["customer"]

    def __str__(self) -> str:
        return f"{self.customer} may send unsigned"

    def clean(self) -> None:
        if not self.reason.strip():
            raise ValidationError({"reason": "Say why: anybody who reaches the broker can send usage for these machines."})


class AgentState(models.Model):
    """What a machine's agent said of itself the last time it asked, signed with the machine's key."""

    machine = models.OneToOneField("usage.Machine", models.CASCADE, related_name="agent_state")
    at = models.DateTimeField(help_text="When it was said, by the server's clock")
    keyid = models.CharField(max_length=32)
    version = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=20, blank=True, help_text="running, paused, offline or needs attention")
    mode = models.CharField(max_length=80, blank=True)
    interval_s = models.PositiveIntegerField(default=0)
    waiting = models.PositiveBigIntegerField(default=0, help_text="Samples that wait on its disk")
    skew_ms = models.BigIntegerField(default=0, help_text="Its clock minus the server's")
    obeyed = models.BigIntegerField(default=0, help_text="Number of the last wish that it has dealt with")
    answer = models.CharField(max_length=200, blank=True, help_text="What became of that wish")

    def __str__(self) -> str:
        return f"{self.machine} {self.state}"

    @property
    def skew_seconds(self) -> int:
        return abs(self.skew_ms) // 1000


class AgentWish(models.Model):
    """What somebody asks of a machine's agent. Its user decides, by the agent's settings, whether it obeys."""

    class Kind(models.TextChoices):
        PAUSE = "pause", "Pause sending"
        RESUME = "resume", "Resume sending"
        INTERVAL = "interval", "Change the interval"

    machine = models.ForeignKey("usage.Machine", models.CASCADE, related_name="wishes")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    seconds = models.PositiveIntegerField(default=0, help_text="For an interval")
    asked_at = models.DateTimeField(default=now)
    asked_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    answer = models.CharField(max_length=200, blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.machine}"
