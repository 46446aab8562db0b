"""What the API of usage takes and gives: its query parameters and the shapes of its answers."""

from datetime import datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.forms import Form
from accounts.query import CustomerPageQuery, Instant, PageQuery, Query
from usage.meters import METERS
from usage.models import Machine, UsageSample
from usage.periods import BUCKET_MS, from_ms, to_ms
from usage.report import Cell
from usage.windows import MAX_DAYS


class QuarterHour(Instant):
    """An instant on a quarter hour, in which usage is kept."""

    def to_internal_value(self, value: Any) -> datetime:
        instant = super().to_internal_value(value)
        if to_ms(instant) % BUCKET_MS or instant.microsecond:
            raise serializers.ValidationError("Usage is kept by the quarter hour: give a full one, such as 2026-11-01T00:15:00Z.")
        return instant


class UsageQuery(CustomerPageQuery):
    machine = serializers.SlugField(required=False, max_length=63, help_text="Machine code; all machines without it")
    meter = serializers.ChoiceField(required=False, choices=sorted(METERS), help_text="Only this meter; all meters without it")
    granularity = serializers.ChoiceField(choices=list(MAX_DAYS), default="day")
    at__gte = QuarterHour(required=False, help_text="Start, inclusive. RFC 3339")
    at__lt = QuarterHour(required=False, help_text="End, exclusive. RFC 3339")


class SampleQuery(PageQuery):
    machine = serializers.SlugField(max_length=63, help_text="Machine code")
    at__gte = Instant(required=False, help_text="Only samples that end at or after this instant. RFC 3339")
    at__lt = Instant(required=False, help_text="Only samples that end before this instant. RFC 3339")


class WatermarkQuery(Query):
    stream = serializers.UUIDField(help_text="The stream's UUID, as the agent sends it")


@extend_schema_field(OpenApiTypes.DATETIME)
class EpochField(serializers.Field[int, int, str | None, Any]):
    """Epoch milliseconds, shown as RFC 3339 in UTC; 0 stands for never."""

    def to_representation(self, value: int) -> str | None:
        return from_ms(value).isoformat().replace("+00:00", "Z") if value else None


class MachineSerializer(serializers.ModelSerializer[Machine]):
    customer = serializers.CharField(source="customer.code", read_only=True, help_text="Customer code")
    last_seen_at = EpochField(source="last_seen_ms", read_only=True, allow_null=True, help_text="End of the newest sample")

    class Meta:
        model = Machine
        fields = (
            "code", "name", "customer", "machine_class", "cores", "memory_mib", "last_seen_at", "created_at", "retired_at",
        )  # fmt: skip


class MachineForm(Form):
    code = serializers.SlugField(max_length=63, help_text="The machine id that its agent sends")
    name = serializers.CharField(max_length=120, allow_blank=True, default="", help_text="For people")


class MachineChange(Form):
    name = serializers.CharField(max_length=120, allow_blank=True, required=False, help_text="For people")
    retired = serializers.BooleanField(required=False, help_text="From then on its samples are refused")


class WatermarkSerializer(serializers.Serializer[Any]):
    machine = serializers.CharField()
    stream = serializers.UUIDField()
    watermark = serializers.IntegerField(help_text="All samples with a lower sequence number are stored")


class QuantitySerializer(serializers.Serializer[Any]):
    quantity = serializers.CharField(help_text="Decimal string in `unit`")
    unit = serializers.CharField(help_text="The unit that is priced")
    base = serializers.IntegerField(help_text="The same, exactly, in `base_unit`")
    base_unit = serializers.CharField()


class UsageSerializer(serializers.Serializer[Cell]):
    """One window of one machine; the context's `meters` chooses which quantities to show, None all."""

    machine = serializers.CharField(source="machine.code")
    start = serializers.DateTimeField(source="window.start")
    end = serializers.DateTimeField(source="window.end")
    covered_ms = serializers.IntegerField(help_text="How many milliseconds of the window were metered")
    samples = serializers.IntegerField()
    quantities = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(child=QuantitySerializer()))
    def get_quantities(self, cell: Cell) -> dict[str, dict[str, Any]]:
        return {code: _quantity(code, cell.quantities[code]) for code in self.context.get("meters") or METERS}


def _quantity(code: str, base: int) -> dict[str, Any]:
    meter = METERS[code]
    return {"quantity": meter.in_units(base), "unit": meter.unit, "base": base, "base_unit": meter.base}


class UsagePageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = UsageSerializer(many=True)


class SampleSerializer(serializers.ModelSerializer[UsageSample]):
    start = EpochField(source="start_ms", read_only=True)
    end = EpochField(source="end_ms", read_only=True)
    cpu_percent = serializers.SerializerMethodField(help_text="Average over the sample, decimal string")
    memory_percent = serializers.SerializerMethodField(help_text="Average over the sample, decimal string")

    class Meta:
        model = UsageSample
        fields = (
            "stream", "seq", "start", "end", "cpu_percent", "memory_percent",
            "cpu_ms", "memory_mib_ms", "disk_mib_ms", "net_rx", "net_tx", "disk_read", "disk_write",
        )  # fmt: skip

    def get_cpu_percent(self, sample: UsageSample) -> str:
        return METERS["cpu_percent_samples"].in_units(sample.cpu_upct)

    def get_memory_percent(self, sample: UsageSample) -> str:
        return METERS["memory_percent_samples"].in_units(sample.memory_upct)
