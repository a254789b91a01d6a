"""API keys: shown once, stored as a digest, believed for a second, counted by days."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any, cast

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.http import HttpRequest
from django.test import AsyncClient, Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from audiocache.pulse import pulse
from tts.access.authentication import aauthenticate, authenticate
from tts.access.callers import SPEECH, TIMING, Caller
from tts.access.exceptions import (
    AccessRefused,
    AuthenticationBroken,
    KeyExpired,
    MissingScope,
    NoKey,
    WrongApiKey,
)
from tts.access.keys import BELIEVED_SECONDS, BLIND_SECONDS, Keys
from tts.access.last_use import LastUse, last_use
from tts.access.tokens import digest_of
from tts.checks import check_settings
from tts.models import ApiKey

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 22)


def asking(token: str | None) -> HttpRequest:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return RequestFactory().post("/", headers=headers)


# Tokens


def test_the_table_holds_no_token() -> None:
    key = ApiKey(name="shop")
    token = key.issue()
    row = json.dumps(list(ApiKey.objects.values()), default=str)
    assert token not in row
    assert token.rpartition("-")[2] not in row
    assert key.digest == digest_of(token)
    assert str(key) == f"shop ({key.prefix})"
    assert key.prefix in token


def test_a_key_stands_for_its_caller() -> None:
    token = ApiKey(name="shop", namespace="shop", daily_characters=5, scopes=["timing"]).issue()
    caller = Keys().find(token)
    assert (caller.name, caller.namespace, caller.is_limited) == ("shop", "shop", True)
    assert caller.may(TIMING)
    assert not caller.may(SPEECH)


def test_what_is_no_key() -> None:
    key = ApiKey(name="shop")
    token = key.issue()
    other = token[:-1] + ("0" if token[-1] != "0" else "1")
    for wrong in (other, token + "0", token.upper(), "tts-", "sk-1", "\ud800", token[:12]):
        with pytest.raises(WrongApiKey):
            Keys().find(wrong)


def test_an_expired_key_says_so_to_who_has_it() -> None:
    key = ApiKey(name="shop", expires=timezone.now() - timedelta(seconds=1))
    token = key.issue()
    with pytest.raises(KeyExpired):
        Keys().find(token)


class Clock:
    """Stands still."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_key_is_believed_for_a_second_and_no_longer(django_assert_num_queries: Any) -> None:
    clock = Clock()
    keys, token = Keys(clock), ApiKey(name="shop").issue()
    keys.find(token)
    ApiKey.objects.update(revoked=timezone.now())
    clock.seconds = BELIEVED_SECONDS - 0.01
    with django_assert_num_queries(0):
        keys.find(token)
    clock.seconds = BELIEVED_SECONDS
    with pytest.raises(WrongApiKey):
        keys.find(token)


def test_a_key_is_not_believed_past_its_end(time_machine: Any) -> None:
    time_machine.move_to(datetime(2026, 11, 22, tzinfo=UTC), tick=False)
    clock = Clock()
    keys = Keys(clock)
    token = ApiKey(name="shop", expires=timezone.now() + timedelta(seconds=0.5)).issue()
    keys.find(token)
    time_machine.shift(0.5)
    clock.seconds = 0.5
    with pytest.raises(KeyExpired):
        keys.find(token)


def test_a_known_key_opens_for_a_minute_while_the_database_fails() -> None:
    clock = Clock()
    keys, token, other = Keys(clock), ApiKey(name="shop").issue(), ApiKey(name="other").issue()
    keys.find(token)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tts_apikey RENAME TO tts_apikey_gone")
    clock.seconds = BLIND_SECONDS - 1
    assert keys.find(token).name == "shop"
    with pytest.raises(OperationalError):
        keys.find(other)
    clock.seconds = BLIND_SECONDS
    with pytest.raises(OperationalError):
        keys.find(token)


@pytest.mark.parametrize("end", ["revoked", "expires", "deleted"])
def test_what_opened_no_more_opens_no_more_while_the_database_fails(end: str) -> None:
    clock = Clock()
    keys, token = Keys(clock), ApiKey(name="shop").issue()
    keys.find(token)
    if end == "deleted":
        ApiKey.objects.all().delete()
    else:
        ApiKey.objects.update(**{end: timezone.now()})
    clock.seconds = BELIEVED_SECONDS
    with pytest.raises(WrongApiKey):
        keys.find(token)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tts_apikey RENAME TO tts_apikey_gone")
    with pytest.raises(OperationalError):
        keys.find(token)


# Requests


def test_a_request_brings_its_key() -> None:
    token = ApiKey(name="shop").issue()
    assert authenticate(asking(token), SPEECH).name == "shop"
    with pytest.raises(MissingScope):
        authenticate(asking(token), TIMING)
    with pytest.raises(WrongApiKey):
        authenticate(asking("x" * 201), SPEECH)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer  ", "Basic abc", "tts-1"])
