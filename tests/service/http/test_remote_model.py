"""A remote model whose server is another failsoft service: its deadline and its errors."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator

import pytest

from failsoft import messages
from failsoft.actors import Ref, RemoteSpec, System
from failsoft.actors.clock import LoopClock
from failsoft.actors.remote_errors import Refusal, error_in_stream, error_of
from failsoft.actors.remote_http import RemoteHttp
from failsoft.actors.remote_wire import text_body, text_path
from failsoft.actors.request_context import deadline_var
from failsoft.messages import (
    Cancelled,
    ContextLengthExceeded,
    GenerateText,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    InvalidInput,
    ModelOverloaded,
    OutOfMemory,
    PoisonedRequest,
    WorkerLost,
)
from failsoft.service.http.error_body import headers_of, openai_body, status_of
from failsoft.service.http.refusals import BodyTooSlow, InvalidBody, ModelNotFound
from failsoft.supervisors import remote, router

from .served import PATIENCE, ServedProcess

SPEC = RemoteSpec(base_url="http://there/v1", model="text", api_key="sk-secret")
# Cancelled is told to nobody: whoever would hear it has left.
KINDS = [
    kind
    for kind in vars(messages).values()
    if inspect.isclass(kind)
    and issubclass(kind, InferenceError)
    and kind not in (InferenceError, Cancelled)
]
# Not ``clean_loop``: the service's processes, which all tests share, come and go meanwhile.
REAL = pytest.mark.usefixtures("plain_logs", "no_proxy")


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: a real service is waited for."""
    return "asyncio"


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Talk to the service itself."""
    monkeypatch.setenv("NO_PROXY", "*")


def told(error: InferenceError) -> Refusal:
    """Give what a service answers with this error."""
    headers = {name.decode(): value.decode() for name, value in headers_of(error)}
    return Refusal(status_of(error), headers, openai_body(error))


def spec_of(service: ServedProcess) -> RemoteSpec:
    return RemoteSpec(base_url=f"{service.url}/v1", model="text", silence_limit=PATIENCE)


@contextlib.asynccontextmanager
async def asking(service: ServedProcess) -> AsyncIterator[Ref]:
    """Give a router with the service as its only model."""
    async with System() as system:
        yield await system.spawn(
            router("far", remote("there", spec_of(service)), retries=0).start, "far"
        )


async def fails(ref: Ref, prompt: str) -> InferenceError:
    with pytest.raises(InferenceError) as caught:
        await ref.ask(GenerateText(prompt), timeout=PATIENCE)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_comes_back_as_itself(kind: type[InferenceError]) -> None:
    """WK-19 With its words, and as an answer: no failure of the actor that passes it on."""
    error = error_of(told(kind("It is so.")), SPEC, 0.0)
    assert type(error) is kind
    assert error.is_retryable is kind.retryable
    assert error.is_refusal


def test_what_callers_and_policies_go_by_comes_along() -> None:
    """WK-19 Numbers, words, whether it may be tried again; the status is this server's own."""
    details = {"begun": True, "worker": 7, "reason": "sk-secret", "attempts": 3, "status": 401}
    error = error_of(told(WorkerLost("It was lost to sk-secret.", details=details)), SPEC, 0.0)
    assert error.message == "It was lost to ***."
    assert error.details == {"begun": True, "worker": 7, "status": 500}
    last = GenerationFailed("It has no such model.", details={"status": 401})
    last.is_retryable = False
    error = error_in_stream(openai_body(last), SPEC)
    assert (type(error), error.is_retryable, error.details) == (GenerationFailed, False, {})


def test_the_wait_is_told_exactly() -> None:
    """RY-04 The header has whole seconds; what makes no sense is bounded."""
    for wait, heeded in ((0.25, 0.25), (-1, 0.0), (1e30, 3600.0)):
        busy = ModelOverloaded("Not now.", details={"retry_after": wait})
        assert error_of(told(busy), SPEC, 0.0).details["retry_after"] == heeded


