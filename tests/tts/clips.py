# ruff: noqa: E501, RUF001 - other scripts are wide, and look alike
"""Real clips: the local voice in many scripts, encoded with PyAV into each format."""

from __future__ import annotations

import io
from array import array
from fractions import Fraction
from functools import cache
from typing import Final

import av

from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.providers.espeak import EspeakProvider
from tts.speech import SpeechRequest
from tts.wav import read_wav, wav_of

FORMATS: Final = ("mp3", "opus", "aac", "flac", "wav", "pcm")

_WRITERS: Final[dict[str, tuple[str, str, int, dict[str, str]]]] = {
    "mp3": ("mp3", "libmp3lame", 0, {"compression_level": "7"}),
    "opus": ("ogg", "libopus", 48_000, {"compression_level": "3"}),
    "vorbis": ("ogg", "vorbis", 0, {}),
    "aac": ("adts", "aac", 0, {"aac_coder": "fast"}),
    "flac": ("flac", "flac", 0, {}),
}
"""Container, codec, rate if there is but one; and what makes the encoder quick, not the clip good:
by default it takes three times as long."""

TEXTS: Final = {
    "en": "The library closes in fifteen minutes, so please bring your books to the desk now. "
    "Those who want to stay longer may use the reading room on the second floor, which is open "
    "until ten. Dr. Smith's talk on 3 May costs $4.50 (students: free), and tea is served "
    "afterwards in the garden behind the old house, weather permitting.",
    "ru": "Библиотека закрывается через пятнадцать минут, пожалуйста, принесите книги. Читальный "
    "зал на втором этаже открыт до десяти часов вечера. Лекция о погоде начнётся завтра утром, "
    "вход свободный. После неё подадут чай в саду за старым домом, если не будет дождя и ветра, "
    "как это часто бывает осенью в нашем городе у моря.",
    "el": "Η βιβλιοθήκη κλείνει σε δεκαπέντε λεπτά, παρακαλώ φέρτε τα βιβλία σας. Το αναγνωστήριο "
    "στον δεύτερο όροφο είναι ανοιχτό μέχρι τις δέκα το βράδυ. Η ομιλία για τον καιρό αρχίζει "
    "αύριο το πρωί και η είσοδος είναι ελεύθερη. Μετά θα σερβιριστεί τσάι στον κήπο πίσω από το "
    "παλιό σπίτι, αν το επιτρέψει ο καιρός και δεν βρέξει.",
    "ar": "تغلق المكتبة أبوابها بعد خمس عشرة دقيقة، نرجو إحضار الكتب إلى المكتب. قاعة القراءة في "
    "الطابق الثاني مفتوحة حتى العاشرة مساء. تبدأ المحاضرة عن الطقس صباح الغد والدخول مجاني. بعد "
    "ذلك يقدم الشاي في الحديقة خلف البيت القديم إذا كان الجو مناسبا ولم تمطر السماء في ذلك اليوم "
    "كما يحدث كثيرا في الخريف عندنا.",
    "hi": "पुस्तकालय पंद्रह मिनट में बंद हो जाएगा, कृपया अपनी किताबें काउंटर पर ले आइए। दूसरी मंज़िल का "
    "वाचनालय रात दस बजे तक खुला है। मौसम पर व्याख्यान कल सुबह शुरू होगा और प्रवेश निःशुल्क है। उसके बाद "
    "पुराने घर के पीछे बगीचे में चाय मिलेगी, अगर मौसम अच्छा रहा और बारिश नहीं हुई, जैसा कि पतझड़ में "
    "हमारे शहर में अक्सर होता है।",
    "cmn": "图书馆还有十五分钟就要关门了，请把书送到服务台。二楼的阅览室开放到晚上十点。明天早上有一场关于天气的"
    "讲座，免费入场。讲座结束以后，如果天气好，我们会在老房子后面的花园里喝茶。票价是四块五，学生免费。"
    "请大家不要忘记带好自己的东西，特别是雨伞和帽子。外面风很大，路上请小心。谢谢大家的合作，祝大家晚安。"
    "如果您想知道更多的消息，请打电话给我们，或者到门口的办公室来问。我们每天早上九点开门，星期天休息。",
    "ja": "としょかんはあとじゅうごふんでしまります。ほんをカウンターまでおもちください。にかいのえつらんしつは"
    "よるのじゅうじまであいています。あしたのあさ、てんきについてのこうえんがあります。にゅうじょうはむりょうです。"
    "そのあと、ふるいいえのうしろのにわでおちゃをのみます。あめがふらなければいいですね。みなさまのごきょうりょくに"
    "かんしゃします。レストランとホテルはえきのまえにあります。タクシーもあります。おきをつけておかえりください。",
    "ko": "도서관은 십오 분 뒤에 문을 닫습니다. 책을 안내 데스크로 가져와 주세요. 이층 열람실은 밤 열 시까지 열려 "
    "있습니다. 내일 아침에는 날씨에 관한 강연이 있고 입장은 무료입니다. 강연이 끝나면 날씨가 좋을 때 오래된 집 뒤의 "
    "정원에서 차를 마십니다. 가을에는 비가 자주 오니 우산을 잊지 마세요. 더 알고 싶으시면 전화를 주시거나 정문 옆 "
    "사무실로 오세요. 우리는 매일 아침 아홉 시에 문을 엽니다.",
}
"""By language, each in a script of its own, some 200 to 330 characters."""


