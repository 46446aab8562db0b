"""The API's room of usage: machines, their watermark, what they used in any window, and their newest samples."""

import base64
import binascii
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from accounts.access import visible_customers
from accounts.keys import actor
from accounts.models import Customer
from accounts.pages import BAD_CURSOR
from accounts.query import CustomerPageQuery, CustomerQuery, customer_of
from accounts.schema import REFUSALS
from accounts.versioned import require_match, with_etag
from usage import api_examples as examples
from usage.api_forms import (
    MachineChange,
    MachineForm,
    MachineSerializer,
    SampleQuery,
    SampleSerializer,
    UsagePageSerializer,
    UsageQuery,
    UsageSerializer,
    WatermarkQuery,
    WatermarkSerializer,
)
from usage.completeness import watermark
from usage.machines import MachineError, add_machine, change_machine
from usage.models import Machine, UsageSample
from usage.periods import BUCKET_MS, Period, bucket_start, from_ms, month_of, to_ms
from usage.report import Grid
from usage.windows import MAX_DAYS, windows

MOST_MONTHS = 100  # Rows of a page: each adds up some 3,000 quarter hours.


def visible_machines(request: Request) -> QuerySet[Machine]:
    """The machines of every customer that the asker may see."""
    return Machine.objects.filter(customer__in=visible_customers(actor(request))).select_related("customer")


