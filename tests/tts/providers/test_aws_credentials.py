"""Credentials of AWS: found in time, renewed by one, and in no log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audiocache import CacheConfig, MultiTierAudioCache
from tests.tts.vendors import misbehaving
from tests.tts.vendors import polly as vendor
from tests.tts.vendors.server import Reply, Server
from tts.conf import TTSConfig
from tts.deadline import Deadline, until
from tts.exceptions import (
    ConnectionFailed,
    ProviderError,
    ProviderTimeout,
    SpeechTimeout,
    WrongKey,
)
from tts.providers import aws_credentials
from tts.providers.aws import AwsAccess
from tts.providers.aws_credentials import Credentials
from tts.service import TTSService
from tts.speech import SpeechRequest

TOKEN = "the-token-of-the-web-identity"
SESSION = "the/token=of/the+session"
ANSWER = """
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <Credentials>
      <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>
      <SessionToken>{token}</SessionToken><Expiration>{end}</Expiration>
    </Credentials>
    <AssumedRoleUser><AssumedRoleId>a:b</AssumedRoleId><Arn>arn:aws:sts::1:r</Arn></AssumedRoleUser>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""
DENIED = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"


def granted(minutes: int = 600) -> Reply:
    end = datetime.now(UTC) + timedelta(minutes=minutes)
    said = ANSWER.format(
        key=vendor.ACCESS_KEY, secret=vendor.SECRET, token=SESSION, end=f"{end:%Y-%m-%dT%H:%M:%SZ}"
    )
    return Reply(200, said.encode(), {"Content-Type": "text/xml"})


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """As on EKS: a role, a token in a file, and a service that gives keys for it."""
    (tmp_path / "token").write_text(TOKEN)
    for name in ("AWS_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    with Server(granted()) as server:
        for name, value in {
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": vendor.REGION,
            "AWS_ENDPOINT_URL_STS": server.url,
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/speaker",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        }.items():
            monkeypatch.setenv(name, value)
        yield server


def find(credentials: Credentials, seconds: float = 10) -> Any:
    with until(Deadline.after(seconds)):
        return credentials.frozen()


def searches() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "tts-credentials"]


def test_neither_keys_nor_tokens_are_logged(sts: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with vendor.server() as server, speaking(server) as service:
        assert service.synthesize_sync(SpeechRequest("Good morning.")).tier == "provider"
        assert server.heard[0].headers["x-amz-security-token"] == SESSION
    assert TOKEN.encode() in sts.heard[0].body
    for secret in (TOKEN, SESSION, vendor.SECRET, vendor.ACCESS_KEY):
        assert secret not in caplog.text
    logging.getLogger("botocore.parsers").debug("of somebody else")
    assert "of somebody else" in caplog.text


def test_they_are_found_once_and_renewed_when_they_end(sts: Server) -> None:
    credentials = Credentials("polly", None)
    assert find(credentials) == find(credentials)
    assert len(sts.heard) == 1
    sts.behave = granted(minutes=5)
    other = Credentials("polly", None)
    assert find(other).token == find(other).token == SESSION
    assert len(sts.heard) == 3  # botocore renews what ends within a quarter of an hour


def test_many_who_need_them_wait_for_one_search(sts: Server) -> None:
    def slow(line: Any, heard: Any) -> bool:
        time.sleep(0.2)
        return granted()(line, heard)

    sts.behave = slow
    credentials, found = Credentials("polly", None), []
    threads = [
        threading.Thread(target=lambda: found.append(find(credentials).token)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [SESSION] * 8
    assert len(sts.heard) == 1


def test_a_search_that_does_not_end_is_left_at_the_deadline(
    sts: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_credentials, "READ_SECONDS", 1)
    monkeypatch.setattr(aws_credentials, "ATTEMPTS", 1)
    sts.behave = misbehaving.silence(lambda: sts)
    with vendor.server() as server:
        with speaking(server, timeout=0.4) as service:
            assert service.provider.name == "polly"  # imported, and read from its files
            started = time.monotonic()
            with pytest.raises((ProviderTimeout, SpeechTimeout)):
                service.synthesize_sync(SpeechRequest("Good morning."))
            assert time.monotonic() - started < 0.7
            service.cache.close()  # waits for the maker, who left too
            assert time.monotonic() - started < 0.9
        assert not server.heard
    assert len(searches()) == 1
    searches()[0].join(3)
    assert not searches()


@pytest.mark.parametrize(
    ("behave", "kind"),
    [
        (Reply(403, DENIED.encode(), {"Content-Type": "text/xml"}), WrongKey),
        (misbehaving.reset, ConnectionFailed),
    ],
    ids=["denied", "reset"],
)
def test_why_there_are_none_is_told_by_a_kind(
    sts: Server, behave: Any, kind: type[ProviderError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_credentials, "ATTEMPTS", 1)
    sts.behave = behave
    with pytest.raises(ProviderError) as caught:
        find(Credentials("polly", None))
    assert type(caught.value) is kind
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert TOKEN not in str(caught.value)


def test_a_missing_token_is_a_wrong_key(sts: Server, tmp_path: Path) -> None:
    (tmp_path / "token").unlink()
    with pytest.raises(WrongKey):
        find(Credentials("polly", None))
    assert not sts.heard


def test_a_child_looks_for_itself(sts: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_credentials, "READ_SECONDS", 3)
    monkeypatch.setattr(aws_credentials, "ATTEMPTS", 1)
    sts.next.append(misbehaving.silence(lambda: sts))
    credentials = Credentials("polly", None)
    with pytest.raises(ProviderTimeout):
        find(credentials, 0.2)
    while not sts.heard:  # the silence is for the first
        time.sleep(0.01)
    [former] = searches()
    credentials.after_fork()
    assert find(credentials).token == SESSION
    former.join(3)


def test_keys_that_are_given_need_no_search() -> None:
    access = AwsAccess("polly", f"{vendor.KEY}:{SESSION}", vendor.REGION)
    headers = access.signed("POST", "https://localhost/", b"", {})
    assert headers["X-Amz-Security-Token"] == SESSION
    assert not searches()


@contextmanager
def speaking(server: Server, timeout: float = 10) -> Iterator[TTSService]:
    """A service that speaks with Polly, as this server."""
    cache = MultiTierAudioCache(CacheConfig(backend="memory"))
    config = TTSConfig(provider="polly", base_url=server.url, timeout=timeout)
    service = TTSService(config, cache=cache)
    try:
        yield service
    finally:
        cache.close()
        service.close()
