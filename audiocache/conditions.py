"""If-Match and If-None-Match of RFC 9110, section 13.2.2, as a pure function.

A sound has an ETag and no date. Where there is none, the conditions by date, If-Modified-Since
and If-Unmodified-Since, are ignored (sections 13.1.3 and 13.1.4); Django fails the latter.
"""

from __future__ import annotations

from http import HTTPStatus

from django.utils.http import parse_etags


def unmet(if_match: str, if_none_match: str, etag: str, *, is_new: bool = False) -> int | None:
    """The status, 412 or 304, of a GET or HEAD whose condition does not hold; None: it does.

    `is_new`: there was nothing before the request, so what the client has is not "any" of it.
    """
    if (wanted := parse_etags(if_match)) and not {etag, "*"} & set(wanted):
        return HTTPStatus.PRECONDITION_FAILED
    known = {found.removeprefix("W/") for found in parse_etags(if_none_match)}
    held = known & ({etag} if is_new else {etag, "*"})
    return HTTPStatus.NOT_MODIFIED if held else None