class MachineList(generics.ListAPIView[Machine]):
    queryset = Machine.objects.none()
    serializer_class = MachineSerializer
    ordering = ("code",)

    @extend_schema(
        summary="List a customer's machines",
        description="In the order of their codes, retired ones included.",
        parameters=[CustomerPageQuery],
        responses={200: MachineSerializer(many=True), **REFUSALS},
        examples=[examples.MACHINE],
        tags=["machines"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add a machine",
        description="Owners, and keys with `machines:write`. The code is what its agent sends; it is unique in the installation.",
        parameters=[CustomerQuery],
        request=MachineForm,
        responses={201: MachineSerializer, **REFUSALS},
        examples=[examples.NEW_MACHINE, examples.MACHINE_ADDED],
        tags=["machines"],
    )
    def post(self, request: Request) -> Response:
        given = MachineForm.of(request)
        customer = customer_of(request, CustomerQuery.of(request).get("customer"))
        try:
            shown = MachineSerializer(add_machine(customer, given["code"], given["name"])).data
        except MachineError as error:
            raise ValidationError({"code": [str(error)]}) from error
        return with_etag(shown, status=201)

    def get_queryset(self) -> QuerySet[Machine]:
        query = CustomerPageQuery.of(self.request)
        return Machine.objects.filter(customer=customer_of(self.request, query.get("customer"))).select_related("customer")


class MachineDetail(APIView):
    @extend_schema(
        summary="Show one machine",
        responses={200: MachineSerializer, **REFUSALS},
        examples=[examples.MACHINE],
        tags=["machines"],
    )
    def get(self, request: Request, code: str) -> Response:
        return with_etag(MachineSerializer(get_object_or_404(visible_machines(request), code=code)).data)

    @extend_schema(
        summary="Rename or retire a machine",
        description="Send `If-Match` with the `ETag` that you read. Samples of a retired machine are refused.",
        request=MachineChange,
        responses={200: MachineSerializer, **REFUSALS},
        examples=[examples.MACHINE, examples.RENAMED],
        tags=["machines"],
    )
    @transaction.atomic
    def patch(self, request: Request, code: str) -> Response:
        given = MachineChange.of(request)
        machine = get_object_or_404(visible_machines(request).select_for_update(of=("self",)), code=code)
        require_match(request, MachineSerializer(machine).data)
        return with_etag(MachineSerializer(change_machine(machine, **given)).data)


class MachineWatermark(APIView):
    @extend_schema(
        summary="Say up to where a stream is stored",
        description=(
            "Every sample of the stream with a sequence number below the watermark is stored, or its bytes are kept in a refused"
            " message that an operator looks at; so an agent may forget it. The watermark is 0 where there is nothing yet."
        ),
        parameters=[WatermarkQuery],
        responses={200: WatermarkSerializer, **REFUSALS},
        examples=[examples.WATERMARK],
        tags=["machines"],
    )
    def get(self, request: Request, code: str) -> Response:
        stream = WatermarkQuery.of(request)["stream"]
        machine = get_object_or_404(visible_machines(request), code=code)
        return Response({"machine": machine.code, "stream": str(stream), "watermark": watermark(machine, stream)})


class UsageReport(APIView):
    @extend_schema(
        summary="Show what machines used",
        description=(
            "One row for each window and machine, in that order; a window without usage is a row of zeros, so a hole shows."
            " Windows are half-open and begin on the clock of the customer's time zone: a day may have 23 or 25 hours."
            " `at__gte` and `at__lt` must lie on quarter hours, in which usage is kept; without them the answer covers the"
            " customer's current month until now. `base` is exact; `quantity` is the same in the unit that is priced."
        ),
        parameters=[UsageQuery],
        responses={200: UsagePageSerializer, **REFUSALS},
        examples=[examples.USAGE],
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        query = UsageQuery.of(request)
        customer, machines = _machines_asked(request, query)
        period = _period(query, customer)
        grid = Grid(windows(period, query["granularity"], customer.zone), machines)
        return Response(_page(request, grid, query))


def _machines_asked(request: Request, query: dict[str, Any]) -> tuple[Customer, list[Machine]]:
    """Return the customer, and its machine of that code or all of them."""
    if "machine" not in query:
        customer = customer_of(request, query.get("customer"))
        return customer, list(customer.machines.order_by("code"))
    machines = visible_machines(request).filter(code=query["machine"])
    machine = get_object_or_404(machines.filter(customer__code=query["customer"]) if "customer" in query else machines)
    return machine.customer, [machine]


def _period(query: dict[str, Any], customer: Customer) -> Period:
    """Return the span asked for. Raise ValidationError for one that runs backwards or is too long."""
    end: datetime = query.get("at__lt") or from_ms(bucket_start(to_ms(now())) + BUCKET_MS)
    start: datetime = query.get("at__gte") or month_of(from_ms(to_ms(end) - 1), customer.zone).start
    longest = MAX_DAYS[query["granularity"]]
    if start >= end:
        raise ValidationError({"at__lt": ["Must be later than at__gte."]})
    if (end - start).total_seconds() > longest * 86_400:
        raise ValidationError({"at__gte": [f"By the {query['granularity']} at most {longest} days can be asked for at once."]})
    return Period(start, end)


def _page(request: Request, grid: Grid, query: dict[str, Any]) -> dict[str, Any]:
    limit = query.get("limit", 100)
    if query["granularity"] == "month":
        limit = min(limit, MOST_MONTHS)
    start = grid.place(*_read_cursor(query["cursor"])) if "cursor" in query else 0
    cells = grid.cells(start, start + limit)
    meters = [query["meter"]] if "meter" in query else None
    return {
        "next": _link(request, grid, start + limit),
        "previous": _link(request, grid, max(0, start - limit)) if start > 0 else None,
        "results": [UsageSerializer(cell, context={"meters": meters}).data for cell in cells],
    }


def _link(request: Request, grid: Grid, place: int) -> str | None:
    if place >= len(grid):
        return None
    start_ms, code = grid.name(place)
    cursor = base64.urlsafe_b64encode(f"{start_ms} {code}".encode()).decode()
    return replace_query_param(request.build_absolute_uri(), "cursor", cursor)


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        start_ms, code = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        return int(start_ms), code
    except (ValueError, binascii.Error) as error:
        raise ValidationError({"cursor": [BAD_CURSOR]}) from error


class SampleList(generics.ListAPIView[UsageSample]):
    queryset = UsageSample.objects.none()
    serializer_class = SampleSerializer
    ordering = ("-end_ms", "-seq")

    @extend_schema(
        summary="List a machine's newest samples",
        description="Newest first, as the agent sent them. `at__gte` and `at__lt` choose by the end of the sample.",
        parameters=[SampleQuery],
        responses={200: SampleSerializer(many=True), **REFUSALS},
        examples=[examples.SAMPLE],
        tags=["usage"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[UsageSample]:
        query = SampleQuery.of(self.request)
        machine = get_object_or_404(visible_machines(self.request), code=query["machine"])
        samples = UsageSample.objects.filter(machine=machine)
        if "at__gte" in query:
            samples = samples.filter(end_ms__gte=to_ms(query["at__gte"]))
        if "at__lt" in query:
            samples = samples.filter(end_ms__lt=to_ms(query["at__lt"]))
        return samples
