"""The command line: parses, calls one function of another module, and answers with an exit code."""

import argparse
import json
import logging
import re
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
from agent.modes import LONGEST_EVERY_S
from agent.private import FolderProblem
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
    except (control.ControlError, KeyProblem, ServerProblem, FolderProblem, OSError, sqlite3.Error) as error:
        return _complain(FAILED, error)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m agent", description="Meters this machine for Corehour.", epilog=EXIT_CODES)
    top.add_argument("--version", action="version", version=f"corehour-agent {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    run = _add(commands, "run", _run, "measure this machine and send what it uses")
    run.add_argument("--once", action="store_true", help="one sample, send all that waits, exit 0 if the broker has it")
    _replay_flags(_add(commands, "replay", _replay, "send recorded traces as named machines", output=True))
    _add(commands, "status", _status, "how the running agent is doing", output=True)
    _add(commands, "pause", _tell("pause"), "stop sending; measuring goes on, samples wait on disk", output=True)
    _add(commands, "resume", _tell("resume"), "send again", output=True)
    _add(commands, "send", _send, "send all that waits now, whatever the mode", output=True)
    _mode_flags(_add(commands, "mode", _mode, "when to send; remembered", output=True))
    help = "register this machine with a single-use token from its page in the portal"
    enrol = _add(commands, "enrol", _enrol, help, output=True)
    enrol.add_argument("address", metavar="URL", help="the portal's address")
    enrol.add_argument("token", metavar="TOKEN", help="che_…; - reads it from standard input, where no other user sees it")
    help = "sign with a new key from now on; the server takes the old one for a week more"
    _add(commands, "new-key", _new_key, help, output=True)
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
    from agent import cautions
    from agent.service import Service

    settings, stop = _load(options), _stopped_by_signals()
    service = Service(settings)
    for caution in cautions.at_start(settings, service.identity):
        logging.getLogger("agent").warning(caution)
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
    outcome = replaying.run(options, settings, _stopped_by_signals())
    if options.output == "json":
        print(json.dumps({"done": outcome.done, "waiting": outcome.waiting}))
    return DONE if outcome.done else FAILED


def _status(options: argparse.Namespace) -> int:
    snapshot = _ask(options, do="status")
    return _answer(options, snapshot, console.page(snapshot))


def _tell(verb: str) -> Callable[[argparse.Namespace], int]:
    def command(options: argparse.Namespace) -> int:
        answer = _ask(options, do=verb)
        return _answer(options, answer, f"now: {answer['mode']}")

    return command


def _send(options: argparse.Namespace) -> int:
    answer = _ask(options, do="send")
    if answer["trouble"] is None:
        return _answer(options, answer, f"sending {answer['waiting']} samples")
    words = f"{answer['trouble']}; {answer['waiting']} samples wait on disk and go as soon as there is a way"
    return _answer(options, answer, words, FAILED)


def _mode(options: argparse.Namespace) -> int:
    changes = _changes(options)
    answer = _ask(options, do="mode", mode=changes)
    resumed = f"; once resumed: {answer['when_resumed']}" if "when_resumed" in answer else ""
    return _answer(options, answer, f"now: {answer['mode']}{resumed}")


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    """What the flags of `mode` ask for. Raise ConfigError, whether an agent runs or not."""
    if (options.kind == "every") != (options.seconds is not None):
        raise ConfigError("say: mode every SECONDS; the other modes take no seconds.")
    percents = {"cpu_percent": ("--cpu", options.cpu), "memory_percent": ("--memory", options.memory)}
    given = {name: pair for name, pair in percents.items() if pair[1] is not None}
    if given and options.kind != "above":
        raise ConfigError("say: mode above --cpu PERCENT --memory PERCENT; the other modes take no percentages.")
    changes: dict[str, Any] = {"above": options.kind == "above", "demand": options.kind == "demand"}
    if options.kind == "every":
        changes["every_s"] = _within(options.seconds, 1, LONGEST_EVERY_S, "mode every", "seconds")
    elif options.kind in ("continuous", "above"):
        changes["every_s"] = 0
    return changes | {name: _within(percent, 0, 100, flag, "percent") for name, (flag, percent) in given.items()}


def _within(number: int, low: int, high: int, what: str, unit: str) -> int:
    if not low <= number <= high:
        raise ConfigError(f"{what}: {number} will not do. It must be a whole number of {unit} from {low} to {high}.")
    return number


def _enrol(options: argparse.Namespace) -> int:
    from agent import enrolment

    flags = vars(options)
    address = config.address_of(options.address, config.one("plaintext", flags))
    token = sys.stdin.readline().strip() if options.token == "-" else options.token  # noqa: S105 - a dash
    if not re.fullmatch(r"[!-~]{1,200}", token):
        raise ConfigError(
            "TOKEN: this will not do. It must be what the machine's page in the portal shows: che_ and 43 characters."
        )
    machine, key = enrolment.enrol(address, token, config.one("state_dir", flags))
    words = f"this machine is {machine} now. Start it: corehour-agent run, or systemctl restart corehour-agent"
    return _answer(options, {"machine": machine, "key": key}, words)


def _new_key(options: argparse.Namespace) -> int:
    answer = _ask(options, do="new-key")
    return _answer(options, answer, f"now signing with key {answer['key']}")


def _ask(options: argparse.Namespace, **question: Any) -> Any:
    return control.ask(_load(options).folder, question)


def _answer(options: argparse.Namespace, answer: Any, words: str, code: int = DONE) -> int:
    """Print what came of a command, for programs or for people. Return the exit code."""
    print(json.dumps(answer, indent=1) if options.output == "json" else words)
    return code


def _doctor(options: argparse.Namespace) -> int:
    from agent.doctor import examine

    findings = list(examine(_load(options)))
    words = "\n".join(f"{'ok  ' if finding.well else 'BAD '} {finding.what}: {finding.words}" for finding in findings)
    told = [{"what": finding.what, "well": finding.well, "words": finding.words} for finding in findings]
    return _answer(options, told, words, DONE if all(finding.well for finding in findings) else FAILED)


def _gui(options: argparse.Namespace) -> int:
    try:
        import tkinter
    except ImportError:
        return _complain(
            FAILED, "Python has no tkinter here. Debian, Ubuntu: apt install python3-tk; Fedora: dnf install python3-tkinter"
        )
    from agent import window_session

    flags = vars(options)
    state_dir, plaintext = config.one("state_dir", flags), config.one("plaintext", flags)
    try:
        return window_session.run(lambda: _load(options), _given(options), state_dir, plaintext=plaintext)
    except tkinter.TclError as error:
        return _complain(FAILED, f"there is no screen to show the window on: {error}")


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
