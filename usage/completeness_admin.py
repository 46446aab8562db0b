"""The operator's view of what arrived: the fleet, those that need a look first, and one machine with its streams and holes."""

from typing import Any
from zoneinfo import ZoneInfo

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.timezone import now

from accounts.admin_parts import action
from usage.completeness import Completeness, StreamState, Summary, clock_of, completeness, needing, summaries
from usage.models import Machine
from usage.periods import from_ms, month_of, to_ms

SHOWS = {"all": "All", "silent": "Silent", "holes": "With holes", "clock": "Clock off", "alarms": "With incidents"}
PAGE = 50
MOST_SPANS = 200


class CompletenessPages:
    """Two pages for the admin of machines; its `actions_list` and `actions_detail` link them."""

    admin_site: Any
    model: type[Machine]

    @action(description="Completeness", icon="rule_settings", url_path="completeness", permissions=["view"])
    def completeness_of_all(self, request: HttpRequest) -> HttpResponse:
        moment = now()
        show = request.GET.get("show", "all")
        show = show if show in SHOWS else "all"
        page = Paginator(needing(show, to_ms(moment)), PAGE).get_page(request.GET.get("page"))
        lines = summaries(list(page.object_list), month_of(moment, ZoneInfo("UTC")), to_ms(moment))
        context = {
            **self.admin_site.each_context(request),
            "title": "Completeness",
            "opts": self.model._meta,
            "shows": [(key, words, key == show) for key, words in SHOWS.items()],
            "show": show,
            "page": page,
            "lines": [_line(line) for line in lines],
            "month": moment,
        }
        return TemplateResponse(request, "admin/usage/machine/fleet.html", context)

    @action(description="Completeness", icon="rule_settings", url_path="completeness", permissions=["view"])
    def completeness_of_one(self, request: HttpRequest, object_id: int) -> HttpResponse:
        machine = get_object_or_404(Machine.objects.select_related("customer"), pk=object_id)
        moment = now()
        month = month_of(moment, machine.customer.zone)
        found = completeness(machine, month, to_ms(moment))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Completeness of {machine}",
            "opts": self.model._meta,
            "found": found,
            "facts": _facts(found),
            "streams": [_stream(stream) for stream in found.streams],
            "incidents": found.incidents,
        }
        return TemplateResponse(request, "admin/usage/machine/completeness.html", context)


def _line(line: Summary) -> dict[str, Any]:
    return {
        "machine": line.row.machine,
        "state": str(line.row.state),
        "seen": from_ms(line.row.machine.last_seen_ms) if line.row.machine.last_seen_ms else None,
        "coverage": _percent(line.row.coverage),
        "streams": line.streams,
        "holes": line.holes,
        "late": line.late_samples,
        "clock": line.clock,
        "incidents": line.incidents,
    }


def _facts(found: Completeness) -> dict[str, Any]:
    machine = found.machine
    skew = machine.clock_skew_ms
    return {
        "state": str(found.row.state),
        "seen": from_ms(machine.last_seen_ms) if machine.last_seen_ms else None,
        "coverage": _percent(found.coverage),
        "missing": sum(stream.missing_samples for stream in found.streams),
        "refused": sum(stream.refused_samples for stream in found.streams),
        "late": found.late_samples,
        "skew": "–" if skew is None else f"{skew / 1000:+,.1f} s",
        "clock": clock_of(machine),
    }


def _stream(stream: StreamState) -> dict[str, Any]:
    return {
        "state": stream,
        "since": from_ms(stream.since_ms) if stream.since_ms else None,
        "until": from_ms(stream.until_ms) if stream.until_ms else None,
        "missing": [(lo, hi - 1) for lo, hi in stream.missing[:MOST_SPANS]],
        "more_missing": max(0, len(stream.missing) - MOST_SPANS),
        "refused": [(lo, hi - 1) for lo, hi in stream.refused[:MOST_SPANS]],
        "more_refused": max(0, len(stream.refused) - MOST_SPANS),
    }


def _percent(share: Any) -> str:
    """A share of one in percent, rounded down to two places: 100 means all of it."""
    return "–" if share is None else f"{int(share * 10_000) / 100:.2f} %"
