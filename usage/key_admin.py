"""The operator's pages for keys: what each machine signs with, tokens, and who may send without a signature."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.timezone import now
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from accounts.admin_parts import Desk, ReadOnlyDesk, display
from usage.enrolment import TOKEN_LIVES, create_token, revoke, withdraw_token
from usage.key_models import AgentState, EnrolmentToken, EnrolmentTokenQuerySet, MachineKey, UnsignedPermission
from usage.models import Machine


@admin.register(MachineKey)
class MachineKeyAdmin(ReadOnlyDesk):
    list_display = ("keyid", "machine", "created_at", "how", "revoked_by")
    list_filter = (("machine", AutocompleteSelectFilter),)
    list_select_related = ("machine", "revoked_by")
    search_fields = ("keyid", "machine__code")
    csv_fields = ("keyid", "machine__code", "created_at", "expires_at", "revoked_at")
    actions = (*Desk.actions, "revoke_keys")

    @display(description="State")
    def how(self, key: MachineKey) -> str:
        return key.state()

    @admin.action(description="Revoke all keys of these machines", permissions=["revoke"])
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[MachineKey]) -> None:
        machines = Machine.objects.filter(keys__in=queryset).distinct()
        user: Any = request.user
        ended = sum(revoke(machine, user) for machine in machines)
        self.message_user(request, f"{ended} keys were revoked; the workers notice within a minute.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.change_machine")


@admin.register(EnrolmentToken)
class EnrolmentTokenAdmin(Desk):
    list_display = ("prefix", "machine", "how", "created_at", "expires_at", "used_at", "created_by")
    list_filter = (("machine", AutocompleteSelectFilter),)
    list_select_related = ("machine", "created_by")
    actions = (*Desk.actions, "withdraw_tokens")
    fields = ("machine",)
    autocomplete_fields = ("machine",)
    search_fields = ("prefix", "machine__code")
    csv_fields = ("prefix", "machine__code", "created_at", "expires_at", "used_at")

    def has_change_permission(self, request: HttpRequest, obj: EnrolmentToken | None = None) -> bool:
        return False

    def has_withdraw_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.add_enrolmenttoken")

    @display(description="State")
    def how(self, token: EnrolmentToken) -> str:
        return token.state

    @admin.action(description="Withdraw these tokens", permissions=["withdraw"])
    def withdraw_tokens(self, request: HttpRequest, queryset: EnrolmentTokenQuerySet) -> None:
        tokens = list(queryset.open(now()).select_related("machine"))
        for token in tokens:
            withdraw_token(token)
        self.message_user(request, f"{len(tokens)} tokens were withdrawn; those that were used or are too old stay as they are.")

    def save_model(self, request: HttpRequest, obj: EnrolmentToken, form: Any, change: bool) -> None:
        user: Any = request.user
        token, secret = create_token(obj.machine, user, TOKEN_LIVES)
        obj.pk = token.pk
        text = "Run on the machine within a day, shown this once: <code>corehour-agent enrol {} {}</code>"
        self.message_user(request, format_html(text, request.build_absolute_uri("/").rstrip("/"), secret), messages.WARNING)


@admin.register(UnsignedPermission)
class UnsignedPermissionAdmin(Desk):
    list_display = ("customer", "reason", "granted_at", "granted_by")
    list_select_related = ("customer", "granted_by")
    autocomplete_fields = ("customer",)
    fields = ("customer", "reason")
    csv_fields = ("customer__code", "reason", "granted_at")

    def save_model(self, request: HttpRequest, obj: UnsignedPermission, form: Any, change: bool) -> None:
        user: Any = request.user
        obj.granted_by = obj.granted_by or user
        super().save_model(request, obj, form, change)


@admin.register(AgentState)
class AgentStateAdmin(ReadOnlyDesk):
    list_display = ("machine", "state", "mode", "interval_s", "waiting", "version", "skew_ms", "at")
    list_select_related = ("machine",)
    search_fields = ("machine__code",)
    csv_fields = ("machine__code", "state", "mode", "interval_s", "waiting", "version", "skew_ms", "at")
