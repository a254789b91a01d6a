"""Speaks SSML made by chance, well-formed and not: `espeak_fuzz.py SEED DOCUMENTS`.

Prints how many were spoken and how many refused. A process of its own: it is to live.
"""

from __future__ import annotations

import random
import sys
from xml.sax.saxutils import escape

from django.conf import settings

settings.configure()

from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import InvalidSpeechRequest
from tts.providers.espeak import EspeakProvider
from tts.speech import SpeechRequest

VOICES = ["en-us", "de", "hi", "cmn", "ar", "ja", "ru", "en-us+f3"]
WORDS = [
    "hello", "🙂🙂", "1234", "你好", "नमस्ते", "$5.00", "\U0010c24a", "...", "word " * 30, "&", "<",
    "'", "ﷺ", "\u200d", "\u0301" * 5, "9" * 40, "x" * 90, "[[hello]]",
]  # fmt: skip
TAGS = [
    "<p>{}</p>", "<s xml:lang='{voice}'>{}</s>", "<voice name='{voice}'>{}</voice>",
    "<prosody rate='{value}' pitch='{value}'>{}</prosody>", "<emphasis level='none'>{}</emphasis>",
    "<break time='{pause}'/>{}", "<break strength='x-weak'/>{}", "<mark name='🙂'/>{}",
    "<say-as interpret-as='characters'>{}</say-as>", "<say-as interpret-as='date'>{}</say-as>",
    "<sub alias='🙂 {value}'>{}</sub>", "<audio src='/etc/passwd'>{}</audio>",
    "<phoneme alphabet='ipa' ph='🙂'>{}</phoneme>", "<lang xml:lang='{voice}'>{}</lang>",
    "<voice gender='female' variant='{variant}'>{}</voice>", "<metadata>🙂{}</metadata>",
    "<voice age='{variant}'>{}</voice>", "<paragraph id='🙂'>{}</paragraph>",
]  # fmt: skip
VALUES = ["slow", "x-fast", "+10%", "200%", "-3st", "medium", "1", "🙂"]
PAUSES = ["0s", "5ms", "0.05s", ".05s", "99999s"]
VARIANTS = ["1", "3", "999", ".5", "x"]

DEADLY = [
    "<speak><say-as interpret-as='characters'>🙂🙂 hello</say-as></speak>",
    "<sub alias\U0010c24a'",
]
"""What the library has died of, given as it is."""

chance = random.Random(int(sys.argv[1]))
espeak = EspeakProvider(TTSConfig())


def content(depth: int) -> str:
    if depth == 0 or chance.random() < 0.2:
        return escape(" ".join(chance.choices(WORDS, k=chance.randrange(5))))
    return "".join(element(depth - 1) for _ in range(chance.randrange(1, 4)))


def element(depth: int) -> str:
    among = {"voice": VOICES, "value": VALUES, "pause": PAUSES, "variant": VARIANTS}
    filling = {name: chance.choice(values) for name, values in among.items()}
    return chance.choice(TAGS).format(content(depth), **filling)


def torn(text: str) -> str:
    """A part of it, as a malformed document is."""
    first, last = sorted(chance.choices(range(len(text)), k=2))
    return text[:first] + text[last:]


def is_spoken(text: str, voice: str) -> bool:
    wish = SpeechRequest(text, ssml=True, voice=voice, speed=2.5)
    try:
        espeak.synthesize(espeak.complete(wish), Deadline.after(30))
    except InvalidSpeechRequest:
        return False
    return True


if __name__ == "__main__":
    documents = [
        f"<speak>{content(chance.randrange(1, 4))}</speak>" for _ in range(int(sys.argv[2]))
    ]
    tried = [(text, voice) for text in DEADLY for voice in VOICES]
    tried += [
        (text if chance.random() < 0.7 else torn(text), chance.choice(VOICES)) for text in documents
    ]
    spoken = sum(is_spoken(text, voice) for text, voice in tried)
    print(f"spoken {spoken} refused {len(tried) - spoken}")
