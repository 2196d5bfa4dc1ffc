from __future__ import annotations

import pytest

from kmslab.checks import REGISTRY
from kmslab.checks.kinds import Kind, kind_of


@pytest.mark.parametrize(
    ("check_id", "kind"),
    [
        ("s3.default-encryption-is-the-labs-key", Kind.CONFIGURATION),
        ("key-policies.no-key-is-public", Kind.CONFIGURATION),
        ("s3.all-of-s3-without-the-key-is-refused", Kind.BEHAVIOUR),
        ("s3.another-key-is-refused", Kind.BEHAVIOUR),  # acts in a helper of another module
        ("signing.signature-verifies-outside-kms", Kind.CRYPTOGRAPHIC),
        ("agreement.secret-equals-the-local-one", Kind.CRYPTOGRAPHIC),
        ("envelope.an-sdk-envelope-opens-with-its-context-only", Kind.CRYPTOGRAPHIC),
        ("audit.direct-use-names-the-principal", Kind.AUDIT),
        ("audit.alarm-arrives", Kind.AUDIT),
        ("audit.trail-is-logging", Kind.CONFIGURATION),
    ],
)
def test_what_a_check_does_tells_its_kind(check_id: str, kind: Kind) -> None:
    assert kind_of(REGISTRY[check_id]) is kind


def test_every_kind_of_evidence_is_in_the_catalogue() -> None:
    assert {kind_of(check) for check in REGISTRY.values()} == set(Kind)
