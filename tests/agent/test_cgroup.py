"""In a container, the container is the machine."""

from pathlib import Path

import pytest

from agent.cgroup import Container, find
from agent.meters import Meters


def container(folder: Path, cpu_max: str = "150000 100000", memory_max: str = "536870912") -> Path:
    files = {
        "cpu.max": cpu_max,
        "memory.max": memory_max,
        "cpu.stat": "usage_usec 12345678\nuser_usec 1\nsystem_usec 2",
        "memory.current": "300000000",
        "memory.stat": "anon 1\ninactive_file 100000000\n",
        "io.stat": "259:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n8:0 rbytes=1 wbytes=2",
    }
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    (folder / "membership").write_text("0::/\n")
    return folder


def test_limits_and_use_are_the_containers(tmp_path: Path) -> None:
    found = find(container(tmp_path), tmp_path / "membership")

    assert found == Container(tmp_path)
    assert (found.cores(), found.memory_bytes()) == (2, 536_870_912)  # One and a half cores need two.
    assert (found.cpu_used_ms(), found.memory_used_bytes()) == (12_345, 200_000_000)
    assert found.disk_bytes("wbytes") == {"259:0": 8_192, "8:0": 2}


def test_a_service_with_limits_on_a_plain_host_is_not_the_machine(tmp_path: Path) -> None:
    container(tmp_path)
    (tmp_path / "membership").write_text("0::/system.slice/corehour-agent.service\n")

    assert find(tmp_path, tmp_path / "membership") is None


def test_a_hosts_root_has_no_memory_current(tmp_path: Path) -> None:
    container(tmp_path)
    (tmp_path / "memory.current").unlink()

    assert find(tmp_path, tmp_path / "membership") is None


@pytest.mark.parametrize(("cpu_max", "cores"), [("max 100000", None), ("50000 100000", 1), ("400000 100000", 4), ("", None)])
def test_quota_in_whole_cores(tmp_path: Path, cpu_max: str, cores: int | None) -> None:
    container(tmp_path, cpu_max=cpu_max)

    assert Container(tmp_path).cores() == cores


def test_the_meters_of_a_container(tmp_path: Path) -> None:
    meters = Meters(Container(container(tmp_path, cpu_max="100000 100000")))

    assert (meters.host().cores, meters.host().memory_mib) == (1, 512)
    assert (meters.read().cpu_ms, meters.read().memory_bytes) == (12_345, 200_000_000)