def test_no_key(header: str | None) -> None:
    request = asking(None)
    if header is not None:
        request.META["HTTP_AUTHORIZATION"] = header
    with pytest.raises(NoKey):
        authenticate(request, SPEECH)


def of_the_site(request: HttpRequest) -> Caller | None:
    """As somebody's TTS_AUTHENTICATION."""
    if "X-Banned" in request.headers:
        raise PermissionDenied
    name = request.headers.get("X-User")
    return Caller(name, namespace=f"user-{name}") if name else None


def test_a_sites_own_authentication(settings: Any) -> None:
    settings.TTS = {"PROVIDER": "tone", "AUTHENTICATION": f"{__name__}.of_the_site"}
    request = RequestFactory().post("/", headers={"X-User": "ann"})
    assert authenticate(request, SPEECH).namespace == "user-ann"
    assert asyncio.run(aauthenticate(request, SPEECH)).name == "ann"
    with pytest.raises(AccessRefused):
        authenticate(asking(ApiKey(name="shop").issue()), SPEECH)
    with pytest.raises(MissingScope):
        authenticate(request, TIMING)


BROKEN: dict[str, Callable[[HttpRequest], object]] = {
    "raises": lambda _: int("sk-secret"),
    "gives text": lambda _: "ann",
    "gives a namespace of two lines": lambda _: Caller("ann", namespace="a\nb"),
    "gives a long namespace": lambda _: Caller("ann", namespace="n" * 5000),
    "gives half a character": lambda _: Caller("ann", namespace="\ud800"),
    "gives no namespace": lambda _: Caller("ann", namespace=cast("str", None)),
    "gives no scopes": lambda _: Caller("ann", scopes=cast("frozenset[str]", None)),
}


def breaks(request: HttpRequest) -> object:
    """As somebody's TTS_AUTHENTICATION."""
    return BROKEN[request.headers["X-How"]](request)


