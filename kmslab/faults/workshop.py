"""Where faults are made and repaired: the operator's clients, and those of who owns the key policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.faults.cloudformation import KeyPolicies, owner_needed
from kmslab.model import naming
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Access
    from kmslab.model.outputs import LabOutputs

FAULT_TAG = "kmslab:fault"
"""Tag on what a fault makes new, by which its repair finds it; the value is the lab's prefix."""


class Workshop:
    """One deployed lab, in the hands of who breaks and repairs it.

    Attributes:
        access: the target, with the operator's credentials.
        outputs: what the stacks exported.
    """

    def __init__(self, access: Access, outputs: LabOutputs, owner: Access | None = None) -> None:
        """Take the lab.

        Args:
            access: with the operator's credentials.
            outputs: of the deployed stacks.
            owner: as the account's root user, whom every key policy of the lab lets back in; None on a
                target whose root user is nobody's to play.
        """
        self.access = access
        self.outputs = outputs
        self._owner = owner

    @property
    def prefix(self) -> str:
        """The lab's prefix."""
        return self.access.prefix

    @property
    def account(self) -> str:
        """The 12-digit account id."""
        return self.access.account

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``."""
        return self.access.partition

    @property
    def region(self) -> str:
        """The target's Region."""
        return self.access.target.region

    def client(self, service: str, *, persona: Persona = Persona.OPERATOR, region: str = "") -> Any:
        """Return a boto3 client of the operator or a persona.

        The operator may do everything but with the lab's keys. Those the auditor reads, and the key
        administrator enables, disables, tags, rotates and schedules for deletion: also on AWS.
        """
        return self.access.client(persona, service, region=region)

    def owner(self, service: str) -> Any:
        """Return a boto3 client of who may change the lab's key policies and what they reserve.

        Where nobody plays the root user, CloudFormation changes key policies, and nothing else.

        Raises:
            OwnerNeededError: on this target only the root user may; also from a call of the client.
        """
        if self._owner:
            return self._owner.client(Persona.OPERATOR, service)
        if service != "kms":
            raise owner_needed(service)
        return KeyPolicies(self.access)

    def role_name(self, persona: Persona) -> str:
        """Name of a persona's role."""
        return naming.role_name(self.prefix, persona)

    def role_arn(self, persona: Persona) -> str:
        """ARN of a persona's role."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role_name(persona)}"
