"""libespeak-ng through ctypes: one library in the process, and one lock around it.

The library keeps everything in global variables: two threads at once crash the process. It is
entered by a fair gate, in which a fork waits, too, so that a child never inherits a library that is
in the middle of a clip; nobody waits there for ever.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from threading import get_ident
from typing import Any, Final, NamedTuple

from audiocache.gate import Gate
from tts.providers import espeak_abi as abi

TURN_SECONDS: Final = 30.0
"""Of waiting for those before one."""
FORK_SECONDS: Final = 10.0
"""A fork goes ahead then, and the child does without the library."""
_FORK: Final = -1
"""The rank of a fork: before all who wait to speak."""

_STOP: Final = 1
_SPEAK_THE_ALTERNATIVE: Final = 1


class EspeakError(Exception):
    """The library refused; the message is about it, never about the text."""


class EspeakBusy(EspeakError):
    """Others were speaking all the time."""


class ListedVoice(NamedTuple):
    """A voice file of the library."""

    file: str
    name: str
    languages: tuple[tuple[int, str], ...]
    """(priority, tag), the lowest priority first."""


class Spoken(NamedTuple):
    """A clip: 16-bit samples, and (start in ms, position, length) of each word."""

    pcm: bytes
    words: list[tuple[int, int, int]]
    stopped: bool


class EspeakLibrary:
    """The library, loaded and initialised at first use."""

    def __init__(self) -> None:
        self.sample_rate = 0
        self._gate = Gate(1)
        self._forking: set[int] = set()
        """Threads that have the gate for it."""
        self._is_cut = False
        """Forked in the middle of a clip: its state is nobody's."""
        self._library: Any = None
        self._voices: tuple[ListedVoice, ...] = ()
        self._variants: frozenset[str] = frozenset()
        self._take: Callable[[bytes, list[tuple[int, int, int]]], bool] = lambda *_: False
        # ctypes does not keep callbacks alive.
        self._callbacks = (abi.SynthCallback(self._on_sound), abi.UriCallback(_on_uri))

    def speak(
        self,
        text: str,
        voice: str,
        parameters: Mapping[int, int],
        *,
        ssml: bool = False,
        stop: Callable[[], bool] = lambda: False,
        patience: float = TURN_SECONDS,
    ) -> Spoken:
        """The sound of a text; ends early when `stop()` says so. Raises EspeakError.

        Others are waited for `patience` seconds.
        """
        with self._turn(patience):
            return self._speak(self._loaded(), text.encode(), voice, parameters, ssml, stop)

    @property
    def voices(self) -> tuple[ListedVoice, ...]:
        """All voices whose language the library can really read. Raises EspeakError."""
        self._load()
        return self._voices

    @property
    def variants(self) -> frozenset[str]:
        """Names that may stand behind a voice and a plus sign, such as f3. Raises EspeakError."""
        self._load()
        return self._variants

    def before_fork(self) -> None:
        """Let the clip that is being made come to its end, for a bounded time."""
        if self._gate.enter(FORK_SECONDS, _FORK):
            self._forking.add(get_ident())

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if get_ident() in self._forking:
            self._forking.discard(get_ident())
            self._gate.leave()

    def after_fork_in_child(self) -> None:
        """The gate is a new one; what another thread was doing with the library has no end."""
        self._is_cut = self._is_cut or get_ident() not in self._forking
        self._forking.clear()

    def _load(self) -> None:
        """Who asks what there is waits for nobody's clip: that is known before the first one."""
        if self._library is None:
            with self._turn(TURN_SECONDS):
                self._loaded()

    @contextmanager
    def _turn(self, patience: float) -> Iterator[None]:
        if self._is_cut:
            raise EspeakError("espeak-ng was speaking when this process was forked")
        if not self._gate.enter(patience):
            raise EspeakBusy("espeak-ng was speaking for others all the time")
        try:
            yield
        finally:
            self._gate.leave()

    # In a turn

    def _speak(
        self,
        library: Any,
        text: bytes,
        voice: str,
        parameters: Mapping[int, int],
        ssml: bool,
        stop: Callable[[], bool],
    ) -> Spoken:
        pcm = bytearray()
        words: list[tuple[int, int, int]] = []
        stopped = False

        def take(samples: bytes, heard: list[tuple[int, int, int]]) -> bool:
            nonlocal stopped
            pcm.extend(samples)
            words.extend(heard)
            stopped = stopped or stop()
            return stopped

        self._take = take
        _check(library.espeak_SetVoiceByName(voice.encode()), "set the voice")
        for parameter, value in parameters.items():
            _check(library.espeak_SetParameter(parameter, value, 0), "set a parameter")
        flags = abi.UTF8 | abi.END_PAUSE | (abi.SSML if ssml else 0)
        _check(library.espeak_Synth(text, len(text) + 1, 0, 1, 0, flags, None, None), "synthesise")
        _check(library.espeak_Synchronize(), "finish")
        return Spoken(bytes(pcm), words, stopped)

    def _on_sound(self, samples: Any, count: int, events: Any) -> int:
        sound = ctypes.string_at(samples, 2 * count) if samples and count > 0 else b""
        return _STOP if self._take(sound, list(_words(events))) else 0

    def _loaded(self) -> Any:
        if self._library is None:
            library = abi.load()
            rate = library.espeak_Initialize(
                abi.SYNCHRONOUS, 0, str(abi.data_path()).encode(), abi.DO_NOT_EXIT
            )
            if rate <= 0:
                raise EspeakError("espeak-ng found no voice data")
            library.espeak_SetSynthCallback(self._callbacks[0])
            library.espeak_SetUriCallback(self._callbacks[1])
            self.sample_rate = rate
            self._voices = tuple(v for v in _listed_by(library, None) if self._has_dictionary(v))
            self._variants = frozenset(v.file for v in _listed_by(library, b"variant"))
            self._library = library
        return self._library

    def _has_dictionary(self, voice: ListedVoice) -> bool:
        tags = (tag.partition("-")[0] for _, tag in voice.languages)
        return any((abi.data_path() / f"{tag}_dict").exists() for tag in tags)


