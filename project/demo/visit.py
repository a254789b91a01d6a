"""A client of the HTTP API: curl asks twice for a phrase, and once without a key."""

from __future__ import annotations

import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from project.demo import site

PATIENCE: Final = 30
"""Seconds for one answer."""
BODY: Final = {
    "model": "espeak-ng",
    "voice": "en-us",
    "input": "The bus to the harbour leaves in ten minutes.",
    "response_format": "wav",
}
COMMAND: Final = """\
curl {url} \\
  -H "Authorization: Bearer $SPEECH_KEY" -H "Content-Type: application/json" \\
  -d '{body}'"""


class Answer(NamedTuple):
    """What curl has shown and written."""

    head: list[str]
    """The status line, and the headers."""
    digest: str

    @property
    def status(self) -> int:
        """Such as 200; 0 where nothing was answered."""
        words = self.head[0].split() if self.head else []
        return int(words[1]) if len(words) > 1 else 0


class Visit(NamedTuple):
    """Three calls."""

    key: str
    command: str
    miss: Answer
    hit: Answer
    stranger: Answer


def pay(folder: Path) -> Visit | None:
    """Ask a site that lives for it; None where there is no curl. Raises NewcomerFailed."""
    if shutil.which("curl") is None:
        return None
    folder.mkdir()
    with site.running(folder) as found:
        url = f"{found.url}/v1/audio/speech"
        command = COMMAND.format(url=url, body=json.dumps(BODY, indent=2))
        miss, hit = (_ask(url, folder, found.key) for _ in range(2))
        return Visit(found.key, command, miss, hit, _ask(url, folder, ""))


def _ask(url: str, folder: Path, key: str) -> Answer:
    head, body = folder / "head", folder / "body"
    # The key by way of the input: a command line can be read by others.
    done = subprocess.run(
        [
            "curl", "--silent", "--dump-header", str(head), "--output", str(body),
            "--header", "@-", "--data", json.dumps(BODY), "--max-time", str(PATIENCE), url,
        ],
        input=f"Content-Type: application/json\nAuthorization: Bearer {key}\n",
        encoding="utf-8",
        check=False,
    )  # fmt: skip
    if done.returncode:
        return Answer([], "")
    return Answer(
        head.read_text().split("\n\n")[0].split("\n"), sha256(body.read_bytes()).hexdigest()
    )
