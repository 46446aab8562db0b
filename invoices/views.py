"""The portal's pages about money: overview, machines with their cost, invoices line by line, and the plan's prices."""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import has_role, may_see_fleet, visible_customers
from accounts.current import current_customer, turn_to
from accounts.models import Customer, User
from accounts.scopes import OWNERS
from invoices import documents
from invoices.calculator import calculation
from invoices.catalogue import contracts
from invoices.estimate import Estimate, estimate
from invoices.gather import CurrencyError, billing_period
from invoices.history import history
from invoices.ledger import wallet_minor
from invoices.models import Invoice, InvoiceLine
from invoices.parts import NoPriceError
from invoices.rating import Line
from invoices.running import cost_message, message_of
from invoices.spend import cost_by_day, cost_by_machine
from invoices.wording import plan_page, plan_words
from usage.completeness import clock_of
from usage.explorer import by_meter, source_of
from usage.fleet import count_of_states, fleet, rows_of
from usage.grid import Grid
from usage.meters import METERS, MS_PER_HOUR
from usage.models import AgentState, Machine
from usage.periods import Period
from usage.ranges import MEASURES, so_far

log = logging.getLogger(__name__)
UNPRICED = (NoPriceError, CurrencyError)
ROWS_ON_OVERVIEW = 12  # Those that need attention first.
ROWS_ON_A_PAGE = 100


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """What was spent this month, what drives it, and whether the machines report. Also the page after signing in."""
    if not visible_customers(_user(request)).exists():
        return _without_customer(request)
    customer = current_customer(request)
    cost = _cost(customer)
    period = cost.period if cost else billing_period(customer, now())
    context = _machines_context(customer, period, cost)
    context |= {
        "rows": context["rows"][:ROWS_ON_OVERVIEW],
        "may_add": not context["rows"] and has_role(_user(request), customer, OWNERS),
        "cost": cost,
        "message": message_of(cost, customer.locale) if cost else None,
        "final_at": period.end + timedelta(hours=customer.grace_hours),
        "last_invoice": customer.invoices.final().with_settlement().first(),
        "plan_names": list(dict.fromkeys(plan_words(line.plan_name, line.plan_version) for line in cost.lines)) if cost else [],
    } | _days_context(customer, cost)
    return render(request, "invoices/overview.html", context)


@require_safe
@login_required
def machines(request: HttpRequest) -> HttpResponse:
    """Every machine: whether it reports, how much of the month it was metered, what it cost."""
    customer = current_customer(request)
    cost = _cost(customer)
    period = cost.period if cost else billing_period(customer, now())
    context = _machines_context(customer, period, cost)
    text = request.GET.get("q", "").strip().casefold()
    rows = [row for row in context["rows"] if text in row[0].machine.code.casefold() or text in row[0].machine.name.casefold()]
    page = Paginator(rows, ROWS_ON_A_PAGE).get_page(request.GET.get("page"))
    may_add = has_role(_user(request), customer, OWNERS)
    context |= {"page": page, "rows": page.object_list, "search": request.GET.get("q", "").strip(), "may_add": may_add}
    return render(request, "invoices/machines.html", context)


@require_safe
@login_required
def machine(request: HttpRequest, code: str) -> HttpResponse:
    """One machine: live, and what it used on each day of the month."""
    mine = Machine.objects.filter(customer__in=visible_customers(_user(request))).select_related("customer")
    chosen: Machine = get_object_or_404(mine, code=code)
    customer = turn_to(request, chosen.customer)
    cost = _cost(customer)
    period = cost.period if cost else billing_period(customer, now())
    days = Grid(so_far(period, now()), "day", customer.zone)
    row = rows_of([chosen], period, _now_ms(), customer.zone)[0]
    context = {
        "customer": customer,
        "machine": chosen,
        "row": row,
        "period": period,
        "spent": _spent_by_machine(cost).get(code),
        "meters": [(METERS[one.meter], one.values) for one in by_meter(days, source_of([chosen], days))],
        "days": days.windows,
        "clock": clock_of(chosen),
        "skew_s": Decimal(abs(chosen.clock_skew_ms or 0)) / 1000,
        "agent": AgentState.objects.filter(machine=chosen).first(),
    }
    return render(request, "invoices/machine.html", context)


@never_cache
@require_safe
def cost_json(request: HttpRequest) -> JsonResponse:
    """The running cost as the socket pushes it, for a page whose socket is away."""
    if not request.user.is_authenticated:
        return JsonResponse({"error": "Sign in first."}, status=401)
    try:
        return JsonResponse(cost_message(current_customer(request)))
    except UNPRICED as error:
        return JsonResponse({"error": str(error)}, status=409)


@require_safe
@login_required
def invoices(request: HttpRequest) -> HttpResponse:
    """All invoices, the newest first, and the month that is running."""
    customer = current_customer(request)
    rows = list(customer.invoices.with_settlement())
    owing = [row for row in rows if row.owing]
    year_ago = now() - timedelta(days=365)
    paid = [row for row in rows if row.status == "paid" and row.finalised_at and row.finalised_at >= year_ago]
    context = {
        "customer": customer,
        "cost": _cost(customer),
        "rows": rows,
        "history": history(rows),
        "open": owing,
        "open_minor": sum(row.outstanding_minor for row in owing),
        "wallet_minor": wallet_minor(customer),
        "paid": paid,
        "paid_minor": sum(row.total_minor for row in paid),
    }
    return render(request, "invoices/invoices.html", context)


@require_safe
@login_required
def invoice(request: HttpRequest, number: str) -> HttpResponse:
    """One invoice, every line open to what it is made of."""
    return _invoice_page(request, _invoice(request, number))


