"""The admin's desk for plans: a draft is edited price by price, published once, and read-only from then on."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Field, Model
from django.http import HttpRequest, HttpResponse
from django.urls import path
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesCheckboxFilter
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin_parts import Desk, ReadOnlyRows, Rows, action, display, leave_dialog
from invoices import publishing
from invoices.admin_forms import PLACES, DecisionForm, PriceForm, PriceRowsFormSet, ScaledField, SubscriptionForm
from invoices.backtest_admin import backtest_page
from invoices.catalogue import STORED
from invoices.models import PlanVersion, Price, RatePlan, Subscription, Tier
from invoices.plan_fields import PlanFileError
from invoices.plan_lines import read_series, read_windows, write_series, write_windows
from invoices.plan_price import KEYS_OF, price_of
from invoices.terms import Model as PriceModel

STATE_COLOURS = {"Draft": "warning", "Published": "success"}
HELP = {"nano": "In the plan's currency, such as 0.042", "micro": "In the price's unit"}


class Scaled:
    """Shows columns that end in _nano and _micro as decimals."""

    def formfield_for_dbfield(self, db_field: "Field[Any, Any]", request: HttpRequest, **options: Any) -> Any:
        scale = db_field.name.rpartition("_")[2]
        if scale not in PLACES:
            return super().formfield_for_dbfield(db_field, request, **options)  # type: ignore[misc]
        return ScaledField(
            places=PLACES[scale],
            required=not db_field.null,
            label=db_field.name.rpartition("_")[0].replace("_", " ").capitalize(),
            help_text=HELP[scale],
            initial=db_field.get_default(),
        )


def is_draft(obj: Model | None) -> bool:
    """Whether a version, or the version that a price belongs to, may still be edited."""
    version = obj.version if isinstance(obj, Price) else obj
    return not isinstance(version, PlanVersion) or version.state == PlanVersion.State.DRAFT


class WhileDraft:
    """Permissions that end when a version is published; the database refuses the rest."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(super().has_add_permission(request, obj)) and is_draft(obj)  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and is_draft(obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and is_draft(obj)  # type: ignore[misc]


class TierRows(Scaled, WhileDraft, Rows):
    model = Tier


class PriceRows(Scaled, WhileDraft, Rows):
    model = Price
    form = PriceForm
    formset = PriceRowsFormSet
    fields = ("position", "name", "model", "meter", "unit", "price_nano", "included_micro", "machine_class")
    show_change_link = True


class VersionRows(ReadOnlyRows):
    model = PlanVersion
    fields = ("number", "state", "effective_from", "published_at")
    readonly_fields = fields
    show_change_link = True


class PlanAdmin(Desk):
    """A plan: its name and its versions."""

    list_display = ("name", "code", "currency", "created_at")
    search_fields = ("name", "code")
    inlines = (VersionRows,)
    actions_detail = ("new_draft",)
    csv_fields = ("code", "name", "currency", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: RatePlan | None = None) -> tuple[str, ...]:
        return ("code", "currency", "created_at") if obj else ()

    def has_draft_permission(self, request: HttpRequest, object_id: int | str | None = None) -> bool:
        return bool(request.user.has_perm("invoices.add_planversion"))

    @action(
        description="New draft",
        icon="edit_note",
        url_path="new-draft",
        permissions=["draft"],
        dialog={
            "title": "Draft the next version?",
            "description": "It begins as a copy of the newest one.",
            "form_class": DecisionForm,
            "form_submit_text": "Draft",
        },
    )
    def new_draft(self, request: HttpRequest, form: DecisionForm, object_id: int) -> HttpResponse:
        try:
            version = publishing.new_draft(RatePlan.objects.get(pk=object_id))
        except publishing.PlanError as error:
            self.message_user(request, str(error), messages.ERROR)
            return leave_dialog(request, "admin:invoices_rateplan_change", object_id)
        return leave_dialog(request, "admin:invoices_planversion_change", version.pk)


