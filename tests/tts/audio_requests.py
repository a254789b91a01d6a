"""Requests for a sound, and what RFC 9110 (of its sections, unless another is named) answers."""

from __future__ import annotations

from typing import Final, NamedTuple

HUGE: Final = "9" * 60
ETAG: Final = "{etag}"
"""Stands for the sound's."""
OTHER: Final = '"another"'


class Case(NamedTuple):
    """One request; `{size}`, `{last}` and `{etag}` in its headers are the sound's."""

    section: str
    headers: dict[str, str]
    status: int = 200
    part: slice | None = slice(None)
    """Of the sound, which is the body; None: the body does not matter."""
    method: str = "GET"
    told: dict[str, str] = {}  # noqa: RUF012 - never changed
    """Headers of the answer that must be so."""


def ranged(section: str, spec: str, first: int | str, last: int | str, **headers: str) -> Case:
    """Answered in part; `{size}` and `{last}` may stand in the numbers."""
    told = {"Content-Range": f"bytes {first}-{last}/{{size}}"}
    part = slice(_number(first), None if last == "{last}" else int(last) + 1)
    return Case(section, {"Range": spec, **headers}, 206, part, told=told)


def whole(section: str, **headers: str) -> Case:
    """Answered whole."""
    return Case(section, headers)


def behind(section: str, spec: str) -> Case:
    """Not satisfiable."""
    told = {"Content-Range": "bytes */{size}", "Cache-Control": "no-store"}
    return Case(section, {"Range": spec}, 416, slice(0, 0), told=told)


def same(section: str, method: str = "GET", **headers: str) -> Case:
    """The client has it already."""
    told = {"ETag": ETAG, "Cache-Control": "public, max-age=31536000, immutable"}
    return Case(
        section, headers, 304, slice(0, 0), method, told | {"Cache-Status": "audiocache; hit"}
    )