@require_safe
@login_required
def invoice_pdf(request: HttpRequest, number: str) -> HttpResponse:
    """The invoice on paper."""
    return _download(documents.pdf(_invoice(request, number)), "application/pdf", f"{number}.pdf")


@require_safe
@login_required
def invoice_csv(request: HttpRequest, number: str) -> HttpResponse:
    """The invoice for a spreadsheet."""
    return _download(documents.csv_text(_invoice(request, number)).encode(), "text/csv; charset=utf-8", f"{number}.csv")


@require_safe
@login_required
def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """An invoice in its grace period: late samples may still change it."""
    found = get_object_or_404(_invoices(request), pk=pk, state=Invoice.State.DRAFT)
    return _invoice_page(request, found)


@require_safe
@login_required
def preview(request: HttpRequest) -> HttpResponse:
    """The running month as an invoice."""
    customer = current_customer(request)
    cost = _cost(customer)
    if cost is None:
        raise Http404("This month cannot be priced yet.")
    seller = Party(settings.SELLER_NAME, settings.SELLER_ADDRESS, settings.SELLER_TAX_ID)
    context = {
        "document": cost,
        "lines": cost.lines,
        "status": "running",
        "written_for": customer,
        "seller": seller,
        "buyer": Party(customer.name, customer.address, customer.tax_id),
    }
    return render(request, "invoices/invoice.html", context | _document_context(cost.period, customer.zone, cost.lines))


@require_safe
@login_required
def plan(request: HttpRequest) -> HttpResponse:
    """The prices that apply now, in plain words, and those that will."""
    customer = current_customer(request)
    at = now()
    subscribed = contracts(customer, Period(at, at + timedelta(days=1)))
    calculator = calculation(customer, subscribed, request.GET.dict(), at)
    plans = [plan_page(one, at) for one in subscribed]
    return render(request, "invoices/plan.html", {"customer": customer, "plans": plans, "calculator": calculator})


@dataclass(frozen=True, slots=True)
class Party:
    """Who asks, or who pays."""

    name: str
    address: str
    tax_id: str


def _invoice_page(request: HttpRequest, found: Invoice) -> HttpResponse:
    """Everything as it was copied when the invoice was made, whatever the customer is called today."""
    lines = list(found.lines.all())
    context = {
        "document": found,
        "lines": lines,
        "status": found.status,
        "written_for": found,
        "seller": Party(found.seller_name, found.seller_address, found.seller_tax_id),
        "buyer": Party(found.customer_name, found.customer_address, found.customer_tax_id),
    }
    period = Period(found.period_start, found.period_end)
    return render(request, "invoices/invoice.html", context | _document_context(period, ZoneInfo(found.timezone), lines))


def _document_context(period: Period, zone: ZoneInfo, lines: Iterable[Line | InvoiceLine]) -> dict[str, Any]:
    first, last = period.start.astimezone(zone), (period.end - timedelta(seconds=1)).astimezone(zone)
    days = urlencode({"range": "custom", "first": f"{first:%Y-%m-%d}", "last": f"{last:%Y-%m-%d}", "step": "hour"})
    return {
        "period": period,
        "hours": period.length_ms // MS_PER_HOUR,
        "plans": list(dict.fromkeys(plan_words(line.plan_name, line.plan_version) for line in lines if line.plan_code)),
        "usage_link": f"{reverse('usage')}?{days}",
        "measures": MEASURES,
    }


def _download(content: bytes, kind: str, name: str) -> HttpResponse:
    return HttpResponse(content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _invoices(request: HttpRequest) -> Any:
    """The invoices of the current customer, ready to say whether they are paid."""
    return current_customer(request).invoices.with_settlement()


def _invoice(request: HttpRequest, number: str) -> Invoice:
    """One finalised invoice that the reader may see, of whichever of their customers. Raise Http404 otherwise."""
    mine = Invoice.objects.filter(customer__in=visible_customers(_user(request)), state=Invoice.State.FINALISED)
    found: Invoice = get_object_or_404(mine.with_settlement().select_related("customer"), number=number)
    turn_to(request, found.customer)
    return found


def _cost(customer: Customer) -> Estimate | None:
    """The running cost, or None where a plan lacks a price: the page then says so instead of a number."""
    try:
        return estimate(customer)
    except UNPRICED as error:
        log.warning("No running cost for %s: %s", customer.code, error)
        return None


def _machines_context(customer: Customer, period: Period, cost: Estimate | None) -> dict[str, Any]:
    rows = fleet(customer, period, _now_ms())
    spent = _spent_by_machine(cost)
    return {
        "customer": customer,
        "period": period,
        "rows": [(row, spent.get(row.machine.code)) for row in rows],
        "machine_count": len(rows),
        "states": count_of_states(rows),
        "cores": sum(row.machine.cores for row in rows),
        "busy": sum((row.point.cores or 0 for row in rows if row.point), 0.0),
    }


def _spent_by_machine(cost: Estimate | None) -> dict[str, int]:
    """Minor units by machine code."""
    return {machine.code: machine.amount_minor for machine in cost_by_machine(cost)} if cost else {}


def _days_context(customer: Customer, cost: Estimate | None) -> dict[str, Any]:
    """The table inside the spend chart. It is cut at the same instant as the estimate, so that the days add up to it."""
    if cost is None:
        return {}
    spent = cost_by_day(customer, cost.period, cost.at, cost.pieces)
    days = [(day.span, [day.amounts[name] for name in spent.series], day.total_minor) for day in spent.days]
    return {"day_names": spent.series, "days": days if spent.series else []}


def _without_customer(request: HttpRequest) -> HttpResponse:
    if may_see_fleet(_user(request)):
        return HttpResponseRedirect(reverse("admin:index"))
    return render(request, "accounts/no_customer.html")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - login_required has seen to it
    return request.user


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