def spoken(text: str, language: str = "en") -> tuple[bytes, int]:
    """What the local voice says: 16-bit samples and their rate; the same each time."""
    return _spoken(text, language)


@cache
def _spoken(text: str, language: str) -> tuple[bytes, int]:
    provider = EspeakProvider(TTSConfig())
    request = provider.complete(SpeechRequest(text, language=language, audio_format="wav"))
    wav = read_wav(provider.synthesize(request.spoken(), Deadline.after(20)).audio)
    return wav.data, wav.sample_rate


def in_full_voice(pcm: bytes, rate: int, part: float) -> float:
    """Seconds: about this part of a clip, in the midst of what is loudest there."""
    samples, size = array("h", pcm), rate // 15
    middle, span = int(len(samples) * part), len(samples) // 20 + 2 * size
    windows = range(max(0, middle - span), min(len(samples) - size, middle + span), size // 4)
    loudest = max(windows, key=lambda at: sum(map(abs, samples[at : at + size])))
    return (loudest + size // 2) / rate


def encoded(
    pcm: bytes, rate: int, audio_format: str, bit_rate: int | None = None, channels: int = 1
) -> bytes:
    """The samples as a whole file of a format; in two channels twice the same."""
    if audio_format == "pcm":
        return pcm
    if audio_format == "wav":
        return wav_of(pcm, rate)
    return _written(pcm, rate, audio_format, bit_rate, channels)


@cache
def clip(text: str, audio_format: str, language: str = "en") -> bytes:
    """What the local voice says, in a format."""
    return encoded(*spoken(text, language), audio_format)


def _written(
    pcm: bytes, rate: int, audio_format: str, bit_rate: int | None, channels: int
) -> bytes:
    container, codec, needed_rate, quick = _WRITERS[audio_format]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(
            codec, rate=needed_rate or rate, options={"strict": "-2", **quick}
        )
        assert isinstance(stream, av.AudioStream)
        # FFmpeg's own Vorbis knows two channels only.
        stream.layout = "stereo" if audio_format == "vorbis" or channels == 2 else "mono"
        if bit_rate:
            stream.bit_rate = bit_rate
        for frame in _frames(pcm, rate, stream):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def _frames(pcm: bytes, rate: int, stream: av.AudioStream) -> list[av.AudioFrame]:
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    frame.planes[0].update(pcm)
    frame.sample_rate = rate
    context = stream.codec_context
    context.open()
    resampler = av.AudioResampler(
        context.format, context.layout, context.rate, frame_size=context.frame_size or 4096
    )
    return _timed([*resampler.resample(frame), *resampler.resample(None)])


def _timed(frames: list[av.AudioFrame]) -> list[av.AudioFrame]:
    """Ogg says by its times how long it is."""
    at = 0
    for frame in frames:
        frame.pts, frame.time_base = at, Fraction(1, frame.sample_rate)
        at += frame.samples
    return frames
