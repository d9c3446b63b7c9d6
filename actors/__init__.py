"""The actor runtime: actors, refs, mailboxes, deadlines, the event bus and dead letters."""

from failsoft.actors.actor import Actor
from failsoft.actors.bus import EventBus, Subscription
from failsoft.actors.clock import Clock, LoopClock, Timer
from failsoft.actors.context import Context
from failsoft.actors.dead_letters import DeadLetter, DeadLetters
from failsoft.actors.errors import (
    ActorError,
    ActorStopped,
    ChildFailed,
    EndedInStart,
    MailboxFull,
    MessageDropped,
    NameTaken,
    NoSuchActor,
    StartFailed,
    TreeFailed,
    UnknownMessage,
)
from failsoft.actors.exit import KILLED, NORMAL, SHUTDOWN, ExitKind, ExitReason
from failsoft.actors.handlers import handles, streams
from failsoft.actors.mailbox import Overflow
from failsoft.actors.model import InjectFault, ModelActor
from failsoft.actors.model_state import ModelState
from failsoft.actors.ref import Ref
from failsoft.actors.reply import Reply, Stream, StreamReply
from failsoft.actors.request_context import (
    bind_correlation_id,
    current_correlation_id,
    current_deadline,
)
from failsoft.actors.signals import Ping, Terminated
from failsoft.actors.system import System
from failsoft.actors.tree import TreeNode
from failsoft.gpu import WorkerSpec

__all__ = [
    "KILLED",
    "NORMAL",
    "SHUTDOWN",
    "Actor",
    "ActorError",
    "ActorStopped",
    "ChildFailed",
    "Clock",
    "Context",
    "DeadLetter",
    "DeadLetters",
    "EndedInStart",
    "EventBus",
    "ExitKind",
    "ExitReason",
    "InjectFault",
    "LoopClock",
    "MailboxFull",
    "MessageDropped",
    "ModelActor",
    "ModelState",
    "NameTaken",
    "NoSuchActor",
    "Overflow",
    "Ping",
    "Ref",
    "Reply",
    "StartFailed",
    "Stream",
    "StreamReply",
    "Subscription",
    "System",
    "Terminated",
    "Timer",
    "TreeFailed",
    "TreeNode",
    "UnknownMessage",
    "WorkerSpec",
    "bind_correlation_id",
    "current_correlation_id",
    "current_deadline",
    "handles",
    "streams",
]
