"""Processes that share one file of clips meet an outage of their provider."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

from tests.tts.outages.conftest import TEXT
from tests.tts.vendors import elevenlabs
from tests.tts.vendors.server import Heard, Reply, Server

SITE = Path(__file__).parents[2] / "sites" / "outage.py"


def slowly_down(line: socket.socket, heard: Heard) -> bool:
    """As a server under load: who comes in the meantime joins the call."""
    time.sleep(0.25)
    return Reply(503)(line, heard)


def test_everybody_hears_something_and_the_provider_is_left_alone(
    server: Server, tmp_path: Path
) -> None:
    arguments = [sys.executable, str(SITE), str(tmp_path / "cache"), server.url, elevenlabs.KEY]
    sites = [
        subprocess.Popen(arguments, stdin=PIPE, stdout=PIPE, text=True, cwd=SITE.parents[2])
        for _ in range(2)
    ]
    try:
        for site in sites:
            assert site.stdout is not None
            assert site.stdout.readline() == "ready\n"
        before = len(server.heard)
        time.sleep(1.1)  # what they have lives a second
        server.behave = slowly_down
        answers = [json.loads(site.communicate("\n", timeout=30)[0]) for site in sites]
    finally:
        for site in sites:
            site.kill()
            site.wait()
    # None has lost the clip, whoever of them paid for it; and another voice says the rest.
    for answer in answers:
        assert answer == {"had": {"elevenlabs stale": 70}, "new": {"tone fallback": 70}}
    # One set of attempts in each process, which then leaves the provider alone for this clip.
    asked = [heard.json()["text"] for heard in server.heard[before:]]
    assert asked.count(TEXT) == 3 * len(sites)
