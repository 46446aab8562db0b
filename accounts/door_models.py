"""What the doors keep: the audit trail, sessions, second factors, passkeys, attempts, and answers to idempotent requests."""

from django.conf import settings
from django.db import models
from django.utils.timezone import now

GENESIS = "0" * 64


class AuditEntry(models.Model):
    """One thing that somebody did. Added by accounts.audit alone; triggers refuse every change."""

    id = models.PositiveBigIntegerField(primary_key=True)  # 1, 2, 3 without a gap: a rolled-back sequence would leave one.
    at = models.DateTimeField()
    actor = models.CharField(max_length=80, help_text="person:PK, key:PK, machine:PK, system or nobody")
    customer_pk = models.BigIntegerField(null=True, db_index=True)  # No foreign key: the trail outlives what it speaks of.
    action = models.CharField(max_length=40)
    target = models.CharField(max_length=120, blank=True)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.id} {self.action} {self.target}"


class AuditHead(models.Model):
    """The newest entry's number and digest, in one row that whoever appends holds locked."""

    last = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default=GENESIS)

    def __str__(self) -> str:
        return f"{self.last}:{self.digest}"


class SignedInSession(models.Model):
    """A browser that somebody signed in with, so that they can see it and end it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="signed_in_sessions")
    session_key = models.CharField(max_length=40, unique=True)
    began_at = models.DateTimeField(default=now)
    seen_at = models.DateTimeField(default=now)
    address = models.CharField(max_length=45, blank=True)
    browser = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.browser} ({self.address})"


class SecondFactor(models.Model):
    """A person's authenticator app and paper codes. The secret is sealed, the codes are hashes."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="second_factor")
    sealed = models.BinaryField(null=True)
    pending = models.BinaryField(null=True)  # A new app's secret, until its first code is shown.
    confirmed = models.BooleanField(default=False)
    last_step = models.BigIntegerField(default=0)  # The newest half-minute whose code was used.
    paper = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"of person {self.user_id}"


class Passkey(models.Model):
    """A key in somebody's device or password store (WebAuthn); only its public half is here. accounts/passkeys.py writes."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=60)
    handle = models.BinaryField()  # How authenticators know the person: random, the same for all of a person's passkeys.
    credential_id = models.CharField(max_length=1400, unique=True)  # Base64url.
    credential = models.BinaryField()  # Authenticator's model, id and public key, as the authenticator sent them.
    uses = models.BigIntegerField(default=0)  # The authenticator's own count; stays 0 where it does not count.
    created_at = models.DateTimeField(default=now)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"of person {self.user_id}"


class Attempts(models.Model):
    """How often something was tried in a stretch of time, counted before it is tried."""

    subject = models.CharField(max_length=64, primary_key=True)  # SHA-256 of what is counted.
    since = models.DateTimeField(default=now)
    tries = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.subject[:8]}: {self.tries}"


class IdempotentAnswer(models.Model):
    """What a request with an `Idempotency-Key` was answered, sealed with the asker's own secret. No status: it is under way."""

    subject = models.CharField(max_length=64, primary_key=True)  # SHA-256 of the asker's secret and the key.
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    sealed = models.BinaryField(null=True)
    created_at = models.DateTimeField(default=now, db_index=True)

    def __str__(self) -> str:
        return f"{self.subject[:8]}: {self.status or 'under way'}"
