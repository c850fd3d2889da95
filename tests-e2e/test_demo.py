"""The demo as a newcomer starts it."""

import os
import signal
import subprocess
from pathlib import Path

import httpx2
import pytest
from hub_sqlite import FileLock
from running import COMMAND_DEADLINE_S, HUB, RunningHub, environment, free_port, run_hub
from separate import SeparateHub


@pytest.mark.slow
def test_the_demo_finds_every_record_as_the_college_has_it(tmp_path: Path) -> None:
    done = run_hub(tmp_path, "demo", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 26,048 records are as the college has them" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_demo_against_a_hub_that_runs_already_can_be_played_again(hub: RunningHub, tmp_path: Path) -> None:
    college_url = f"http://{os.environ.get('HUB_E2E_COLLEGE_HOST', '127.0.0.1')}:{free_port()}"
    command = ("demo", "--once", "--url", hub.url, "--college-url", college_url)
    # SecantusDB looks at every record for every page, so there one performance has to do.
    is_slow = isinstance(hub, SeparateHub) or bool(os.environ.get("HUB_E2E_STAND_IN"))
    for _ in range(1 if is_slow else 2):
        done = run_hub(tmp_path, *command, "--webhooks-url", hub.webhooks_url + "/", HUB_TOKEN_SECRET=hub.token_secret)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "all 26,048 records are as the college has them" in done.stdout


@pytest.mark.parametrize("college_url", ["nonsense", "http://127.0.0.1", "https://127.0.0.1:9000", "http://h:port"])
def test_a_college_is_served_only_where_it_can_be(college_url: str, tmp_path: Path) -> None:
    done = run_hub(tmp_path, "demo", "--once", "--url", "http://127.0.0.1:9", "--college-url", college_url)
    assert done.returncode == 1
    assert "is not where a simulated college can be" in done.stderr


@pytest.mark.slow
def test_the_demo_stays_up_to_be_looked_at_until_it_is_interrupted(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [HUB, "demo"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert demo.stdout is not None
        lines: list[str] = []
        while not any("HUB_TOKEN=" in line for line in lines):
            line = demo.stdout.readline()
            assert line, "".join(lines)
            lines.append(line)
        words = dict(word.split("=", 1) for word in lines[-1].split() if "=" in word)
        response = httpx2.get(
            f"{words['HUB_URL']}/api/integrations",
            headers={"authorization": f"Bearer {words['HUB_TOKEN']}"},
            trust_env=False,
        )
        assert [item["name"] for item in response.json()["items"]] == [
            "College ERP",
            "BiometricAttendance",
            "College LMS",
        ]
        demo.send_signal(signal.SIGINT)
        assert demo.wait(COMMAND_DEADLINE_S) == 0
    finally:
        demo.kill()
        demo.wait()
        if demo.stdout is not None:
            demo.stdout.close()


def test_a_second_demo_says_that_one_is_running(tmp_path: Path) -> None:
    (tmp_path / ".hub").mkdir()
    lock = FileLock(tmp_path / ".hub" / "demo")
    lock.acquire()
    try:
        done = run_hub(tmp_path, "demo")
    finally:
        lock.release()
    assert done.returncode == 1
    assert "Another demo is running" in done.stderr
