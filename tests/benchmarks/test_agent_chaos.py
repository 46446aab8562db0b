"""Violence against an agent, for half a minute, and that the verdict names what the agent does not declare."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos_verdict import found_of
from benchmarks.toil import Toil
from tests.benchmarks.command import ENGINE, run

T0 = 1_764_028_800_000


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.skipif(ENGINE == "postgres", reason="It runs on SQLite, once.")
def test_the_bills_are_equal_but_for_what_the_agent_declares() -> None:
    """`python -m benchmarks agent-chaos` kills fifty times."""
    done = run("agent-chaos", "--kills", "3", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    assert figures["failed"] == []
    assert len(figures["bridged"]) >= 3
    assert any("restarted" in gap[3] for gap in figures["gaps"])
    assert any("full" in gap[3] for gap in figures["gaps"]) or not figures["acts"]["disk"]
    assert all(line["calm"] > 0 for line in figures["lines"])


class TestVerdict:
    """A second of full metering, two seconds lost and declared, a second bridged, a second of full metering."""

    samples = {
        "calm": [[T0 + second * 1_000, T0 + (second + 1) * 1_000, 512_000] for second in range(5)],
        "storm": [[T0, T0 + 1_000, 512_000], [T0 + 3_000, T0 + 4_000, 0], [T0 + 4_000, T0 + 5_000, 512_000]],
    }
    said = {"gaps": [[T0 + 1_000, T0 + 3_000, 2, "full"]], "bridged": [[T0 + 3_000, T0 + 4_000]]}
    calm = {"CPU": 500, "Network in": 50, "Memory": 5_000, "Disk": 5_000}
    storm = {"CPU": 300, "Network in": 30, "Memory": 2_000, "Disk": 2_000}

    def found(self, folder: Path, **changes: Any) -> list[str]:
        toil = Toil(folder, ("calm", "storm"), seed=1)
        readings = [(T0 + 1_000, 100, 10), (T0 + 3_000, 300, 30), (T0 + 5_000, 500, 50)]
        notes = [f"{at} {json.dumps({'cpu_ms': cpu_ms, 'net_rx': net_rx})}\n" for at, cpu_ms, net_rx in readings]
        toil.files["storm"].with_suffix(".readings").write_text("".join(notes))
        judged = {"bills": {"calm": self.calm, "storm": self.storm}, "samples": self.samples, "rejected": [], "audit": []}
        judged |= {"stored": {"calm": 5, "storm": 3}} | changes
        failures: list[str] = found_of(judged, self.said, toil, {"calm": 5, "storm": 3})["failed"]
        return failures

    def test_what_is_declared_may_differ(self, tmp_path: Path) -> None:
        assert self.found(tmp_path) == []

    @pytest.mark.parametrize("name", ["CPU", "Network in", "Memory", "Disk"])
    def test_a_cent_more_or_less_may_not(self, tmp_path: Path, name: str) -> None:
        for cents in (1, -1):
            bills = {"calm": self.calm, "storm": self.storm | {name: self.storm[name] + cents}}

            assert len(self.found(tmp_path, bills=bills)) == 1

    def test_time_without_a_sample_that_is_not_declared_is_named(self, tmp_path: Path) -> None:
        samples = self.samples | {"storm": [[T0, T0 + 1_000, 512_000], [T0 + 4_000, T0 + 5_000, 512_000]]}

        assert "3000 ms of no sample or of two, and not declared" in self.found(tmp_path, samples=samples)

    def test_what_was_lost_or_refused_on_the_way_is_named(self, tmp_path: Path) -> None:
        assert self.found(tmp_path, stored={"calm": 5, "storm": 2})[0].startswith("stored")
        assert self.found(tmp_path, rejected=["in_future"]) == ["rejected: ['in_future']"]
