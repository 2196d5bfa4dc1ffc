"""Faults of the optional network: ways in and out that nobody meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.network import (
    EndpointPolicy,
    GatewayRoutes,
    InternetGateway,
    OpenToAll,
    PrivateDns,
)
from kmslab.faults.changes.statements import drop_conditions, replace
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "13-private-access"
BETWEEN = "OnlyBetweenPrincipalsAndThingsOfThisAccount"


@fault(guide=GUIDE, noticed_by=("network.endpoints-serve-this-account-only",), part=LabOutputs.kms_endpoint)
def the_way_to_kms_is_open() -> Change:
    """The policy of KMS's endpoint lets everybody reach every key.

    It is what an endpoint gets that is given none. Whoever is inside can encrypt what they take under a key of
    their own account, with credentials of their own.
    """
    return EndpointPolicy(LabOutputs.kms_endpoint, drop_conditions(BETWEEN, "StringEquals"))


@fault(guide=GUIDE, noticed_by=("network.endpoints-serve-this-account-only",), part=LabOutputs.s3_endpoint)
def the_way_to_s3_leads_to_every_bucket() -> Change:
    """The policy of S3's endpoint asks who calls, and no longer whose bucket it is.

    The condition on the resource's account is gone. Data leaves a network without internet by the one
    way that it has: into a bucket of somebody else.
    """
    return EndpointPolicy(
        LabOutputs.s3_endpoint, drop_conditions(BETWEEN, "StringEquals", "aws:ResourceAccount")
    )


@fault(guide=GUIDE, noticed_by=("network.endpoints-serve-this-account-only",), part=LabOutputs.s3_endpoint)
def the_way_to_s3_is_for_some_account() -> Change:
    """The policy of S3's endpoint compares with a pattern that every account matches.

    StringLike and a star: a condition is there, and says nothing.
    """
    anybody = {"StringLike": {"aws:PrincipalAccount": "*", "aws:ResourceAccount": "*"}}
    return EndpointPolicy(LabOutputs.s3_endpoint, replace(BETWEEN, Condition=anybody))


@fault(guide=GUIDE, noticed_by=("network.kms-is-reached-by-its-usual-name",), part=LabOutputs.kms_endpoint)
def kms_has_no_private_name() -> Change:
    """Private DNS of KMS's endpoint is off.

    KMS's usual name leads to public addresses again: programs inside get no answer, until somebody
    "repairs" it with a way to the internet.
    """
    return PrivateDns()


@fault(
    guide=GUIDE,
    noticed_by=("network.the-endpoint-takes-https-from-inside-only",),
    part=LabOutputs.kms_endpoint,
)
def the_endpoint_lets_everybody_in() -> Change:
    """The security group of KMS's endpoint lets HTTPS in from everywhere.

    The endpoint has private addresses, so little comes of it, until the network is peered with another one.
    """
    return OpenToAll()


@fault(guide=GUIDE, noticed_by=("network.s3-is-reached-through-its-gateway",), part=LabOutputs.s3_endpoint)
def s3_is_not_reached() -> Change:
    """The subnet's route table has no route to S3's gateway.

    The endpoint is there and available, and no packet goes through it.
    """
    return GatewayRoutes()


@fault(guide=GUIDE, noticed_by=("network.there-is-no-way-out",), part=LabOutputs.vpc)
def there_is_a_way_out() -> Change:
    """An internet gateway is attached to the network.

    "Only to install something." One route later everything inside reaches the internet, past the endpoints and
    their policies.
    """
    return InternetGateway()
