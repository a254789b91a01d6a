"""Why somebody gets no speech over HTTP. No message holds a key or a text."""

from __future__ import annotations


class AccessRefused(Exception):
    """Base of these."""


class NoKey(AccessRefused):
    """The request brings no key."""


class WrongApiKey(AccessRefused):
    """There is no such key, or it was revoked."""


class KeyExpired(WrongApiKey):
    """The key's time is over."""


class MissingScope(AccessRefused):
    """The key is not for this."""


class AuthenticationBroken(Exception):
    """A site's own authentication fails: no fault of who asks."""


class LimitReached(AccessRefused):
    """The day's characters are used up, or fewer are left than the text has."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds until the next day begins, in UTC."""
