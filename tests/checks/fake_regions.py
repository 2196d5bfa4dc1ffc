"""Multi-Region keys for the fake KMS: a replica shares its primary's key id and material, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.checks.fakes import REGION, Refusal, Request

if TYPE_CHECKING:
    from tests.checks.fake_kms import FakeKey

LEAVING = {"PendingDeletion", "PendingReplicaDeletion"}


class FakeRegions:
    """ReplicateKey, and what knows of it.

    Attributes:
        keys: by ARN.
    """

    keys: dict[str, FakeKey]

    def add(self, arn: str, alias: str = "", **attributes: Any) -> FakeKey:
        """Add a key."""
        raise NotImplementedError

    def find(self, key_id: str) -> FakeKey:
        """Return a key by ARN."""
        raise NotImplementedError

    def replicas(self, primary: FakeKey) -> list[FakeKey]:
        """The replicas of a primary."""
        return [key for key in self.keys.values() if key.primary == primary.arn]

    def primary_of(self, key: FakeKey) -> FakeKey:
        """The primary of a replica; any other key itself."""
        return self.keys[key.primary] if key.primary else key

    def relative(self, arn: str, region: str) -> FakeKey:
        """The key in a Region that opens what a key of another encrypted."""
        where = region or REGION
        fields = arn.split(":")
        if fields[3] == where:
            return self.find(arn)
        fields[3] = where
        there = ":".join(fields)
        if there not in self.keys:
            raise Refusal(
                "AccessDeniedException", "The ciphertext refers to a key that is not in this region"
            )
        return self.keys[there]

    def configuration(self, key: FakeKey) -> dict[str, Any]:
        """MultiRegionConfiguration of a key that a check made; empty for others."""
        if "mrk-" not in key.arn:
            return {}
        primary = self.primary_of(key)
        return {
            "MultiRegionConfiguration": {
                "MultiRegionKeyType": "REPLICA" if key.primary else "PRIMARY",
                "PrimaryKey": {"Arn": primary.arn},
                "ReplicaKeys": [{"Arn": replica.arn} for replica in self.replicas(primary)],
            }
        }

    def must_not_be_replica(self, key: FakeKey) -> None:
        """Refuse what is for primaries only."""
        if key.primary:
            raise Refusal("UnsupportedOperationException", f"{key.arn} is a replica")

    def ReplicateKey(self, request: Request) -> dict[str, Any]:
        key = self.find(request["KeyId"])
        self.must_not_be_replica(key)
        if "mrk-" not in key.arn:
            raise Refusal("UnsupportedOperationException", f"{key.arn} is not a multi-Region key")
        fields = key.arn.split(":")
        fields[3] = request["ReplicaRegion"]
        arn = ":".join(fields)
        if arn in self.keys:
            raise Refusal("AlreadyExistsException")
        replica = self.add(
            arn,
            primary=key.arn,
            multi_region=True,
            description=request.get("Description", ""),
            tags=request.get("Tags", []),
            policy=key.policy,
        )
        replica.material = key.material
        return {"ReplicaKeyMetadata": {"KeyId": arn.rpartition("/")[2], "Arn": arn}}
