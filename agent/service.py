"""The agent at work on one machine: the main thread measures, one thread sends, one keeps the spool tidy."""

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent import __version__, cgroup, enrolment, watermark
from agent.carried import Carried, boot_name, bridge
from agent.config import SETTINGS, Config, Setting
from agent.delivery import Delivery, Sender
from agent.http_publisher import Fallback, HttpPublisher
from agent.identity import Identity
from agent.keys import KeyProblem
from agent.lock import Lock
from agent.meters import Meters
from agent.modes import Gate, Mode
from agent.outbox import Outbox
from agent.publisher import Publisher
from agent.remote import Remote
from agent.sampler import Clock, Sampler, Source
from agent.samples import Host, Sample
from agent.seal import SealingKey
from agent.server import Server
from agent.spool import Gap, Spool

RECENT = 120
FINISH_S = 4.0
MACHINE_ID = Path("/etc/machine-id")

log = logging.getLogger("agent")


class Service:
    """Everything a running agent consists of. Control and status use `snapshot`, `set_mode` and `send_now`."""

    def __init__(self, config: Config, source: Source | None = None, clock: Clock | None = None, boot: str | None = None) -> None:
        self.config = config
        self.lock = Lock(config.spool_path.parent)
        self.spool = Spool(config.spool_path, limit_mib=config.spool_mib)
        self.spool.claim(owner(config.machine))
        self.identity = Identity(config, self.spool)
        self.server = Server(config.server, self.identity.key, config.api_key) if config.server else None
        self.interval = self._agreed_interval()
        boot = boot_name() if boot is None else boot
        self.sampler = Sampler(source or Meters(), self._right(clock or Clock(), boot), boot)
        self._bridge()
        self.gate = Gate(Mode.from_json(self.spool.recall("mode")))
        self.outbox = Outbox(config.machine, self.spool)
        self.delivery = Delivery(self._sender(), [self.outbox], self.gate)
        self.recent: deque[tuple[Host, Sample]] = deque(maxlen=RECENT)
        self.disk_full = False
        self._stopping = threading.Event()

    def tick(self) -> None:
        """One interval is over: what was used in it goes to disk, and the sender is told."""
        if self.server is not None and self.server.time.just_learnt():
            self.sampler.realign()
        samples = self.sampler.take()
        if not samples:
            return
        host = self.sampler.host
        self.disk_full = not self.spool.append(host, samples, self.sampler.carried().to_json())
        self.recent.extend((host, sample) for sample in samples)
        cpu, memory = percentages(host, samples[-1])
        self.gate.observe(cpu, memory)
        self.delivery.wake.set()

    def run(self, stop: threading.Event, after_tick: Callable[[], object] = lambda: None) -> None:
        """Measure every interval until `stop` is set; then take the last, short sample, send what can be sent, and return."""
        threads = self._threads()
        for thread in threads:
            thread.start()
        due = time.monotonic() + self.interval
        while not stop.wait(max(0.0, due - time.monotonic())):
            self.tick()
            after_tick()
            due = max(due + self.interval, time.monotonic())
        self.tick()
        self._finish(threads)

    def once(self, stop: threading.Event) -> bool:
        """One interval, one sample, and everything that waits is sent. True if the broker has it all."""
        stop.wait(self.interval)
        self.tick()
        self.gate.ask()
        while self.delivery.step():
            pass
        done = self.outbox.waiting() == 0
        self.close()
        return done

    def set_mode(self, mode: Mode) -> None:
        """From now on and after a restart."""
        self.spool.remember("mode", mode.to_json())
        self.gate.mode = mode
        self.delivery.wake.set()

    def pause(self, paused: bool, by: str = "user") -> None:
        self.spool.remember("paused_by", by if paused else "")
        self.set_mode(replace(self.gate.mode, paused=paused))

    def set_interval(self, seconds: int) -> None:
        """From the next sample on and after a restart, as long as the setting stays what it is now."""
        self.spool.remember("interval", f"{self.config.interval} {seconds}")
        self.interval = seconds

    def new_key(self) -> str:
        """Sign with a new key from now on; return its id. Raise KeyProblem, ServerProblem."""
        if self.identity.key is None:
            raise KeyProblem("this machine is not enrolled: corehour-agent enrol URL TOKEN")
        if self.server is None or self.server.key is None:
            raise KeyProblem("no server is set that would learn of the new key: set COREHOUR_AGENT_SERVER, or enrol this machine")
        self.identity.key = self.server.key = enrolment.change_key(self.config, self.server, self.server.key)
        return self.identity.key.id

    def key_judged(self, refused: str | None) -> None:
        """The server has taken or refused this machine's key."""
        self.identity.judged(refused, time.time_ns() // 1_000_000)

    def seal_to(self, key: SealingKey | None) -> None:
        """The server has told its newest key."""
        self.identity.seal_to(key)

    def send_now(self) -> dict[str, Any]:
        """Ask for all that waits to be sent now, whatever the mode. Say how many samples that is, and what is in the way."""
        self.gate.ask()
        self.delivery.wake.set()
        return {"waiting": self.outbox.waiting(), "trouble": self.delivery.publisher.trouble}

    def snapshot(self) -> dict[str, Any]:
        """How things stand, for the status line, the command and the window. Only plain values."""
        position, delivery, refused = self.spool.position(), self.delivery, self.identity.refused
        return {
            "machine": self.config.machine,
            "version": __version__,
            "state": self.state(),
            "mode": self.gate.mode.words(),
            "interval_s": self.interval,
            "key": self.identity.key.id if self.identity.key else None,
            "key_refused_since_ms": refused.since_ms if refused else 0,
            "settings": shown_settings(self.config),
            "over_http": not isinstance(delivery.publisher, Publisher) and getattr(delivery.publisher, "over_http", True),
            "every_s": self.gate.mode.every_s,
            "above": self.gate.mode.above,
            "cpu_percent": self.gate.mode.cpu_percent,
            "memory_percent": self.gate.mode.memory_percent,
            "stream": self.spool.stream,
            "written": position.next,
            "waiting": self.outbox.waiting(),
            "watermark": position.watermark,
            "clock_ahead_ms": self.server.time.told_ahead_ms() if self.server else None,
            "watermark_ms": int(self.spool.recall("watermark_ms") or 0),
            "server": self.config.server is not None,
            "last_sample_ms": position.end_ms,
            "last_sent_ms": delivery.last_sent_ms,
            "last_sent_samples": delivery.last_sent_samples,
            "trouble": delivery.publisher.trouble or (refused.words() if refused else None),
            "trouble_since_ms": delivery.trouble_since_ms or (refused.since_ms if refused else 0),
            "next_try_s": round(delivery.publisher.wait_s()),
            "gaps": [[gap.start_ms, gap.end_ms, gap.samples, gap.reason] for gap in self.spool.gaps()],
            "bridged": [list(span) for span in self.spool.bridges()[-RECENT:]],
            "recent": [_point(host, sample) for host, sample in list(self.recent)],
        }

    def state(self) -> str:
        """In a word. It is starting until something was measured and, if it may be sent, something has got through or has not."""
        if self.disk_full or self.identity.refused:
            return "needs attention"
        if self.gate.mode.paused:
            return "paused"
        if self.delivery.publisher.trouble:
            return "offline"
        known = self.recent and (self.delivery.last_sent_ms or not self.gate.is_open())
        return "running" if known else "starting"

    def close(self) -> None:
        self.delivery.publisher.close(timeout_s=1)
        self.spool.close()
        self.lock.release()

    def _bridge(self) -> None:
        """Meter what counters tell of the time in which no agent ran; where they tell nothing, declare the hole."""
        kept, now = Carried.from_json(self.spool.recall("carried")), self.sampler.carried()
        samples = bridge(kept, now, self.sampler.host)
        if kept is not None and not samples and kept.end_ms < now.end_ms:
            self.spool.note_gap(Gap(kept.end_ms, now.end_ms, 0, "the machine was restarted, or no agent ran for a month"))
        if samples and self.spool.append(self.sampler.host, samples, now.to_json()):
            self.spool.note_bridge(samples[0].start_ms, samples[-1].end_ms)
            log.info(
                "no agent ran for %.1f s: CPU and bytes of that time are metered",
                (samples[-1].end_ms - samples[0].start_ms) / 1000,
            )

    def _right(self, clock: Clock, boot: str) -> Clock:
        """The clock, put right by the server's where there is one."""
        if self.server is None:
            return clock
        self.server.time.own_ns = clock.wall_ns
        self.server.time.keep_in(self.spool, boot)
        return replace(clock, wall_ns=self.server.time.wall_ns)

    def _agreed_interval(self) -> int:
        setting, _, asked = (self.spool.recall("interval") or "").partition(" ")
        agreed = setting == str(self.config.interval) and "interval" in self.config.obey
        return int(asked) if agreed else self.config.interval

    def _sender(self) -> Sender:
        kafka = Publisher(self.config.broker(), self.identity.dressed)
        if self.server is None or self.server.key is None or self.config.transport == "KAFKA":
            return kafka
        http = HttpPublisher(self.server, self.config.topic, self.identity.dressed)
        return http if self.config.transport == "HTTP" else Fallback(kafka, http)

    def _source(self) -> watermark.Source | None:
        if self.server is None:
            return None
        if self.server.key is None:
            return watermark.HttpWatermark(self.server)
        return Remote(self.server, self, self.spool, self.config, self.identity.server_key)

    def _threads(self) -> list[threading.Thread]:
        upkeep = watermark.Upkeep(self.outbox, self._source(), self.config.keep_days)
        return [
            threading.Thread(target=self.delivery.run, args=(self._stopping,), name="delivery", daemon=True),
            threading.Thread(target=watermark.run, args=([upkeep], self._stopping), name="upkeep", daemon=True),
        ]

    def _finish(self, threads: list[threading.Thread]) -> None:
        """Leave within seconds: what the broker does not take by then waits on disk for the next start."""
        self._stopping.set()
        self.delivery.wake.set()
        threads[0].join(FINISH_S / 2)
        self.delivery.publisher.give_up()
        for thread in threads:
            thread.join(FINISH_S / 2)
        log.info("stopped; %d samples wait on disk", self.spool.position().waiting)
        if not any(thread.is_alive() for thread in threads):
            self.close()


def owner(machine: str, id_file: Path = MACHINE_ID) -> dict[str, str]:
    """Who the spool belongs to. Without the id in a container: there it may be new each time, though the spool is the same."""
    try:
        identity = "" if cgroup.find() else id_file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        identity = ""
    return {"machine": machine, **({"machine_id": identity} if re.fullmatch(r"[0-9a-f]{32}", identity) else {})}


def percentages(host: Host, sample: Sample) -> tuple[float, float]:
    """CPU and memory of a sample in percent of the machine, to look at and to compare with thresholds; never to bill."""
    span = max(1, sample.duration_ms)
    return 100 * sample.cpu_ms / (host.cores * span), 100 * sample.memory_mib_ms / (max(1, host.memory_mib) * span)


def shown_settings(config: Config) -> dict[str, list[str]]:
    """Each setting as (value, who said it); of secrets only that there is one."""
    return {setting.name: [_said(config, setting), config.origins[setting.name]] for setting in SETTINGS}


def _said(config: Config, setting: Setting) -> str:
    value = getattr(config, setting.name)
    if setting.secret and value:
        return "set"
    if isinstance(value, tuple):
        return ("-" if setting.name == "obey_interval" else ",").join(str(part) for part in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _point(host: Host, sample: Sample) -> dict[str, float]:
    span = max(1, sample.duration_ms)
    return {
        "t": sample.end_ms,
        "cores_used": round(sample.cpu_ms / span, 3),
        "cores": host.cores,
        "memory_used_mib": round(sample.memory_mib_ms / span, 1),
        "memory_mib": host.memory_mib,
    }
