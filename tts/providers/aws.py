"""Access to a service of AWS: where it is, and the signature (version 4) of who asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tts.building import built
from tts.conf import region_name
from tts.exceptions import (
    ProviderDown,
    ProviderError,
    QuotaSpent,
    RateLimited,
    SpeechNotConfigured,
    WrongKey,
)
from tts.providers.aws_credentials import Credentials, unlogged

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


class AwsAccess:
    """Region and credentials: those given, else those that botocore finds as every AWS tool does.

    Looking for credentials may read files and ask the machine's own address for them: it is
    done at the first call.
    """

    def __init__(self, service: str, key: str | None, region: str | None) -> None:
        self._service = service
        self._key = key
        self._given_region = region
        self._credentials = Credentials(service, key)

    def check(self) -> None:
        """Raise SpeechNotConfigured without a region, or with a key of another form."""
        if not self.region:
            raise SpeechNotConfigured(f"TTS_REGION is not set: {self._service} needs a region")
        if self._key and not 1 <= self._key.count(":") <= 2:
            raise SpeechNotConfigured(
                f"TTS_API_KEY of {self._service} must be access key id and secret access key, "
                "with a colon between them"
            )
        if not self._key:
            self._of_aws("profile", self._credentials.session.get_scoped_config)

    @built
    def region(self) -> str | None:
        """As given, else of the environment or the AWS configuration file.

        Raises SpeechNotConfigured where these cannot be read, or say what is none.
        """
        if self._given_region:
            return self._given_region
        session = self._credentials.session
        found = self._of_aws("region", lambda: session.get_config_variable("region"))
        try:
            return region_name(found)
        except ValueError as error:
            raise SpeechNotConfigured(f"the region in the configuration of AWS {error}") from None

    def _of_aws(self, what: str, read: Callable[[], Any]) -> Any:
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

        try:
            return read()
        except BotoCoreError as error:
            raise SpeechNotConfigured(
                f"the configuration of AWS gives no {what} ({type(error).__name__}): see "
                "AWS_PROFILE and AWS_CONFIG_FILE"
            ) from None

    @property
    def address(self) -> str:
        """Of the service in the region."""
        domain = "amazonaws.com.cn" if (self.region or "").startswith(CHINA) else "amazonaws.com"
        return f"https://{self._service}.{self.region}.{domain}"

    def signed(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> dict[str, str]:
        """The headers with date and signature. Raises as `Credentials.frozen`."""
        from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
        from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]

        request = AWSRequest(method, url, dict(headers), body)
        signer = SigV4Auth(self._credentials.frozen(), self._service, self.region)
        with unlogged():
            signer.add_auth(request)
        return dict(request.headers.items())
