"""Access to a service of AWS: where it is, who asks, and the signature (version 4)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cached_property
from typing import Any, Final

from tts.exceptions import (
    ProviderDown,
    ProviderError,
    QuotaSpent,
    RateLimited,
    SpeechNotConfigured,
    WrongKey,
)

CHINA: Final = "cn-"

MEANINGS: Final[Mapping[str, type[ProviderError]]] = {
    "ThrottlingException": RateLimited,
    "ThrottledException": RateLimited,
    "TooManyRequestsException": RateLimited,
    "RequestLimitExceeded": RateLimited,
    "ServiceFailureException": ProviderDown,
    "ServiceUnavailableException": ProviderDown,
    "InternalFailure": ProviderDown,
    "ServiceQuotaExceededException": QuotaSpent,
    "UnrecognizedClientException": WrongKey,
    "InvalidSignatureException": WrongKey,
    "IncompleteSignatureException": WrongKey,
    "MissingAuthenticationTokenException": WrongKey,
    "ExpiredTokenException": WrongKey,
    "AccessDeniedException": WrongKey,
}
"""Kinds of error that mean more than their status: throttling comes as 400."""

# At level DEBUG the signer logs what it signs, and the session token is in that.
_SIGNER_LOG: Final = logging.getLogger("botocore.auth")
_signing: Final[ContextVar[bool]] = ContextVar("tts_signing", default=False)


def _log_nothing_of_ours(_: logging.LogRecord) -> bool:
    return not _signing.get()


class AwsAccess:
    """Region and credentials: those given, else those that botocore finds as every AWS tool does.

    Looking for credentials may read files and ask the machine's own address for them: it is
    done at the first call.
    """

    def __init__(self, service: str, key: str | None, region: str | None) -> None:
        self._service = service
        self._key = key
        self._given_region = region

    def check(self) -> None:
        """Raise SpeechNotConfigured without a region, or with a key of another form."""
        if not self.region:
            raise SpeechNotConfigured(f"TTS_REGION is not set: {self._service} needs a region")
        if self._key and not 1 <= self._key.count(":") <= 2:
            raise SpeechNotConfigured(
                f"TTS_API_KEY of {self._service} must be access key id and secret access key, "
                "with a colon between them"
            )

    @cached_property
    def region(self) -> str | None:
        """As given, else of the environment or the AWS configuration file."""
        return self._given_region or self._session.get_config_variable("region")

    @property
    def address(self) -> str:
        """Of the service in the region."""
        domain = "amazonaws.com.cn" if (self.region or "").startswith(CHINA) else "amazonaws.com"
        return f"https://{self._service}.{self.region}.{domain}"

    def signed(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> dict[str, str]:
        """The headers with date and signature. Raises WrongKey without credentials."""
        from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
        from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]

        request = AWSRequest(method, url, dict(headers), body)
        signer = SigV4Auth(self._frozen(), self._service, self.region)
        _SIGNER_LOG.addFilter(_log_nothing_of_ours)
        token = _signing.set(True)
        try:
            signer.add_auth(request)
        finally:
            _signing.reset(token)
        return dict(request.headers.items())

    def _frozen(self) -> Any:
        """Credentials of this moment: those of a role change while the process runs."""
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

        failure = "were not found"
        try:
            if self._credentials is not None:
                return self._credentials.get_frozen_credentials()
        except BotoCoreError:
            failure = "could not be renewed"
        # Here, so that the error has no context.
        raise WrongKey(f"credentials of AWS {failure}", provider=self._service)

    @cached_property
    def _credentials(self) -> Any:
        from botocore.credentials import Credentials  # type: ignore[import-untyped]

        if not self._key:
            return self._session.get_credentials()
        return Credentials(*self._key.split(":"))

    @cached_property
    def _session(self) -> Any:
        from botocore.session import Session  # type: ignore[import-untyped]

        return Session()
