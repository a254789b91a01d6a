"""A request that is wrong by itself, whatever the provider. The message is for who sent it."""

from __future__ import annotations


class Refused(Exception):
    """The request itself is wrong; the message is for who sent it."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class WrongBody(Refused):
    """It is no JSON, or not what the schema says."""


class TooLarge(Refused):
    """The body is longer than any right one."""


class WrongMediaType(Refused):
    """The body is no JSON by its headers, or compressed."""


class UnknownModel(Refused):
    """No such model."""


class WrongMethod(Refused):
    """Only `allowed` can be done here."""

    def __init__(self, allowed: str) -> None:
        super().__init__(f"Only {allowed} is allowed here.", code="method_not_allowed")
        self.allowed = allowed
