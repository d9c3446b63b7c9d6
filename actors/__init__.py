"""The actor runtime: actors, refs, mailboxes, deadlines, the event bus and dead letters."""

from failsoft.actors.actor import Actor
from failsoft.actors.bus import EventBus, Subscription
from failsoft.actors.clock import Clock, LoopClock, Timer
from failsoft.actors.context import Context
from failsoft.actors.dead_letters import DeadLetter, DeadLetters
from failsoft.actors.errors import (
    ActorError,
    ActorStopped,
    AskCycle,
    ChildFailed,
    EndedInStart,
    MailboxFull,
    MessageDropped,
    NameTaken,
    NoSuchActor,
    OtherSystem,
    StartFailed,
    StashFull,
    TreeFailed,
    UnknownMessage,
)
from failsoft.actors.exit import KILLED, NORMAL, SHUTDOWN, ExitKind, ExitReason
from failsoft.actors.handlers import handles, streams
from failsoft.actors.mailbox import Overflow
from failsoft.actors.misuse import (
    ActorInUse,
    NotAMessage,
    NotAwaited,
    StoppedItself,
    SystemNotRunning,
    WrongThread,
)
from failsoft.actors.model import ModelActor
from failsoft.actors.model_state import ModelState
from failsoft.actors.ref import Ref
from failsoft.actors.registry import Registry
from failsoft.actors.remote import RemoteModel
from failsoft.actors.remote_spec import RemoteSpec
from failsoft.actors.reply import Reply, Stream, StreamReply
from failsoft.actors.request_context import (
    bind_correlation_id,
    current_actor,
    current_correlation_id,
    current_deadline,
)
from failsoft.actors.signals import Ping, Terminated
from failsoft.actors.statistics import ActorStatistics, SystemStatistics
from failsoft.actors.system import System
from failsoft.actors.tracing import bind_traceparent, current_traceparent
from failsoft.actors.tree import TreeNode
from failsoft.actors.wear import Wear
from failsoft.gpu import WorkerSpec

__all__ = [
    "KILLED",
    "NORMAL",
    "SHUTDOWN",
    "Actor",
    "ActorError",
    "ActorInUse",
    "ActorStatistics",
    "ActorStopped",
    "AskCycle",
    "ChildFailed",
    "Clock",
    "Context",
    "DeadLetter",
    "DeadLetters",
    "EndedInStart",
    "EventBus",
    "ExitKind",
    "ExitReason",
    "LoopClock",
    "MailboxFull",
    "MessageDropped",
    "ModelActor",
    "ModelState",
    "NameTaken",
    "NoSuchActor",
    "NotAMessage",
    "NotAwaited",
    "OtherSystem",
    "Overflow",
    "Ping",
    "Ref",
    "Registry",
    "RemoteModel",
    "RemoteSpec",
    "Reply",
    "StartFailed",
    "StashFull",
    "StoppedItself",
    "Stream",
    "StreamReply",
    "Subscription",
    "System",
    "SystemNotRunning",
    "SystemStatistics",
    "Terminated",
    "Timer",
    "TreeFailed",
    "TreeNode",
    "UnknownMessage",
    "Wear",
    "WorkerSpec",
    "WrongThread",
    "bind_correlation_id",
    "bind_traceparent",
    "current_actor",
    "current_correlation_id",
    "current_deadline",
    "current_traceparent",
    "handles",
    "streams",
]
