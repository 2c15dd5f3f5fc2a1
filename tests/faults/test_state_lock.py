"""One process owns a state directory: every other one is refused, with a message that says so."""

from __future__ import annotations

from pathlib import Path

from tests.served import run, serve
from tests.walkthrough import EXAMPLES

COUNTER = EXAMPLES / "counter"


def test_second_process_on_the_same_state_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serve(COUNTER, state, log_file=tmp_path / "log") as owner:
        assert owner.request("POST", "/increment?name=a").text == "1\n"
        second = run("serve", COUNTER, "--port", "0", "--state", state)
        assert second.returncode != 0
        assert "listening" not in second.stdout
        assert str(state) in second.stderr.replace("\n", "")
        assert "another" in second.stderr.lower()
        assert "Traceback" not in second.stderr
        assert owner.request("POST", "/increment?name=a").text == "2\n"


def test_state_can_be_taken_over_when_its_owner_has_gone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serve(COUNTER, state, log_file=tmp_path / "log") as owner:
        assert owner.request("POST", "/increment?name=a").text == "1\n"
        assert owner.stop() == 0
    with serve(COUNTER, state, log_file=tmp_path / "log") as crashed:
        assert crashed.request("POST", "/increment?name=a").text == "2\n"
        crashed.kill()
    with serve(COUNTER, state, log_file=tmp_path / "log") as heir:
        assert heir.request("POST", "/increment?name=a").text == "3\n"
