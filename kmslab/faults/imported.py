"""Faults of imported key material: the wrong people bring it, or take it away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.policies import KeyPolicy, allow, drop_actions, role
from kmslab.faults.changes.statements import THE_ACCOUNT, add
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "10-imported-keys"
KEY = LabOutputs.key_imported
IMPORT = ("kms:GetParametersForImport", "kms:ImportKeyMaterial")
IMPORTS = "escalation.who-imports-does-not-use"
BRINGS = "imported.only-the-administrator-brings-material"


@fault(guide=GUIDE, noticed_by=("key-policies.administration-is-not-delegated-to-iam", IMPORTS, BRINGS))
def importing_is_left_to_iam() -> Change:
    """Who may import key material is left to IAM.

    "Importing is a matter of the platform team" became a statement for the account. Whoever imports the
    material knows it, and decrypts without KMS, without a permission and without a trace.
    """
    return KeyPolicy(KEY, add(allow("Import", *IMPORT, to=THE_ACCOUNT)))


@fault(guide=GUIDE, noticed_by=(IMPORTS, BRINGS))
def the_owner_imports_material() -> Change:
    """The data owner may import the key material that they use.

    Two people were to do it: one brings the material and cannot use the key, one uses the key and never saw
    the material. Now one does both.
    """
    return KeyPolicy(KEY, add(allow("BringYourOwn", *IMPORT, to={"AWS": role(Persona.DATA_OWNER)})))


@fault(guide=GUIDE, noticed_by=("escalation.only-the-administrator-ends-a-key",))
def the_storage_operator_takes_material_away() -> Change:
    """The storage operator may delete the imported key material.

    It needs no waiting time, as a deletion of the key would: from one second to the next all that is under
    the key is closed, until somebody finds the very same bytes.
    """
    statement = allow("CleanUp", "kms:DeleteImportedKeyMaterial", to={"AWS": role(Persona.STORAGE_OPERATOR)})
    return KeyPolicy(KEY, add(statement))


@fault(guide=GUIDE, noticed_by=(BRINGS,), also=(IMPORTS,))
def the_administrator_cannot_import() -> Change:
    """The key administrator can no longer import key material.

    It is noticed on the day on which the material has expired, or was deleted, and has to come back.
    """
    return KeyPolicy(KEY, drop_actions("AdministerTheKey", *IMPORT))
