"""Frozen configuration values read from code, settings and the environment.

What is given in code beats settings, settings beat the environment, the environment beats
the default. All wrong values are reported together, by name.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self

from django.conf import settings

from audiocache.wrong_settings import PartlyWrong, Problem, WrongSettings

Read = Callable[[Any], Any]
"""Turns a given value, or the environment's str, into the field's; ValueError says why not."""

MASK = "********"
MOST = 10**15
"""Of a number without a bound of its own."""


def setting(default: Any, read: Read, *, secret: bool = False, env: tuple[str, ...] = ()) -> Any:
    """A field of a configuration. `env`: further environment names, in order of preference."""
    metadata = {"read": read, "secret": secret, "env": env}
    return dataclasses.field(default=default, repr=not secret, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """Base of the configurations: fields made with `setting`."""

    prefix: ClassVar[str]
    """Of the environment's names, such as CACHE_."""
    setting_name: ClassVar[str]
    """Of the dict in Django's settings, such as AUDIOCACHE."""
    rivals: ClassVar[tuple[frozenset[str], ...]] = ()
    """Fields that exclude each other: of two sources, the higher one's counts."""

    def __post_init__(self) -> None:
        wrong = WrongSettings(filter(None, map(self._read, dataclasses.fields(self))))
        conflicts = list(map(Problem.about, self.conflicts()))
        for name in WrongSettings(conflicts).doubtful:
            self._reset(name)
        # What speaks of a wrong value may be its consequence.
        told = [each for each in conflicts if wrong.leaves_certain(each.sentence)]
        if found := wrong.found + told:
            raise WrongSettings(found, self)

    def _reset(self, env_name: str) -> None:
        for field in dataclasses.fields(self):
            if self.env_name(field.name) == env_name:
                object.__setattr__(self, field.name, field.metadata["read"](field.default))

    def _read(self, field: dataclasses.Field[Any]) -> Problem | None:
        """Read a field's value in its place, or the default; then what is wrong with it."""
        read, wrong = field.metadata["read"], None
        try:
            value = read(getattr(self, field.name))
        except (ValueError, TypeError) as error:
            # The message of a secret's reader may repeat the secret.
            reason = "is not a valid value" if field.metadata["secret"] else error
            wrong = Problem.about(f"{self.env_name(field.name)}: {reason}")
            value = error.rest if isinstance(error, PartlyWrong) else read(field.default)
        object.__setattr__(self, field.name, value)
        return wrong

    def conflicts(self) -> Iterator[str]:
        """What is wrong between right values: the names of whose value goes, a colon, why."""
        return iter(())

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Given over settings over environment over defaults. Raises WrongSettings."""
        settled, unknown = cls._settled()
        found = cls._without_rivals(cls.environment(), settled) | settled
        found = cls._without_rivals(found, given) | given
        return cls.built(cls.implied(found) | found, unknown)

    @classmethod
    def judged(cls) -> tuple[Self, WrongSettings]:
        """As `load`, with defaults for what is wrong; and what that is, perhaps nothing."""
        try:
            return cls.load(), WrongSettings([])
        except WrongSettings as error:
            return error.rest, error

    @classmethod
    def from_env(cls) -> Self:
        """The environment over defaults. Raises WrongSettings."""
        return cls(**(cls.implied(found := cls.environment()) | found))

    @classmethod
    def built(cls, found: Mapping[str, Any], unknown: list[Problem]) -> Self:
        """Of what `named` gives. Raises WrongSettings: the unknown, and all that is wrong."""
        try:
            config = cls(**found)
        except WrongSettings as error:
            raise WrongSettings(unknown + error.found, error.rest) from None
        if unknown:
            raise WrongSettings(unknown, config)
        return config

    @classmethod
    def implied(cls, found: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003 - for those who override it
        """Field values that follow from others, where they are not given."""
        return {}

    @classmethod
    def environment(cls) -> dict[str, str]:
        """Field values as they stand in the environment; an empty value is no value."""
        found = {}
        for field in dataclasses.fields(cls):
            for name in (cls.env_name(field.name), *field.metadata["env"]):
                if (value := os.environ.get(name, "")) and field.name not in found:
                    found[field.name] = value
        return found

    @classmethod
    def _settled(cls) -> tuple[dict[str, Any], list[Problem]]:
        """What stands in Django's settings, and what is wrong with its names."""
        given = getattr(settings, cls.setting_name, None)
        if not isinstance(given, Mapping | None):
            every = frozenset(cls.env_name(field.name) for field in dataclasses.fields(cls))
            return {}, [Problem(f"settings.{cls.setting_name} must be a dict", every)]
        return cls.named(given or {})

    @classmethod
    def named(cls, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """The fields of a dict of settings, and what is wrong with its names."""
        names = {field.name.upper() for field in dataclasses.fields(cls)}
        unknown = [cls._unknown(name, names) for name in given if name not in names]
        return {name.lower(): given[name] for name in given if name in names}, unknown

    @classmethod
    def _without_rivals(cls, lower: dict[str, Any], higher: Mapping[str, Any]) -> dict[str, Any]:
        """Without what excludes something that a higher source has: that one counts."""
        rivals = {name for group in cls.rivals if group & set(higher) for name in group}
        return {name: value for name, value in lower.items() if name not in rivals}

    @classmethod
    def env_name(cls, field: str) -> str:
        """The environment's name of a field."""
        return cls.prefix + field.upper()

    def masked(self) -> dict[str, Any]:
        """Every field, secrets masked."""
        return {
            field.name: MASK if field.metadata["secret"] and value else value
            for field in dataclasses.fields(self)
            for value in [getattr(self, field.name)]
        }

    @classmethod
    def _unknown(cls, name: object, names: set[str]) -> Problem:
        near = difflib.get_close_matches(str(name).upper(), names, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        sentence = f"settings.{cls.setting_name}[{name!r}] is not a setting{hint}"
        return Problem(sentence, frozenset(map(cls.env_name, near)))


# Readers


def text(value: Any) -> str:
    """A str."""
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must have no NUL and no lone surrogate")
    return value.strip()


def optional(read: Read) -> Read:
    """None, or what `read` makes of the value."""
    return lambda value: None if value is None else read(value)


def choice(*values: str) -> Read:
    """One of some words."""

    def read(value: Any) -> str:
        word = text(value).lower()
        if word not in values:
            raise ValueError(f"must be one of {', '.join(values)}, not {value!r}")
        return word

    return read


def flag(value: Any) -> bool:
    """A bool; in the environment true, yes, on, 1 and their opposites."""
    word = str(value).strip().lower()
    if word not in _FLAGS or not isinstance(value, bool | str | int):
        raise ValueError(f"must be true or false, not {value!r}")
    return _FLAGS[word]


_FLAGS = {"true": True, "yes": True, "on": True, "1": True,
          "false": False, "no": False, "off": False, "0": False}  # fmt: skip


def whole(low: int, high: int | None = None) -> Read:
    """An int within bounds."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"must be a whole number, not {value!r}")
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"must be a whole number, not {value!r}") from None
        return int(_within(number, low, high))

    return read


def number(low: float, high: float | None = None) -> Read:
    """A finite number within bounds; an integral one is an int."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"must be a number, not {value!r}")
        try:
            parsed = float(value) if isinstance(value, str) else value
        except ValueError:
            raise ValueError(f"must be a number, not {value!r}") from None
        parsed = _within(parsed, low, high)
        return int(parsed) if parsed == int(parsed) else parsed

    return read


def shown(value: float) -> str:
    """A number as it may stand in a message: Python writes no int of thousands of digits."""
    if isinstance(value, int) and abs(value) > MOST:
        return "so large a number"
    return str(value)


def _within(value: float, low: float, high: float | None) -> float:
    if not low <= value <= (MOST if high is None else high):
        at_least = high is None and not value > MOST
        bounds = f"at least {low}" if at_least else f"from {low} to {high or MOST}"
        raise ValueError(f"must be {bounds}, not {shown(value)}")
    return value
