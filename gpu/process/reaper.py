"""The reaper: the parent of every template and worker process, so that none outlives the service.

Run as ``python -P -m failsoft.gpu.process.reaper FD``, its control socket. One thread.

    service ──control──▶ reaper ──▶ template ──fork──▶ worker
                           └───────────exec──────────▶ worker, where no template can be forked

It sees the end of its control socket when the service is gone, however that happened, and ends
every process. When it is gone itself, the kernel kills its children.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator

from failsoft.gpu.process.children import children, drain, wake_on_exit
from failsoft.gpu.process.control import Message, control_pair, receive_message, send_message
from failsoft.gpu.process.fork_order import ForkOrder, TemplateHandle, TemplateKey
from failsoft.gpu.process.plain_spawn import spawn_plain
from failsoft.gpu.process.prctl import become_subreaper, set_name, set_parent_death_signal

# The kernel may take its time with a process that is deep in a driver call.
_LAST_WAIT = 10.0


class Reaper:
    """Make workers on request, tell of their ends, and end them all with the service."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._templates: dict[TemplateKey, TemplateHandle] = {}
        self._template_pids: set[int] = set()
        self._unforkable: set[TemplateKey] = set()
        self._workers: dict[int, int] = {}
        self._is_over = False
        self._wake = wake_on_exit()

    def run(self) -> None:
        """Serve until the service is gone; then end every process."""
        while not self._is_over:
            for channel in self._ready_channels():
                if channel is self._control:
                    self._take_command()
                elif isinstance(channel, TemplateHandle):
                    self._take_template_message(channel)
            # After the messages: who is born is known before it is found dead.
            self._reap()
        self._end_all()

    def _ready_channels(self) -> Iterator[socket.socket | TemplateHandle]:
        by_number: dict[int, socket.socket | TemplateHandle] = {
            template.channel.fileno(): template for template in self._templates.values()
        }
        by_number[self._control.fileno()] = self._control
        poll = select.poll()
        for number in (*by_number, self._wake):
            poll.register(number, select.POLLIN)
        for number, _ in poll.poll():
            if number == self._wake:
                drain(self._wake)
            else:
                yield by_number[number]

    # -- the service

    def _take_command(self) -> None:
        message, descriptors = receive_message(self._control)
        match message:
            case {"op": "fork", "id": int(id), "preload": preload, "sys_path": sys_path}:
                key = TemplateKey(tuple(preload), tuple(sys_path))
                self._place(ForkOrder(id, key, descriptors))
            case {"op": "withdraw", "id": int(id), "template_is_hung": template_is_hung}:
                self._withdraw(id, bool(template_is_hung))
            case None:
                self._is_over = True
            case _:
                raise ValueError(f"no such command: {message}")

    def _tell(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        try:
            send_message(self._control, message, descriptors)
        except OSError:
            self._is_over = True

    def _refuse(self, order: ForkOrder, reason: str, kind: str) -> None:
        order.close()
        self._tell({"op": "failed", "id": order.id, "kind": kind, "reason": reason})

    # -- templates

    def _place(self, order: ForkOrder) -> None:
        if order.key in self._unforkable:
            self._spawn(order)
            return
        order.attempts += 1
        template = self._templates.get(order.key)
        if template is None:
            try:
                template = self._make_template(order.key)
            except OSError as error:
                self._refuse(order, f"no template process could be made: {error.strerror}", "lost")
                return
        template.queue.append(order)
        self._hand_on(template)

    def _make_template(self, key: TemplateKey) -> TemplateHandle:
        ours, theirs = control_pair()
        reaper = os.getpid()
        pid = os.fork()
        if pid == 0:
            _run_template(theirs, reaper, key)
        theirs.close()
        template = self._templates[key] = TemplateHandle(pid, ours, key)
        self._template_pids.add(pid)
        return template

    def _hand_on(self, template: TemplateHandle) -> None:
        """Give a ready template its next order; it has one at a time, the others can be withdrawn.

        Where the template is gone, its end of the channel says so at the next turn.
        """
        if template.is_ready and template.in_hand is None and template.queue:
            order = template.in_hand = template.queue.popleft()
            with contextlib.suppress(OSError):
                send_message(template.channel, {"id": order.id}, order.descriptors)

    def _take_template_message(self, template: TemplateHandle) -> None:
        message, descriptors = receive_message(template.channel)
        match message:
            case {"op": "ready"}:
                template.is_ready = True
            case {"op": "forked", "pid": int(pid)} if template.in_hand is not None:
                order, template.in_hand = template.in_hand, None
                self._take_worker(order, pid, descriptors)
            case {"op": "not_forked", "reason": str(reason)} if template.in_hand is not None:
                order, template.in_hand = template.in_hand, None
                if not order.is_unwanted:
                    _warn("a fork of a template failed; its worker imports all by itself", reason)
                    self._spawn(order)
            case {"op": "unforkable", "reason": str(reason)}:
                self._give_up(template, reason)
            case {"op": "preload_failed", "reason": str(reason)}:
                for order in self._forget(template):
                    self._refuse(order, reason, "preload")
            case _:
                self._lose(template)
        for descriptor in descriptors:
            os.close(descriptor)
        self._hand_on(template)

    def _take_worker(self, order: ForkOrder, pid: int, pidfds: list[int]) -> None:
        """Keep a worker that was born, and tell of it; kill one that nobody wants any more."""
        if order.is_unwanted:
            for pidfd in pidfds:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            return
        order.close()
        self._workers[pid] = order.id
        self._tell({"op": "forked", "id": order.id, "pid": pid}, tuple(pidfds))

    def _lose(self, template: TemplateHandle) -> None:
        """Replace a template that ended: what it had to do is tried once more with another."""
        if any(order.attempts > 1 for order in template.orders):
            self._give_up(template, "the template process ended twice")
            return
        for order in self._forget(template):
            self._place(order)

    def _give_up(self, template: TemplateHandle, reason: str) -> None:
        """Have no template of this kind any more."""
        self._unforkable.add(template.key)
        _warn(
            "workers are started without a template: each start costs all imports anew",
            reason,
            preload=template.key.preload,
        )
        for order in self._forget(template):
            self._spawn(order)

    def _spawn(self, order: ForkOrder) -> None:
        """Start a worker that is no fork."""
        try:
            pid, pidfd = spawn_plain(order.descriptors, order.key.sys_path)
        except OSError as error:
            self._refuse(order, f"no process could be made: {error.strerror}", "lost")
            return
        self._take_worker(order, pid, [pidfd])
        os.close(pidfd)

    def _forget(self, template: TemplateHandle) -> list[ForkOrder]:
        """Let go of a template; give the orders that it leaves."""
        if self._templates.get(template.key) is template:
            del self._templates[template.key]
        template.channel.close()
        template.is_ready = False
        orders = template.orders
        template.in_hand = None
        template.queue.clear()
        return orders

    def _withdraw(self, id: int, template_is_hung: bool) -> None:
        for template in list(self._templates.values()):
            order = template.order(id)
            if order is None:
                continue
            if template_is_hung:
                os.kill(template.pid, signal.SIGKILL)
            self._refuse(order, "it was no longer wanted", "withdrawn")
            template.drop(order)
            return

    # -- ends

    def _reap(self) -> None:
        for pid in self._ended_children():
            # Helpers that a worker started are of its group, and must not outlive it. Its number
            # can't be another's before it is reaped.
            if pid in self._workers:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            self._template_pids.discard(pid)
            id = self._workers.pop(pid, None)
            if id is not None:
                status = os.waitstatus_to_exitcode(status)
                self._tell({"op": "exited", "id": id, "pid": pid, "status": status})

    def _ended_children(self) -> Iterator[int]:
        """Give the children that have ended, not yet reaped.

        Strangers among them are helpers of dead workers, or a worker whose birth hasn't been
        told yet: that one must wait, or its status would be lost.
        """
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        for pid in (*self._workers, *self._template_pids):
            # A worker that was just told of may still be the child of the process between.
            with contextlib.suppress(ChildProcessError):
                if os.waitid(os.P_PID, pid, options) is not None:
                    yield pid
        while not any(template.in_hand for template in self._templates.values()):
            try:
                ended = os.waitid(os.P_ALL, 0, options)
            except ChildProcessError:
                return
            if ended is None:
                return
            yield ended.si_pid

    def _end_all(self) -> None:
        """Kill every process, and wait until each is gone, within a bound."""
        until = time.monotonic() + _LAST_WAIT
        for template in self._templates.values():
            template.channel.close()
        self._templates.clear()
        while time.monotonic() < until:
            for pid in {*self._workers, *self._template_pids, *children()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._reap()
            try:
                if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    select.select([self._wake], [], [], 0.1)
                    drain(self._wake)
            except ChildProcessError:
                return


def _run_template(channel: socket.socket, reaper: int, key: TemplateKey) -> None:
    """Be a template process; never return."""
    try:
        from failsoft.gpu.process.template import run_template

        run_template(channel.fileno(), reaper, key)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _warn(event: str, reason: str, **fields: object) -> None:
    """Log a line, in the form that the service reads from its workers."""
    line = {"level": "warning", "event": event, "reason": reason, **fields}
    print(json.dumps(line), file=sys.stderr, flush=True)


def main() -> None:
    """Run the reaper of the service that started this process."""
    control = socket.socket(fileno=int(sys.argv[1]))
    # One that is stopped goes on when the service is gone, and sees it.
    set_parent_death_signal(signal.SIGCONT)
    become_subreaper()
    set_name("failsoft-reaper")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Reaper(control).run()


if __name__ == "__main__":
    main()
