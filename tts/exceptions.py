"""What can go wrong with speech. No message ever holds a text or a key.

TTSError
├── SpeechNotConfigured      switched off, or no provider is chosen
├── InvalidSpeechRequest     a field of the request is wrong; names it and its limit
├── SpeechTimeout            TTS_TIMEOUT passed; what was begun is still finished and stored
│   └── NoPlace              nothing was begun: TTS_MAX_CONCURRENT calls were under way
├── NotCached                TTS_CACHE_ONLY is on, and no tier has the clip
├── BudgetSpent              a limit of TTS_BUDGET_... is reached, and no tier has the clip
└── ProviderError            the provider did not deliver
    ├── TransientError       worth asking again
    │   ├── RateLimited      slow down; `retry_after` where the provider said how long
    │   ├── ProviderDown     its own failure (HTTP 5xx)
    │   ├── ConnectionFailed no connection, or it broke
    │   └── ProviderTimeout  no whole answer in time
    └── FinalError           asking again changes nothing
        ├── QuotaSpent       the account's credit or quota is used up
        ├── WrongKey         the key is missing, wrong or lacks a permission
        ├── ContentRefused   the provider will not speak this content
        ├── RequestRefused   it finds the request wrong (any other HTTP 4xx)
        │   └── FormatNotMade  the clip is there in another format, and PyAV is missing
        ├── NotAudio         it answered, but not with the sound that was asked for
        │   └── CutAnswer    the connection broke within its answer
        └── BreakerOpen      it failed lately and is not asked now; says why and how long
"""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ImproperlyConfigured

from audiocache.entries import Recording


class TTSError(Exception):
    """Base of everything that a call for speech raises."""


class SpeechNotConfigured(TTSError, ImproperlyConfigured):
    """Speech is switched off or has no provider; says which setting to set."""


class InvalidSpeechRequest(TTSError, ValueError):
    """`field` of the request is wrong; `limit` says what it must be."""

    def __init__(self, field: str, limit: str) -> None:
        super().__init__(field, limit)
        self.field = field
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.field} {self.limit}"


class SpeechTimeout(TTSError, TimeoutError):
    """The caller's wait is over. The call goes on, and its clip is stored."""


class NoPlace(SpeechTimeout):
    """No call was made: there was no place among TTS_MAX_CONCURRENT in time."""


class NotCached(TTSError):
    """The clip is in no tier, and no provider may be asked."""


class BudgetSpent(TTSError):
    """A limit of money or characters is reached; what is stored is served on.

    The message says which, how much is spent, and when it ends: in `retry_after` seconds.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProviderError(TTSError):
    """The provider did not deliver. The message holds neither text nor key."""

    billed_units: int | None = None
    """As the headers of a success said that broke off; None: they did not say."""

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.status = status
        """HTTP status, where there was one."""
        self.retry_after = retry_after
        """Seconds the provider asked to wait."""
        self.request_id = request_id
        """The provider's own name of this call, for its support."""


class TransientError(ProviderError):
    """Worth asking again."""


class RateLimited(TransientError):
    """Too many requests, or too many at once."""

    at_once: bool = False
    """The provider said that they were too many at once."""


class ProviderDown(TransientError):
    """The provider failed by itself."""


class ConnectionFailed(TransientError):
    """The provider could not be reached, or the connection broke."""


class ProviderTimeout(TransientError):
    """The provider did not give a whole answer in time."""


class FinalError(ProviderError):
    """Asking again changes nothing."""


class QuotaSpent(FinalError):
    """The account has no credit left."""


class WrongKey(FinalError):
    """The key is missing, wrong, or not allowed to do this."""


class ContentRefused(FinalError):
    """The provider will not speak this content."""


class RequestRefused(FinalError):
    """The provider finds the request wrong."""


class FormatNotMade(RequestRefused):
    """The clip is there in another format, and what would make this one of it is not installed."""


class NotAudio(FinalError):
    """The answer is not the sound that was asked for; the message says why (law 5)."""

    recording: Recording | None = None
    """What was refused: for the quarantine, and in no message."""
    since: datetime | None = None
    """When it was refused first; None: just now."""
    until: datetime | None = None
    """The provider is not asked again before; None: it has not been remembered."""


class CutAnswer(NotAudio):
    """The connection broke within the answer, which may be billed: asked again once, and soon
    again. What came of it is its `recording`.
    """


class BreakerOpen(FinalError):
    """The provider is not asked now, as it failed lately; `retry_after` says for how long."""

    kind: str = ""
    """How the call ended that opened the breaker: quota_spent, provider_down, ..."""
