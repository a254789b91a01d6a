"""What the demo says of itself, each checked against what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from project.demo import program
from project.demo.passes import Pass
from project.demo.program import Program
from project.demo.visit import Visit
from tts.speech import PROVIDER


class Claim(NamedTuple):
    """One sentence, and whether it is so."""

    sentence: str
    holds: bool


def claims(played: Program, installation: dict[str, int]) -> Iterator[Claim]:
    """All that this run claims; a pass that was left out claims nothing."""
    yield from _first_time(played)
    yield from _ever_after(played)
    yield from _lives(played)
    yield from _voices(played.passes[program.VOICES], played.passes[program.VOICES_AGAIN])
    if played.visit is not None:
        yield from _over_http(played.visit)
    yield Claim("every answer was, byte for byte, the clip made first", _same_sound(played))
    yield Claim(
        "every clip left as a file is a whole WAV with sound", played.clips.listen().audible
    )
    yield Claim("each tier was asked for what the tier above it missed", _adds_up(played))
    yield Claim(
        "the installation's counters are the sum of both processes",
        all(installation.get(name, 0) == n for name, n in _sum_of(played.counted).items()),
    )


def _first_time(played: Program) -> Iterator[Claim]:
    cold = played.passes[program.COLD]
    keys = {answer.key for answer in cold.answers}
    yield Claim(
        f"each of {len(cold.answers)} phrases was synthesised once",
        cold.all_from(PROVIDER) and cold.calls == len(keys) == len(cold.answers),
    )


def _ever_after(played: Program) -> Iterator[Claim]:
    named = [
        (program.MEMORY, "memory", "then memory answered all of them"),
        (program.NEW_PROCESS, "persistent", "in a new process the database answered all"),
        (program.REDIS, "distributed", "with memory and database emptied Redis answered all"),
    ]
    for name, tier, sentence in named:
        if (passed := played.passes.get(name)) is not None:
            holds = passed.all_from(tier) and passed.calls == 0
            yield Claim(f"{sentence}, without a synthesis", holds)


def _lives(played: Program) -> Iterator[Claim]:
    at_once = played.passes[program.BRIEF_AT_ONCE]
    after = played.passes[program.BRIEF_AFTER]
    number = len(after.answers)
    yield Claim(
        f"{number} clips with 2 s to live were there at once, and gone after it",
        at_once.all_from("memory") and after.all_from(PROVIDER) and after.calls == number,
    )
    yield Claim(
        "the clean-up removed these from memory and database, and no other clip",
        played.removed == {"memory": number, "persistent": number, "distributed": 0}
        and played.rows_left == len(played.passes[program.COLD].answers),
    )


def _voices(first: Pass, again: Pass) -> Iterator[Claim]:
    keys = {answer.key for answer in first.answers}
    sounds = {answer.digest for answer in first.answers}
    yield Claim(
        "one phrase in two voices is two clips with two keys",
        len(keys) == len(sounds) == first.calls == 2 and again.all_from("memory"),
    )


def _over_http(visit: Visit) -> Iterator[Claim]:
    same = visit.miss.digest == visit.hit.digest
    yield Claim(
        "over HTTP the second call for a phrase got the clip made for the first",
        visit.miss.status == visit.hit.status == 200 and same,
    )
    yield Claim("without its key there was no speech", visit.stranger.status == 401)


def _same_sound(played: Program) -> bool:
    """The voice never makes the same bytes twice, so this shows that a clip was kept."""
    made: dict[str, str] = {}
    for passed in played.passes.values():
        for answer in passed.answers:
            if answer.tier == PROVIDER:
                made[answer.key] = answer.digest
            elif made.get(answer.key) != answer.digest:
                return False
    return True


def _adds_up(played: Program) -> bool:
    """In each process: hits and misses of a tier are the misses of the one above."""
    return all(
        counted[f"{below}.hits"] + counted[f"{below}.misses"] == counted[f"{above}.misses"]
        for counted in played.counted
        for above, below in pairwise(played.stage.tiers)
    )


def _sum_of(counted: list[dict[str, int]]) -> dict[str, int]:
    names = {name for one in counted for name in one}
    return {name: sum(one.get(name, 0) for one in counted) for name in names}
