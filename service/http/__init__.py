"""The service over HTTP: an OpenAI-compatible ASGI app in front of a supervision tree.

Needs the extra ``serve``.
"""

try:
    from failsoft.service.http.app import FailsoftApp, failsoft_app
    from failsoft.service.http.callers import ApiKeys, Caller, hashed
    from failsoft.service.http.policy import HttpPolicy
    from failsoft.service.http.run import serve
except ModuleNotFoundError as error:
    raise ImportError(
        f"this needs the package '{error.name}'; run pip install 'failsoft[serve]'"
    ) from error

__all__ = ["ApiKeys", "Caller", "FailsoftApp", "HttpPolicy", "failsoft_app", "hashed", "serve"]
