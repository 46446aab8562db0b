"""Before the first step on the data's way: what a poll brought, cut into parts that fit one transaction each. No database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import msgspec
from kafka import TopicPartition

from usage.batch import Look
from usage.wire import RawMessage

MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_POLL_BYTES = 2 * MAX_BATCH_BYTES
_value_of: Callable[[RawMessage], bytes | None] = attrgetter("value")


@dataclass(slots=True)
class Part:
    """Messages of one partition, in order, and as much of their reading as was done ahead: nothing, or one look each."""

    tp: TopicPartition
    messages: Sequence[RawMessage]
    looks: Sequence[Look | None] = ()

    def size(self) -> int:
        """The bytes of its messages' values."""
        return size_of(self.messages)

    def unseen(self, next_offset: int, log_id: str) -> "Part":
        """Leave out what is stored already, and let every message name its log.

        A client may deliver an offset twice, and the books count each once.
        """
        messages, looks = self.messages, self.looks
        if messages[0].offset < next_offset:
            messages, looks = [raw for raw in messages if raw.offset >= next_offset], ()
        if any(raw.topic_id != log_id for raw in (*messages[:1], *messages[-1:])):
            messages, looks = [msgspec.structs.replace(raw, topic_id=log_id) for raw in messages], ()
        return Part(self.tp, messages, looks)


def parts(fetched: Mapping[TopicPartition, Sequence[RawMessage]]) -> Iterator[Part]:
    """Cut a poll so that no transaction holds more than a few megabytes of messages."""
    for tp, messages in fetched.items():
        if size_of(messages) <= MAX_BATCH_BYTES:
            yield Part(tp, messages)
            continue
        first, size = 0, 0
        for at, raw in enumerate(messages):
            length = len(raw.value or b"")
            size += length
            if size > MAX_BATCH_BYTES and at > first:
                yield Part(tp, messages[first:at])
                first, size = at, length
        yield Part(tp, messages[first:])


def fitting(fetched: Mapping[TopicPartition, Sequence[RawMessage]]) -> int:
    """How many messages like these fit into one poll: packed ones, decompressed, would fill the memory."""
    count = sum(map(len, fetched.values()))
    return count * MAX_POLL_BYTES // max(1, sum(map(size_of, fetched.values())))


def size_of(messages: Sequence[RawMessage]) -> int:
    """The bytes of these messages' values."""
    return sum(map(len, filter(None, map(_value_of, messages))))
