"""A service without its keys ends at once, also while its broker and its store are not there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("service", "keys"),
    [
        ("fetcher", "HUB_FETCHER_KEYS_FILE"),
        ("webhook_gateway", "HUB_GATEWAY_KEYS_FILE"),
        ("config_api", "HUB_PUBLIC_KEYS_FILE"),
    ],
)
def test_keys_are_read_before_broker_and_store_are_waited_for(tmp_path: Path, service: str, keys: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"from hub_{service}.main import main; main()"],
        env={
            "PATH": os.environ["PATH"],
            "HUB_BROKER_URL": "amqp://127.0.0.1:9/",
            "HUB_STORE_URL": "mongodb://127.0.0.1:9/hub",
            "HUB_START_PATIENCE_S": "3",
            "HUB_HTTP_PORT": "0",
            "HUB_TOKEN_SECRET": "a shared secret of at least thirty-two bytes",
            keys: str(tmp_path / "missing.json"),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "missing.json" in done.stderr
    assert "process.waiting" not in done.stdout + done.stderr
