"""The proof that both ends of a connection know the worker's key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.cluster import handshake
from failsoft.gpu.cluster.handshake import CONTROL, WIRE, HandshakeError

keys = st.binary(min_size=handshake.KEY_BYTES, max_size=handshake.KEY_BYTES)
purposes = st.sampled_from([CONTROL, WIRE])


@given(keys, purposes)
def test_who_knows_the_key_is_believed_on_both_sides(key: bytes, purpose: bytes) -> None:
    """The keeper learns what the connection is for."""
    greeted = handshake.greeting()
    claimed = handshake.claim(key, purpose, greeted)
    assert (len(greeted), len(claimed)) == (handshake.GREETING_BYTES, handshake.CLAIM_BYTES)
    said, answered = handshake.answer(key, greeted, claimed)
    assert (said, len(answered)) == (purpose, handshake.ANSWER_BYTES)
    handshake.check_answer(key, greeted, claimed, answered)


@given(keys, keys, purposes)
def test_another_key_is_refused_on_both_sides(key: bytes, other: bytes, purpose: bytes) -> None:
    """Whichever side it is that doesn't know the key."""
    if key == other:
        return
    greeted = handshake.greeting()
    claimed = handshake.claim(other, purpose, greeted)
    with pytest.raises(HandshakeError, match="who claims the worker"):
        handshake.answer(key, greeted, claimed)
    _, answered = handshake.answer(other, greeted, claimed)
    with pytest.raises(HandshakeError, match="doesn't know the worker's key"):
        handshake.check_answer(key, greeted, claimed, answered)


@given(keys, purposes)
def test_a_claim_is_good_for_one_greeting(key: bytes, purpose: bytes) -> None:
    """Who has heard one before can't say it again, nor answer a new claim with an old proof."""
    greeted, again = handshake.greeting(), handshake.greeting()
    claimed = handshake.claim(key, purpose, greeted)
    with pytest.raises(HandshakeError):
        handshake.answer(key, again, claimed)
    _, answered = handshake.answer(key, greeted, claimed)
    with pytest.raises(HandshakeError):
        handshake.check_answer(key, greeted, handshake.claim(key, purpose, greeted), answered)


@given(keys, purposes)
def test_a_proof_sent_back_proves_nothing(key: bytes, purpose: bytes) -> None:
    """The service's own proof isn't the keeper's, nor the other way round."""
    greeted = handshake.greeting()
    claimed = handshake.claim(key, purpose, greeted)
    with pytest.raises(HandshakeError):
        handshake.check_answer(key, greeted, claimed, claimed[-handshake.ANSWER_BYTES :])
    _, answered = handshake.answer(key, greeted, claimed)
    with pytest.raises(HandshakeError):
        handshake.answer(key, greeted, claimed[: -handshake.ANSWER_BYTES] + answered)


@given(keys, st.integers(0, handshake.CLAIM_BYTES - 1), st.integers(1, 255))
def test_a_claim_with_one_byte_changed_is_refused(key: bytes, at: int, by: int) -> None:
    """Purpose, nonce or proof: a control connection can't be made a wire."""
    greeted = handshake.greeting()
    claimed = bytearray(handshake.claim(key, CONTROL, greeted))
    claimed[at] ^= by
    with pytest.raises(HandshakeError):
        handshake.answer(key, greeted, bytes(claimed))


@given(keys, st.binary(max_size=2 * handshake.CLAIM_BYTES))
def test_garbage_is_refused_whatever_it_is(key: bytes, garbage: bytes) -> None:
    """Too short, too long, or of the right length: with words, and nothing else is raised."""
    greeted = handshake.greeting()
    claimed = handshake.claim(key, WIRE, greeted)
    with pytest.raises(HandshakeError):
        handshake.claim(key, WIRE, garbage)
    with pytest.raises(HandshakeError):
        handshake.answer(key, greeted, garbage)
    with pytest.raises(HandshakeError):
        handshake.check_answer(key, greeted, claimed, garbage)


def test_a_purpose_that_there_is_not_is_refused() -> None:
    """Though whoever wants it knows the key."""
    greeted, key = handshake.greeting(), bytes(handshake.KEY_BYTES)
    claimed = handshake.claim(key, b"x", greeted)
    with pytest.raises(HandshakeError, match="purpose"):
        handshake.answer(key, greeted, claimed)
