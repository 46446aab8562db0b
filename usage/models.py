"""How much: machines, the samples they sent, the quarter-hour sums, and the books that make each sample count once.

Rows that ingest writes start with the machine, carry no database constraint to other tables and are written only by
`usage/ingest.py`: one Kafka partition goes into one database in one transaction, so they could move to a server of their own.
"""

import uuid

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from accounts.models import CODE, Customer, User
from usage.key_models import AgentState, AgentWish, EnrolmentToken, MachineKey, UnsignedPermission
from usage.meters import QUANTITY_COLUMNS

__all__ = ["AgentState", "AgentWish", "EnrolmentToken", "MachineKey", "UnsignedPermission"]  # Django finds models here.


class Machine(models.Model):
    """A metered machine. Its code is the machine id on the wire, unique in the installation; the name is for people."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="machines")
    code = models.CharField(max_length=63, unique=True, validators=[CODE], help_text="The machine id that its agent sends")
    name = models.CharField(max_length=120, blank=True)
    machine_class = models.CharField(max_length=40, blank=True, help_text="Prices may differ by class")
    cores = models.PositiveIntegerField(default=0, editable=False, help_text="As last reported")
    memory_mib = models.PositiveBigIntegerField(default=0, editable=False, help_text="As last reported")
    last_seen_ms = models.BigIntegerField(default=0, editable=False, help_text="End of the newest sample, epoch ms")
    clock_skew_ms = models.BigIntegerField(
        null=True, editable=False, help_text="The machine's clock minus the server's when its newest sample was stored"
    )
    created_at = models.DateTimeField(default=now, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, help_text="From then on its samples are refused")

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code


class UsageQuantities(models.Model):
    """What a sample and a bucket have in common: integers that add up in any order."""

    cpu_ms = models.BigIntegerField(default=0, help_text="core-milliseconds")
    memory_mib_ms = models.BigIntegerField(default=0, help_text="MiB x ms")
    disk_mib_ms = models.BigIntegerField(default=0, help_text="MiB x ms")
    net_rx = models.BigIntegerField(default=0, help_text="bytes")
    net_tx = models.BigIntegerField(default=0, help_text="bytes")
    disk_read = models.BigIntegerField(default=0, help_text="bytes")
    disk_write = models.BigIntegerField(default=0, help_text="bytes")
    cpu_upct = models.BigIntegerField(default=0, help_text="micro-percent: one reading a sample")
    memory_upct = models.BigIntegerField(default=0, help_text="micro-percent: one reading a sample")

    class Meta:
        abstract = True


class UsageSample(UsageQuantities):
    """What one machine used in [start_ms, end_ms). (machine, stream, seq) names a sample for ever.

    The paper's version 0 message is a reading without an interval: start_ms equals end_ms.
    """

    pk = models.CompositePrimaryKey("machine_id", "stream", "seq")
    machine = models.ForeignKey(Machine, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="samples")
    stream = models.UUIDField()
    seq = models.BigIntegerField()
    start_ms = models.BigIntegerField()
    end_ms = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["machine", "end_ms"], name="sample_by_time")]
        constraints = [
            models.CheckConstraint(condition=Q(end_ms__gte=F("start_ms")) & Q(start_ms__gte=0), name="sample_interval"),
            models.CheckConstraint(condition=Q(seq__gte=0), name="sample_seq"),
            models.CheckConstraint(
                condition=Q(*[(f"{column}__gte", 0) for column in QUANTITY_COLUMNS]), name="sample_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.machine_id}/{self.stream}/{self.seq}"


class UsageBucket(UsageQuantities):
    """The sum of all samples of a machine in one quarter hour, samples across an edge split in proportion."""

    machine = models.ForeignKey(Machine, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="buckets")
    start_ms = models.BigIntegerField(help_text="A multiple of 15 minutes, epoch ms")
    covered_ms = models.BigIntegerField(default=0, help_text="How much of the quarter hour was metered")
    samples = models.BigIntegerField(default=0, help_text="Samples that start in this quarter hour")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["machine", "start_ms"], name="bucket_once"),
            models.CheckConstraint(condition=Q(start_ms__gte=0), name="bucket_start"),
            # A month of such quarter hours still adds up in eight bytes; beyond them SQLite fails or turns to floats.
            models.CheckConstraint(
                condition=Q(*[(f"{column}__range", (0, 2**51)) for column in (*QUANTITY_COLUMNS, "covered_ms", "samples")]),
                name="bucket_in_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.machine_id} at {self.start_ms}"


class UsageDay(UsageQuantities):
    """The sum of a machine's quarter hours in one local day of its customer, for reads that go far back. Derived.

    Only `usage/days.py` writes it. A stale one holds nothing yet: usage of its day has come late, so the quarter hours are read.
    """

    machine = models.ForeignKey(Machine, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="days")
    start_ms = models.BigIntegerField(help_text="First instant of the local day, epoch ms")
    end_ms = models.BigIntegerField(help_text="First instant of the next one")
    first_ms = models.BigIntegerField(default=0, help_text="Start of its first quarter hour with usage")
    covered_ms = models.BigIntegerField(default=0)
    samples = models.BigIntegerField(default=0)
    stale = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["machine", "start_ms"], name="day_once"),
            models.CheckConstraint(condition=Q(end_ms__gt=F("start_ms")), name="day_not_empty"),
        ]
        indexes = [models.Index(fields=["machine", "start_ms"], condition=Q(stale=True), name="day_stale")]

    def __str__(self) -> str:
        return f"{self.machine_id} from {self.start_ms} to {self.end_ms}"


class DayMark(models.Model):
    """Up to which instant a machine's days are summed: each local day before it that has usage is a UsageDay."""

    machine = models.OneToOneField(Machine, models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="day_mark")
    zone = models.CharField(max_length=64, help_text="Whose days they are")
    until_ms = models.BigIntegerField(help_text="The start of a local day, epoch ms")

    def __str__(self) -> str:
        return f"{self.machine_id} until {self.until_ms}"


