"""The service's way to a keeper: connections that are proven on both sides."""

from __future__ import annotations

import asyncio
import socket

from failsoft.gpu.cluster import handshake
from failsoft.gpu.cluster.keeper_address import KeeperAddress, KeeperOrder
from failsoft.gpu.cluster.places import PlaceError
from failsoft.gpu.cluster.tcp import set_up
from failsoft.gpu.cluster.tls import TlsPump, tls_context

# A keeper answers at once; what takes longer is the network.
_CONNECT_LIMIT = 10.0


async def connect(address: KeeperAddress, order: KeeperOrder, purpose: bytes) -> socket.socket:
    """Give a connection to the keeper that knows the key of ``order``.

    Raises PlaceError where it can't be reached within 10 s, doesn't know the key, or speaks
    plainly though Ray is set to TLS here.
    """
    where = f"{address.host}:{address.port}"
    try:
        async with asyncio.timeout(_CONNECT_LIMIT):
            return await _connect(address, order, purpose)
    except TimeoutError as error:
        said = f"its keeper at {where} could not be reached within {_CONNECT_LIMIT:g} s"
        raise PlaceError(said) from error
    except handshake.HandshakeError as error:
        raise PlaceError(f"its keeper at {where} was not trusted: {error}") from error
    except PlaceError:
        raise
    except OSError as error:
        said = getattr(error, "strerror", None) or str(error)
        raise PlaceError(f"its keeper at {where} could not be reached: {said}") from error


async def _connect(address: KeeperAddress, order: KeeperOrder, purpose: bytes) -> socket.socket:
    loop = asyncio.get_running_loop()
    tls = tls_context(server_side=False)
    if (tls is not None) is not address.is_tls:
        theirs, ours = ("in TLS", "plainly") if address.is_tls else ("plainly", "in TLS")
        said = f"its keeper speaks {theirs}, and this service {ours}: set RAY_USE_TLS alike on both"
        raise PlaceError(said)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    end, pump = socket.socket(family), None
    try:
        end.setblocking(False)
        await loop.sock_connect(end, (address.host, address.port))
        set_up(end, order.silence_limit)
        if tls is not None:
            pump = TlsPump(end, tls, server_side=False, silence_limit=order.silence_limit)
            end = pump.end
            end.setblocking(False)
        greeted = await _receive(loop, end, handshake.GREETING_BYTES)
        claimed = handshake.claim(order.key, purpose, greeted)
        await loop.sock_sendall(end, claimed)
        answered = await _receive(loop, end, handshake.ANSWER_BYTES)
        handshake.check_answer(order.key, greeted, claimed, answered)
    except BaseException as error:
        end.close()
        if isinstance(error, handshake.HandshakeError) and pump is not None and pump.trouble:
            raise handshake.HandshakeError(f"TLS failed: {pump.trouble}") from error
        raise
    return end


async def _receive(loop: asyncio.AbstractEventLoop, end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = await loop.sock_recv(end, size - len(data))
        if not more:
            raise handshake.HandshakeError("it closed the connection")
        data += more
    return data