def test_where_no_wait_is_told_the_header_s_counts() -> None:
    """RY-04 Of a service that stops, or from a proxy before it: else it would be asked first."""
    assert error_of(told(ModelOverloaded("Not now.")), SPEC, 0.0).details["retry_after"] == 1.0


def test_all_fields_that_are_wrong_are_told() -> None:
    """WK-19 Whether a model found that, or the service."""
    fields = {"prompt": "must not be empty", "seed": "must not be sk-secret"}
    for error in (InvalidInput.in_fields(fields), InvalidBody.in_fields(fields)):
        back = error_of(told(error), SPEC, 0.0)
        assert type(back) is InvalidInput
        assert back.details["field_errors"] == {**fields, "seed": "must not be ***"}


def test_lengths_are_told() -> None:
    """FB-06 A router goes by them to a model that takes more."""
    back = error_of(told(ContextLengthExceeded.of(12, 8)), SPEC, 0.0)
    assert (back.details["input_length"], back.details["max_length"]) == (12, 8)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [(BodyTooSlow("Slow."), InferenceTimeout), (ModelNotFound("None."), GenerationFailed)],
)
def test_what_is_no_fault_of_the_callers_is_none(
    refusal: InferenceError, kind: type[InferenceError]
) -> None:
    """A body that comes late and a name that nobody knows are between the two services."""
    error = error_of(told(refusal), SPEC, 0.0)
    assert type(error) is kind
    assert not error.is_callers_fault


@REAL
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("prompt", "kind", "status"),
    [
        ("memory", OutOfMemory, 507),
        ("overload", ModelOverloaded, 503),
        ("too long", ContextLengthExceeded, 400),
        ("invalid", InvalidInput, 400),
        ("half", GenerationFailed, 500),
    ],
)
async def test_a_real_service_s_error_comes_back(
    service: ServedProcess, prompt: str, kind: type[InferenceError], status: int
) -> None:
    """WK-19 From its worker by way of two routers."""
    async with asking(service) as ref:
        error = await fails(ref, prompt)
    assert (type(error), error.details["status"]) == (kind, status)


@REAL
@pytest.mark.anyio
async def test_a_prompt_that_kills_there_is_told_as_one(service: ServedProcess) -> None:
    """WK-10 As a worker lost, which counts against it here too, and then as one for no model."""
    async with asking(service) as ref:
        first, second = await fails(ref, "deadly"), await fails(ref, "deadly")
    assert (type(first), first.details["begun"]) == (WorkerLost, True)
    assert type(second) is PoisonedRequest


@REAL
@pytest.mark.anyio
async def test_an_error_in_the_midst_of_a_stream_comes_back(service: ServedProcess) -> None:
    """WK-19 With its words, and how many tokens there were."""
    async with (
        asking(service) as ref,
        ref.stream(GenerateText("half"), timeout=PATIENCE) as chunks,
    ):
        with pytest.raises(GenerationFailed, match=r"It broke\.") as caught:
            [chunk async for chunk in chunks]
    assert caught.value.details["tokens"] == 2


@REAL
@pytest.mark.anyio
async def test_the_deadline_travels(service: ServedProcess) -> None:
    """WK-19 The service itself ends what the time of is over, though nobody hangs up on it."""
    request = GenerateText("endless", max_tokens=10_000)
    clock = LoopClock()

    async def post(http: RemoteHttp) -> bytes:
        deadline_var.set(clock.now() + 0.5)
        return await http.post(text_path(request), text_body(request, SPEC, stream=False))

    async with contextlib.aclosing(await RemoteHttp.open(spec_of(service), clock)) as http:
        with pytest.raises(InferenceTimeout) as caught:
            await asyncio.create_task(post(http))
    assert caught.value.details["status"] == 504
    assert 0 < caught.value.details["timeout_seconds"] <= 0.5
