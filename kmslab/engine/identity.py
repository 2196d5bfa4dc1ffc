"""The accounts that the engine plays: the lab's number, its Region and its root user's key, made once per lab.

They are kept in one file of mode 0600 in the engine's folder, never on a command line or in a log.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DEFAULT_REGION = "us-east-1"
_FILE = "root.json"
_MEMBERS = "members.json"
_KEY_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Identity:
    """The engine's account.

    Attributes:
        account_id: 12 digits, random for each lab.
        region: the Region of `EngineInfo`; the engine answers for every Region.
        access_key_id: of the account's root user.
        secret_access_key: of the account's root user.
    """

    account_id: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


def neighbour_of(account_id: str) -> str:
    """The account number of a lab's neighbour: another account on the same engine, always the same one.

    A leading 8 makes it as easy to tell apart as the lab's 9.
    """
    digits = int.from_bytes(hashlib.sha256(account_id.encode()).digest()) % 10**11
    return f"8{digits:011d}"


def load_or_create(folder: Path, region: str) -> Identity:
    """Return the lab's identity; make it at the first start.

    Args:
        folder: the engine's folder.
        region: for a new identity; an existing one keeps its own, since its stacks live there.

    Raises:
        LabError: the file is not readable as an identity.
    """
    path = folder / _FILE
    try:
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        return Identity(**json.loads(path.read_text()))
    except FileNotFoundError:
        identity = _new(region)
    except (ValueError, TypeError) as error:
        raise LabError(
            f"{path} is damaged",
            hint="remove the lab's .kmslab folder to begin anew",
            exit_code=ExitCode.ENGINE,
        ) from error
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(identity), file)
    return identity


def load(folder: Path) -> Identity:
    """Return the identity of a lab whose engine has been started before.

    Raises:
        FileNotFoundError: it never was.
    """
    return Identity(**json.loads((folder / _FILE).read_text()))


def add_members(folder: Path, accounts: Iterable[str]) -> None:
    """Have the engine play these accounts too: members of the lab's organization, which it may enter.

    A running engine notices. An account stays a member: what is in it may be worth keeping.

    Args:
        folder: the engine's folder.
        accounts: 12 digits each.
    """
    known = members(folder)
    wanted = known | set(accounts)
    if wanted == known:
        return
    path = folder / _MEMBERS
    fresh = path.with_suffix(f".{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(sorted(wanted), file)
    fresh.replace(path)


def members(folder: Path) -> frozenset[str]:
    """Return the accounts that `add_members` was told of."""
    try:
        return frozenset(map(str, json.loads((folder / _MEMBERS).read_text())))
    except FileNotFoundError:
        return frozenset()


def _new(region: str) -> Identity:
    # Real account numbers are random too; a leading 9 makes ours easy to tell apart in a log.
    account = "9" + "".join(secrets.choice("0123456789") for _ in range(11))
    key_id = "AKIA" + "".join(secrets.choice(_KEY_ID_ALPHABET) for _ in range(16))
    return Identity(account, region, key_id, secrets.token_urlsafe(30))
