"""The command line: parses, calls one function of another module, and answers with an exit code."""

import argparse
import json
import logging
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from agent import __version__, config, console, control
from agent.config import Config, ConfigError
from agent.keys import KeyProblem
from agent.lock import Taken
from agent.server import ServerProblem

DONE, FAILED, MISUSED, TAKEN, NOT_RUNNING = 0, 1, 2, 3, 4
EXIT_CODES = (
    "exit codes: 0 done, 1 failed, 2 a flag or setting is wrong, 3 another agent holds the state folder, 4 no agent is running"
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    _log_to_stderr(options.verbose)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ConfigError as error:
        return _complain(MISUSED, error)
    except Taken as error:
        return _complain(TAKEN, error)
    except control.NotRunning as error:
        return _complain(NOT_RUNNING, error)
    except (control.ControlError, KeyProblem, ServerProblem, OSError, sqlite3.Error) as error:
        return _complain(FAILED, error)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m agent", description="Meters this machine for Corehour.", epilog=EXIT_CODES)
    top.add_argument("--version", action="version", version=f"corehour-agent {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    run = _add(commands, "run", _run, "measure this machine and send what it uses")
    run.add_argument("--once", action="store_true", help="one sample, send all that waits, exit 0 if the broker has it")
    _replay_flags(_add(commands, "replay", _replay, "send recorded traces as named machines"))
    _add(commands, "status", _status, "how the running agent is doing", output=True)
    _add(commands, "pause", _tell("pause"), "stop sending; measuring goes on, samples wait on disk")
    _add(commands, "resume", _tell("resume"), "send again")
    _add(commands, "send", _tell("send"), "send all that waits now, whatever the mode")
    _mode_flags(_add(commands, "mode", _mode, "when to send; remembered"))
    enrol = _add(commands, "enrol", _enrol, "register this machine with a single-use token from its page in the portal")
    enrol.add_argument("address", metavar="URL", help="the portal's address")
    enrol.add_argument("token", metavar="TOKEN", help="che_…; - reads it from standard input, where no other user sees it")
    _add(commands, "new-key", _new_key, "sign with a new key from now on; the server takes the old one for a week more")
    _add(commands, "doctor", _doctor, "what is wrong and how to mend it", output=True)
    _add(commands, "gui", _gui, "the window")
    return top


def _add(commands: Any, name: str, command: Callable[[argparse.Namespace], int], help: str, output: bool = False) -> Any:
    sub = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".", epilog=EXIT_CODES)
    sub.set_defaults(command=command)
    sub.add_argument("--config", metavar="FILE", help=f"TOML file with settings [{config.CONFIG_ENV}, {config.SYSTEM_FILE}]")
    sub.add_argument("--verbose", action="store_true", help="log more")
    for setting in config.FLAGS:
        default = f", default {setting.default}" if setting.default else ""
        sub.add_argument("--" + setting.name.replace("_", "-"), metavar="X", help=f"{setting.help} [{setting.env}{default}]")
    if output:
        sub.add_argument("--output", choices=("text", "json"), default="text")
    return sub


def _replay_flags(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("file", nargs="?", metavar="FILE", help="CSV: timestamp,value")
    sub.add_argument("--fleet", metavar="FLEET.toml", help="several machines at once")
    sub.add_argument("--from", dest="start", metavar="TIME", help="ISO time; the trace is repeated to fill [from, to)")
    sub.add_argument("--to", dest="end", metavar="TIME", help="ISO time, default now, or the trace's own end without --from")
    sub.add_argument("--meter", choices=("cpu", "net_rx", "net_tx", "disk_read", "disk_write"), default="cpu")
    sub.add_argument("--cores", type=int, default=4)
    sub.add_argument("--memory-mib", type=int, default=16_384)
    sub.add_argument("--memory-percent", default="40")
    sub.add_argument("--movement", type=int, default=0, metavar="PERCENT", help="let values sway so that live charts move")
    sub.add_argument("--step", type=int, metavar="S", help="seconds a sample covers, default the spacing of the rows")
    sub.add_argument("--live-step", type=int, metavar="S", help="the same for what is sent in real time, default --step or 5")
    sub.add_argument("--follow", action="store_true", help="go on in real time until stopped")


def _mode_flags(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("kind", choices=("continuous", "every", "above", "demand"))
    sub.add_argument("seconds", nargs="?", type=int, help="for every: seconds between sendings")
    sub.add_argument("--cpu", type=int, metavar="PERCENT", help="for above, default 20")
    sub.add_argument("--memory", type=int, metavar="PERCENT", help="for above, default 50")


def _load(options: argparse.Namespace, **extra: str) -> Config:
    flags = {setting.name: getattr(options, setting.name) for setting in config.FLAGS}
    return config.load({**extra, **{name: text for name, text in flags.items() if text is not None}, "config": options.config})


def _run(options: argparse.Namespace) -> int:
    from agent.service import Service

    settings, stop = _load(options), _stopped_by_signals()
    service = Service(settings)
    if options.once:
        return (
            DONE if service.once(stop) else _complain(FAILED, f"{service.delivery.publisher.trouble}; the sample waits on disk")
        )
    server, status = control.Server(service, stop.set), console.StatusLine()
    server.start()
    logging.getLogger("agent").info("%s: measuring every %d s", settings.machine, settings.interval)
    try:
        service.run(stop, lambda: status.show(service.snapshot()) if status.live else None)
    finally:
        status.end()
        server.close()
    return DONE


def _replay(options: argparse.Namespace) -> int:
    from agent import replaying

    settings = _load(options) if options.file else _load(options, machine="named-in-the-fleet-file")
    return DONE if replaying.run(options, settings, _stopped_by_signals()) else FAILED


def _status(options: argparse.Namespace) -> int:
    snapshot = control.ask(_load(options).spool_path.parent, {"do": "status"})
    print(json.dumps(snapshot, indent=1) if options.output == "json" else console.page(snapshot))
    return DONE


def _tell(verb: str) -> Callable[[argparse.Namespace], int]:
    def command(options: argparse.Namespace) -> int:
        answer = control.ask(_load(options).spool_path.parent, {"do": verb})
        print(f"sending {answer['waiting']} samples" if verb == "send" else f"now: {answer['mode']}")
        return DONE

    return command


def _mode(options: argparse.Namespace) -> int:
    if (options.kind == "every") != (options.seconds is not None):
        raise ConfigError("say: mode every SECONDS; the other modes take no seconds.")
    changes: dict[str, Any] = {"above": options.kind == "above", "demand": options.kind == "demand"}
    if options.kind in ("every", "continuous"):
        changes["every_s"] = options.seconds or 0
    for name, percent in (("cpu_percent", options.cpu), ("memory_percent", options.memory)):
        if percent is not None:
            changes[name] = percent
    answer = control.ask(_load(options).spool_path.parent, {"do": "mode", "mode": changes})
    print(f"now: {answer['mode']}")
    return DONE


def _enrol(options: argparse.Namespace) -> int:
    from agent import enrolment

    address = config.address_of(options.address)
    token = sys.stdin.readline().strip() if options.token == "-" else options.token  # noqa: S105 - a dash
    machine = enrolment.enrol(address, token, config.state_dir_of(vars(options)))
    print(f"this machine is {machine} now. Start it: corehour-agent run, or systemctl restart corehour-agent")
    return DONE


def _new_key(options: argparse.Namespace) -> int:
    answer = control.ask(_load(options).folder, {"do": "new-key"})
    print(f"now signing with key {answer['key']}")
    return DONE


def _doctor(options: argparse.Namespace) -> int:
    from agent.doctor import examine

    findings = list(examine(_load(options)))
    if options.output == "json":
        print(
            json.dumps([{"what": finding.what, "well": finding.well, "words": finding.words} for finding in findings], indent=1)
        )
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.well else 'BAD '} {finding.what}: {finding.words}")
    return DONE if all(finding.well for finding in findings) else FAILED


def _gui(options: argparse.Namespace) -> int:
    try:
        import tkinter  # noqa: F401 - to say in words what is missing
    except ImportError:
        return _complain(
            FAILED, "Python has no tkinter here. Debian, Ubuntu: apt install python3-tk; Fedora: dnf install python3-tkinter"
        )
    from agent import window

    return window.run(_load(options), _given(options))


def _given(options: argparse.Namespace) -> list[str]:
    """The flags as they were given, for an agent that the window starts."""
    names = ["config", *(setting.name for setting in config.FLAGS)]
    return [part for name in names if (text := getattr(options, name)) for part in ("--" + name.replace("_", "-"), text)]


def _stopped_by_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _log_to_stderr(verbose: bool) -> None:
    clear = "\r\033[K" if sys.stderr.isatty() else ""  # The status line is on the same terminal.
    logging.basicConfig(format=clear + "%(asctime)s %(levelname)s %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # One failure is many lines there; ours is one every 30 s.
    logging.getLogger("agent").setLevel(logging.DEBUG if verbose else logging.INFO)


def _complain(code: int, error: object) -> int:
    print(f"agent: {error}", file=sys.stderr)
    return code
