"""A view in two forms: the plain one under WSGI, the asynchronous one under ASGI.

Under WSGI an asynchronous view would cost an event loop for each request, and under ASGI a plain
one a thread; and Django buffers whole what comes from an iterator of the other form.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from django.db import connections, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, URLPattern
from django.urls.resolvers import RoutePattern
from django.views.decorators.csrf import csrf_exempt

from tts.api.problems import PROBLEMS, answer_to

View = Callable[..., HttpResponseBase]
AsyncView = Callable[..., Awaitable[HttpResponseBase]]
V = TypeVar("V", bound=Callable[..., Any])


def either(route: str, view: View, aview: AsyncView, name: str) -> URLPattern:
    """An address with such a view, whose errors are answers."""
    return _Either(route, _open(_answering(view)), _open(_aanswering(aview)), name)


class _Either(URLPattern):
    def __init__(self, route: str, view: View, aview: AsyncView, name: str) -> None:
        super().__init__(RoutePattern(route, name=name, is_endpoint=True), view, None, name)
        self._aview = aview

    def resolve(self, path: str) -> ResolverMatch | None:
        """Django resolves on the loop under ASGI, and where there is none under WSGI."""
        match = super().resolve(path)
        if match is not None and _is_on_a_loop():
            match.func = self._aview
        return match


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _open(view: V) -> V:
    """Without CSRF, as a key is no cookie; in no transaction, which would last for a call."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return csrf_exempt(view)


def _answering(view: View) -> View:
    @functools.wraps(view)
    def answering(request: HttpRequest, **parts: str) -> HttpResponseBase:
        try:
            return view(request, **parts)
        except PROBLEMS as error:
            return answer_to(error)

    return answering


def _aanswering(view: AsyncView) -> AsyncView:
    @functools.wraps(view)
    async def answering(request: HttpRequest, **parts: str) -> HttpResponseBase:
        try:
            return await view(request, **parts)
        except PROBLEMS as error:
            return answer_to(error)

    return answering
