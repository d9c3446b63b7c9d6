"""Receivers: where alerts are sent, as ``[[telemetry.receivers]]`` says."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from failsoft.service.config.reader import PathText
from failsoft.service.config.secret import OpenOrSecret, Secret, Secrets
from failsoft.telemetry import Destination, Email, PagerDuty, RetryPolicy, Slack, Webhook


class ReceiverConfig(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """Describe a receiver.

    name: of its actor, below ``root/telemetry``; its kind, where it has none.
    """

    name: str | UnsetType = UNSET
    retry: RetryPolicy | UnsetType = UNSET

    @property
    def called(self) -> str:
        return str(self.__struct_config__.tag) if self.name is UNSET else self.name

    def destination(self, secrets: Secrets) -> Destination:
        """Give where it sends. Raise NoSecret, and ValueError where that makes no sense."""
        raise NotImplementedError

    def _said(self) -> dict[str, Any]:
        own = [name for name in self.__struct_fields__ if name not in ("name", "retry")]
        return {name: value for name in own if (value := getattr(self, name)) is not UNSET}


class SlackReceiver(ReceiverConfig, frozen=True, kw_only=True, tag="slack"):
    """Send to Slack, or to what takes messages as Slack does.

    url: of the incoming webhook; who knows it may post, so it is a secret.
    """

    url: Secret

    def destination(self, secrets: Secrets) -> Destination:
        return Slack(url=secrets.secret(self.url))


class PagerDutyReceiver(ReceiverConfig, frozen=True, kw_only=True, tag="pagerduty"):
    """Trigger and resolve incidents of PagerDuty."""

    routing_key: Secret
    url: str | UnsetType = UNSET

    def destination(self, secrets: Secrets) -> Destination:
        said = self._said()
        return PagerDuty(**{**said, "routing_key": secrets.secret(self.routing_key)})


class WebhookReceiver(ReceiverConfig, frozen=True, kw_only=True, tag="webhook"):
    """Post JSON, signed where there is a secret."""

    url: OpenOrSecret
    secret: Secret | UnsetType = UNSET

    def destination(self, secrets: Secrets) -> Destination:
        key = None if self.secret is UNSET else secrets.secret(self.secret)
        return Webhook(url=secrets.open_or_secret(self.url), secret=key)


class EmailReceiver(ReceiverConfig, frozen=True, kw_only=True, tag="email"):
    """Send mail."""

    host: str
    sender: str
    recipients: tuple[str, ...]
    port: int | UnsetType = UNSET
    security: Literal["starttls", "tls", "none"] | UnsetType = UNSET
    username: OpenOrSecret | UnsetType = UNSET
    password: Secret | UnsetType = UNSET
    ca_file: PathText | UnsetType = UNSET

    def destination(self, secrets: Secrets) -> Destination:
        said = self._said()
        for name in {"username", "password"} & said.keys():
            said[name] = secrets.open_or_secret(said[name])
        return Email(**said)


AnyReceiver: TypeAlias = SlackReceiver | PagerDutyReceiver | WebhookReceiver | EmailReceiver
