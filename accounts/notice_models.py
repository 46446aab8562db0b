"""What a customer's people are told in the portal. accounts/notices.py is the one writer."""

from django.db import models
from django.utils.timezone import now


class Notice(models.Model):
    """Something that happened and may need somebody. Its words are made when it is read, in the reader's language."""

    class Kind(models.TextChoices):
        INVOICE = "invoice_finalised", "Invoice finalised"
        SILENT = "machine_silent", "Machine silent"
        BUDGET = "budget_crossed", "Budget crossed"
        KEY = "key_expiring", "Key expiring"

    customer = models.ForeignKey("accounts.Customer", models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=17, choices=Kind.choices)
    facts = models.JSONField(help_text="What happened, one entry each: numbers and names, no words")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["customer", "-id"], name="notice_by_customer")]

    def __str__(self) -> str:
        return self.get_kind_display()


class NoticeOccasion(models.Model):
    """That an occasion was told. Several that are found together share one notice."""

    customer = models.ForeignKey("accounts.Customer", models.CASCADE, related_name="+")
    occasion = models.CharField(max_length=120)
    notice = models.ForeignKey(Notice, models.CASCADE, related_name="occasions")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["customer", "occasion"], name="notice_once")]

    def __str__(self) -> str:
        return self.occasion