def failed(section: str, method: str = "GET", **headers: str) -> Case:
    """A precondition that does not hold."""
    told = {"ETag": ETAG, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Case(section, headers, 412, slice(0, 0), method, told)


def _number(first: int | str) -> int | None:
    return first if isinstance(first, int) else -int(first.partition("-")[2].strip("}") or 0)


RANGES: Final = [
    ranged("14.1.2", "bytes=0-", 0, "{last}"),
    ranged("14.1.2", "bytes=0-0", 0, 0),
    ranged("14.1.2", "bytes=0-99", 0, 99),
    ranged("14.1.2", "bytes=100-199", 100, 199),
    ranged("14.1.2", "bytes=1000-", 1000, "{last}"),
    ranged("14.1.2", "bytes=5-5", 5, 5),
    ranged("14.1.2", "bytes=0-{last}", 0, "{last}"),
    ranged("14.1.2, a last behind the end", "bytes=7-{size}", 7, "{last}"),
    ranged("14.1.2, a last far behind it", f"bytes=7-{HUGE}", 7, "{last}"),
    ranged("14.1.2, a suffix", "bytes=-500", "{size-500}", "{last}"),
    ranged("14.1.2, one byte of suffix", "bytes=-1", "{size-1}", "{last}"),
    ranged("14.1.2, a suffix longer than the sound", "bytes=-{size}0", 0, "{last}"),
    ranged("14.1.2, a suffix without measure", f"bytes=-{HUGE}", 0, "{last}"),
    ranged("14.1.2, leading zeros", "bytes=" + "0" * 200 + "3-0004", 3, 4),
    ranged("14.1, units have no case", "BYTES=0-9", 0, 9),
    ranged("14.1, units have no case", "Bytes=0-9", 0, 9),
    ranged("5.6.1.2, empty places of a list", "bytes=,0-9", 0, 9),
    ranged("5.6.1.2, empty places of a list", "bytes=0-9, ,", 0, 9),
    ranged("5.6.1, space in a list", "bytes= 0-9", 0, 9),
    ranged("5.5, space around a value", "  bytes=0-9  ", 0, 9),
    behind("14.1.2, it begins at the end", "bytes={size}-"),
    behind("14.1.2, it begins behind the end", "bytes={size}-{size}0"),
    behind("14.1.2, it begins far behind the end", f"bytes={HUGE}-"),
    behind("15.5.17, a suffix of nothing", "bytes=-0"),
    behind("15.5.17, a suffix of nothing", "bytes=-000"),
    whole("14.1.1, last before first", Range="bytes=9-3"),
    whole("14.1.1, last before first, behind the end", Range=f"bytes={HUGE}-3"),
    whole("14.2, several ranges may be answered whole", Range="bytes=0-1,5-6"),
    whole("14.2, overlapping ranges", Range="bytes=0-99,50-149"),
    whole("14.2, ranges and what is none", Range="bytes=0-1,x"),
    whole("17.15, very many ranges", Range="bytes=" + ",".join(["0-1"] * 1200)),
    whole("14.2, another unit", Range="seconds=0-1"),
    whole("14.2, no unit", Range="0-1"),
    whole("14.2, empty", Range=""),
    whole("14.2, a unit alone", Range="bytes"),
    whole("14.2, no range", Range="bytes="),
    whole("14.2, a dash alone", Range="bytes=-"),
    whole("14.2, no dash", Range="bytes=5"),
    whole("14.2, another sign for is", Range="bytes:0-1"),
    whole("14.2, a space before it", Range="bytes =0-1"),
    whole("14.1.1, a sign", Range="bytes=+1-2"),
    whole("14.1.1, two signs", Range="bytes=--1"),
    whole("14.1.1, an underscore", Range="bytes=1_0-20"),
    whole("14.1.1, a fraction", Range="bytes=1.0-2"),
    whole("14.1.1, an exponent", Range="bytes=1e1-20"),
    whole("14.1.1, hexadecimal", Range="bytes=0x1-0x9"),
    whole("14.1.1, spaces within", Range="bytes=0 - 9"),
    whole("14.1.1, digits of another script", Range="bytes=\u0661-\u0662"),
    whole("14.1.1, superscript digits", Range="bytes=\xb9-\xb2"),
    whole("14.2, more digits than a number has", Range="bytes=" + "1" * 6000 + "-"),
    Case("14.2, HEAD has no ranges", {"Range": "bytes=0-1"}, 200, slice(0, 0), "HEAD"),
    Case(
        "14.2, nor where they could not be", {"Range": f"bytes={HUGE}-"}, 200, slice(0, 0), "HEAD"
    ),
]

CONDITIONS: Final = [
    Case("14.3", {}, told={"Accept-Ranges": "bytes", "Content-Length": "{size}"}),
    Case("9.3.2", {}, 200, slice(0, 0), "HEAD", {"Content-Length": "{size}", "ETag": ETAG}),
    same("13.1.2", **{"If-None-Match": ETAG}),
    same("13.1.2, HEAD", "HEAD", **{"If-None-Match": ETAG}),
    same("13.1.2, weak comparison", **{"If-None-Match": f"W/{ETAG}"}),
    same("13.1.2, one of several", **{"If-None-Match": f'"a", "b,c", {ETAG}'}),
    same("13.1.2, any", **{"If-None-Match": "*"}),
    same("13.2.2, before the range", **{"If-None-Match": ETAG, "Range": "bytes=0-1"}),
    same("13.2.2, before a range behind the end",
         **{"If-None-Match": ETAG, "Range": f"bytes={HUGE}-"}),
    whole("13.1.2, another", **{"If-None-Match": OTHER}),
    whole("13.1.2, without quotes", **{"If-None-Match": "abc"}),
    ranged("13.2.2, another, and a range", "bytes=0-1", 0, 1, **{"If-None-Match": OTHER}),
    whole("13.1.1", **{"If-Match": ETAG}),
    whole("13.1.1, one of several", **{"If-Match": f"{OTHER}, {ETAG}"}),
    whole("13.1.1, any", **{"If-Match": "*"}),
    ranged("13.2.2, and a range", "bytes=0-1", 0, 1, **{"If-Match": ETAG}),
    failed("13.1.1, another", **{"If-Match": OTHER}),
    failed("13.1.1, strong comparison", **{"If-Match": f"W/{ETAG}"}),
    failed("13.1.1, HEAD", "HEAD", **{"If-Match": OTHER}),
    failed("13.2.2, before the range", **{"If-Match": OTHER, "Range": "bytes=0-1"}),
    failed("13.2.2, before If-None-Match", **{"If-Match": OTHER, "If-None-Match": ETAG}),
    same("13.2.2, then If-None-Match", **{"If-Match": ETAG, "If-None-Match": ETAG}),
    whole("13.1.3, it has no date", **{"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    whole("13.1.3, no date at all", **{"If-Modified-Since": "yesterday"}),
    whole("13.1.4, it has no date", **{"If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}),
    whole("13.1.4, nor will it", **{"If-Unmodified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    ranged("13.1.4, and a range", "bytes=0-1", 0, 1,
           **{"If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}),
    same("13.1.4, and If-None-Match",
         **{"If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT", "If-None-Match": ETAG}),
    ranged("13.1.5", "bytes=0-1", 0, 1, **{"If-Range": ETAG}),
    whole("13.1.5, another", **{"If-Range": OTHER, "Range": "bytes=0-1"}),
    whole("13.1.5, a weak one", **{"If-Range": f"W/{ETAG}", "Range": "bytes=0-1"}),
    whole("13.1.5, a date, where there is none",
          **{"If-Range": "Fri, 01 Jan 2100 00:00:00 GMT", "Range": "bytes=0-1"}),
    whole("13.1.5, without quotes", **{"If-Range": "abc", "Range": "bytes=0-1"}),
    whole("13.1.5, another, and a range behind the end",
          **{"If-Range": OTHER, "Range": f"bytes={HUGE}-"}),
    whole("13.1.5, without a range", **{"If-Range": OTHER}),
    Case("9.1", {}, 405, None, "POST", {"Allow": "GET, HEAD"}),
    Case("9.1", {}, 405, None, "DELETE", {"Allow": "GET, HEAD"}),
    Case("RFC 9111, 5.2.1.7", {"Cache-Control": "only-if-cached"},
         told={"Cache-Status": "audiocache; hit"}),
    Case("RFC 9111, 5.2.1.4, advice that would cost", {"Cache-Control": "no-cache"},
         told={"Cache-Status": "audiocache; hit"}),
    Case("RFC 9111, 5.2.2; RFC 8246", {},
         told={"Cache-Control": "public, max-age=31536000, immutable"}),
]  # fmt: skip

CASES: Final = [*RANGES, *CONDITIONS]
