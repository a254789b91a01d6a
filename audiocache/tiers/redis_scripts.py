"""What Redis must decide on the spot: small scripts, and how they are called.

redis-py's own scripts ask in every pipeline whether the server still has them: a round trip
more. Ours are sent only after the server said that it has not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from audiocache.tiers.redis_asking import Command, ask, refuse

UPLOAD_MS: Final = 10_000
"""An upload whose script never came leaves by itself."""


class Script(NamedTuple):
    """A script and the name that the server knows it by."""

    text: str
    sha: str


class Call(NamedTuple):
    """One call of a script."""

    keys: Sequence[str]
    args: Sequence[Any]
    upload: bytes = b""
    """A large value that the script finds under its last key: Lua would copy it twice."""


def script(text: str) -> Script:
    """A script, named as the server names it."""
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


# KEYS: the generation. ARGV: the one to begin with where none is there, or something foreign.
# Of two that begin at once both learn the same.
BEGIN: Final = script("""
local known = redis.pcall('GET', KEYS[1])
if type(known) == 'string' and #known < 20 and known:find('^[1-9]%d*$') then return known end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
""")


def run(redis: Any, script: Script, calls: Iterable[Call]) -> list[Any]:
    """The answers of so many calls: one round trip. Raises Redis' errors."""
    from redis.exceptions import NoScriptError

    wanted = list(calls)
    answers = _answers(redis, script, wanted)
    if any(isinstance(answer, NoScriptError) for answer in answers):  # new, or restarted
        redis.script_load(script.text)
        answers = _answers(redis, script, wanted)
    refuse(answers)
    return answers


def _answers(redis: Any, script: Script, calls: Sequence[Call]) -> list[Any]:
    commands: list[Command] = []
    places = []
    for call in calls:
        if call.upload:
            commands.append(("SET", call.keys[-1], call.upload, "PX", UPLOAD_MS))
        places.append(len(commands))
        commands.append(("EVALSHA", script.sha, len(call.keys), *call.keys, *call.args))
    answers = ask(redis, commands)
    return [answers[place] for place in places]