@pytest.mark.parametrize("how", BROKEN)
def test_a_sites_own_authentication_that_fails_is_the_sites_fault(
    settings: Any, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    settings.TTS = {"PROVIDER": "tone", "AUTHENTICATION": f"{__name__}.breaks"}
    address, kind, headers = "/v1/audio/speech", "application/json", {"X-How": how}
    under_wsgi = Client().post(address, b"{}", kind, headers=headers)
    under_asgi = asyncio.run(AsyncClient().post(address, b"{}", kind, headers=headers))
    for answer in (under_wsgi, under_asgi):
        assert (answer.status_code, answer["x-should-retry"]) == (500, "false")
        assert answer.json()["error"]["code"] == "authentication_failed"
        assert "sk-secret" not in caplog.text + answer.content.decode()
    assert caplog.text.count(f"TTS_AUTHENTICATION {__name__}.breaks fails: ") == 2


@pytest.mark.parametrize("path", ["no.such.thing", f"{__name__}.TODAY"])
def test_a_wrong_path_is_the_sites_fault(settings: Any, path: str) -> None:
    settings.TTS = {"PROVIDER": "tone", "AUTHENTICATION": path}
    with pytest.raises(AuthenticationBroken):
        authenticate(asking(None), SPEECH)


@pytest.mark.parametrize("path", ["no.such.thing", f"{__name__}.TODAY", "word"])
def test_a_wrong_path_is_a_check_error(settings: Any, path: str) -> None:
    settings.TTS = {"PROVIDER": "tone", "AUTHENTICATION": path}
    [error] = check_settings()
    assert (error.id, "TTS_AUTHENTICATION" in error.msg) == ("tts.E006", True)


# Limits


@pytest.mark.parametrize("alias", ["default", "audiocache_pg"])
@pytest.mark.django_db(databases=["default", "audiocache_pg"])
def test_a_days_characters(alias: str) -> None:
    keys = ApiKey.objects.using(alias)
    key = keys.create(name="shop", daily_characters=10)
    assert keys.set_aside(key.pk, 6, TODAY)
    assert not keys.set_aside(key.pk, 5, TODAY)
    assert keys.set_aside(key.pk, 4, TODAY)
    keys.give_back(key.pk, 6, TODAY)
    assert keys.set_aside(key.pk, 6, TODAY)
    tomorrow = TODAY + timedelta(days=1)
    assert not keys.set_aside(key.pk, 11, tomorrow)
    assert keys.set_aside(key.pk, 10, tomorrow)
    keys.give_back(key.pk, 6, TODAY)  # of a day that is over
    key.refresh_from_db()
    assert (key.used_on(tomorrow), key.used_on(TODAY)) == (10, 0)


@pytest.mark.parametrize("alias", ["default", "audiocache_pg"])
@pytest.mark.django_db(databases=["default", "audiocache_pg"])
def test_who_read_the_clock_before_midnight_takes_of_the_new_day(alias: str) -> None:
    keys = ApiKey.objects.using(alias)
    key = keys.create(name="shop", daily_characters=100)
    tomorrow = TODAY + timedelta(days=1)
    assert keys.set_aside(key.pk, 90, tomorrow)
    assert keys.set_aside(key.pk, 10, TODAY)
    assert not keys.set_aside(key.pk, 1, TODAY)
    assert not keys.set_aside(key.pk, 1, tomorrow)
    key.refresh_from_db()
    assert (key.day, key.used) == (tomorrow, 100)


# Last use


def test_uses_are_written_together_and_once(django_assert_num_queries: Any) -> None:
    key = ApiKey(name="shop")
    token, keys = key.issue(), Keys()
    keys.find(token)
    with django_assert_num_queries(0):
        for _ in range(5):
            keys.find(token)
    with django_assert_num_queries(1):
        last_use.flush()
        last_use.flush()
    key.refresh_from_db()
    assert key.last_used is not None


def test_many_keys_are_one_statement(django_assert_num_queries: Any) -> None:
    rows, keys = [ApiKey(name=str(number)) for number in range(20)], Keys()
    for token in [key.issue() for key in rows]:
        keys.find(token)
    with django_assert_num_queries(1):
        last_use.flush()
    assert not ApiKey.objects.filter(last_used=None).exists()


@pytest.mark.django_db(transaction=True)
def test_the_pulse_writes_uses() -> None:
    key = ApiKey(name="shop")
    Keys().find(key.issue())
    pulse.soon(last_use.beat)
    limit = time.monotonic() + 20
    while key.last_used is None:
        assert time.monotonic() < limit
        key.refresh_from_db()


def test_a_fork_leaves_uses_to_the_parent(django_assert_num_queries: Any) -> None:
    uses = LastUse()
    uses.note(1)
    uses.after_fork()
    with django_assert_num_queries(0):
        uses.beat()


# The command


def call(*words: str) -> str:
    out = StringIO()
    call_command("tts_key", *words, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_the_command_makes_lists_and_revokes() -> None:
    token = call(
        "create", "shop", "--namespace", "shop", "--scope", "speech",
        "--daily-characters", "500", "--days", "30",
    )  # fmt: skip
    assert Keys().find(token).scopes == {"speech"}
    [row] = json.loads(call("list", "--json"))
    assert (row["name"], row["namespace"], row["daily_characters"]) == ("shop", "shop", 500)
    listed = call("list")
    assert f"prefix={row['prefix']}  name=shop" in listed
    assert token not in listed
    call("revoke", row["prefix"])
    with pytest.raises(WrongApiKey):
        Keys().find(token)
    with pytest.raises(CommandError, match="there is none"):
        call("revoke", "shop")


def test_the_command_asks_for_a_prefix_where_names_are_the_same() -> None:
    call("create", "shop")
    call("create", "shop")
    with pytest.raises(CommandError, match="more than one"):
        call("revoke", "shop")


@pytest.mark.parametrize("words", [["--namespace", "a\nb"], ["--days", "0"], ["--scope", "all"]])
def test_the_command_refuses(words: list[str]) -> None:
    with pytest.raises(CommandError):
        call("create", "shop", *words)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("scopes", ["speech", ["speech", "all"], [[]], {"speech": 1}])
def test_unknown_scopes_are_refused(scopes: Any) -> None:
    with pytest.raises(ValidationError, match="scopes"):
        ApiKey(name="shop", scopes=scopes, prefix="1", digest="1").full_clean()


# The admin


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff"))
    return client


def test_the_admin_shows_a_new_key_once(staff: Client) -> None:
    given = {"name": "shop", "scopes": ["speech"], "namespace": "shop"}
    page = staff.post(reverse("admin:tts_apikey_add"), given)
    key = ApiKey.objects.get()
    shown = page.content.decode()
    [token] = re.findall(r"tts-[0-9a-f]{8}-[0-9a-f]{40}", shown)
    assert Keys().find(token).namespace == "shop"
    assert "no-store" in page["Cache-Control"]
    assert token not in str(page.cookies)
    for address in ("changelist", "change"):
        args = [key.pk] if address == "change" else []
        page = staff.get(reverse(f"admin:tts_apikey_{address}", args=args))
        assert token not in page.content.decode()
        assert key.prefix in page.content.decode()
    staff.post(reverse("admin:tts_apikey_change", args=[key.pk]), given | {"name": "store"})
    assert Keys().find(token).name == "store"


def test_the_admin_revokes(staff: Client) -> None:
    token = ApiKey(name="shop").issue()
    page = staff.post(
        reverse("admin:tts_apikey_changelist"),
        {"action": "revoke", "_selected_action": [ApiKey.objects.get().pk]},
        follow=True,
    )
    assert "1 key was revoked." in page.content.decode()
    with pytest.raises(WrongApiKey):
        Keys().find(token)
