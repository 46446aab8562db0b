"""What the admin pages of all apps share: CSV of what is chosen, and tables that nobody may edit."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import date_format
from unfold import decorators
from unfold.admin import ModelAdmin, TabularInline

from accounts.csvs import csv_lines

Method = TypeVar("Method", bound=Callable[..., Any])


def action(**how: Any) -> Callable[[Method], Method]:
    """unfold's decorator for a button, with types: it has none of its own."""
    decorator: Callable[[Method], Method] = decorators.action(**how)
    return decorator


def display(**how: Any) -> Callable[[Method], Method]:
    """unfold's decorator for a column, with types."""
    decorator: Callable[[Method], Method] = decorators.display(**how)
    return decorator


def leave_dialog(request: HttpRequest, name: str, *args: object) -> HttpResponse:
    """Go on from a dialog to a page by its name: the browser follows a header, because htmx would follow a redirect itself."""
    url = reverse(name, args=args)
    return HttpResponse(headers={"HX-Redirect": url}) if request.headers.get("HX-Request") else redirect(url)


def written(instant: datetime) -> str:
    """An instant as the admin writes it in a column of its own."""
    return date_format(instant, "DATETIME_FORMAT")


class Desk(ModelAdmin):  # type: ignore[misc] # unfold has no types
    """An admin page whose list can be taken away as CSV: `csv_fields` names model fields, `__` reaches across keys."""

    actions: ClassVar[Any] = ["export_csv"]
    csv_fields: ClassVar[tuple[str, ...]] = ()
    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 40
    warn_unsaved_form = True

    @admin.action(description="Export as CSV")
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Any]) -> StreamingHttpResponse:
        rows = queryset.values_list(*self.csv_fields).iterator(chunk_size=2_000)
        name = f"{self.model._meta.verbose_name_plural}.csv".replace(" ", "-")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(csv_lines(self.csv_fields, rows), content_type="text/csv; charset=utf-8", headers=headers)


class Unwritable:
    """Permissions of a page that only shows."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyDesk(Unwritable, Desk):
    """Books that only the product itself writes."""


class Rows(TabularInline):  # type: ignore[misc] # unfold has no types
    """Rows inside another page."""

    extra = 0
    hide_title = True


class ReadOnlyRows(Unwritable, Rows):
    """Rows that are shown and nothing else."""
