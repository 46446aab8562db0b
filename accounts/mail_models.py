"""Mail that goes out, one row for each occasion and address: to whom, and what became of it. accounts/mails.py writes it."""

from django.db import models
from django.utils.timezone import now


class Mail(models.Model):
    """One mail. The occasion is unique for an address, so whatever asks for it twice makes one."""

    class Kind(models.TextChoices):
        INVOICE = "invoice", "Invoice"
        DUE_SOON = "due_soon", "Due soon"
        OVERDUE = "overdue", "Overdue"
        RECEIPT = "receipt", "Receipt"
        NOTICE = "notice", "Notice"
        SECURITY = "security", "Security"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"
        DROPPED = "dropped", "Not needed any more"

    customer = models.ForeignKey("accounts.Customer", models.CASCADE, null=True, related_name="mails")  # None: to a person.
    kind = models.CharField(max_length=8, choices=Kind.choices)
    occasion = models.CharField(max_length=120, help_text="What it is about; the same one is sent once to an address")
    recipient = models.EmailField()
    language = models.CharField(max_length=16)
    about = models.BigIntegerField(help_text="Number of the row that it is written from")
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True, help_text="Why the last attempt failed")
    next_at = models.DateTimeField(default=now, help_text="Not to be tried before")
    claimed_at = models.DateTimeField(null=True, help_text="When the last attempt began")
    subject = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True, help_text="As it was sent")
    created_at = models.DateTimeField(default=now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "mail"
        indexes = [models.Index(fields=["state", "next_at"], name="mail_waiting")]
        constraints = [
            models.UniqueConstraint(fields=["occasion", "recipient"], name="mail_once"),
            models.CheckConstraint(
                condition=models.Q(state="sent", sent_at__isnull=False) | ~models.Q(state="sent"), name="mail_sent_at"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} to {self.recipient}"
