"""On the real engine: a run that crashed has left things behind, and the next one sweeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.checks.runner import new_run_id
from kmslab.checks.samples import sample_object
from kmslab.checks.sweep import sweep
from kmslab.checks.temporary import GRANT_NAME, stopped, temporary_key
from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.engine.capabilities import CAPABILITIES
from kmslab.lab import Access, Lab
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from tests.conftest import DeployedLab


def test_what_a_crashed_run_left_is_swept(deployed_lab: DeployedLab) -> None:
    access = Access(control.target(deployed_lab.home), "kms-lab")
    outputs = read_outputs(access)
    crashed = Lab(access, outputs, CAPABILITIES, new_run_id())  # never left, so that it never undoes
    left = temporary_key(crashed, "left by a crash")
    sample = sample_object(crashed)
    sample.put()
    grant = access.client(Persona.DATA_OWNER, "kms").create_grant(
        KeyId=outputs.key_app,
        GranteePrincipal=outputs.role_outsider,
        Operations=["Decrypt"],
        Constraints={"EncryptionContextEquals": ENCRYPTION_CONTEXT},
        Name=GRANT_NAME,
    )["GrantId"]
    stopping = stopped(crashed, outputs.key_app)
    stopping.__enter__()
    swept = sweep(access, outputs)
    assert swept.problems == []
    assert sorted(swept.removed) == sorted(
        [
            f"key {left}",
            f"object versions in {sample.bucket} (1)",
            f"grant {grant[:8]}",
            f"stop of {outputs.key_app}",
        ]
    )
    states = {
        key: access.client(persona, "kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
        for persona, key in ((Persona.OPERATOR, left), (Persona.AUDITOR, outputs.key_app))
    }
    assert states == {left: "PendingDeletion", outputs.key_app: "Enabled"}
    assert sweep(access, outputs).removed == []