class StreamRun(models.Model):
    """A run [lo, hi) of sequence numbers received from one stream. It outlives the samples, so nothing counts twice."""

    machine = models.ForeignKey(Machine, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="runs")
    stream = models.UUIDField()
    lo = models.BigIntegerField()
    hi = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["machine", "stream", "lo"], name="run_once"),
            models.CheckConstraint(condition=Q(hi__gt=F("lo")) & Q(lo__gte=0), name="run_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} [{self.lo}, {self.hi})"


class MachineStream(models.Model):
    """In which time a stream of a machine has metered, to the quarter hour outwards: two streams that meet there are looked at.

    Coarse on purpose: it is read with every batch and written only when a stream enters another quarter hour.
    """

    machine = models.ForeignKey(Machine, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="streams")
    stream = models.UUIDField()
    since_ms = models.BigIntegerField(help_text="Start of the quarter hour of the earliest sample")
    until_ms = models.BigIntegerField(help_text="End of the quarter hour of the newest sample")
    late_samples = models.BigIntegerField(default=0, help_text="Samples that came more than an hour after their end")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["machine", "stream"], name="stream_once")]

    def __str__(self) -> str:
        return f"{self.stream} of {self.machine_id}"


class PrunedUsage(UsageQuantities):
    """What the samples of one stream that were pruned gave to the quarter hours of one UTC day, so that the books stay proven.

    `samples` counts those that start in the day. See docs/decisions/0004.
    """

    machine = models.ForeignKey(Machine, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="pruned")
    stream = models.UUIDField()
    day_ms = models.BigIntegerField(help_text="A UTC day, epoch ms")
    covered_ms = models.BigIntegerField(default=0)
    samples = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["machine", "stream", "day_ms"], name="pruned_once")]

    def __str__(self) -> str:
        return f"{self.samples} samples of {self.machine_id}/{self.stream}"


