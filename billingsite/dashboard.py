"""The admin's start page: the fleet live, and the few numbers that say whether anybody has to act."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Max, Q, Sum
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.formats import ago, money, number
from billingsite.health import offsets_age_s
from invoices.models import Invoice
from invoices.money import amount_text
from usage.fleet import SILENT_MS
from usage.models import IngestIncident, IngestOffset, Machine, Reason, RejectedMessage, UsageBucket, WorkerBeat
from usage.periods import to_ms
from usage.recent import WINDOW_MS, recent

LOCALE = "en-GB"
BEAT_S = 60
QUIET_S = 120  # With machines reporting, no batch for so long means that the worker or the broker stands still.


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the start page, with what it means for whoever reads it. `alarm` asks for a look."""

    key: str
    label: str
    value: str
    note: str = ""
    url: str = ""
    alarm: bool = False


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold calls this for the start page."""
    return {**context, "figures": list(figures(request, now()))}


@require_safe
@never_cache
def fleet_json(request: HttpRequest) -> JsonResponse:
    """What the start page asks for again and again: its figures, messages counted so far, and points since `since` (ms)."""
    moment = now()
    given = request.GET.get("since", "")
    since_ms = int(given) if given.isascii() and given.isdigit() and len(given) < 16 else to_ms(moment) - WINDOW_MS
    points = recent(list(Machine.objects.filter(retired_at=None)), since_ms, to_ms(moment))
    answer = {"now": to_ms(moment), "messages": messages(), "figures": [asdict(figure) for figure in figures(request, moment)]}
    return JsonResponse(answer | {"points": [point.json() for point in points]})


def messages() -> int:
    """Messages that ingest has judged since the books were opened."""
    return int(IngestOffset.objects.aggregate(total=Sum(F("next_offset") - F("first_offset")))["total"] or 0)


def figures(request: HttpRequest, moment: datetime) -> Iterator[Figure]:
    """Yield the figures; what an invoice says only for those who may see invoices."""
    today = datetime.combine(moment.astimezone(UTC).date(), time.min, tzinfo=UTC)
    yield _rate()
    yield _lag(moment)
    yield _newest(moment)
    yield _samples(today)
    yield _rejected(today)
    yield _incidents()
    yield _silent(moment)
    if request.user.has_perm("invoices.view_invoice"):
        yield _revenue(today.replace(day=1))
        yield _waiting(moment)


def _rate() -> Figure:
    """The page itself counts messages a second; here is only how long ago the last batch was stored."""
    age_s = offsets_age_s()
    note = "Nothing consumed yet" if age_s is None else f"last batch {ago(age_s)}"
    reporting = Machine.objects.filter(retired_at=None, last_seen_ms__gt=0).exists()
    alarm = age_s is not None and age_s > QUIET_S and reporting
    return Figure("rate", "Messages / s", "–", note, reverse("admin:usage_ingestoffset_changelist"), alarm)


def _lag(moment: datetime) -> Figure:
    """What Kafka holds that is not stored yet, as the workers last said. A worker that stops in order leaves no beat behind."""
    beats = list(WorkerBeat.objects.order_by("beat_at"))
    if not beats:
        return Figure("lag", "Messages behind", "–", "No worker is running", reverse("admin:usage_workerbeat_changelist"))
    lag: dict[str, int] = {}
    for beat in beats:
        lag |= beat.lag
    age_s = int((moment - beats[-1].beat_at).total_seconds())
    fresh = sum((moment - beat.beat_at).total_seconds() <= BEAT_S for beat in beats)
    note = f"{fresh} worker{'' if fresh == 1 else 's'}" if fresh else f"no sign of a worker since {ago(age_s)}"
    url = reverse("admin:usage_workerbeat_changelist")
    return Figure("lag", "Messages behind", number(sum(lag.values()), 0, LOCALE), note, url, alarm=not fresh)


def _newest(moment: datetime) -> Figure:
    """How old the newest sample of any machine is: what live charts can show at best."""
    newest = Machine.objects.filter(last_seen_ms__gt=0).aggregate(newest=Max("last_seen_ms"))["newest"]
    url = reverse("admin:usage_machine_completeness_of_all")
    if newest is None:
        return Figure("newest", "Newest sample", "–", "No machine has reported", url)
    return Figure("newest", "Newest sample", ago(max(0, (to_ms(moment) - newest) // 1000)), "of any machine", url)


def _incidents() -> Figure:
    """What nobody has seen to yet: streams that overlap or contradict themselves, loss that was accepted."""
    rows = IngestIncident.objects.filter(acknowledged_at=None).order_by().values("kind")
    counts = list(rows.annotate(count=Count("pk")).values_list("kind", "count"))
    total = sum(count for _, count in counts)
    note = ", ".join(f"{count} {IngestIncident.Kind(kind).label.lower()}" for kind, count in counts) or "all acknowledged"
    url = reverse("admin:usage_ingestincident_changelist") + "?acknowledged_at__isempty=1"
    return Figure("incidents", "Incidents, open", number(total, 0, LOCALE), note, url, alarm=total > 0)


def _samples(today: datetime) -> Figure:
    machines = Machine.objects.values("pk")  # Named, so that the index by machine and time is used.
    found = UsageBucket.objects.filter(machine_id__in=machines, start_ms__gte=to_ms(today)).aggregate(total=Sum("samples"))
    return Figure("samples", "Samples today", number(int(found["total"] or 0), 0, LOCALE), "since midnight UTC")


def _rejected(today: datetime) -> Figure:
    open_ones = RejectedMessage.objects.filter(state=RejectedMessage.State.OPEN)
    by_reason = (
        open_ones.order_by().values("reason").annotate(count=Count("pk")).order_by("-count").values_list("reason", "count")
    )
    waiting = sum(count for _, count in by_reason)
    fresh = RejectedMessage.objects.filter(rejected_at__gte=today).count()
    most = "".join(f"; {count} {Reason(reason).label.lower()}" for reason, count in by_reason[:2])
    url = reverse("admin:usage_rejectedmessage_changelist") + "?state__exact=open"
    return Figure("rejected", "Rejected, open", number(waiting, 0, LOCALE), f"{fresh} came today{most}", url, alarm=waiting > 0)


def _silent(moment: datetime) -> Figure:
    """Machines that reported once and have not for a quarter of an hour."""
    live = Machine.objects.filter(Q(retired_at=None) | Q(retired_at__gt=moment), last_seen_ms__gt=0)
    silent = live.filter(last_seen_ms__lt=to_ms(moment) - SILENT_MS).count()
    url = reverse("admin:usage_machine_changelist") + "?o=6"
    return Figure("silent", "Machines silent", number(silent, 0, LOCALE), f"of {live.count()}", url, alarm=silent > 0)


def _revenue(since: datetime) -> Figure:
    """What was invoiced this month, by currency: amounts in two currencies are not one number."""
    issued = Invoice.objects.final().filter(issued_on__gte=since.date()).order_by("currency")
    sums = issued.values("currency").annotate(total=Sum("total_minor"))
    texts = [money(Decimal(amount_text(int(row["total"]), row["currency"])), row["currency"], LOCALE) for row in sums]
    return Figure("revenue", "Revenue this month", "\n".join(texts) or "0", f"invoiced since {since:%-d %B}", _invoices())


def _waiting(moment: datetime) -> Figure:
    """Drafts of months that are over: in their grace period, or stuck."""
    drafts = Invoice.objects.filter(state=Invoice.State.DRAFT, period_end__lte=moment)
    late = drafts.filter(period_end__lte=moment - timedelta(days=7)).count()
    note = f"{late} for more than a week" if late else "finalised after their grace period"
    return Figure("waiting", "Invoices waiting", number(drafts.count(), 0, LOCALE), note, _invoices(), alarm=late > 0)


def _invoices() -> str:
    return reverse("admin:invoices_invoice_changelist")
