"""Alerting: what stands between an event and the people who must hear of it."""
