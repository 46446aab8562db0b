"""The rejected-usage desk of the admin: why a message was refused, what it said, and what is to become of it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, FieldTextFilter, RangeDateTimeFilter

from accounts.admin_parts import ReadOnlyDesk, action, display, written
from usage.admin_forms import DiscardForm, ReplayForm
from usage.desk import discard_rejected, replay_rejected
from usage.models import RejectedMessage
from usage.payload import readable, readable_headers
from usage.periods import from_ms, to_ms
from usage.wire import Limits
from usage.wire_errors import Refused

STATE_COLOURS = {"Open": "warning", "Replayed": "success", "Discarded": "info"}


class RejectedMessageAdmin(ReadOnlyDesk):
    """The desk: understand a refused message, then replay it once its cause is mended, or discard it with a reason."""

    list_display = ("rejected_at", "reason", "machine_code", "detail", "state_label", "place")
    list_display_links = ("rejected_at", "reason")
    list_filter = (
        ("state", ChoicesCheckboxFilter),
        ("reason", ChoicesCheckboxFilter),
        ("machine_code", FieldTextFilter),
        ("rejected_at", RangeDateTimeFilter),
    )
    search_fields = ("machine_code", "detail", "resolution")
    actions = ("replay_chosen", "discard_chosen", "export_csv")
    actions_detail = ("replay", "discard")
    csv_fields = (
        "rejected_at", "topic", "partition", "offset", "machine_code", "reason", "detail", "state", "resolution", "resolved_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("reason", "detail", "machine_code", "state_label")}),
        ("Message", {"fields": ("payload", "header_lines", "key_text")}),
        ("Where from", {"fields": ("place", "topic_id", "sent_at", "rejected_at")}),
        ("What became of it", {"fields": ("resolution", "replayed_samples", "resolved_by", "resolved_at")}),
    )

    @display(description="State", ordering="state", label=STATE_COLOURS)
    def state_label(self, rejected: RejectedMessage) -> str:
        return rejected.get_state_display()

    @display(description="Topic, partition, offset")
    def place(self, rejected: RejectedMessage) -> str:
        return f"{rejected.topic}-{rejected.partition}@{rejected.offset}"

    @display(description="Sent (Kafka's timestamp)")
    def sent_at(self, rejected: RejectedMessage) -> str:
        return written(from_ms(rejected.timestamp_ms))

    @display(description="Value")
    def payload(self, rejected: RejectedMessage) -> SafeString:
        return _verbatim(readable(bytes(rejected.value)))

    @display(description="Headers")
    def header_lines(self, rejected: RejectedMessage) -> SafeString:
        return _verbatim(readable_headers(rejected.headers) or "None: a version 0 message has none.")

    @display(description="Key")
    def key_text(self, rejected: RejectedMessage) -> SafeString:
        return _verbatim(readable(bytes(rejected.key)) or "None")

    def has_resolve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may decide over a refused message: whoever may change one, though its row is never edited by hand."""
        return bool(request.user.has_perm("usage.change_rejectedmessage"))

    @action(
        description="Replay",
        icon="replay",
        url_path="replay",
        permissions=["resolve"],
        dialog={
            "title": "Replay this message?",
            "description": "It is judged again, whatever its age. What is stored already does not count twice.",
            "form_class": ReplayForm,
            "form_submit_text": "Replay",
        },
    )
    def replay(self, request: HttpRequest, form: ReplayForm, object_id: int) -> HttpResponse:
        self._replay(request, object_id)
        return _back_from_dialog(request, object_id)

    @action(
        description="Discard",
        icon="delete_sweep",
        url_path="discard",
        permissions=["resolve"],
        dialog={
            "title": "Discard this message?",
            "description": "It will never be counted. The reason stays with it.",
            "form_class": DiscardForm,
            "form_submit_text": "Discard",
        },
    )
    def discard(self, request: HttpRequest, form: DiscardForm, object_id: int) -> HttpResponse:
        self._discard(request, object_id, form.cleaned_data["reason"])
        return _back_from_dialog(request, object_id)

    @admin.action(description="Replay", permissions=["resolve"])
    def replay_chosen(self, request: HttpRequest, queryset: QuerySet[RejectedMessage]) -> None:
        for pk in queryset.order_by("pk").values_list("pk", flat=True):
            self._replay(request, pk)

    @admin.action(description="Discard with a reason", permissions=["resolve"])
    def discard_chosen(self, request: HttpRequest, queryset: QuerySet[RejectedMessage]) -> TemplateResponse | None:
        """Ask for the reason on a page of its own, then close them all with it."""
        form = DiscardForm(request=request, data=request.POST if "reason" in request.POST else None)
        if form.is_valid():
            for pk in queryset.order_by("pk").values_list("pk", flat=True):
                self._discard(request, pk, form.cleaned_data["reason"])
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Discard refused messages",
            "opts": self.model._meta,
            "form": form,
            "chosen": queryset,
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "admin/usage/rejectedmessage/discard.html", context)

    def _replay(self, request: HttpRequest, pk: int) -> None:
        now_ms = to_ms(now())
        try:
            row = replay_rejected(pk, request.user, Limits(now_ms, max_age_ms=now_ms))  # type: ignore[arg-type] # staff
        except Refused as refused:
            self.message_user(request, f"{pk} is still refused: {refused.detail}", messages.ERROR)
            return
        self.log_change(request, row, f"Replayed: {row.resolution}")
        self.message_user(request, f"{row.machine_code}: {row.resolution}.", messages.SUCCESS)

    def _discard(self, request: HttpRequest, pk: int, reason: str) -> None:
        try:
            row = discard_rejected(pk, request.user, reason)  # type: ignore[arg-type] # staff
        except Refused as refused:
            self.message_user(request, f"{pk} stays as it is: {refused.detail}", messages.ERROR)
            return
        self.log_change(request, row, f"Discarded: {reason}")
        self.message_user(request, f"{row.topic}-{row.partition}@{row.offset} discarded.", messages.SUCCESS)


def _verbatim(text: str) -> SafeString:
    return format_html('<pre class="font-mono text-xs whitespace-pre-wrap break-all max-h-96 overflow-auto">{}</pre>', text)


def _back_from_dialog(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave a dialog for the message's page: the browser follows a header, because htmx would follow a redirect itself."""
    url = reverse("admin:usage_rejectedmessage_change", args=[pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)