class IngestOffset(models.Model):
    """Where the next batch of a partition begins, and what became of every message before it.

    next_offset - first_offset = stored + duplicate + rejected + skipped, always: the counters move in the transaction
    that moves next_offset. `skipped` are offsets that hold no message (transaction markers, compaction, accepted loss).
    """

    topic = models.CharField(max_length=249)
    partition = models.PositiveIntegerField()
    cluster_id = models.CharField(max_length=64)
    topic_id = models.CharField(max_length=64)
    epoch = models.PositiveIntegerField(default=0, help_text="How often Kafka lost this log's tail and reused its offsets")
    first_offset = models.BigIntegerField()
    next_offset = models.BigIntegerField()
    stored = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    samples_stored = models.BigIntegerField(default=0)
    samples_duplicate = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["topic", "partition"]
        constraints = [
            models.UniqueConstraint(fields=["topic", "partition"], name="offset_once"),
            models.CheckConstraint(
                condition=Q(next_offset=F("first_offset") + F("stored") + F("duplicate") + F("rejected") + F("skipped")),
                name="offset_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition} at {self.next_offset}"

    @property
    def log_id(self) -> str:
        """What makes an offset unique: the topic id, and after a lost tail the epoch too, as offsets are given anew."""
        return f"{self.topic_id}#{self.epoch}" if self.epoch else self.topic_id


class Reason(models.TextChoices):
    """Why a message was refused."""

    NOT_JSON = "not_json", "Not JSON"
    DUPLICATE_KEY = "duplicate_key", "Duplicate key"
    WRONG_TYPE = "wrong_type", "Wrong type or missing field"
    NOT_INTEGER = "not_integer", "Number that is not a whole number"
    NEGATIVE = "negative", "Negative value"
    OUT_OF_RANGE = "out_of_range", "Number out of range"
    BAD_INTERVAL = "bad_interval", "Interval ends before it starts, or is empty"
    TOO_LONG = "too_long", "Interval longer than an hour"
    TOO_MUCH_CPU = "too_much_cpu", "More CPU than the cores can give"
    TOO_MUCH_MEMORY = "too_much_memory", "More memory than there is"
    IN_FUTURE = "in_future", "More than five minutes in the future"
    TOO_OLD = "too_old", "Older than the oldest usage accepted"
    UNKNOWN_MACHINE = "unknown_machine", "Unknown machine"
    FOREIGN_MACHINE = "foreign_machine", "Machine differs from the message's key or source"
    RETIRED_MACHINE = "retired_machine", "Retired machine"
    UNKNOWN_VERSION = "unknown_version", "Message type of another major version"
    EQUIVOCATION = "equivocation", "Same identity with other content"
    OVERLAP = "overlap", "Time that another stream of the machine has metered"
    EMPTY = "empty", "No sample"
    TOO_MANY = "too_many", "More than 500 samples"
    TOO_LARGE = "too_large", "Larger than 256 KiB"
    UNSIGNED = "unsigned", "Not signed"
    UNKNOWN_KEY = "unknown_key", "Signed with a key that is unknown or revoked"
    BAD_SIGNATURE = "bad_signature", "Signature does not fit the message"
    SEALED = "sealed", "Sealed, and cannot be opened here"
    POISON = "poison", "Raised an unexpected error"


class RejectedMessage(models.Model):
    """A message that was not counted, with its bytes, so that it can be understood and, once mended, replayed."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        REPLAYED = "replayed", "Replayed"
        DISCARDED = "discarded", "Discarded"

    topic = models.CharField(max_length=249)
    topic_id = models.CharField(max_length=64)
    partition = models.PositiveIntegerField()
    offset = models.BigIntegerField()
    timestamp_ms = models.BigIntegerField(help_text="Kafka's timestamp")
    key = models.BinaryField()
    value = models.BinaryField()
    headers = models.JSONField(default=list, encoder=DjangoJSONEncoder, help_text="Pairs of name and base64 value")
    machine_code = models.CharField(max_length=63, blank=True, db_index=True)
    reason = models.CharField(max_length=24, choices=Reason.choices, db_index=True)
    detail = models.CharField(max_length=500, blank=True)
    stream = models.UUIDField(null=True, editable=False, help_text="As far as the message says")
    seq_lo = models.BigIntegerField(null=True, editable=False, help_text="Its first sequence number")
    seq_hi = models.BigIntegerField(null=True, editable=False, help_text="Behind its last one")
    rejected_at = models.DateTimeField(default=now, db_index=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN, db_index=True)
    resolution = models.CharField(max_length=500, blank=True)
    replayed_samples = models.PositiveIntegerField(default=0, editable=False, help_text="Samples that its replay stored")
    replayed_duplicates = models.PositiveIntegerField(default=0, editable=False, help_text="Samples of its replay known before")
    replays = models.PositiveIntegerField(default=0, editable=False, help_text="How often a replay was tried")
    last_refusal = models.CharField(max_length=600, blank=True, editable=False, help_text="Why the last replay was refused")
    fixed_key = models.BinaryField(null=True, help_text="The key as mended by a person")
    fixed_value = models.BinaryField(null=True, help_text="The value as mended by a person; the original stays as it came")
    fixed_headers = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    fix_reason = models.CharField(max_length=500, blank=True)
    fixed_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    fixed_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["topic", "topic_id", "partition", "offset"], name="rejected_once"),
        ]
        indexes = [models.Index(fields=["machine_code", "stream", "seq_lo"], name="rejected_by_stream")]

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}: {self.get_reason_display()}"


class IngestIncident(models.Model):
    """Something an operator must know of: loss that was accepted, an agent that contradicts itself or meters twice.

    What one machine does again and again is one row, counted, until a person has acknowledged it.
    """

    class Kind(models.TextChoices):
        ACCEPTED_LOSS = "accepted_loss", "Loss accepted"
        TOPIC_RECREATED = "topic_recreated", "Topic re-created"
        EQUIVOCATION = "equivocation", "Same sample with other content"
        OVERLAP = "overlap", "Two streams metered the same time"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    machine_code = models.CharField(max_length=63, blank=True, db_index=True)
    detail = models.TextField(help_text="As it was last seen")
    count = models.PositiveBigIntegerField(default=1)
    at = models.DateTimeField(default=now, help_text="When it was first seen")
    last_at = models.DateTimeField(default=now)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    reference = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "machine_code"],
                condition=Q(acknowledged_at=None) & ~Q(machine_code=""),
                name="incident_once_while_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.at:%Y-%m-%d %H:%M}"


class WorkerBeat(models.Model):
    """A worker's sign of life, renewed every few seconds: what it has done since its start, and what it still has to do."""

    name = models.CharField(max_length=200, unique=True)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField(db_index=True)
    messages = models.BigIntegerField(default=0)
    samples = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    fenced = models.BigIntegerField(default=0, help_text="Batches that another worker had stored meanwhile")
    lag = models.JSONField(default=dict, help_text="Partition to messages in Kafka that are not stored yet")

    def __str__(self) -> str:
        return self.name
