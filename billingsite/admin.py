"""What the admin shows of the programs beside Django: the task queue's results. Its schedule is in the settings, not in rows."""

from django.contrib import admin
from django_celery_beat import models as beat
from django_celery_results.models import GroupResult, TaskResult

from accounts.admin_parts import ReadOnlyDesk

admin.site.index_title = "Overview"

for unused in (
    beat.PeriodicTask,
    beat.ClockedSchedule,
    beat.CrontabSchedule,
    beat.IntervalSchedule,
    beat.SolarSchedule,
    GroupResult,
    TaskResult,
):
    admin.site.unregister(unused)


@admin.register(TaskResult)
class TaskResultAdmin(ReadOnlyDesk):
    list_display = ("task_name", "status", "date_created", "date_done", "worker")
    list_filter = ("status", "task_name")
    search_fields = ("task_name", "task_id", "result")
    csv_fields = ("task_id", "task_name", "status", "date_created", "date_started", "date_done", "worker", "result", "traceback")