def _check(result: int, what: str) -> None:
    if result:
        raise EspeakError(f"espeak-ng could not {what} (code {result})")


def _on_uri(*_: object) -> int:
    # <audio src> would read any file of this machine, and hand its name to a shell.
    return _SPEAK_THE_ALTERNATIVE


def _words(events: Any) -> Iterator[tuple[int, int, int]]:
    index = 0
    while (event := events[index]).type != abi.LIST_END:
        if event.type == abi.WORD:
            yield event.audio_position, event.text_position - 1, event.length
        index += 1


def _listed_by(library: Any, kind: bytes | None) -> list[ListedVoice]:
    buffer = ctypes.create_string_buffer(kind) if kind else None
    wanted = abi.Voice(languages=ctypes.addressof(buffer)) if buffer else None
    listed = library.espeak_ListVoices(ctypes.byref(wanted) if wanted else None)
    return [_listed(voice) for voice in _until_null(listed)]


def _until_null(pointers: Any) -> Iterator[abi.Voice]:
    index = 0
    while pointers[index]:
        yield pointers[index].contents
        index += 1


def _listed(voice: abi.Voice) -> ListedVoice:
    file = voice.identifier.decode().rpartition("/")[2]
    languages = sorted(_languages(voice.languages), key=itemgetter(0))
    return ListedVoice(file, voice.name.decode(), tuple(languages))


def _languages(address: int) -> Iterator[tuple[int, str]]:
    """A list of (one byte of priority, a tag, NUL), ended by NUL."""
    while priority := ctypes.string_at(address, 1)[0]:
        tag = ctypes.string_at(address + 1)
        yield priority, tag.decode().lower()
        address += len(tag) + 2


library: Final = EspeakLibrary()
os.register_at_fork(
    before=library.before_fork,
    after_in_parent=library.after_fork_in_parent,
    after_in_child=library.after_fork_in_child,
)