class VersionAdmin(WhileDraft, Desk):
    """A version: edited while it is a draft, then published."""

    list_display = ("plan", "number", "state_label", "effective_from", "published_at")
    list_display_links = ("plan", "number")
    list_filter = (("plan", AutocompleteSelectFilter), ("state", ChoicesCheckboxFilter))
    list_select_related = ("plan",)
    search_fields = ("plan__name", "plan__code")
    fields = ("plan", "number", "state_label", "effective_from", "published_at")
    readonly_fields = ("plan", "number", "state_label", "published_at")
    inlines = (PriceRows,)
    actions_detail = ("publish", "backtest")
    csv_fields = ("plan__code", "number", "state", "effective_from", "published_at")

    @display(description="State", ordering="state", label=STATE_COLOURS)
    def state_label(self, version: PlanVersion) -> str:
        return version.get_state_display()

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A draft is begun on its plan's page, as a copy of the newest version."""
        return False

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.backtest_view)
        return [path("<int:pk>/past-months/", page, name="invoices_planversion_past_months"), *super().get_urls()]

    def backtest_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return backtest_page(request, pk, {**self.admin_site.each_context(request), "title": "Try on past months"})

    @action(description="Try on past months", icon="history", url_path="backtest", permissions=["view"])
    def backtest(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return leave_dialog(request, "admin:invoices_planversion_past_months", object_id)

    def has_publish_permission(self, request: HttpRequest, object_id: int | str | None = None) -> bool:
        return bool(request.user.has_perm("invoices.change_planversion"))

    @action(
        description="Publish",
        icon="publish",
        url_path="publish",
        permissions=["publish"],
        dialog={
            "title": "Publish this version?",
            "description": "It is in force from its effective date and can never be changed again. Save the draft first.",
            "form_class": DecisionForm,
            "form_submit_text": "Publish",
        },
    )
    def publish(self, request: HttpRequest, form: DecisionForm, object_id: int) -> HttpResponse:
        try:
            version = publishing.publish(PlanVersion.objects.get(pk=object_id))
        except publishing.PlanError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.log_change(request, version, "Published")
            self.message_user(request, f"{version} is published.", messages.SUCCESS)
        return leave_dialog(request, "admin:invoices_planversion_change", object_id)


class DetailedPriceForm(PriceForm):
    """A price with its windows and its series, a line each, and its further keys: checked as a plan file would be."""

    windows = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="For time of use, one a line in the customer's zone: Mo-Fr 08:00-20:00 0.055 working hours",
    )
    series = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12, "spellcheck": "false"}),
        help_text="For a spot series, one a line, from when (UTC) and at which price: 2026-10-01 00:00 0.0171",
    )
    LINES: ClassVar[dict[str, tuple[PriceModel, Any, Any]]] = {
        "windows": (PriceModel.TIME_OF_USE, read_windows, write_windows),
        "series": (PriceModel.SPOT_SERIES, read_series, write_series),
    }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        details = dict(self.instance.details or {})
        for name, (_, _, write) in self.LINES.items():
            self.initial[name] = write(details.pop(name, []))
        self.initial["details"] = details

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        self._take_lines(cleaned)
        details, model = cleaned.get("details"), cleaned.get("model")
        if self.errors or not details or not model:
            return cleaned
        key = "rate" if model == "graduated_percentage" else "unit_price"
        row = {"model": model, "meter": cleaned.get("meter") or "", "unit": cleaned.get("unit") or "", "tiers": [{key: "0"}]}
        row |= {name: "1" for name in ("unit_price", "package_size", "package_price")}
        try:
            known = {
                name: value for name, value in row.items() if name in KEYS_OF[PriceModel(model)] | {"model", "meter", "unit"}
            }
            price_of({**known, **details} if isinstance(details, dict) else {}, 0, STORED)
        except PlanFileError as error:
            words = str(error).removeprefix("prices[0].")
            self.add_error(next((name for name in self.LINES if words.startswith(name)), "details"), words)
        return cleaned

    def _take_lines(self, cleaned: dict[str, Any]) -> None:
        """Put what the lines say among the further keys, where prices are rated from."""
        for name, (model, read, _) in self.LINES.items():
            text = cleaned.get(name, "")
            if text and cleaned.get("model") != model:
                self.add_error(name, f"Only a price of the model {model.value} has these.")
            elif text:
                try:
                    cleaned["details"] = {**(cleaned.get("details") or {}), name: read(text)}
                except PlanFileError as error:
                    self.add_error(name, str(error).capitalize())


class PriceAdmin(Scaled, WhileDraft, Desk):
    """One price with its tiers, reached from its version."""

    form = DetailedPriceForm
    fields = (
        "version", "position", "name", "model", "meter", "unit", "price_nano", "package_micro", "included_micro",
        "flat_when_zero", "proration", "machine_class", "windows", "series", "details",
    )  # fmt: skip
    readonly_fields = ("version",)
    inlines = (TierRows,)
    csv_fields = ("version__plan__code", "version__number", "position", "name", "model", "meter", "unit", "price_nano")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class SubscriptionAdmin(Desk):
    """Who is billed by which plan, and since when."""

    form = SubscriptionForm
    fields = ("customer", "plan", "start", "end", "side_by_side")
    list_display = ("customer", "plan", "start", "end")
    list_filter = (("customer", AutocompleteSelectFilter), ("plan", AutocompleteSelectFilter))
    list_select_related = ("customer", "plan")
    search_fields = ("customer__name", "customer__code", "plan__name")
    autocomplete_fields = ("customer", "plan")
    csv_fields = ("customer__code", "plan__code", "start", "end")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A subscription is ended: without it, what was billed would have to be given back."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        return ("customer", "plan") if obj else ()
