"""What runs by the clock: each entry of beat's schedule, when it runs, what it does, and how it went the last time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

from celery.schedules import crontab
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django_celery_results.models import TaskResult


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One entry. `last` is its newest result; some tasks run so often that none is kept."""

    name: str
    task: str
    does: str
    when: str
    keeps_results: bool
    last: TaskResult | None


@require_safe
def schedules(request: HttpRequest) -> HttpResponse:
    """The page. Schedules are settings and are changed where those are; here is what became of them."""
    if not request.user.has_perm("django_celery_results.view_taskresult"):
        raise PermissionDenied
    context = {**admin.site.each_context(request), "title": "Schedules", "entries": list(entries())}
    return render(request, "admin/schedules.html", context)


def entries() -> Iterator[Scheduled]:
    """Yield the entries in the order of the settings. Two queries."""
    schedule: dict[str, dict[str, Any]] = settings.CELERY_BEAT_SCHEDULE
    names = [entry["task"] for entry in schedule.values()]
    newest = TaskResult.objects.filter(task_name__in=names).order_by().values("task_name").annotate(pk=Max("pk"))
    found = TaskResult.objects.filter(pk__in=[row["pk"] for row in newest])
    results = {result.task_name: result for result in found}
    for name, entry in schedule.items():
        module, _, function = entry["task"].rpartition(".")
        task = getattr(import_module(module), function)
        does = (task.__doc__ or "").strip().split("\n")[0]
        yield Scheduled(
            name, entry["task"], does, when_words(entry["schedule"]), not task.ignore_result, results.get(entry["task"])
        )


def when_words(schedule: crontab | float | timedelta) -> str:
    """When an entry runs, in words: those of the settings, which know minutes and hours."""
    if isinstance(schedule, timedelta):
        schedule = schedule.total_seconds()
    if not isinstance(schedule, crontab):
        return f"every {schedule:g} seconds"
    minute, hour = str(schedule._orig_minute), str(schedule._orig_hour)
    if hour != "*":
        return f"each day at {int(hour):02}:{int(minute):02} UTC"
    if minute.startswith("*/"):
        return f"every {minute.removeprefix('*/')} minutes"
    return "every minute" if minute == "*" else f"each hour at :{int(minute):02}"
