"""What holds for each vendor that is paid, beside the contract of all providers."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from audiocache import MultiTierAudioCache
from tests.tts.providers.contract import SENTENCE, ProviderContract
from tests.tts.vendors.server import Reply, Server
from tts.conf import TTSConfig
from tts.exceptions import InvalidSpeechRequest, ProviderError, WrongKey
from tts.providers import provider_class
from tts.providers.base import Provider
from tts.providers.http import HttpProvider
from tts.service import TTSService
from tts.speech import SpeechRequest


class OptionContract(ProviderContract):
    """One sound is one call, another sound is another. Set `vendor`, `config`, and these."""

    vendor: ClassVar[Any]
    path: ClassVar[str] = "/"
    """Of the base URL."""
    options: ClassVar[dict[str, tuple[dict[str, Any], dict[str, Any]]]]
    """By option: a request without it and one with it; together all options there are."""
    same: ClassVar[list[tuple[dict[str, Any], dict[str, Any]]]] = []
    """Requests that are one, however they are written."""

    @pytest.fixture
    def server(self) -> Iterator[Server]:
        with self.vendor.server() as server:
            yield server

    @pytest.fixture
    def provider(self, server: Server) -> Iterator[Provider]:
        given = {"api_key": self.vendor.KEY, "base_url": server.url + self.path} | self.config
        provider = self.provider_class(TTSConfig(**given))
        yield provider
        provider.close()

    @pytest.fixture
    def service(self, provider: Provider, cache: MultiTierAudioCache) -> TTSService:
        return TTSService(TTSConfig(timeout=20), cache=cache, provider=provider)

    def test_requests_that_differ_in_one_option_are_two_calls(
        self, service: TTSService, server: Server
    ) -> None:
        assert set(self.options) >= set(service.provider.default_options)
        keys = set()
        for name, pair in self.options.items():
            requests = [SpeechRequest(SENTENCE, **fields) for fields in pair * 2]
            found = [service.synthesize_sync(request).key for request in requests]
            assert found[0] != found[1], name
            assert found[2:] == found[:2], name
            keys |= {*found}
        # And nothing is in a key that is not in a call.
        sent = {(heard.path, heard.body) for heard in server.heard}
        assert len(keys) == len(server.heard) == len(sent)

    def test_options_at_their_defaults_are_one_call(
        self, service: TTSService, server: Server
    ) -> None:
        complete = service.complete(SpeechRequest(SENTENCE))
        given = [{name: value} for name, value in service.provider.default_options.items()]
        for options in [{}, dict(service.provider.default_options), *given, complete.options]:
            speech = service.synthesize_sync(SpeechRequest(SENTENCE, options=options))
            assert speech.key == complete.key
        assert len(server.heard) == 1

    def test_options_of_the_settings_are_in_the_key(self, provider: Provider) -> None:
        default = self.request(provider)
        for _, given in self.options.values():
            if "options" in given:
                config = TTSConfig(
                    api_key=self.vendor.KEY, **self.config | given, base_url="http://a"
                )
                other = self.provider_class(config)
                assert self.request(other).source_key != default.source_key
                assert self.request(other).key == self.request(provider, **given).key

    def test_what_is_the_same_sound_is_one_call(self, service: TTSService, server: Server) -> None:
        for pair in self.same:
            server.heard.clear()
            requests = [SpeechRequest(SENTENCE, **fields) for fields in pair]
            complete = [service.complete(request).spoken() for request in requests]
            first, second = map(self.called, [service.provider] * 2, complete)
            assert first == second
            assert len({service.synthesize_sync(request).key for request in requests}) == 1
            assert len(server.heard) <= 1

    def called(self, provider: Provider, request: SpeechRequest) -> object:
        """What would be sent, beside the headers."""
        assert isinstance(provider, HttpProvider)
        call = provider.call(request)
        return json.dumps([call.url, dict(call.params), call.json, str(call.data)])


class PaidContract(OptionContract):
    """Of those with SSML; set these too."""

    ssml: ClassVar[str]
    """A document that the vendor speaks."""
    errors: ClassVar[list[tuple[Reply, type[ProviderError]]]]

    def request(self, provider: Provider, /, **fields: Any) -> SpeechRequest:
        if fields.get("ssml") is True:
            fields = {"text": self.ssml} | fields
        return super().request(provider, **fields)

    def test_ssml_is_sent_as_it_is_and_is_another_key(
        self, provider: Provider, server: Server
    ) -> None:
        request = self.request(provider, ssml=True)
        recording = self.speak(provider, request)
        assert self.ssml in self.sent(server)
        assert recording.billed_units
        plain = provider.complete(SpeechRequest(self.ssml))
        assert plain.source_key != request.source_key

    @pytest.mark.parametrize(
        "text",
        [
            SENTENCE,
            f"<speak>{SENTENCE}",
            f"<voice>{SENTENCE}</voice>",
            f"<!DOCTYPE speak><speak>{SENTENCE}</speak>",
        ],
    )
    def test_what_is_no_ssml_costs_no_call(
        self, provider: Provider, server: Server, text: str
    ) -> None:
        with pytest.raises(InvalidSpeechRequest) as caught:
            self.request(provider, text=text, ssml=True)
        assert caught.value.field == "text"
        assert SENTENCE not in str(caught.value)
        assert not server.heard

    def test_the_key_is_in_no_address_and_no_body(self, provider: Provider, server: Server) -> None:
        self.speak(provider, self.request(provider))
        [heard] = server.heard
        for secret in self.vendor.KEY.split(":"):
            assert secret not in f"{heard.path} {heard.query}"
            assert secret.encode() not in heard.body
        assert not heard.query

    def test_key_and_text_are_in_no_log(
        self, provider: Provider, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        server.next.append(self.errors[0][0])
        with pytest.raises(ProviderError):
            self.speak(provider, self.request(provider))
        self.speak(provider, self.request(provider))
        assert len(server.heard) == 2
        assert caplog.records  # of urllib3: so the level was right
        for secret in (SENTENCE, *self.vendor.KEY.split(":")):
            assert secret not in caplog.text

    def test_it_is_found_by_its_name(self) -> None:
        assert provider_class(self.provider_class.name) is self.provider_class

    def test_a_wrong_key_is_told_and_not_shown(self, server: Server) -> None:
        key = self.vendor.KEY[:-4] + "0000"
        given = {"api_key": key, "base_url": server.url} | self.config
        provider = self.provider_class(TTSConfig(**given))
        with pytest.raises(WrongKey) as caught:
            self.speak(provider, self.request(provider))
        assert key not in str(caught.value) + repr(caught.value)
        provider.close()

    def test_its_errors_mean_what_they_say(self, provider: Provider, server: Server) -> None:
        for reply, kind in self.errors:
            server.next.append(reply)
            with pytest.raises(ProviderError) as caught:
                self.speak(provider, self.request(provider))
            assert type(caught.value) is kind, reply
            assert (caught.value.provider, caught.value.status) == (provider.name, reply.status)
            assert "Something" not in str(caught.value)
            assert SENTENCE not in str(caught.value)

    def test_what_it_has_not_is_refused(self, provider: Provider) -> None:
        for field, value in {"instructions": "Softly.", "options": {"no_such": 1}}.items():
            with pytest.raises(InvalidSpeechRequest) as caught:
                self.request(provider, **{field: value})
            assert caught.value.field == field

    def sent(self, server: Server) -> str:
        """The text or document of the last call, as it went over the wire."""
        return server.heard[-1].body.decode()

    def refuse(self, provider: Provider, /, **fields: Any) -> InvalidSpeechRequest:
        with pytest.raises(InvalidSpeechRequest) as caught:
            self.request(provider, **fields)
        return caught.value
