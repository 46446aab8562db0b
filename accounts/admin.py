"""The operator's desk for people: users, customers, their members and their API keys."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.timezone import now
from unfold.forms import AdminPasswordChangeForm, BaseDialogForm, UserChangeForm, UserCreationForm

from accounts import mails, viewing
from accounts.admin_parts import Desk, ReadOnlyDesk, ReadOnlyRows, Rows, action, display, leave_dialog
from accounts.models import ApiKey, AuditEntry, Customer, Mail, Membership, Notice, User, WebhookDelivery, WebhookEndpoint
from accounts.people import issue_key, revoke_key
from accounts.privacy_admin import PersonalData
from accounts.scopes import READING, SCOPES
from accounts.webhook_admin import WebhookDeliveryAdmin, WebhookEndpointAdmin

admin.site.unregister(Group)
admin.site.register(WebhookEndpoint, WebhookEndpointAdmin)
admin.site.register(WebhookDelivery, WebhookDeliveryAdmin)

POWERS = ("is_staff", "staff_role", "is_superuser", "groups", "user_permissions")


class MembershipRows(Rows):
    model = Membership
    autocomplete_fields = ("user",)


class CustomerMembershipRows(Rows):
    model = Membership
    autocomplete_fields = ("customer",)


class ApiKeyRows(ReadOnlyRows):
    model = ApiKey
    fields = ("name", "prefix", "created_at", "last_used_at", "revoked_at")
    readonly_fields = fields
    show_change_link = True


class NewUserForm(UserCreationForm):  # type: ignore[misc] # unfold has no types
    class Meta:
        model = User
        fields = ("email", "name")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


class ChangedUserForm(UserChangeForm):  # type: ignore[misc] # unfold has no types
    class Meta:
        model = User
        fields = "__all__"  # noqa: DJ007 - the admin's fieldsets choose

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


@admin.register(User)
class UserAdmin(DjangoUserAdmin, PersonalData):  # type: ignore[type-arg] # not generic at run time
    form = ChangedUserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    ordering = ("email",)
    list_display = ("email", "name", "is_staff", "staff_role", "is_active", "last_login")
    list_filter = ("is_staff", "staff_role", "is_superuser", "is_active", "groups")
    search_fields = ("email", "name")
    readonly_fields = ("last_login", "created_at")
    filter_horizontal = ("groups", "user_permissions")
    inlines = (CustomerMembershipRows,)
    csv_fields = ("email", "name", "is_staff", "is_active", "last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("What they may do", {"fields": ("is_active", *POWERS)}),
        ("Dates", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Only a superuser hands out powers; otherwise whoever may edit users could make themselves one."""
        fixed = tuple(super().get_readonly_fields(request, obj))
        return fixed if request.user.is_superuser else (*fixed, *POWERS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return bool(super().has_delete_permission(request, obj))


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, Desk):
    csv_fields = ("name",)
    filter_horizontal = ("permissions",)


class ViewAsForm(BaseDialogForm):  # type: ignore[misc]
    """Asks for nothing but the decision."""


