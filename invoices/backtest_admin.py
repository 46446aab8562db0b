"""The desk's page that tries a draft on past months: a few customers at a time, so that the bar moves while it works."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from accounts.models import Customer
from invoices.backtest import MOST_MONTHS, Tally, backtest
from invoices.catalogue import terms_of
from invoices.models import PlanVersion
from invoices.terms import VersionTerms

AT_ONCE = 3
MONTHS = (1, 3, 6, 12)


@require_safe
def backtest_page(request: HttpRequest, pk: int, context: dict[str, Any]) -> HttpResponse:
    """Choose customers and months; `from` asks for the next few rows alone."""
    version = get_object_or_404(PlanVersion.objects.select_related("plan"), pk=pk)
    every = Customer.objects.filter(currency=version.plan.currency).order_by("code")
    chosen = every.filter(code__in=request.GET.getlist("customer"))
    months = _number(request, "months", 3, MOST_MONTHS)
    context |= {"version": version, "every": every, "chosen": chosen, "months": months, "month_choices": MONTHS}
    if "from" not in request.GET:
        return render(request, "admin/invoices/planversion/backtest.html", context)
    start = _number(request, "from", 0, 10**6)
    rows = _rows(terms_of(version), list(chosen[start : start + AT_ONCE]), months, now())
    tally = Tally(*(_number(request, name, 0, 10**6) for name in ("more", "less", "same", "unpriced")))
    for of_customer in rows:
        tally.add(of_customer)
    query = request.GET.copy()
    for name in ("more", "less", "same", "unpriced"):
        query[name] = str(getattr(tally, name))
    query["from"] = str(start + AT_ONCE)
    done = min(start + AT_ONCE, chosen.count())
    context |= {
        "rows": [row for of_customer in rows for row in of_customer],
        "tally": tally,
        "next": query.urlencode(),
        "done": done,
    }
    return render(request, "admin/invoices/planversion/backtest_rows.html", context)


def _rows(draft: VersionTerms, customers: list[Customer], months: int, at: datetime) -> list[list[Any]]:
    return [list(backtest(draft, [customer], months, at)) for customer in customers]


def _number(request: HttpRequest, name: str, default: int, largest: int) -> int:
    text = request.GET.get(name, "")
    return min(int(text), largest) if text.isascii() and text.isdigit() and len(text) < 8 else default
