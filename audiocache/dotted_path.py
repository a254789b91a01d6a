"""What a dotted path in settings names."""

from __future__ import annotations

from django.utils.module_loading import import_string


def named(path: str) -> object:
    """The object. Raises ImportError, whatever its module raises."""
    # A relative one would be asked from which package.
    if not all(part.isidentifier() for part in path.split(".")):
        raise ImportError(f"{path!r} is not a dotted path")
    try:
        found: object = import_string(path)
    except ImportError:
        raise
    except Exception as error:
        # Without its words, which may quote a secret.
        raise ImportError(f"the module of {path!r} raises {type(error).__name__}") from error
    return found
