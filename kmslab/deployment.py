"""Deploys and destroys the lab's stacks with the real CDK CLI, and does nothing that is done already."""

from __future__ import annotations

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab import synthesis
from kmslab.bootstrapping import TOOLKIT_STACK, require_boundary
from kmslab.cdk import CdkCli, CdkError, follow, left_running
from kmslab.checks.sweep import sweep, sweep_without_lab
from kmslab.deployed import half_deployed, read_outputs, read_stacks
from kmslab.faults.ledger import Ledger, from_the_newest, in_place, repair
from kmslab.faults.workshop import Workshop
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.evidence import code_of
from kmslab.model.naming import PREFIX_TAG, secure_string_name, stack_name
from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from kmslab.project import write_private
from kmslab.residue.clearing import empty_failed_buckets, remove_log_groups, remove_what_faults_made
from kmslab.residue.settings import note, put_back
from kmslab.residue.stacks import read_membership
from kmslab.targets import owner_access
from kmslab.turns import UNFINISHED, exclusively, unfinished

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kmslab.deployed import Stack
    from kmslab.lab import Access
    from kmslab.progress import Progress
    from kmslab.project import Project
    from kmslab.residue.stacks import Membership

CONCURRENCY = "4"
"""Stacks that the CDK CLI works on at once, dependencies permitting."""
SETTLE_SECONDS = 120.0
"""How long somebody else's operation on a stack may take before we give up waiting for it."""
ORPHAN = "The CDK CLI of an interrupted command"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One lab on one target, and what it takes to change it.

    Attributes:
        project: the checkout.
        access: the target, with the operator's credentials.
        context: ``-c`` values of the user.
        progress: told what goes on.
    """

    project: Project
    access: Access
    context: Mapping[str, str]
    progress: Progress

    @property
    def log(self) -> Path:
        """The CDK CLI's whole output."""
        return self.project.home / "deploy.log"

    @property
    def _record(self) -> Path:
        return self.project.home / f"deployed-{self.access.target.kind}.json"

    def up(self) -> bool:
        """Bring every stack up to date, and the SecureString that CloudFormation cannot create.

        Repairs the faults in place: before the stacks change, since CloudFormation would meet what is
        broken, and after it if some stack was missing before.

        Returns: whether anything had to be deployed.

        Raises:
            LabError: a stack is another lab's, or a step failed; running it again goes on from there.
        """
        with exclusively(self.project):
            stacks = self._settled()
            self._repair()
            self._clear_after_the_killed()
            digest = self._digest()
            changed = not self._stands(stacks, digest)
            self._note_account_settings()
            if changed:
                self._deploy(digest)
                self._repair()
            self._ensure_secure_string(read_outputs(self.access).key_secrets)
        return changed

    def down(self) -> Membership:
        """Destroy every stack, and what belongs to the lab and to no stack.

        That is the SecureString, the admin user's MFA devices, what checks and faults left, the log groups of
        the stacks' functions, and what the account had set for EBS otherwise before the lab. Repairs the
        faults in place before; one that cannot be repaired does not stop the destruction.

        Returns: what the stacks owned, also of those that were deleted before: the residue is known by it.

        Raises:
            LabError: a stack is another lab's, or could not be destroyed.
        """
        with exclusively(self.project), unfinished(self.project):
            stacks = self._settled()
            self._repair(or_go_on=True)
            membership = read_membership(self.access)
            self._sweep()
            self._remove_secure_string()
            if stacks:
                self._remove_mfa_devices(stacks)
                self._destroy(stacks)
                for stack in read_stacks(self.access).values():
                    raise half_deployed(stack, self._way_out)
            membership = read_membership(self.access).and_before(membership)
            self._tell("log groups", remove_log_groups(self.access, membership))
            self._tell("account settings", put_back(self.access, membership))
            self._record.unlink(missing_ok=True)
            Ledger(self.access).clear()
        return membership

    def _clear_after_the_killed(self) -> None:
        """Remove what a verification or a destruction left that was killed: nobody else knows of it."""
        mark = self.project.home / UNFINISHED
        if mark.exists():
            self._sweep()
            self._tell("log groups", remove_log_groups(self.access, read_membership(self.access)))
            mark.unlink()

    def _sweep(self) -> None:
        """Remove what checks, probes and faults left, of whichever run."""
        outputs = self._outputs()
        swept = (
            sweep(self.access, outputs, runs=None) if outputs else sweep_without_lab(self.access, runs=None)
        )
        for line in [*(f"{name} removed" for name in swept.removed), *swept.problems]:
            self.progress.end("left by checks", line)
        self._tell("left by faults", remove_what_faults_made(self.access))

    def _note_account_settings(self) -> None:
        """Keep what the account has set for EBS; where that cannot be, the lab is deployed all the same."""
        from botocore.exceptions import ClientError

        try:
            note(self.access)
        except ClientError as error:
            self.progress.end("account settings", f"not noted, so not put back at the end: {error}")

    def _tell(self, what: str, lines: Iterable[str]) -> None:
        for line in lines:
            self.progress.end(what, line)

    def _repair(self, *, or_go_on: bool = False) -> None:
        """Repair the faults in place, unless stacks are missing that a repair would need.

        Args:
            or_go_on: say what cannot be repaired, and leave it.

        Raises:
            LabError, ClientError, BotoCoreError: a fault cannot be repaired.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        ledger = Ledger(self.access)
        what = "the lab"
        try:
            if not ledger.entries() or not (outputs := self._outputs()):
                return
            workshop = Workshop(self.access, outputs, owner_access(self.project, self.access))
            for entry in from_the_newest(in_place(workshop, ledger)):
                what = entry.fault_id
                repair(workshop, ledger, entry)
                self.progress.end("repaired", f"{entry.fault_id}: {entry.fault.title}")
        except (LabError, ClientError, BotoCoreError) as error:
            if not or_go_on:
                raise
            # Those that were made before it are left too: they may be of the same thing.
            self.progress.end("left broken", f"{what}: {error}")

    def _outputs(self) -> LabOutputs | None:
        """What the stacks export; None while one is missing or half deployed."""
        try:
            return read_outputs(self.access)
        except LabError:
            return None

    def _digest(self) -> str:
        return synthesis.inputs_digest(
            self.project, self.context, f"{self.access.account}/{self.access.target.region}"
        )

    def _settled(self) -> dict[str, Stack]:
        """Read the stacks once nobody works on them any more: an interrupted run may still go on."""
        deadline = time.monotonic() + SETTLE_SECONDS
        pause = 0.2
        while True:
            # In this order: the CLI may begin another stack as long as it lives.
            busy = [(ORPHAN, "running")] if left_running(self.project.home) else []
            stacks = read_stacks(self.access)
            busy += [(f"Stack {one.name}", one.status) for one in stacks.values() if one.in_progress]
            if not busy:
                return stacks
            what, doing = busy[0]
            if time.monotonic() > deadline:
                raise LabError(
                    f"{what} has been {doing} for {SETTLE_SECONDS:.0f} s.",
                    hint="Wait and try again; on the local lab, `kmslab down --forget` starts afresh.",
                    exit_code=ExitCode.DEPLOYMENT,
                )
            self.progress.begin(what.removeprefix("Stack "), f"waiting: {doing}")
            time.sleep(pause)
            pause = min(pause * 2, 5.0)
            if what == ORPHAN and not left_running(self.project.home):
                self.progress.end(what, "has ended")

    def _stands(self, stacks: Mapping[str, Stack], digest: str) -> bool:
        try:
            recorded = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        standing = {stack.name: stack.stack_id for stack in stacks.values() if stack.complete}
        return bool(standing) and recorded == {"inputs": digest, "stacks": standing}

    def _deploy(self, digest: str) -> None:
        # In this order: on Ctrl-C the CLI's processes end first, and with them the thread that waits for one.
        with ThreadPoolExecutor(1) as beside, CdkCli(self.project, self.access.target) as cli:
            # Neither needs the other, and both wait for Node.js most of the time.
            synthesized = beside.submit(self._synthesize, cli, digest)
            self._bootstrap(cli)
            synthesized.result()
            self._cdk(
                cli,
                *("deploy", "--all", "--app", str(self.project.assembly), "--require-approval", "never"),
                *("--method", "direct", "--progress", "events", "--concurrency", CONCURRENCY),
            )
        standing = {stack.name: stack.stack_id for stack in read_stacks(self.access).values()}
        write_private(self._record, json.dumps({"inputs": digest, "stacks": standing}))

    def _destroy(self, stacks: Mapping[str, Stack]) -> None:
        with CdkCli(self.project, self.access.target) as cli:
            # A destruction asks the assembly for names only: an older one serves, even if the app is broken now.
            if not stacks.keys() <= synthesis.resource_counts(self.project).keys():
                self._synthesize(cli, self._digest())
            for name in stacks:
                self.progress.begin(name, "waiting")
            destroy = (
                *("destroy", "--all", "--force", "--app", str(self.project.assembly)),
                *("--progress", "events", "--concurrency", CONCURRENCY),
            )
            try:
                try:
                    self._cdk(cli, *destroy)
                except CdkError:
                    # Log files that came after a bucket was emptied: this time nobody else empties it.
                    emptied = list(empty_failed_buckets(self.access, read_membership(self.access)))
                    if not emptied:
                        raise
                    self.progress.end("buckets", f"emptied once more: {', '.join(emptied)}")
                    self._cdk(cli, *destroy)
            except CdkError as error:
                error.hint = f"{self._way_out} {error.hint}"
                raise

    @property
    def _way_out(self) -> str:
        """What to do when a destruction failed: on the local lab a second one may fail for good as well."""
        if self.access.target.kind is TargetKind.LOCAL:
            return "Try `kmslab down` once more; `kmslab down --forget` deletes the local lab whatever its state."
        return "Mend what the line names, then run the same command again: it goes on from there."

    def _remove_mfa_devices(self, stacks: Mapping[str, Stack]) -> None:
        """Take the admin user's MFA devices away, which no stack knows: IAM deletes no user who has one."""
        from botocore.exceptions import ClientError

        identity = stacks.get(stack_name(self.access.prefix, LabStack.IDENTITY))
        user = identity.outputs.get(LabOutputs.admin_user.logical_id) if identity else None
        if not user:
            return
        iam = self.access.client(Persona.OPERATOR, "iam")
        try:
            devices = iam.list_mfa_devices(UserName=user)["MFADevices"]
        except ClientError as error:
            if code_of(error) != "NoSuchEntity":
                raise
            return
        for device in devices:
            serial = device["SerialNumber"]
            iam.deactivate_mfa_device(UserName=user, SerialNumber=serial)
            if ":mfa/" in serial:  # virtual, so it would stay behind; a security key is the learner's own
                iam.delete_virtual_mfa_device(SerialNumber=serial)
            self.progress.end("mfa", f"{serial.rpartition('/')[2]} of {user} removed")

    def _synthesize(self, cli: CdkCli, digest: str) -> None:
        # A time to live counts from the synthesis: the templates of yesterday would be late from the start.
        mortal = LabSettings.from_project(self.project.root, self.context).ttl_hours > 0
        if mortal or not synthesis.is_fresh(self.project, digest):
            self.progress.begin("synthesis", "app.py writes the templates")
            synthesis.synthesize(self.project, cli, self.context, digest)
            self.progress.end("synthesis", "templates written")

    def _bootstrap(self, cli: CdkCli) -> None:
        """Bootstrap account and Region the standard way, unless they are."""
        from botocore.exceptions import ClientError

        cloudformation = self.access.client(Persona.OPERATOR, "cloudformation")
        environment = f"aws://{self.access.account}/{self.access.target.region}"
        stack = None
        try:
            stack = cloudformation.describe_stacks(StackName=TOOLKIT_STACK)["Stacks"][0]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
        settings = LabSettings.from_project(self.project.root, self.context)
        require_boundary(stack, settings.permissions_boundary, environment)
        if stack and stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return
        self.progress.begin(TOOLKIT_STACK, "cdk bootstrap")
        # Away from cdk.json: the CLI would synthesize the app first, which a bootstrap does not need.
        # And whatever app the user's own ~/.cdk.json names is not the lab's.
        cli.run("bootstrap", environment, "--app=", log=self.log, folder=self.project.home)
        self.progress.end(TOOLKIT_STACK, "bootstrapped")

    def _cdk(self, cli: CdkCli, *arguments: str) -> None:
        resources = synthesis.resource_counts(self.project)
        cli.run(*arguments, log=self.log, on_line=lambda line: follow(line, self.progress, resources))

    def _ensure_secure_string(self, key: str) -> None:
        """Create the SecureString under the lab's key, or anew if it is under the key of an earlier lab."""
        name = secure_string_name(self.access.prefix)
        ssm = self.access.client(Persona.OPERATOR, "ssm")
        wanted = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
        found = ssm.describe_parameters(ParameterFilters=wanted)["Parameters"]
        if found and found[0].get("KeyId") == key:
            return
        if found:
            ssm.delete_parameter(Name=name)
        ssm.put_parameter(
            Name=name,
            Description="KMS Lab: a SecureString under the lab's own key",
            Value=secrets.token_urlsafe(24),
            Type="SecureString",
            KeyId=key,
            Tags=[{"Key": PREFIX_TAG, "Value": self.access.prefix}],
        )
        self.progress.end("secure-string", f"{name} created")

    def _remove_secure_string(self) -> None:
        ssm = self.access.client(Persona.OPERATOR, "ssm")
        ssm.delete_parameters(Names=[secure_string_name(self.access.prefix)])
