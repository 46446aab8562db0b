"""The portal's pages about quantities: the explorer with its CSV, and the points that a live chart starts from."""

import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.csvs import csv_lines, safe_cell
from accounts.current import current_customer
from accounts.formats import decimal_of
from accounts.models import Customer
from usage.explorer import Series, Total, by_machine, by_meter, totals_by_machine
from usage.meters import METERS
from usage.models import Machine
from usage.periods import Period, from_ms
from usage.ranges import GROUPS, MEASURES, RANGES, READINGS, STEPS, Selection, selection
from usage.recent import recent
from usage.windows import windows


@require_safe
@never_cache
def recent_json(request: HttpRequest) -> JsonResponse:
    """The points since an instant, shaped as the socket pushes them: what a chart starts from, and polls without a socket."""
    if not request.user.is_authenticated:
        return JsonResponse({"error": "Sign in first."}, status=401)
    customer = current_customer(request)
    now_ms = time.time_ns() // 1_000_000
    since = request.GET.get("since", "")
    since_ms = int(since) if since.isascii() and since.isdigit() and len(since) < 16 else 0
    points = recent(_machines(request, customer), since_ms, now_ms)
    return JsonResponse({"now": now_ms, "points": [point.json() for point in points]})


@require_safe
@login_required
def usage(request: HttpRequest) -> HttpResponse:
    """The explorer. The address holds everything it was asked for."""
    return render(request, "usage/usage.html", _exploration(request))


@require_safe
@login_required
def usage_csv(request: HttpRequest) -> HttpResponse:
    """The explorer's table as CSV, RFC 4180: UTC instants, quantities in display units, exactly what the page shows."""
    shown = _exploration(request)
    selected: Selection = shown["selected"]
    name = f"usage-{shown['customer'].code}-{selected.period.start:%Y%m%d}-{selected.group}.csv"
    head = ["start", "end", *(f"{safe_cell(series.name)} [{METERS[series.meter].unit}]" for series in shown["series"])]
    rows = (
        [window.start.isoformat(), window.end.isoformat(), *(_in_units(one.values[index], one.meter) for one in shown["series"])]
        for index, window in enumerate(shown["windows"])
    )
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse("".join(csv_lines(head, rows)), content_type="text/csv; charset=utf-8", headers=disposition)


def _exploration(request: HttpRequest) -> dict[str, Any]:
    """Everything the explorer shows. Three queries for usage, however large the fleet or the range."""
    customer = current_customer(request)
    machines = _machines(request, customer)
    readings_only = bool(machines) and not any(machine.cores for machine in machines)
    selected = selection(request.GET, customer.zone, now(), READINGS[0] if readings_only else MEASURES[0])
    totals = totals_by_machine(machines, selected.period, selected.measure)
    if selected.group == "meter":
        series = by_meter(machines, selected.period, selected.step, customer.zone)
        series = [Series(METERS[one.meter].name, one.meter, one.values) for one in series]
    else:
        series = by_machine(totals, selected.period, selected.step, customer.zone, selected.measure)
    slots = windows(selected.period, selected.step, customer.zone)
    return {
        "customer": customer,
        "selected": selected,
        "windows": slots,
        "series": series,
        "charts": _charts(selected, series, slots),
        "totals": _total_rows(totals, selected.period),
        "sum": sum(total.quantity for total in totals),
        "sum_cpu_ms": sum(total.cpu_ms for total in totals),
        "sum_covered_ms": sum(total.covered_ms for total in totals),
        "choices": {"ranges": RANGES, "steps": STEPS, "groups": GROUPS, "measures": {code: METERS[code] for code in MEASURES}},
        "days": _days(selected.period, customer),
        "machine": machines[0] if selected.machine else None,
        "query": request.GET.urlencode(),
    }


def _charts(selected: Selection, series: list[Series], slots: list[Period]) -> list[dict[str, Any]]:
    """One stack of machines, or one small chart for each meter: meters have different units and cannot share an axis."""
    groups = [[one] for one in series] if selected.group == "meter" else [series] if series else []
    return [
        {
            "meter": group[0].meter,
            "names": [(one.name, one.is_rest) for one in group],
            "rows": [
                (slot, [one.values[index] for one in group], _total([one.values[index] for one in group]))
                for index, slot in enumerate(slots)
            ],
            "sum": sum(one.total for one in group),
            "stacked": len(group) > 1,
        }
        for group in groups
    ]


def _total(values: list[int | None]) -> int | None:
    """The sum of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _machines(request: HttpRequest, customer: Customer) -> list[Machine]:
    """All machines of the customer, or the one that the address names. Raise Http404 for anybody else's."""
    code = request.GET.get("machine")
    if code:
        return [get_object_or_404(customer.machines, code=code)]
    return list(customer.machines.order_by("code"))


def _total_rows(totals: list[Total], period: Period) -> list[tuple[Total, Fraction, Fraction, Fraction | None]]:
    """Each machine with its share of all, its share of the largest (the bar), and its coverage."""
    everything = sum(total.quantity for total in totals)
    largest = max((total.quantity for total in totals), default=0)
    return [
        (
            total,
            Fraction(total.quantity, everything or 1),
            Fraction(total.quantity, largest or 1),
            min(Fraction(1), Fraction(total.covered_ms, period.length_ms)) if total.covered_ms else None,
        )
        for total in totals
    ]


def _days(period: Period, customer: Customer) -> tuple[str, str]:
    """The first and the last local day of the range, as date fields want them."""
    last = from_ms(period.end_ms - 1)
    return period.start.astimezone(customer.zone).date().isoformat(), last.astimezone(customer.zone).date().isoformat()


def _in_units(base: int | None, meter: str) -> Decimal | None:
    return None if base is None else decimal_of(Fraction(base, METERS[meter].per_unit), 3)
