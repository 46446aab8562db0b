"""How busy the fleet was, hour by hour: recorded once, so that a price that follows demand is the same whenever it is rated."""

from datetime import UTC, datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from usage.periods import Period
from usage.totals import fleet_cores

MILLION = 1_000_000


class FleetLoad(models.Model):
    """The share of the fleet's cores in use before an instant. It is in force from then until the next one."""

    at = models.DateTimeField(unique=True, help_text="UTC")
    share_micro = models.PositiveIntegerField(help_text="Millionths of the cores: 850000 is 85 %")
    recorded_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["-at"]
        verbose_name = "fleet load"
        constraints = [models.CheckConstraint(condition=Q(share_micro__lte=MILLION), name="fleet_load_share")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} UTC"


def record(at: datetime | None = None) -> FleetLoad | None:
    """Record how busy the fleet was in the hour that ended last. Once: what arrives later changes no price.

    Whole percents, so that a month has few different prices. None where nothing was metered: the last load stays in force.
    """
    moment = at or now()
    end = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    known = FleetLoad.objects.filter(at=end).first()
    used_ms, had_ms = fleet_cores(end - timedelta(hours=1), end)
    if known is not None or not had_ms:
        return known
    percent = min(100, (200 * used_ms + had_ms) // (2 * had_ms))
    return FleetLoad.objects.get_or_create(at=end, defaults={"share_micro": percent * 10_000})[0]


def loads_in(span: Period) -> list[FleetLoad]:
    """Return the loads in force in a span, earliest first: the last one before it, and those inside."""
    before = FleetLoad.objects.filter(at__lte=span.start).order_by("-at").first()
    inside = FleetLoad.objects.filter(at__gt=span.start, at__lt=span.end).order_by("at")
    return [*([before] if before else []), *inside]
