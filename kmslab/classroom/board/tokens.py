"""Who may open what: the trainer's token and one for each seat, all made from one secret of the class."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from kmslab.project import unwritable

if TYPE_CHECKING:
    from pathlib import Path

FILE = "board.secret"
_SECRET_BYTES = 32
_TOKEN_BYTES = 18


class Tokens:
    """The tokens of a class; they stay the same as long as its folder does, so that links stay good.

    A seat's token opens that seat's page and says nothing about any other token.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @property
    def trainer(self) -> str:
        """Opens the board, and permits its buttons."""
        return self._made("trainer")

    def of_seat(self, name: str) -> str:
        """Opens the page of one seat, which has no buttons."""
        return self._made(f"seat {name}")

    def is_trainer(self, given: str) -> bool:
        """Whether this is the trainer's token; takes as long whatever is given."""
        return _same(given, self.trainer)

    def is_of_seat(self, name: str, given: str) -> bool:
        """Whether this is the token of that seat; takes as long whatever is given."""
        return _same(given, self.of_seat(name))

    def _made(self, what: str) -> str:
        digest = hmac.digest(self._secret, what.encode(), hashlib.sha256)
        return urlsafe_b64encode(digest[:_TOKEN_BYTES]).decode()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def tokens(folder: Path) -> Tokens:
    """The tokens of the class in a folder; its secret is made at first use, for nobody else to read.

    Raises:
        LabError: the secret can be neither read nor made.
    """
    file = folder / FILE
    try:
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            secret = file.read_bytes()
            if len(secret) == _SECRET_BYTES:
                return Tokens(secret)
            # Half a secret, from a full disk: a new one costs no more than the old links.
            descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC)
        secret = os.urandom(_SECRET_BYTES)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secret)
    except OSError as error:
        raise unwritable(file, error) from error
    return Tokens(secret)
