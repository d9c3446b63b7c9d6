"""Prove, both ways, that the other end of a connection knows the worker's key. Pure.

    keeper  → service   greeting: a mark, and a nonce
    service → keeper    claim: what the connection is for, a nonce, and a proof
    keeper  → service   answer: a proof

A proof is HMAC-SHA256 over the side that gives it, both nonces and the purpose, so that none can be
used again, sent back to whom it came from, or taken for another purpose.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

KEY_BYTES = 32
CONTROL = b"c"
WIRE = b"w"

_MARK = b"failsoft"
_NONCE_BYTES = 32
_PROOF_BYTES = 32
GREETING_BYTES = len(_MARK) + _NONCE_BYTES
CLAIM_BYTES = 1 + _NONCE_BYTES + _PROOF_BYTES
ANSWER_BYTES = _PROOF_BYTES


class HandshakeError(Exception):
    """Tell that the other end is not who it should be; the connection is of no use."""


def greeting() -> bytes:
    """Give the keeper's first words."""
    return _MARK + secrets.token_bytes(_NONCE_BYTES)


def claim(key: bytes, purpose: bytes, greeted: bytes) -> bytes:
    """Give what the service says to a greeting. Raises HandshakeError where it is none."""
    if len(greeted) != GREETING_BYTES or not greeted.startswith(_MARK):
        raise HandshakeError("what answers there is no keeper of workers")
    said = purpose + secrets.token_bytes(_NONCE_BYTES)
    return said + _proof(key, b"service", greeted, said)


def answer(key: bytes, greeted: bytes, claimed: bytes) -> tuple[bytes, bytes]:
    """Give a claim's purpose, and the keeper's answer. Raises HandshakeError for a false one."""
    said, proof = claimed[:-_PROOF_BYTES], claimed[-_PROOF_BYTES:]
    if len(claimed) != CLAIM_BYTES or not _is_same(proof, _proof(key, b"service", greeted, said)):
        raise HandshakeError("who claims the worker doesn't know its key")
    purpose = said[:1]
    if purpose not in (CONTROL, WIRE):
        raise HandshakeError(f"there is no such purpose: {purpose!r}")
    return purpose, _proof(key, b"keeper", greeted, said)


def check_answer(key: bytes, greeted: bytes, claimed: bytes, answered: bytes) -> None:
    """Raise HandshakeError where the keeper doesn't know the key."""
    said = claimed[:-_PROOF_BYTES]
    if not _is_same(answered, _proof(key, b"keeper", greeted, said)):
        raise HandshakeError("what answers there doesn't know the worker's key")


def _proof(key: bytes, side: bytes, greeted: bytes, said: bytes) -> bytes:
    return hmac.digest(key, side + greeted + said, hashlib.sha256)


_is_same = hmac.compare_digest
