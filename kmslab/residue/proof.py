"""The proof: everything with the lab's tags or of its stacks, asked of the tagging service and of each service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from kmslab.checks.membership import KEY, STACK_OF_TAG
from kmslab.checks.temporary import REPLICA_REGIONS
from kmslab.faults.workshop import FAULT_TAG
from kmslab.model.evidence import code_of
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG, is_tooling
from kmslab.model.persona import Persona
from kmslab.residue.keys import Keys, stamp
from kmslab.residue.model import Found, Residue, State, Why
from kmslab.residue.services import SERVICES
from kmslab.residue.stacks import FUNCTION, LOG_GROUP, Membership, read_membership

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kmslab.lab import Access
    from kmslab.residue.services import Listed

    Tags = Mapping[str, str]

T = TypeVar("T")

WHOLE_KINDS = frozenset({"s3", "sns", "sqs"})
"""Services whose ARNs name no type of resource."""


def read_residue(access: Access, before: Membership | None = None, *, owner: Access | None = None) -> Residue:
    """Look for everything that is, or was, the lab's. Changes nothing.

    Args:
        access: with the operator's credentials.
        before: what the stacks owned before they were destroyed, where somebody looked then.
        owner: see `Keys`.

    Raises:
        ClientError, BotoCoreError: not even CloudFormation answers, so nothing can be told.
    """
    return _Look(access, before or Membership(), owner).residue()


class _Look:
    def __init__(self, access: Access, before: Membership, owner: Access | None) -> None:
        self._access = access
        self._owner = owner
        self._at = datetime.now(UTC)
        self._membership = read_membership(access).and_before(before)
        self._unseen: list[str] = []
        self._blind: set[str] = set()

    def residue(self) -> Residue:
        """Ask everybody, side by side."""
        access, home = self._access, self._access.target.region
        others = [name for name in REPLICA_REGIONS.get(access.partition, ()) if name != home]
        tagged = self._tagged(home)
        jobs: list[Callable[[], list[Found]]] = [
            partial(self._try, "kms", partial(self._keys, tagged)),
            *(partial(self._try, name, partial(self._service, find)) for name, find in SERVICES.items()),
            *(partial(self._elsewhere, region) for region in others),
        ]
        with ThreadPoolExecutor(len(jobs), thread_name_prefix="residue") as pool:
            found = [one for some in pool.map(lambda job: job(), jobs) for one in some]
        found += self._told_by_tagging_alone(tagged)
        return Residue(
            access.prefix,
            access.account,
            home,
            stamp(self._at),
            tuple(sorted(found, key=lambda one: (list(State).index(one.state), one.kind, one.until, one.id))),
            tuple(sorted(set(self._unseen))),
            ("kms", *SERVICES, *(f"tagging in {region}" for region in (home, *others))),
        )

    def _try(self, what: str, look: Callable[[], list[T]]) -> list[T]:
        """Return what there is; nothing, and a line about it, where it cannot be seen."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return look()
        except (BotoCoreError, ClientError) as error:
            self._unseen.append(f"{what}: {code_of(error)}")
            self._blind.add(what)
            return []

    def _ours(self, tags: Tags) -> bool:
        return self._access.prefix in (tags.get(PREFIX_TAG), tags.get(FAULT_TAG))

    def _tagged(self, region: str) -> dict[str, Tags]:
        """ARN and tags of everything that the tagging service knows as the lab's."""

        def look() -> list[tuple[str, Tags]]:
            client = self._access.client(Persona.OPERATOR, "resourcegroupstaggingapi", region=region)
            return [
                (one["ResourceARN"], {tag["Key"]: tag["Value"] for tag in one["Tags"]})
                for name in (PREFIX_TAG, FAULT_TAG)
                for page in client.get_paginator("get_resources").paginate(
                    TagFilters=[{"Key": name, "Values": [self._access.prefix]}]
                )
                for one in page["ResourceTagMappingList"]
            ]

        return dict(self._try(f"tagging in {region}", look))

    def _keys(self, tagged: Mapping[str, Tags]) -> list[Found]:
        keys = Keys(self._access, self._membership, self._unseen, owner=self._owner)
        of_kms = {arn: tags for arn, tags in tagged.items() if kind_of(arn) == "kms:key"}
        return [*keys.found(of_kms, self._ours), *keys.aliases()]

    def _elsewhere(self, region: str) -> list[Found]:
        """What the tagging service knows in another Region: replicas of keys, and what somebody made there."""
        keys = Keys(self._access, Membership(), self._unseen, region, self._owner)
        found = []
        for arn, tags in self._tagged(region).items():
            if kind_of(arn) == "kms:key":
                look = partial(_listed, partial(keys.tagged, arn, temporary=TEMPORARY_TAG in tags))
                found += self._try(f"kms in {region}", look)
            elif not arn.startswith(f"arn:{self._access.partition}:s3:"):  # of the account: S3 lists them all
                found.append(Found(kind_of(arn), arn, (Why.TAG,), State.LEFT, note=f"in {region}"))
        return found

    def _service(self, find: Callable[[Access], Iterator[Listed]]) -> list[Found]:
        return [found for one in find(self._access) if (found := self._about(one))]

    def _about(self, one: Listed) -> Found | None:
        """What a listed thing is to the lab; None: nothing."""
        owned = self._membership.find(one.resource, one.physical_id)
        if one.kind == "logs:log-group" and one.physical_id.startswith(LOG_GROUP):
            owned = owned or self._membership.find(FUNCTION, one.physical_id.removeprefix(LOG_GROUP))
        stands = (owned is not None and owned.standing) or one.physical_id in self._membership.standing
        tags = next(iter(self._try(f"tags of {one.id}", partial(_listed, one.tags))), {})
        ours = self._ours(tags)
        why = (
            *((Why.TAG,) if ours else ()),
            *((Why.STACK,) if owned or one.physical_id in self._membership.standing else ()),
            *((Why.KEY,) if self._membership.find(KEY, one.key.rpartition("/")[2]) else ()),
        )
        if not why:
            return None
        if ours and self._membership.standing and is_tooling(self._access.prefix, one.physical_id):
            stands = True
        note = ""
        if not owned and (stack := tags.get(STACK_OF_TAG)):
            note = f"of the stack {stack}, which is not the lab's"
        elif why == (Why.KEY,):
            note = "cannot be read any more once that key is gone"
        state = State.STANDS if stands else State.GOING if one.until else State.LEFT
        said_by = one.kind.partition(":")[0] if one.until else ""
        return Found(one.kind, one.id, why, state, one.until, said_by, note, TEMPORARY_TAG in tags)

    def _told_by_tagging_alone(self, tagged: Mapping[str, Tags]) -> list[Found]:
        """Tagged things of kinds that no service was asked for.

        Of the others the services' own lists decide: the tagging service goes on listing for a while what is gone.
        """
        return [
            Found(kind_of(arn), arn, (Why.TAG,), State.LEFT, note="the tagging service lists it")
            for arn in tagged
            if kind_of(arn) not in LISTED_KINDS or kind_of(arn).partition(":")[0] in self._blind
        ]


def _listed(look: Callable[[], T | None]) -> list[T]:
    found = look()
    return [] if found is None else [found]


LISTED_KINDS: Sequence[str] = (
    "cloudformation:stack",
    "cloudtrail:trail",
    "cloudwatch:alarm",
    "ec2:instance",
    "ec2:internet-gateway",
    "ec2:route-table",
    "ec2:security-group",
    "ec2:snapshot",
    "ec2:subnet",
    "ec2:volume",
    "ec2:vpc",
    "ec2:vpc-endpoint",
    "events:rule",
    "iam:policy",
    "kms:key",
    "lambda:function",
    "logs:log-group",
    "s3",
    "secretsmanager:secret",
    "sns",
    "sqs",
    "ssm:parameter",
)
"""What `SERVICES` and KMS list in full, as `kind_of` calls it."""


def kind_of(arn: str) -> str:
    """What an ARN names, as the tagging service's filters have it: ``kms:key``, ``s3``."""
    service, resource = arn.split(":", 5)[2], arn.split(":", 5)[-1]
    if service in WHOLE_KINDS:
        return service
    return f"{service}:{resource.replace(':', '/').partition('/')[0]}"
