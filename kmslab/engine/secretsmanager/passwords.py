"""GetRandomPassword."""

from __future__ import annotations

import secrets
import string
from typing import Any

from kmslab.engine.secretsmanager.errors import invalid_parameter
from kmslab.engine.secretsmanager.service import operation

LENGTH = 32
"""Of a password whose length the request does not say."""
KINDS = {
    "ExcludeLowercase": string.ascii_lowercase,
    "ExcludeUppercase": string.ascii_uppercase,
    "ExcludeNumbers": string.digits,
    "ExcludePunctuation": string.punctuation,
}
"""Each kind of character and the member that leaves it out."""


@operation("GetRandomPassword")
def get_random_password(parameters: dict[str, Any]) -> dict[str, Any]:
    """Draw a password of the kinds that the request leaves in, with one of each unless it does not care."""
    length, excluded = parameters.get("PasswordLength", LENGTH), set(parameters.get("ExcludeCharacters", ""))
    kinds = [letters for member, letters in KINDS.items() if not parameters.get(member)]
    kinds += [" "] if parameters.get("IncludeSpace") else []
    usable = ["".join(sorted(set(letters) - excluded)) for letters in kinds]
    each = parameters.get("RequireEachIncludedType", True)
    if not "".join(usable):
        raise invalid_parameter("The password has no characters left to be made of.")
    if each and not all(usable):
        raise invalid_parameter("A required type has no characters left.")
    if each and length < len(usable):
        raise invalid_parameter("Password length is too short based on the required types.")
    drawn = [secrets.choice(letters) for letters in usable] if each else []
    drawn += [secrets.choice("".join(usable)) for _ in range(length - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return {"RandomPassword": "".join(drawn)}
