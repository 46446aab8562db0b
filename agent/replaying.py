"""`python -m agent replay`: from its flags, or a fleet file and its flags, to a player that plays."""

import argparse
import threading
from dataclasses import replace
from pathlib import Path

from agent import fleet, keys
from agent.config import Config, ConfigError
from agent.fleet import Fleet, Member
from agent.publisher import Publisher
from agent.replay import Player, Span, now_ms

ROW_S = 300
LIVE_S = 5


def run(options: argparse.Namespace, config: Config, stop: threading.Event) -> bool:
    """True when all was sent, or when following was stopped by its user; False if history was cut short."""
    plan = planned(options, config)
    codes = [member.machine.code for member in plan.members]
    player = Player(Publisher(config.broker(), keys.keyring(config.state_dir, codes).dressed), config.state_dir)
    for member in plan.members:
        span = history_span(plan, member)
        if plan.follow:
            player.add_following(member.machine, span, _live_ms(plan, member))
        else:
            player.add_history(member.machine, span)
    if plan.follow:
        player.follow(stop)
        return True
    return player.drain(stop)


def planned(options: argparse.Namespace, config: Config) -> Fleet:
    """What to play. Flags go before what the fleet file says."""
    if bool(options.file) == bool(options.fleet):
        raise ConfigError("name a trace FILE and its --machine, or a --fleet FLEET.toml.")
    plan = fleet.load(Path(options.fleet)) if options.fleet else Fleet((_single(options, config),))
    return replace(
        plan,
        from_ms=plan.from_ms if options.start is None else fleet.moment(options.start, "--from"),
        to_ms=plan.to_ms if options.end is None else fleet.moment(options.end, "--to"),
        step_s=_seconds("--step", options.step) or plan.step_s,
        live_step_s=_seconds("--live-step", options.live_step) or plan.live_step_s,
        follow=plan.follow or options.follow,
    )


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
