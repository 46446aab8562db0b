"""`python -m agent replay`: from its flags, or a fleet file and its flags, to a player that plays."""

import argparse
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from agent import enrolment, fleet, keys, remote
from agent.config import Config, ConfigError
from agent.fleet import Fleet, Member
from agent.keys import KeyProblem, Keyring, MachineKey
from agent.publisher import Publisher
from agent.replay import Player, Span, now_ms
from agent.seal import SealingKey
from agent.server import Server, ServerProblem

ROW_S = 300
LIVE_S = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """Done when all was sent, or when following was stopped by its user; not if history was cut short."""

    done: bool
    waiting: int


def run(options: argparse.Namespace, config: Config, stop: threading.Event) -> Outcome:
    plan = planned(options, config)
    player = Player(Publisher(config.broker(), keyring(plan, config).dressed), config.state_dir)
    for member in plan.members:
        span = history_span(plan, member)
        if plan.follow:
            player.add_following(member.machine, span, _live_ms(plan, member))
        else:
            player.add_history(member.machine, span)
    if plan.follow:
        player.follow(stop)
        return Outcome(True, player.waiting_at_end)
    player.drain(stop)
    return Outcome(player.waiting_at_end == 0, player.waiting_at_end)


def planned(options: argparse.Namespace, config: Config) -> Fleet:
    """What to play. Flags go before what the fleet file says."""
    if bool(options.file) == bool(options.fleet):
        raise ConfigError("name a trace FILE and its --machine, or a --fleet FLEET.toml.")
    plan = fleet.load(Path(options.fleet)) if options.fleet else Fleet((_single(options, config),))
    plan = replace(
        plan,
        from_ms=plan.from_ms if options.start is None else fleet.moment(options.start, "--from"),
        to_ms=plan.to_ms if options.end is None else fleet.moment(options.end, "--to"),
        step_s=_seconds("--step", options.step) or plan.step_s,
        live_step_s=_seconds("--live-step", options.live_step) or plan.live_step_s,
        follow=plan.follow or options.follow,
    )
    if plan.follow and plan.to_ms is not None:
        raise ConfigError("following has no end: leave out either to or follow.")
    return plan


def keyring(plan: Fleet, config: Config) -> Keyring:
    """What the machines sign with and seal to. Raise KeyProblem, ConfigError where usage is to be sealed and cannot be."""
    codes = [member.machine.code for member in plan.members]
    signing = keys.of_machines(config.state_dir, codes)
    if not config.seal:
        return Keyring(signing)
    for member in plan.members:
        if member.machine.version0:
            raise ConfigError(f"machine {member.machine.code}: version0 cannot be sealed. Take it out, or replay without seal.")
    return Keyring(signing, {code: _sealing(code, signing.get(code), config) for code in codes})


def _sealing(code: str, key: MachineKey | None, config: Config) -> SealingKey:
    """The server's newest key if it can be asked, else the one that it told at enrolment. Raise KeyProblem."""
    told = enrolment.told(config.state_dir / code).get("sealing_key")
    if config.server and key:
        with suppress(ServerProblem):
            told = remote.told(Server(config.server, key), str(uuid.uuid4())).get("sealing_key") or told
    sealing = SealingKey.of(told)
    if sealing is None:
        raise KeyProblem(
            f"machine {code}: usage is to be sealed, but the server has told no key for it. Enrol the machine here, after "
            "manage.py make_sealing_key on the server."
        )
    return sealing


def history_span(plan: Fleet, member: Member) -> Span:
    """[from, to) for one machine. Without from and to: the trace's own times, or nothing before now when following."""
    step_ms = member.every_ms if member.machine.version0 else 1000 * (plan.step_s or _row_s(member))
    now = now_ms() // step_ms * step_ms
    end = plan.to_ms if plan.to_ms is not None and not plan.follow else now
    if plan.from_ms is not None:
        start = plan.from_ms
    elif plan.follow or member.trace is None:
        start = end
    else:
        start, end = member.trace.start_ms, plan.to_ms or member.trace.end_ms
    if start > end:
        raise ConfigError(f"machine {member.machine.code}: from lies after to.")
    return Span(start, end, step_ms)


def _single(options: argparse.Namespace, config: Config) -> Member:
    words = {
        "code": config.machine,
        "cores": options.cores,
        "memory_mib": options.memory_mib,
        "memory_percent": options.memory_percent,
        "movement": options.movement,
        options.meter: str(Path(options.file).absolute()),
    }
    return fleet.member(words)


def _row_s(member: Member) -> int:
    return member.trace.rows[-1].duration_ms // 1000 if member.trace else ROW_S


def _live_ms(plan: Fleet, member: Member) -> int:
    return member.every_ms if member.machine.version0 else 1000 * (plan.live_step_s or LIVE_S)


def _seconds(flag: str, value: int | None) -> int | None:
    if value is None or 1 <= value <= 3600:
        return value
    raise ConfigError(f"{flag} must be whole seconds from 1 to 3600, not {value}.")
