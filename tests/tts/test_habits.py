# ruff: noqa: RUF001 - other scripts look alike
"""What a voice always does, and what of a clip is none of that."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from audiocache.entries import Recording
from benchmarks.halves import VOICES, is_refused, measured
from tests.tts.clips import TEXTS
from tests.tts.doubles import LocalStub, StubProvider
from tests.tts.test_admission import tone, unsaid
from tts import habits as known
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import NotAudio
from tts.habits import CLIPS, DOUBTS, FEW, MANY, Habits, is_plain
from tts.making import make
from tts.paces import scripts_of, seconds_of
from tts.providers.espeak import EspeakProvider
from tts.speech import SpeechRequest
from tts.wav import wav_of

SENTENCE = "the library closes in fifteen minutes please come to the desk"
MANY_LANGUAGES = {
    "de": "Die Bibliothek schließt in fünfzehn Minuten, bitte bringen Sie Ihre Bücher jetzt zum "
    "Schalter. Wer länger bleiben möchte, kann den Lesesaal im zweiten Stock benutzen.",
    "en": TEXTS["en"][:240],
    "es": "La biblioteca cierra en quince minutos, por favor traigan sus libros al mostrador. "
    "Quienes quieran quedarse más tiempo pueden usar la sala de lectura del segundo piso.",
    "fi": "Kirjasto sulkeutuu viidentoista minuutin kuluttua, tuokaa kirjanne nyt tiskille. Ne "
    "jotka haluavat viipyä pidempään voivat käyttää lukusalia toisessa kerroksessa.",
    "fr": "La bibliothèque ferme dans quinze minutes, veuillez apporter vos livres au comptoir. "
    "Ceux qui veulent rester plus longtemps peuvent utiliser la salle de lecture au second étage.",
    "tr": "Kütüphane on beş dakika içinde kapanıyor, lütfen kitaplarınızı masaya getirin. Daha "
    "uzun kalmak isteyenler ikinci kattaki okuma salonunu kullanabilir, saat ona kadar açık.",
    "vi": "Thư viện sẽ đóng cửa trong mười lăm phút nữa, xin vui lòng mang sách đến quầy. Những "
    "ai muốn ở lại lâu hơn có thể sử dụng phòng đọc ở tầng hai, mở cửa đến mười giờ.",
}
PROVIDER = StubProvider(TTSConfig())


def _one_at_once(names: Iterable[str], one: str) -> list[Any]:
    """The others take their time."""
    return [one, *(pytest.param(it, marks=pytest.mark.soak) for it in names if it != one)]


def request(text: str = SENTENCE, **fields: Any) -> SpeechRequest:
    return PROVIDER.complete(SpeechRequest(text, audio_format="wav", **fields))


def seconds(asked: SpeechRequest, pace: float) -> float:
    return seconds_of(asked.text) / pace


def learned(
    clips: int, asked: SpeechRequest, rest: float | None = 0.3, pace: float = 0.6
) -> Habits:
    habits = Habits()
    for number in range(clips):
        habits.learn(asked, seconds(asked, pace * (1 + number % 3 / 50)), rest)
    return habits


@pytest.mark.parametrize(
    ("clips", "pace", "rest", "is_part"),
    [
        (FEW, 1.2, 0.0, True),  # twice as fast
        (FEW, 0.9, 0.0, True),
        (FEW, 0.75, 0.0, False),
        (FEW - 1, 1.2, 0.0, False),  # little is known yet
        (FEW, 1.2, 0.08, True),  # a third of what it always has is missing
        (FEW, 1.2, 0.12, False),
        (FEW, 1.2, None, False),
        (MANY, 1.3, 0.3, True),
        (MANY, 1.3, None, True),
        (MANY, 1.0, 0.3, False),
    ],
)
def test_a_clip_that_is_faster_than_its_voice_is_a_part(
    clips: int, pace: float, rest: float | None, is_part: bool
) -> None:
    asked = request()
    least = learned(clips, asked).shortest(asked, seconds(asked, pace), rest)
    assert (least is not None) is is_part
    assert least is None or least > seconds(asked, pace)


def test_a_voice_that_changes_its_pace_has_a_wider_bound() -> None:
    asked, habits = request(), Habits()
    for number in range(MANY):
        habits.learn(asked, seconds(asked, 0.4 + number % 5 / 10), 0.3)
    assert habits.shortest(asked, seconds(asked, 1.2), 0.0) is None


def test_a_voice_whose_ends_are_not_heard_may_end_in_full_voice_only() -> None:
    asked = request()
    habits = learned(FEW, asked, rest=None)
    assert habits.shortest(asked, seconds(asked, 1.2), 0.02) is None
    assert habits.shortest(asked, seconds(asked, 1.2), 0.0)


@pytest.mark.parametrize("number", [1, MANY])
def test_one_clip_that_was_half_is_an_accident(number: int) -> None:
    asked = request()
    habits = learned(MANY + 10, asked)
    habits.learn(asked, seconds(asked, 1.2), 0.0)
    assert habits.shortest(asked, seconds(asked, 1.2), 0.0)
    assert learned(number, asked).shortest(asked, seconds(asked, 0.7), 0.0) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"voice": "other"},
        {"model": "m2"},
        {"speed": 1.5},
        {"language": "de"},
        {"voice_revision": "2"},
        {"options": {"style": 1}},
        {"text": "図書館はあと十五分で閉まります。本をカウンターまでお持ちください"},
    ],
)
def test_what_changes_the_pace_is_another_voice(fields: dict[str, Any]) -> None:
    asked = request()
    other = asked.completed(**fields)
    assert learned(MANY, asked).shortest(other, 0.9, 0.0) is None


def test_an_option_that_holds_text_is_none_of_the_voice() -> None:
    asked = request().completed(options={"previous": "One."}, text_options=("previous",))
    other = asked.completed(options={"previous": "Two."})
    assert learned(FEW, asked).shortest(other, seconds(asked, 1.2), 0.0)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (SENTENCE, True),
        ("Die Bibliothek schließt in fünfzehn Minuten, bitte kommen Sie.", True),
        ("图书馆还有十五分钟就要关门了。请把书送到服务台。", True),
        ("Short.", False),
        (SENTENCE + " at 10", False),
        (SENTENCE + " + more", False),
        (SENTENCE + " of NASA", False),
        ("One, two, three, four, five, six, seven, eight, nine, ten, eleven", False),
        ("the library\ncloses\nin fifteen\nminutes\nplease\ncome\nto\nthe\ndesk", False),
        (SENTENCE + " [laughs]", False),
        (SENTENCE + " https://example.com/a", False),
        (SENTENCE + " (laughs)", False),
    ],
)
def test_plain_sentences_teach(text: str, plain: bool) -> None:
    assert is_plain(text) is plain
    habits = learned(MANY, request(text))
    assert (habits.shortest(request(text), 0.05, 0.0) is not None) is plain


@pytest.mark.parametrize("aside", ["(laughs out loud)", "*sighs*", ":tada:", "&nbsp;", "（笑）"])
def test_what_some_models_leave_out_asks_for_no_time(aside: str) -> None:
    habits, asked = learned(MANY, request()), request("Well done " + 9 * aside)
    assert habits.shortest(asked, seconds(request("Well done"), 0.6), 0.0) is None
    assert habits.shortest(request("Well done " + 9 * "we say"), 0.8, 0.0)


def test_a_voice_that_has_changed_is_learned_anew() -> None:
    asked = request()
    habits = learned(MANY, asked)
    for _ in range(DOUBTS - 1):
        assert habits.shortest(asked, seconds(asked, 1.2), 0.0)
    habits.learn(asked, seconds(asked, 0.6), 0.3)
    for _ in range(DOUBTS):
        assert habits.shortest(asked, seconds(asked, 1.2), 0.0)
    assert habits.shortest(asked, seconds(asked, 1.2), 0.0) is None


def test_what_is_known_is_bounded_and_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "VOICES", 3)
    habits, asked = learned(MANY, request()), request()
    for _ in range(CLIPS):
        habits.learn(asked, seconds(asked, 1.0), 0.3)
    assert habits.shortest(asked, seconds(asked, 1.2), 0.0) is None  # it is faster now
    for voice in "abc":
        habits.learn(asked.completed(voice=voice), 4, 0.3)
    assert habits.shortest(asked, 0.1, 0.0) is None  # it was silent for the longest


@pytest.fixture
def often_interrupted() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("often_interrupted")
def test_many_threads_learn_and_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "VOICES", 4)
    habits, begin = Habits(), threading.Barrier(4)

    def speak(number: int) -> None:
        chance = random.Random(number)
        begin.wait(30)
        for _ in range(200):
            asked = request().completed(voice=chance.choice("abcdefg"))
            habits.learn(asked, seconds(asked, 0.6), 0.3)
            assert habits.shortest(asked, seconds(asked, 0.65), 0.0) is None

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(speak, range(4))) == [None] * 4


class TestAdmission:
    """Law 5, of a voice that is known."""

    def test_a_provider_learns_its_voices_by_being_called(self) -> None:
        provider = LocalStub(TTSConfig())
        asked = provider.complete(SpeechRequest(SENTENCE, audio_format="wav"))

        def lasting(whole: float, rest: float, head: Any = unsaid) -> Recording:
            provider.answer = lambda _: Recording(
                audio=head(tone(whole - rest) + bytes(round(16_000 * rest) // 2 * 2), 8000)
            )
            return make(provider, asked, 30)

        for _ in range(FEW):
            assert lasting(6, 0.3).duration_ms == 6000
        assert lasting(5, 0).duration_ms == 5000
        with pytest.raises(NotAudio, match="this voice takes"):
            lasting(4, 0)
        assert lasting(3, 0.3, wav_of).duration_ms == 3000

    def test_instructions_and_ssml_neither_teach_nor_are_judged(self) -> None:
        asked = request()
        habits, half = learned(MANY, asked), unsaid(tone(3), 8000)
        assert is_refused(half, asked, habits)
        assert not is_refused(half, asked.completed(instructions="Hurry!"), habits)
        assert not is_refused(half, asked.completed(ssml=True, text=f"<p>{SENTENCE}</p>"), habits)
        assert not is_refused(half, asked)

    def test_a_marked_end_teaches_a_pace(self) -> None:
        asked, habits = request(), Habits()
        for _ in range(FEW):
            assert not is_refused(wav_of(tone(6), 8000), asked, habits)
        assert is_refused(unsaid(tone(3), 8000), asked, habits)

    def test_an_end_in_full_voice_teaches_nothing(self) -> None:
        asked, habits = request(), Habits()
        for _ in range(MANY):
            assert not is_refused(unsaid(tone(3.6), 8000), asked, habits)
        assert habits.shortest(asked, 0.1, 0.0) is None

    @pytest.mark.untraced
    @pytest.mark.parametrize("script", _one_at_once(TEXTS, "el"))
    def test_real_clips_are_told_from_their_halves_once_the_voice_is_known(
        self, script: str
    ) -> None:
        """`python -m benchmarks.halves` has the tables of `docs/providers.md`."""
        clips, stage = (32, "after 20") if script == "el" else (VOICES[0].clips, "after 100")
        tally = measured([script], [VOICES[0]._replace(clips=clips)], "test")
        assert tally.whole() == (clips, 0)
        first, warm = (tally.share("one pace", script, it, 0.5) for it in ("first", stage))
        assert warm > max(50, first)

    @pytest.mark.untraced
    @pytest.mark.parametrize("first", _one_at_once(MANY_LANGUAGES, "tr"))
    def test_a_voice_of_many_languages_may_begin_with_phrases_of_any(self, first: str) -> None:
        """Nobody says which one is spoken, and some need more letters than others."""
        provider, habits = EspeakProvider(TTSConfig()), Habits()

        def refused(text: str, language: str) -> bool:
            asked = provider.complete(SpeechRequest(text, language=language, audio_format="pcm"))
            heard = provider.synthesize(asked.spoken(), Deadline.after(60))
            return is_refused(heard.audio, asked.completed(language=None, voice="one"), habits)

        words = MANY_LANGUAGES[first].split()
        for at in range(40):
            phrase = " ".join((words[at % len(words) :] + words)[:6])
            assert not refused(phrase, first)
        for language, text in MANY_LANGUAGES.items():
            for count in range(8, len(text.split()), 3):
                assert not refused(" ".join(text.split()[:count]), language)


def test_scripts_are_those_that_take_a_part_of_the_time() -> None:
    assert scripts_of("Die Bibliothek") == {"LATIN"}
    assert scripts_of("図書館はあと") == {"CJK", "HIRAGANA"}
    assert scripts_of("Сегодня в библиотеке лекция, X") == {"CYRILLIC"}
    assert scripts_of("2026!") == frozenset()
