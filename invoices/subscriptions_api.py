"""Subscriptions for programs of the operator: list them, begin one, change the plan at an instant, end one.

What customers may know of theirs is at /api/v1/plans/. Nobody else learns that there is such a door.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Customer
from accounts.query import Instant, Query
from invoices import publishing
from invoices.api_forms import rfc3339
from invoices.models import RatePlan, Subscription
from invoices.staff_doors import StaffMay


class OfCustomer(Query):
    customer = serializers.SlugField(max_length=63)


class NewSubscription(serializers.Serializer[Any]):
    customer = serializers.SlugRelatedField(slug_field="code", queryset=Customer.objects.all())
    plan = serializers.SlugRelatedField(slug_field="code", queryset=RatePlan.objects.all())
    start = Instant()
    end = Instant(required=False, allow_null=True, default=None)
    replaces = serializers.SlugRelatedField(
        slug_field="code", queryset=RatePlan.objects.all(), required=False, help_text="The plan that ends where this one begins"
    )
    side_by_side = serializers.BooleanField(required=False, default=False, help_text="Another plan is meant to bill, too")


class SubscriptionEnd(serializers.Serializer[Any]):
    end = Instant()


class SubscriptionList(APIView):
    """What a customer is billed by, and a new one. The same one asked for again is answered with 200."""

    permission_classes = (StaffMay,)
    door_to = "subscription"

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        customer = get_object_or_404(Customer, code=OfCustomer.of(request)["customer"])
        found = Subscription.objects.filter(customer=customer).select_related("customer", "plan").order_by("start", "pk")
        return Response({"next": None, "previous": None, "results": [subscription_json(one) for one in found]})

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        asked = NewSubscription(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        known = Subscription.objects.filter(**{name: wanted[name] for name in ("customer", "plan", "start", "end")}).first()
        if known is not None:
            return Response(subscription_json(known))
        try:
            made = _begin(**wanted)
        except publishing.PlanError as error:
            raise ValidationError({"subscription": [str(error)]}) from error
        return Response(subscription_json(made), status=201)


class SubscriptionDetail(APIView):
    """The end of a subscription: it is moved, or set where there was none."""

    permission_classes = (StaffMay,)
    door_to = "subscription"

    @extend_schema(exclude=True)
    def patch(self, request: Request, pk: int) -> Response:
        subscription = get_object_or_404(Subscription.objects.select_related("customer", "plan"), pk=pk)
        asked = SubscriptionEnd(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            return Response(subscription_json(publishing.leave(subscription, asked.validated_data["end"])))
        except publishing.PlanError as error:
            raise ValidationError({"end": [str(error)]}) from error


@transaction.atomic
def _begin(
    customer: Customer,
    plan: RatePlan,
    start: datetime,
    end: datetime | None,
    *,
    replaces: RatePlan | None = None,
    side_by_side: bool,
) -> Subscription:
    """Subscribe, and end the plan that is replaced at the same instant, or do neither."""
    if replaces is not None:
        running = Subscription.objects.filter(customer=customer, plan=replaces, start__lt=start, end__isnull=True).first()
        if running is None:
            raise publishing.PlanError(f"{customer} has no open subscription to {replaces} that began before.")
        publishing.leave(running, start)
    beside = publishing.plan_beside(None, Subscription(customer=customer, plan=plan, start=start, end=end))
    if beside is not None and not side_by_side:
        raise publishing.PlanError(f"{beside} already in that time: say `replaces` or `side_by_side`.")
    return publishing.subscribe(customer, plan, start, end)


def subscription_json(subscription: Subscription) -> dict[str, Any]:
    """A subscription as it is answered."""
    return {
        "id": subscription.pk,
        "customer": subscription.customer.code,
        "plan": subscription.plan.code,
        "start": rfc3339(subscription.start),
        "end": rfc3339(subscription.end) if subscription.end else None,
    }
