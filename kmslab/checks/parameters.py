"""Parameter Store: a SecureString is as open as its key, and a String is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.checks.audit import expect_use_through
from kmslab.checks.history import context_of, event_of
from kmslab.checks.registry import check
from kmslab.checks.temporary import scratch_key
from kmslab.checks.values import SECURE, temporary_parameter
from kmslab.model.capability import ON_BEHALF, Capability
from kmslab.model.naming import secure_string_name
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.lab import Lab

GUIDE = "11-secrets"
OWNER = Persona.DATA_OWNER


@check(guide=GUIDE)
def secure_strings_are_under_the_labs_key(lab: Lab) -> str:
    """Every parameter of the lab is a SecureString, and under the lab's key for secrets.

    A SecureString that names no key is under aws/ssm, which every principal with permission for the
    parameter may use. A String under the same name would be read by all of them without any key. What
    is looked at are descriptions: no value is read.
    """
    own = temporary_parameter(lab, uuid4().hex)
    names = {own, secure_string_name(lab.prefix)}
    found = {one["Name"]: one for one in _described(lab) if one["Name"] in names}
    lab.expect(own in found, "Parameter Store does not show the parameter that was just stored")
    for name, one in found.items():
        lab.expect(one["Type"] == SECURE, f"{name} is a {one['Type']}, which no key protects")
        key = one.get("KeyId", "alias/aws/ssm")
        lab.expect(key == lab.outputs.key_secrets, f"{name} is under {key}")
    return f"parameters looked at: {len(found)}, each a SecureString under the lab's key"


@check(guide=GUIDE, needs=ON_BEHALF, changes_keys=True)
def permission_on_a_parameter_is_not_enough(lab: Lab) -> str:
    """The permission to read a parameter does not open a SecureString whose key refuses.

    The data owner may read every parameter of the lab. One under the lab's key opens; one under a key
    that the data owner may not use is refused by KMS (kms:Decrypt), by the same call.
    """
    open_value, closed_value = uuid4().hex, uuid4().hex
    opens = temporary_parameter(lab, open_value)
    closed = temporary_parameter(lab, closed_value, key=scratch_key(lab))
    _expect_value(lab, opens, open_value)
    lab.refused(OWNER, "ssm:GetParameter", by="kms:Decrypt", Name=closed, WithDecryption=True)
    return "a parameter under the lab's key opens, one under another key is refused by kms:Decrypt"


@check(guide=GUIDE, needs=ON_BEHALF)
def without_decryption_there_is_ciphertext(lab: Lab) -> str:
    """Read without decryption, a SecureString shows ciphertext, and a String shows its value.

    Who lists parameters, or reads them in bulk, sees every String. What is secret must be a
    SecureString from the start: earlier versions of a String stay in the parameter's history.
    """
    value = uuid4().hex
    sealed, plain = temporary_parameter(lab, value), temporary_parameter(lab, value, kind="String")
    _expect_value(lab, sealed, value)
    shown = {name: _read(lab, name, decrypt=False) for name in (sealed, plain)}
    lab.expect(value not in shown[sealed], "without decryption the SecureString shows its value")
    lab.expect(shown[plain] == value, "the String does not show its value: nothing to compare with")
    return "without decryption the SecureString shows ciphertext, the String its value"


@check(guide=GUIDE, needs={Capability.KMS_TRAIL, Capability.KMS_ON_BEHALF_OF_CALLER})
def use_is_recorded_with_the_parameter(lab: Lab) -> str:
    """A use through Parameter Store is recorded with the person, the service and the parameter.

    The Decrypt event names the data owner's role and carries the parameter's ARN as the encryption
    context: a ciphertext that is copied under another name does not open.
    """
    value = uuid4().hex
    name = temporary_parameter(lab, value)
    _expect_value(lab, name, value)
    arn = f"arn:{lab.access.partition}:ssm:{lab.region}:{lab.account}:parameter{name}"
    key = lab.outputs.key_secrets
    event = event_of(lab, "Decrypt", lambda one: context_of(one) == {"PARAMETER_ARN": arn}, key=key)
    by = expect_use_through(lab, event, key, "ssm")
    return f"the event names the data owner, the key, the parameter, and {by}"


def _described(lab: Lab) -> Iterator[dict[str, Any]]:
    """Parameters below the lab's prefix, as the auditor finds them."""
    below = {"Key": "Name", "Option": "BeginsWith", "Values": [f"/{lab.prefix}/"]}
    following: dict[str, Any] = {}
    while True:
        page = lab.read("ssm:DescribeParameters", ParameterFilters=[below], **following)
        yield from page["Parameters"]
        if not page.get("NextToken"):
            return
        following = {"NextToken": page["NextToken"]}


def _read(lab: Lab, name: str, *, decrypt: bool) -> str:
    answer = lab.allowed(OWNER, "ssm:GetParameter", Name=name, WithDecryption=decrypt)
    return str(answer["Parameter"]["Value"])


def _expect_value(lab: Lab, name: str, value: str) -> None:
    opened = _read(lab, name, decrypt=True)
    lab.expect(opened == value, "the parameter opened to something else than was stored")