@admin.register(Customer)
class CustomerAdmin(Desk):
    list_display = ("name", "code", "currency", "timezone", "member_count")
    list_filter = ("currency", "timezone")
    search_fields = ("name", "code", "tax_id", "memberships__user__email")
    readonly_fields = ("created_at",)
    prepopulated_fields: ClassVar[dict[str, tuple[str, ...]]] = {"code": ("name",)}
    inlines = (MembershipRows, ApiKeyRows)
    actions_detail = ("view_as", "new_key")
    csv_fields = (
        "code", "name", "currency", "timezone", "address", "country", "tax_id", "prices_include_tax", "locale", "grace_hours",
        "due_days", "created_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("name", "code")}),
        (
            "Billing",
            {
                "fields": (
                    "currency",
                    "timezone",
                    "locale",
                    "grace_hours",
                    "due_days",
                    "budget_minor",
                    "address",
                    "country",
                    "tax_id",
                    "invoice_email",
                    "buyer_reference",
                    "prices_include_tax",
                )  # fmt: skip
            },
        ),
        ("Dates", {"fields": ("created_at",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        found: QuerySet[Customer] = super().get_queryset(request)
        return found.annotate(member_total=Count("memberships"))

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        """A code is in addresses and keys, a currency in amounts: neither changes under what was written with it."""
        return (*self.readonly_fields, "code", "currency") if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Customer | None = None) -> dict[str, tuple[str, ...]]:
        return {} if obj else self.prepopulated_fields

    @display(description="Members", ordering="member_total")
    def member_count(self, customer: Any) -> int:
        return int(customer.member_total)

    def has_issue_key_permission(self, request: HttpRequest, object_id: int | str | None = None) -> bool:
        """A method and not a permission's name, which would be looked up in the database before there is one."""
        return bool(request.user.has_perm("accounts.add_apikey"))

    def has_view_as_permission(self, request: HttpRequest, object_id: int | str | None = None) -> bool:
        return viewing.may_view(request.user)

    @action(
        description="View as customer",
        icon="visibility",
        url_path="view-as",
        permissions=["view_as"],
        dialog={
            "title": "View as this customer?",
            "description": "You see the portal as its people do, for an hour at most. Nothing can be changed, and it is logged.",
            "form_class": ViewAsForm,
            "form_submit_text": "View",
        },
    )
    def view_as(self, request: HttpRequest, form: ViewAsForm, object_id: int) -> HttpResponse:
        viewing.begin(request, get_object_or_404(Customer, pk=object_id))
        return leave_dialog(request, "overview")

    @action(description="New API key", icon="key", url_path="new-key", permissions=["issue_key"])
    def new_key(self, request: HttpRequest, object_id: int) -> HttpResponseRedirect:
        return redirect(f"{reverse('admin:accounts_apikey_add')}?customer={object_id}")


class NewKeyForm(forms.ModelForm):  # type: ignore[type-arg] # not generic at run time
    class Meta:
        model = ApiKey
        fields = ("customer", "name", "scopes", "expires_at")

    scopes = forms.CharField(required=False, help_text=f"Some of {', '.join(SCOPES)}. Empty: {', '.join(READING)}")

    def clean_scopes(self) -> str:
        words = str(self.cleaned_data["scopes"]).split() or READING
        if set(words) - set(SCOPES):
            raise forms.ValidationError(f"Use some of: {', '.join(SCOPES)}.")
        return " ".join(words)


@admin.register(ApiKey)
class ApiKeyAdmin(Desk):
    list_display = ("name", "prefix", "customer", "state", "last_used_at", "created_at")
    list_filter = (("customer", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("customer",)
    search_fields = ("name", "prefix", "customer__name", "customer__code")
    autocomplete_fields = ("customer",)
    actions = ("export_csv", "revoke")
    form = NewKeyForm
    fields = ("customer", "name", "scopes", "expires_at", "prefix", "created_at", "last_used_at", "revoked_at")
    csv_fields = ("customer__code", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")

    @display(description="State", label={"Live": "success", "Revoked": "danger", "Expired": "warning"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at and key.revoked_at <= now():
            return "Revoked"
        return "Expired" if key.expires_at and key.expires_at <= now() else "Live"

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return self.fields if obj else ("customer", "name", "scopes", "expires_at")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return tuple(name for name in self.fields if name != "name") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Keys are revoked, so that it stays known who could read what."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["name"])
            return
        key, secret = issue_key(obj.customer, obj.name, obj.scope_list, obj.expires_at)
        obj.pk, obj.prefix = key.pk, key.prefix
        text = "Copy the secret now, it is shown this once: <code>{}</code>"
        self.message_user(request, format_html(text, secret), messages.WARNING)

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        live = list(ApiKey.objects.live().filter(pk__in=queryset))
        for key in live:
            revoke_key(key)
        revoked = len(live)
        self.message_user(request, f"{revoked} keys revoked. They stop working at once.", messages.SUCCESS)


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyDesk):
    """Who did what. `manage.py verify_audit` proves that nothing was changed."""

    list_display = ("at", "actor", "action", "target", "customer_pk", "address")
    list_filter = ("action",)
    search_fields = ("actor", "action", "target", "address", "request_id")
    fields = ("id", "at", "actor", "customer_pk", "action", "target", "address", "request_id", "before", "after", "digest")
    csv_fields = fields


@admin.register(Mail)
class MailAdmin(ReadOnlyDesk):
    """What went out, to whom, and what could not be sent."""

    list_display = ("created_at", "customer", "kind", "recipient", "state_label", "attempts", "problem", "sent_at")
    list_filter = ("state", "kind", ("customer", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("customer",)
    search_fields = ("recipient", "subject", "occasion", "customer__name", "customer__code")
    actions = ("export_csv", "try_again")
    fields = (
        "customer", "kind", "occasion", "recipient", "language", "state", "attempts", "problem", "next_at", "created_at",
        "sent_at", "subject", "text",
    )  # fmt: skip
    csv_fields = ("customer__code", "kind", "occasion", "recipient", "state", "attempts", "problem", "created_at", "sent_at")

    @display(description="State", label={"Sent": "success", "Given up": "danger", "Waiting": "info", "Being sent": "info"})
    def state_label(self, mail: Mail) -> str:
        return mail.get_state_display()

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Rows are never edited by hand, so the permission that a role holds is asked for by name."""
        return bool(request.user.has_perm("accounts.change_mail"))

    @admin.action(description="Try again", permissions=["resend"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Mail]) -> None:
        stuck = list(queryset.filter(state__in=[Mail.State.FAILED, Mail.State.WAITING]))
        for mail in stuck:
            mails.ask_again(mail)
        self.message_user(request, f"{len(stuck)} mails are tried again within a minute.", messages.SUCCESS)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyDesk):
    """What customers' people were told."""

    list_display = ("at", "customer", "kind", "facts")
    list_filter = ("kind", ("customer", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("customer",)
    fields = csv_fields = ("at", "customer", "kind", "facts")
