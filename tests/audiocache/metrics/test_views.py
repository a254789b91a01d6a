"""Who may read the metrics, and in which form."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.http import HttpRequest
from django.test import Client, override_settings

from audiocache.builder import get_audio_cache

TOKEN = "sesame-of-the-metrics"


def setting(**given: Any) -> Any:
    return override_settings(AUDIOCACHE={"BACKEND": "memory", **given})


def localhost(request: HttpRequest) -> bool:
    return bool(request.META["REMOTE_ADDR"] == "127.0.0.1")


NOT_CALLABLE = 5


@setting()
def test_nobody_may_read_them_until_somebody_says_so(client: Client) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 403
    assert "CACHE_METRICS_TOKEN" in answer.content.decode()


@setting()
@override_settings(DEBUG=True)
def test_while_debug_is_on_all_may(client: Client) -> None:
    answer = client.get("/metrics")
    assert (answer.status_code, answer["Cache-Control"].count("no-store")) == (200, 1)
    assert answer["Content-Type"].startswith("text/plain; version=")
    assert b'audiocache_requests_total{result="hit",tier="memory"} ' in answer.content


@setting(METRICS_TOKEN=TOKEN)
@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}x", 401),
        ("Bearer ", 401),
        ("Bearer schl\u00fcssel", 401),
        ("", 401),
    ],
)
def test_who_bears_the_token_may(client: Client, header: str, status: int) -> None:
    answer = client.get("/metrics", headers={"authorization": header})
    assert answer.status_code == status
    assert answer.has_header("WWW-Authenticate") is (status == 401)
    assert TOKEN not in answer.content.decode()


@setting(METRICS_TOKEN=TOKEN)
def test_the_token_is_no_part_of_what_is_shown() -> None:
    assert TOKEN not in repr(get_audio_cache().config)
    assert get_audio_cache().config.masked()["metrics_token"] == "********"


@setting(METRICS_ACCESS=f"{__name__}.localhost")
def test_a_site_says_itself_who_may(client: Client) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 403


@pytest.mark.django_db
@setting(METRICS_ACCESS="audiocache.metrics.access.staff")
@pytest.mark.parametrize(("is_staff", "status"), [(True, 200), (False, 403), (None, 403)])
def test_staff_may_where_it_is_set(client: Client, is_staff: bool | None, status: int) -> None:
    if is_staff is not None:
        client.force_login(get_user_model().objects.create(username="ada", is_staff=is_staff))
    assert client.get("/metrics").status_code == status


@setting()
@override_settings(DEBUG=True)
def test_openmetrics_is_given_to_who_asks_for_it_and_names_can_be_chosen(client: Client) -> None:
    accept = "application/openmetrics-text; version=1.0.0"
    answer = client.get("/metrics", {"name[]": "audiocache_entries"}, headers={"accept": accept})
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    assert 'audiocache_entries{tier="memory"} 0.0' in lines
    # A process that had a cache of more tiers tells of them still.
    assert all(line.startswith("audiocache_entries{") for line in lines)
    assert client.post("/metrics").status_code == 405


@pytest.mark.parametrize("path", ["no.such.thing", f"{__name__}.NOT_CALLABLE"])
def test_a_path_that_leads_nowhere_is_a_check_error(path: str) -> None:
    with setting(METRICS_ACCESS=path):
        found = [one for one in run_checks() if one.id == "audiocache.E022"]
    assert [one.msg.startswith("CACHE_METRICS_ACCESS: ") for one in found] == [True]


@setting()
@override_settings(DEBUG=True)
def test_without_the_extra_a_sentence_says_what_to_install(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audiocache.metrics.find_spec", lambda name: None)
    answer = client.get("/metrics")
    assert (answer.status_code, answer.content) == (
        501, b"Metrics need: pip install 'django-audiocache[metrics]'\n",
    )  # fmt: skip
