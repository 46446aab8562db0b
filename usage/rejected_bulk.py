"""Many refused messages at once: a page that shows how many, and steps of two seconds that its progress bar asks for."""

from typing import Any, Literal

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Min, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils.timezone import now

from usage.desk import bulk_step, judge, mended_of, without_age
from usage.models import Reason, RejectedMessage
from usage.periods import to_ms

ACTS: dict[str, Literal["replay", "discard"]] = {"replay": "replay", "discard": "discard"}
MOST_REASON = 500


def bulk(desk: Any, request: HttpRequest, act: str) -> HttpResponse:
    """Show what the list's filters choose, or act on the next of it. `desk` is the model's admin."""
    if not desk.has_resolve_permission(request):
        raise PermissionDenied
    if act not in ACTS:
        raise Http404
    rows: QuerySet[RejectedMessage] = desk.get_changelist_instance(request).get_queryset(request)
    rows = rows.filter(state=RejectedMessage.State.OPEN).order_by()
    return _step(request, ACTS[act], rows) if request.method == "POST" else _page(desk, request, act, rows)


def _page(desk: Any, request: HttpRequest, act: str, rows: QuerySet[RejectedMessage]) -> HttpResponse:
    bounds = rows.aggregate(count=Count("pk"), first=Min("pk"), last=Max("pk"))
    by_reason = rows.values("reason").annotate(count=Count("pk")).order_by("-count").values_list("reason", "count")
    first = rows.order_by("pk").first()
    context = {
        **desk.admin_site.each_context(request),
        "title": f"{act.capitalize()} refused messages",
        "opts": desk.model._meta,
        "act": act,
        "count": bounds["count"],
        "after": (bounds["first"] or 1) - 1,
        "until": bounds["last"] or 0,
        "reasons": [(Reason(reason).label, count) for reason, count in by_reason],
        "example": first,
        "verdict": judge(mended_of(first), without_age(to_ms(now()))) if first and act == "replay" else "",
    }
    return TemplateResponse(request, "admin/usage/rejectedmessage/bulk.html", context)


def _step(request: HttpRequest, act: Literal["replay", "discard"], rows: QuerySet[RejectedMessage]) -> HttpResponse:
    reason = request.POST.get("reason", "").strip()[:MOST_REASON]
    after, until = request.POST.get("after", ""), request.POST.get("until", "")
    if not (after.isascii() and after.isdigit() and until.isascii() and until.isdigit()) or (act == "discard" and not reason):
        return JsonResponse({"error": "Say after, until and, to discard, a reason."}, status=400)
    step = bulk_step(rows, request.user, act, reason, int(after), int(until))  # type: ignore[arg-type] # staff
    words = {Reason(name).label if name in Reason.values else name: count for name, count in step.refusals.items()}
    return JsonResponse({**step.json(), "refusals": words})
