"""The flight recorder's file, as an operator asks for it over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from failsoft.actors import System
from failsoft.messages.events import FellBack
from failsoft.service.http import failsoft_app, hashed
from failsoft.telemetry import FlightRecorder, read_flight

pytestmark = pytest.mark.anyio

TOKEN = "an-operator-of-the-tests"


@pytest.fixture
async def system(clean_loop: None, plain_logs: None) -> AsyncIterator[System]:
    async with System() as system:
        yield system


@pytest.fixture
async def operator(system: System) -> AsyncIterator[httpx2.AsyncClient]:
    app = failsoft_app(system, routes={"text": "text"}, operator_hash=hashed(TOKEN))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://failsoft", headers=headers
    ) as client:
        yield client


async def test_what_is_recorded_is_written(
    system: System, operator: httpx2.AsyncClient, tmp_path: Path
) -> None:
    """TL-07 To a file of the recorder's own, which can be read anew."""
    await system.spawn(lambda: FlightRecorder(tmp_path), "flight")
    system.events.publish(FellBack, "text", model="a", cause="open", correlation_id="c-1")
    answer = await operator.post("/operator/flight")
    assert answer.status_code == 200
    file = Path(answer.json()["file"])
    assert file.parent == tmp_path
    assert any(isinstance(event, FellBack) for event in read_flight(file).events)


async def test_without_a_recorder_that_is_said(operator: httpx2.AsyncClient) -> None:
    """SRV-10 As what isn't there."""
    answer = await operator.post("/operator/flight")
    assert (answer.status_code, answer.json()["error_type"]) == (404, "not_found")


async def test_callers_get_none(operator: httpx2.AsyncClient) -> None:
    """SRV-10 It is for operators alone."""
    answer = await operator.post("/operator/flight", headers={"Authorization": "Bearer other"})
    assert answer.status_code == 401
