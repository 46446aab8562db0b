"""The portal's pages about quantities: the explorer with its CSV, and the points that a live chart starts from."""

import time
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.csvs import csv_lines, safe_cell
from accounts.current import current_customer
from accounts.formats import decimal_of
from usage.exploration import Chart, Values, explore, machines_of
from usage.meters import METERS
from usage.ranges import Selection
from usage.recent import recent


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
    points = recent(machines_of(customer, request.GET.get("machine")), since_ms, now_ms)
    return JsonResponse({"now": now_ms, "points": [point.json() for point in points]})


@require_safe
@login_required
def usage(request: HttpRequest) -> HttpResponse:
    """The explorer. The address holds everything it was asked for."""
    shown = explore(current_customer(request), request.GET.dict(), now())
    return render(request, "usage/usage.html", shown | {"query": request.GET.urlencode()})


@require_safe
@login_required
def usage_csv(request: HttpRequest) -> HttpResponse:
    """The explorer's table as CSV, RFC 4180: UTC instants, quantities in display units, exactly what the page shows."""
    shown = explore(current_customer(request), request.GET.dict(), now())
    selected: Selection = shown["selected"]
    columns = [column for chart in shown["charts"] for column in _columns(chart)]
    name = f"usage-{shown['customer'].code}-{selected.period.start:%Y%m%d}-{selected.group}.csv"
    head = ["start", "end", *(title for title, _, _ in columns)]
    slots = shown["charts"][0].windows if shown["charts"] else []
    rows = (
        [slot.start.isoformat(), slot.end.isoformat(), *(_in_units(values[index], meter) for _, meter, values in columns)]
        for index, slot in enumerate(slots)
    )
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse("".join(csv_lines(head, rows)), content_type="text/csv; charset=utf-8", headers=disposition)


def _columns(chart: Chart) -> Sequence[tuple[str, str, Values]]:
    """The columns of a chart's table: heading, meter, values."""
    unit = METERS[chart.meter].unit
    columns = [(f"{safe_cell(one.name)} [{unit}]", one.meter, one.values) for one in chart.series]
    if chart.stacked:
        columns.append((f"Total [{unit}]", chart.meter, [total for _, _, total, _ in chart.rows]))
    if chart.before:
        columns.append((f"{METERS[chart.meter].name}, period before [{unit}]", chart.meter, list(chart.before.values)))
    return columns


def _in_units(base: int | None, meter: str) -> Decimal | None:
    return None if base is None else decimal_of(Fraction(base, METERS[meter].per_unit), 3)
