"""Refusals: what the service itself answers a request with, before any model sees it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from failsoft.messages import InferenceError


class Refused(InferenceError):
    """Be the base of refusals. status: of HTTP; headers: that go with it."""

    kind = "invalid_input"
    is_callers_fault = True
    is_refusal = True
    status: ClassVar[int] = 400
    headers: ClassVar[tuple[tuple[bytes, bytes], ...]] = ()


class InvalidBody(Refused):
    """Tell what is wrong with a body, or a header. Details: ``field_errors``, path → words."""

    status = 422

    @classmethod
    def in_fields(cls, field_errors: dict[str, str]) -> InvalidBody:
        said = "; ".join(f"{path}: {words}" for path, words in field_errors.items())
        return cls(f"The request is not valid: {said}.", details={"field_errors": field_errors})


class BodyTooLarge(Refused):
    """Tell that a body has more bytes than the service takes."""

    status = 413

    @classmethod
    def over(cls, most: int) -> BodyTooLarge:
        said = f"must have at most {most} bytes"
        return cls(f"The body {said}.", details={"field_errors": {"body": said}})


class BodyTooSlow(Refused):
    """Tell that a body didn't come in time."""

    status = 408


class NotJson(Refused):
    """Tell that a body isn't said to be JSON. A web page can't send JSON unasked; a form it can."""

    status = 415


class Unauthorized(Refused):
    """Tell that a key or token is missing, or is none."""

    kind = "unauthorized"
    status = 401
    headers = ((b"www-authenticate", b"Bearer"),)


class NotFound(Refused):
    """Tell that there is nothing here."""

    kind = "not_found"
    status = 404


class NotDone(Refused):
    """Tell that what was ordered couldn't be done, and how things are now."""

    kind = "not_done"
    status = 409


class MethodNotAllowed(Refused):
    """Tell that this can't be done here."""

    kind = "method_not_allowed"
    status = 405


class ModelNotFound(Refused):
    """Tell that no model goes by this name, or none does what was asked for."""

    kind = "model_not_found"
    status = 404

    @classmethod
    def among(cls, said: str, names: Iterable[str]) -> ModelNotFound:
        return cls(f"{said}; there is: {', '.join(names) or 'none'}.")
