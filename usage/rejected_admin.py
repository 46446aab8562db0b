"""The rejected-usage desk of the admin: why a message was refused, what it said, and what is to become of it."""

from collections import Counter
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, FieldTextFilter, RangeDateTimeFilter

from accounts.admin_parts import ReadOnlyDesk, action, display, leave_dialog, written
from usage.admin_forms import DiscardForm, FixForm, ReplayForm
from usage.desk import (
    discard_rejected,
    draft_fix,
    fix_rejected,
    judge,
    mended_of,
    replay_rejected,
    without_age,
)
from usage.desk_counts import reason_counts
from usage.models import RejectedMessage
from usage.payload import editable, hexadecimal, readable, readable_headers
from usage.periods import from_ms, to_ms
from usage.rejected_bulk import bulk
from usage.wire import RawMessage
from usage.wire_errors import Refused

MOST_AT_ONCE = 500
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
    actions_detail = ("fix", "replay", "discard")
    list_before_template = "admin/usage/rejectedmessage/counts.html"
    csv_fields = (
        "rejected_at", "topic", "partition", "offset", "machine_code", "reason", "detail", "state", "resolution", "resolved_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("reason", "detail", "machine_code", "state_label")}),
        ("Message as it came", {"fields": ("payload", "header_lines", "key_text", "bytes_text")}),
        ("As mended", {"fields": ("mended_payload", "mended_headers", "fix_reason", "fixed_by", "fixed_at")}),
        ("Where from", {"fields": ("place", "topic_id", "sent_at", "rejected_at", "numbers")}),
        (
            "What became of it",
            {
                "fields": (
                    "resolution",
                    "replayed_samples",
                    "replayed_duplicates",
                    "replays",
                    "last_refusal",
                    "resolved_by",
                    "resolved_at",
                )
            },
        ),
    )

    class Media:
        css = {"all": ("admin-desk.css",)}  # noqa: RUF012 as Django's forms want it

    def get_urls(self) -> list[Any]:
        bulk_page = self.admin_site.admin_view(lambda request, act: bulk(self, request, act))
        return [path("bulk/<str:act>/", bulk_page, name="usage_rejectedmessage_bulk"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        filters = request.GET.copy()
        filters.pop("p", None)
        shown = {"counts": reason_counts(), "filters": filters.urlencode(), "may_resolve": self.has_resolve_permission(request)}
        answer: HttpResponse = super().changelist_view(request, {**shown, **(extra_context or {})})
        return answer

    def get_fieldsets(self, request: HttpRequest, obj: RejectedMessage | None = None) -> Any:
        """What was not mended has nothing to show there."""
        return [
            (name, options) for name, options in self.fieldsets if name != "As mended" or (obj and obj.fixed_value is not None)
        ]

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

    @display(description="Bytes")
    def bytes_text(self, rejected: RejectedMessage) -> SafeString:
        value = bytes(rejected.value)
        return format_html("<details><summary>{} bytes</summary>{}</details>", len(value), _verbatim(hexadecimal(value)))

    @display(description="Value")
    def mended_payload(self, rejected: RejectedMessage) -> SafeString:
        return _verbatim(readable(bytes(rejected.fixed_value or b"")))

    @display(description="Headers")
    def mended_headers(self, rejected: RejectedMessage) -> SafeString:
        return _verbatim(readable_headers(rejected.fixed_headers or []) or "None")

    @display(description="Stream and numbers")
    def numbers(self, rejected: RejectedMessage) -> str:
        return f"{rejected.stream}, {rejected.seq_lo} to {(rejected.seq_hi or 1) - 1}" if rejected.stream else "Not known"

    def has_resolve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may decide over a refused message: whoever may change one, though its row is never edited by hand."""
        return bool(request.user.has_perm("usage.change_rejectedmessage"))

    @action(description="Fix", icon="build", url_path="fix", permissions=["resolve"])
    def fix(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Another value or another machine: checked, kept beside the bytes that came, and replayed if so asked."""
        rejected = get_object_or_404(RejectedMessage, pk=object_id)
        shown = editable(mended_of(rejected).value or b"")
        form = FixForm(request.POST or None, initial={"value": shown or ""})
        verdict = ""
        if form.is_valid():
            try:
                raw = draft_fix(rejected, form.new_value(shown), form.cleaned_data["machine"])
                if request.POST.get("do") in ("save", "replay"):
                    return self._fixed(request, rejected.pk, raw, form.cleaned_data["reason"])
                verdict = judge(raw, without_age(to_ms(now())))
            except Refused as refused:
                verdict = f"Cannot be changed like this: {refused.detail}"
        context = {
            **self.admin_site.each_context(request),
            "title": "Fix a refused message",
            "opts": self.model._meta,
            "form": form,
            "rejected": rejected,
            "is_text": shown is not None,
            "verdict": verdict,
        }
        return TemplateResponse(request, "admin/usage/rejectedmessage/fix.html", context)

    def _fixed(self, request: HttpRequest, pk: int, raw: RawMessage, reason: str) -> HttpResponse:
        row = fix_rejected(pk, request.user, raw, reason)  # type: ignore[arg-type] # staff
        self.log_change(request, row, f"Fixed: {reason}")
        self.message_user(request, "The mended message is kept beside the bytes that came.", messages.SUCCESS)
        if request.POST.get("do") == "replay":
            self._say(request, self._replay(request, pk))
        return leave_dialog(request, "admin:usage_rejectedmessage_change", pk)

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
        self._say(request, self._replay(request, object_id, admit_overlap=form.cleaned_data["admit_overlap"]))
        return leave_dialog(request, "admin:usage_rejectedmessage_change", object_id)

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
        return leave_dialog(request, "admin:usage_rejectedmessage_change", object_id)

    @admin.action(description="Replay", permissions=["resolve"])
    def replay_chosen(self, request: HttpRequest, queryset: QuerySet[RejectedMessage]) -> HttpResponse | None:
        if queryset.count() > MOST_AT_ONCE:
            return redirect(f"{reverse('admin:usage_rejectedmessage_bulk', args=['replay'])}?{request.GET.urlencode()}")
        outcomes = [self._replay(request, pk) for pk in queryset.order_by("pk").values_list("pk", flat=True)]
        for (text, level), count in Counter(outcomes).items():
            self._say(request, (text if count == 1 else f"{count} messages, each: {text}", level))
        return None

    @admin.action(description="Discard with a reason", permissions=["resolve"])
    def discard_chosen(self, request: HttpRequest, queryset: QuerySet[RejectedMessage]) -> HttpResponse | None:
        """Ask for the reason on a page of its own, then close them all with it."""
        if queryset.count() > MOST_AT_ONCE:
            return redirect(f"{reverse('admin:usage_rejectedmessage_bulk', args=['discard'])}?{request.GET.urlencode()}")
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

    def _replay(self, request: HttpRequest, pk: int, *, admit_overlap: bool = False) -> tuple[str, int]:
        """Replay one, and return what to say of it."""
        try:
            row = replay_rejected(pk, request.user, without_age(to_ms(now())), admit_overlap=admit_overlap)  # type: ignore[arg-type] # staff
        except Refused as refused:
            return f"Still refused: {refused.detail}", messages.ERROR
        self.log_change(request, row, f"Replayed: {row.resolution}")
        return f"{row.machine_code}: {row.resolution}.", messages.SUCCESS

    def _say(self, request: HttpRequest, outcome: tuple[str, int]) -> None:
        self.message_user(request, *outcome)

    def _discard(self, request: HttpRequest, pk: int, reason: str) -> None:
        try:
            row = discard_rejected(pk, request.user, reason)  # type: ignore[arg-type] # staff
        except Refused as refused:
            self.message_user(request, f"{pk} stays as it is: {refused.detail}", messages.ERROR)
            return
        self.log_change(request, row, f"Discarded: {reason}")
        self.message_user(request, f"{row.topic}-{row.partition}@{row.offset} discarded.", messages.SUCCESS)


def _verbatim(text: str) -> SafeString:
    return format_html(
        '<pre tabindex="0" class="font-mono text-xs whitespace-pre-wrap break-all max-h-96 overflow-auto">{}</pre>', text
    )
