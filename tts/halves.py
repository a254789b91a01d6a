"""Is it all of a clip, in a form that does not say how long it is? Its pace and its end tell.

faster than any voice -> faster than most, in full voice -> faster than this voice, or odd for it
"""

from __future__ import annotations

from audiocache.entries import Recording
from tts.containers import Walked
from tts.endings import rest_of
from tts.formats import content_type_of
from tts.habits import Habits
from tts.plausible import FASTEST, STEADY, USUAL, bounds, has_directions
from tts.speech import SpeechRequest


def may_be_cut(recording: Recording, request: SpeechRequest, walked: Walked) -> bool:
    """Where its end would show, or what is made here of a whole one, its pace is no matter.

    Nor is it where somebody may have asked to hurry.
    """
    return not (walked.end_is_marked or recording.transcoded_from or _may_hurry(request))


def why_implausible(seconds: float, request: SpeechRequest, *, cut: bool) -> str | None:
    """What is wrong with its length for any voice; narrower where it may be cut."""
    least, most = _bounds(request, USUAL if cut else FASTEST)
    if least <= seconds <= most:
        return None
    return (
        f"the answer lasts {seconds:.2f} s; for this text {least:.2f} to {most:.0f} s are plausible"
    )


def why_cut(
    seconds: float,
    recording: Recording,
    request: SpeechRequest,
    walked: Walked,
    habits: Habits | None,
) -> str | None:
    """What speaks against its being whole, though it may be cut; else the voice is learned."""
    least, _ = _bounds(request, STEADY)
    if habits is None and seconds >= least:
        return None
    rest = rest_of(recording.audio, content_type_of(request.audio_format or ""), walked)
    if seconds < least and rest == 0:
        return (
            f"the answer breaks off after {seconds:.2f} s; this text takes {least:.2f} s or longer"
        )
    return _why_odd(seconds, rest, request, habits) if habits and not request.ssml else None


def learn_whole(seconds: float, request: SpeechRequest, habits: Habits) -> None:
    """Of one whose end is marked, however it sounds."""
    if not (request.ssml or _may_hurry(request)):
        habits.learn(request, seconds, None)


def _why_odd(
    seconds: float, rest: float | None, request: SpeechRequest, habits: Habits
) -> str | None:
    """An end in full voice teaches nothing: that clip may be cut, and be long enough."""
    least = habits.shortest(request, seconds, rest)
    if least is not None:
        return f"the answer lasts {seconds:.2f} s; this voice takes {least:.2f} s or longer"
    if rest != 0:
        habits.learn(request, seconds, rest)
    return None


def _may_hurry(request: SpeechRequest) -> bool:
    return bool(request.instructions or has_directions(request.text))


def _bounds(request: SpeechRequest, haste: float) -> tuple[float, float]:
    return bounds(request.text, request.speed or 1.0, ssml=request.ssml, haste=haste)
