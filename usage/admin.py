"""The operator's desk for usage: machines, the messages that were refused, and the books of ingest."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesCheckboxFilter, FieldTextFilter, RangeDateTimeFilter

from accounts.admin_parts import Desk, ReadOnlyDesk, action, display, leave_dialog, written
from usage import key_admin
from usage.admin_forms import PlainForm
from usage.completeness_admin import CompletenessPages
from usage.desk import acknowledge
from usage.models import IngestIncident, IngestOffset, Machine, RejectedMessage, StreamRun, UsageBucket, UsageSample, WorkerBeat
from usage.periods import from_ms
from usage.rejected_admin import RejectedMessageAdmin

admin.site.register(RejectedMessage, RejectedMessageAdmin)
__all__ = ["key_admin"]  # It registers its own.
ACKNOWLEDGE = {
    "title": "Acknowledge this incident?",
    "description": "You have seen to it. Should it happen again, a new incident opens.",
    "form_class": PlainForm,
    "form_submit_text": "Acknowledge",
}


@admin.register(Machine)
class MachineAdmin(CompletenessPages, Desk):
    actions_list = ("completeness_of_all",)
    actions_detail = ("completeness_of_one",)
    list_display = ("code", "name", "customer", "machine_class", "last_seen", "retired_at")
    list_filter = (("customer", AutocompleteSelectFilter), ("machine_class", FieldTextFilter))
    list_select_related = ("customer",)
    search_fields = ("code", "name", "customer__name", "customer__code")
    autocomplete_fields = ("customer",)
    readonly_fields = ("cores", "memory_mib", "last_seen", "created_at")
    csv_fields = (
        "code",
        "name",
        "customer__code",
        "machine_class",
        "cores",
        "memory_mib",
        "last_seen_ms",
        "created_at",
        "retired_at",
    )
    fieldsets = (
        (None, {"fields": ("customer", "code", "name", "machine_class")}),
        ("As last reported", {"fields": ("cores", "memory_mib", "last_seen")}),
        ("Dates", {"fields": ("created_at", "retired_at")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Machine | None = None) -> tuple[str, ...]:
        """A machine never moves: its past usage would move with it to another bill, and its agent knows its code."""
        return (*self.readonly_fields, "customer", "code") if obj else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Machine | None = None) -> bool:
        """A machine that sent anything stays: its usage is billed. Retire it instead."""
        used = obj is not None and (
            UsageSample.objects.filter(machine=obj).exists()
            or UsageBucket.objects.filter(machine=obj).exists()
            or StreamRun.objects.filter(machine=obj).exists()
        )
        return not used and bool(super().has_delete_permission(request, obj))

    @display(description="Last seen", ordering="last_seen_ms")
    def last_seen(self, machine: Machine) -> str:
        return written(from_ms(machine.last_seen_ms)) if machine.last_seen_ms else "Never"


@admin.register(UsageBucket)
class UsageBucketAdmin(ReadOnlyDesk):
    list_display = ("machine", "start", "covered_s", "samples", "cpu_ms", "memory_mib_ms", "net_rx", "net_tx")
    list_filter = (("machine", AutocompleteSelectFilter),)
    list_select_related = ("machine",)
    show_full_result_count = False
    csv_fields = (
        "machine__code", "start_ms", "covered_ms", "samples", "cpu_ms", "memory_mib_ms", "disk_mib_ms",
        "net_rx", "net_tx", "disk_read", "disk_write", "cpu_upct", "memory_upct",
    )  # fmt: skip

    @display(description="Quarter hour (UTC)", ordering="start_ms")
    def start(self, bucket: UsageBucket) -> str:
        return written(from_ms(bucket.start_ms))

    @display(description="Covered, s", ordering="covered_ms")
    def covered_s(self, bucket: UsageBucket) -> int:
        return bucket.covered_ms // 1_000


@admin.register(StreamRun)
class StreamRunAdmin(ReadOnlyDesk):
    list_display = ("machine", "stream", "lo", "hi")
    list_filter = (("machine", AutocompleteSelectFilter),)
    list_select_related = ("machine",)
    search_fields = ("stream",)
    csv_fields = ("machine__code", "stream", "lo", "hi")


@admin.register(IngestOffset)
class IngestOffsetAdmin(ReadOnlyDesk):
    list_display = (
        "topic",
        "partition",
        "next_offset",
        "stored",
        "duplicate",
        "rejected",
        "skipped",
        "samples_stored",
        "updated_at",
    )
    csv_fields = (
        "topic", "partition", "cluster_id", "topic_id", "first_offset", "next_offset", "stored", "duplicate", "rejected",
        "skipped", "samples_stored", "samples_duplicate", "updated_at",
    )  # fmt: skip


@admin.register(IngestIncident)
class IngestIncidentAdmin(ReadOnlyDesk):
    list_display = ("last_at", "kind", "machine_code", "count", "detail", "state_label")
    list_filter = (
        ("kind", ChoicesCheckboxFilter),
        ("acknowledged_at", admin.EmptyFieldListFilter),
        ("last_at", RangeDateTimeFilter),
    )
    search_fields = ("machine_code", "detail")
    actions = ("acknowledge_chosen", "export_csv")
    actions_detail = ("acknowledge_one",)
    csv_fields = (
        "at",
        "last_at",
        "kind",
        "machine_code",
        "count",
        "detail",
        "acknowledged_at",
        "acknowledged_by__email",
        "reference",
    )

    @display(description="State", label={"Open": "warning", "Acknowledged": "info"})
    def state_label(self, incident: IngestIncident) -> str:
        return "Acknowledged" if incident.acknowledged_at else "Open"

    def has_resolve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may say that an incident was seen to: whoever may change one, though its row is never edited by hand."""
        return bool(request.user.has_perm("usage.change_ingestincident"))

    @admin.action(description="Acknowledge", permissions=["resolve"])
    def acknowledge_chosen(self, request: HttpRequest, queryset: QuerySet[IngestIncident]) -> None:
        count = acknowledge(queryset, request.user)  # type: ignore[arg-type] # staff
        self.message_user(request, f"{count} acknowledged. Should it happen again, a new incident opens.", messages.SUCCESS)

    @action(description="Acknowledge", icon="done", url_path="acknowledge", permissions=["resolve"], dialog=ACKNOWLEDGE)
    def acknowledge_one(self, request: HttpRequest, form: PlainForm, object_id: int) -> HttpResponse:
        self.acknowledge_chosen(request, IngestIncident.objects.filter(pk=object_id))
        return leave_dialog(request, "admin:usage_ingestincident_changelist")


@admin.register(WorkerBeat)
class WorkerBeatAdmin(ReadOnlyDesk):
    list_display = ("name", "started_at", "beat_at", "messages", "samples", "rejected", "fenced", "lag")
    csv_fields = ("name", "started_at", "beat_at", "messages", "samples", "rejected", "fenced", "lag")
