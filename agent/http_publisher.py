"""Fourth step where Kafka cannot be reached: the same bytes to the server, which puts them on the topic."""

import base64
import random
import time
from collections.abc import Callable, Iterator, Sequence

from agent.publisher import DELIVERY_MS, FIRST_WAIT_S, LONGEST_WAIT_S, Publisher
from agent.server import Server, ServerProblem
from agent.wire import Message

PATH = "/api/v1/agent/messages/"
MOST_MESSAGES = 100
MOST_BYTES = 1_500_000
KAFKA_FAILS_S = 20.0
KAFKA_AGAIN_S = 60.0


class HttpPublisher:
    """Posts what a Publisher would send. Sending again is as harmless."""

    def __init__(
        self,
        server: Server,
        topic: str,
        dress: Callable[[str, Message], Message],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.server = server
        self.topic = topic
        self.dress = dress
        self.trouble: str | None = None
        self._monotonic = monotonic
        self._failures = 0
        self._next_try = 0.0
        self._given_up = False

    def wait_s(self) -> float:
        return max(0.0, self._next_try - self._monotonic())

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        """True for each message that the server has put on the topic."""
        done: list[bool] = []
        for part in _parts([self.dress(self.topic, message) for message in messages]):
            if self._given_up or self.wait_s() > 0 or not self._post(part):
                break
            done += [True] * len(part)
        return done + [False] * (len(messages) - len(done))

    def give_up(self) -> None:
        self._given_up = True

    def close(self, timeout_s: float = 0) -> None:
        """Nothing is kept open between two requests."""

    def _post(self, part: Sequence[Message]) -> bool:
        body = [
            {
                "value": base64.b64encode(message.value).decode(),
                "headers": [[name, text.decode()] for name, text in message.headers],
            }
            for message in part
        ]
        try:
            self.server.post(PATH, {"messages": body}, timeout_s=DELIVERY_MS / 1000)
        except ServerProblem as problem:
            self._failed(f"{self.server.address}: {problem}")
            return False
        self._failures, self._next_try, self.trouble = 0, 0.0, None
        return True

    def _failed(self, trouble: str) -> None:
        self.trouble = trouble
        wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._failures, 10))
        self._next_try = self._monotonic() + wait * random.uniform(0.8, 1.0)  # noqa: S311 - so that a fleet does not come back as one
        self._failures += 1


class Fallback:
    """Kafka; and HTTP once Kafka has failed for a while, with another try of Kafka every minute."""

    def __init__(self, kafka: Publisher, http: HttpPublisher, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.kafka = kafka
        self.http = http
        self._monotonic = monotonic
        self._failing_since: float | None = None
        self._kafka_again_at = 0.0

    @property
    def over_http(self) -> bool:
        """Whether Kafka has failed for so long that HTTP is the way."""
        return self._failing_since is not None and self._monotonic() - self._failing_since >= KAFKA_FAILS_S

    @property
    def trouble(self) -> str | None:
        return self.http.trouble if self.over_http else self.kafka.trouble

    def wait_s(self) -> float:
        return self.http.wait_s() if self.over_http else self.kafka.wait_s()

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        if self.over_http and self._monotonic() < self._kafka_again_at:
            return self.http.publish(messages)
        done = self.kafka.publish(messages)
        if messages and self.kafka.trouble is None:
            self._failing_since = None
        elif self.kafka.trouble is not None:
            self._failing_since = self._failing_since or self._monotonic()
            self._kafka_again_at = self._monotonic() + KAFKA_AGAIN_S
        return self.http.publish(messages) if self.over_http and not any(done) else done

    def give_up(self) -> None:
        self.kafka.give_up()
        self.http.give_up()

    def close(self, timeout_s: float = 2.0) -> None:
        self.kafka.close(timeout_s)


def _parts(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """As many messages a request as it may hold."""
    part: list[Message] = []
    size = 0
    for message in messages:
        if part and (len(part) == MOST_MESSAGES or size + len(message.value) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(message)
        size += len(message.value)
    if part:
        yield part
