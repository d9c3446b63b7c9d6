"""What a service and a keeper say to each other, and how a keeper is told and tells its address."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.cluster.keeper_address import KeeperAddress, KeeperOrder
from failsoft.gpu.cluster.words import (
    MAX_PRINTED_BYTES,
    Beat,
    Beaten,
    Born,
    Exited,
    NotBorn,
    Order,
    Printed,
    Signal,
    Word,
    order_reader,
    word_reader,
)
from failsoft.messages.frames import Stop
from failsoft.messages.wire import WireError, encode_frame

ORDERS: list[Order] = [Beat(1.5), Signal(9)]
WORDS: list[Word] = [
    Beaten(1.5, 1e9),
    Born(7),
    NotBorn("no room"),
    Printed(b"\xff" * MAX_PRINTED_BYTES),
    Exited(-9),
]


def test_each_word_is_read_as_it_was_said() -> None:
    """Orders by the keeper, words by the service; the longest too."""
    assert list(order_reader().feed(b"".join(map(encode_frame, ORDERS)))) == ORDERS
    assert list(word_reader().feed(b"".join(map(encode_frame, WORDS)))) == WORDS


def test_what_belongs_to_the_other_side_makes_no_sense() -> None:
    """A word is no order, an order no word, and a command of the wire is neither."""
    for word in (*WORDS[:3], Stop()):
        with pytest.raises(WireError):
            list(order_reader().feed(encode_frame(word)))
    for order in (*ORDERS, Stop()):
        with pytest.raises(WireError):
            list(word_reader().feed(encode_frame(order)))


def test_a_word_over_the_bound_is_refused_by_its_length() -> None:
    """Nobody makes the other side hold more than that."""
    with pytest.raises(WireError, match="bound"):
        list(word_reader().feed(encode_frame(Printed(bytes(3 * MAX_PRINTED_BYTES)))[:4]))


@given(
    st.builds(
        KeeperOrder,
        st.binary(min_size=32, max_size=32),
        st.floats(1.0, 1e6),
        st.sampled_from(["10.0.0.1", "::1", "a.node", "knöten"]),
    ),
    st.builds(KeeperAddress, st.text(max_size=40), st.integers(1, 65535), st.booleans()),
)
def test_order_and_address_are_one_line_each(order: KeeperOrder, address: KeeperAddress) -> None:
    """They go by standard input and output, whose lines end where a line ends."""
    for said in (order, address):
        line = msgspec.json.encode(said)
        assert b"\n" not in line
        assert msgspec.json.decode(line, type=type(said)) == said
