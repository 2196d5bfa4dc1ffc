"""Faults of the alarms: what happens to the keys, and nobody hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.policies import KeyPolicy
from kmslab.faults.changes.statements import (
    A_STRANGER,
    EVERYBODY,
    add,
    drop,
    replace,
)
from kmslab.faults.changes.trail import (
    AlarmRule,
    AlarmTarget,
    Subscriber,
    TopicKey,
    TopicPolicy,
)
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "12-audit"
WATCHES = "audit.alarm-watches-the-dangerous-calls"
ARRIVES = "audit.alarm-arrives"
PASSED_ON = "alarms.the-whole-event-is-passed-on"
PUBLISHES = "alarms.only-eventbridge-publishes"
TOPIC_KEY = "audit.alarm-topic-is-under-the-labs-key"
DANGEROUS = ("DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DeleteImportedKeyMaterial")


def _alarm_without(name: str) -> Change:
    return AlarmRule(eventName=[one for one in DANGEROUS if one != name])


@fault(guide=GUIDE, noticed_by=(WATCHES, ARRIVES))
def the_alarm_is_off() -> Change:
    """The rule that raises the alarm is disabled.

    It rang once too often at night.
    """
    return AlarmRule(state="DISABLED")


@fault(guide=GUIDE, noticed_by=(WATCHES,))
def the_alarm_misses_deletions() -> Change:
    """The alarm no longer watches for ScheduleKeyDeletion.

    A key that waits for its deletion can be saved for seven days, by who hears of it.
    """
    return _alarm_without("ScheduleKeyDeletion")


@fault(guide=GUIDE, noticed_by=(WATCHES,))
def the_alarm_misses_key_policies() -> Change:
    """The alarm no longer watches for PutKeyPolicy.

    Whoever rewrites a key policy decides about everything under the key.
    """
    return _alarm_without("PutKeyPolicy")


@fault(guide=GUIDE, noticed_by=(WATCHES,))
def the_alarm_misses_key_material() -> Change:
    """The alarm no longer watches for DeleteImportedKeyMaterial.

    Imported material can be deleted at once, without any days to wait.
    """
    return _alarm_without("DeleteImportedKeyMaterial")


@fault(guide=GUIDE, noticed_by=(WATCHES,), also=(ARRIVES,))
def the_alarm_misses_disabled_keys() -> Change:
    """The alarm no longer watches for DisableKey.

    Everything under the key stops at once; nobody is told why.
    """
    return _alarm_without("DisableKey")


@fault(guide=GUIDE, noticed_by=("alarms.the-rule-asks-for-nothing-else",), also=(ARRIVES,))
def the_alarm_is_for_root_only() -> Change:
    """The alarm watches for the root user alone.

    All four operations are still in the pattern. But a pattern is a conjunction: the line that somebody added
    leaves out everybody who would really do it.
    """
    return AlarmRule(userIdentity={"type": ["Root"]})


@fault(
    guide=GUIDE,
    noticed_by=(WATCHES, ARRIVES, PASSED_ON),
)
def the_alarm_notifies_nobody() -> Change:
    """The rule has no target.

    It matches, and nothing follows.
    """
    return AlarmTarget()


@fault(
    guide=GUIDE,
    noticed_by=(WATCHES, ARRIVES, PASSED_ON),
)
def the_alarm_goes_elsewhere() -> Change:
    """The rule notifies another topic than the lab's.

    It was set up for a test and never set back. The alarm is raised, and nobody is there to hear it.
    """
    return AlarmTarget(Arn="arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${Prefix}-test")


@fault(guide=GUIDE, noticed_by=(PASSED_ON,), also=(ARRIVES,))
def the_alarm_says_nothing() -> Change:
    """The alarm's text is "a key operation happened", whatever happened.

    A constant in place of the event: which key, and who, is what one would have to know at once.
    """
    return AlarmTarget(Input='"a key operation happened"')


@fault(guide=GUIDE, noticed_by=(TOPIC_KEY,), also=(ARRIVES,))
def the_topic_is_under_the_managed_key() -> Change:
    """The alarm topic is encrypted under aws/sns.

    Encrypted, and dumb: that key's policy does not let EventBridge use it, and nobody can change it. Alarms are
    dropped without a word.
    """
    return TopicKey("alias/aws/sns")


@fault(guide=GUIDE, noticed_by=(TOPIC_KEY,))
def the_topic_is_not_encrypted() -> Change:
    """The alarm topic is not encrypted.

    Alarms arrive again, which is why somebody does it. They name keys, principals and addresses.
    """
    return TopicKey()


@fault(guide=GUIDE, noticed_by=(PUBLISHES,), also=(ARRIVES,))
def eventbridge_may_not_publish() -> Change:
    """The topic's policy no longer lets EventBridge publish.

    Alarms are dropped without a word.
    """
    return TopicPolicy(drop("LetTheRulePublish"))


@fault(guide=GUIDE, noticed_by=(PUBLISHES,))
def everybody_may_publish() -> Change:
    """The topic's policy lets everybody publish.

    Who can cry wolf a thousand times a day can switch the alarm off.
    """
    return TopicPolicy(replace("LetTheRulePublish", Principal=EVERYBODY))


@fault(guide=GUIDE, noticed_by=(PUBLISHES,))
def another_account_may_listen() -> Change:
    """The topic's policy lets another account subscribe to the alarms.

    Whoever breaks in there reads at once whether somebody here has noticed.
    """
    statement = {
        "Sid": "TemporaryAccess",
        "Effect": "Allow",
        "Action": "sns:Subscribe",
        "Resource": "${Thing}",
    }
    return TopicPolicy(add({**statement, "Principal": A_STRANGER}))


@fault(guide=GUIDE, noticed_by=(PUBLISHES,))
def alarms_go_over_plain_http() -> Change:
    """The topic's policy no longer denies publishing without TLS.

    An alarm that travels in the clear tells everyone on its way what happened to which key.
    """
    return TopicPolicy(drop("RefusePlainHttp"))


@fault(guide=GUIDE, noticed_by=("alarms.nobody-outside-listens",))
def a_stranger_listens() -> Change:
    """A queue of another account is subscribed to the alarms.

    Whoever attacks a key hears at once that, and when, it was noticed.
    """
    return Subscriber("sqs", "arn:${AWS::Partition}:sqs:${AWS::Region}:111122223333:collector")


@fault(
    guide=GUIDE,
    noticed_by=(
        TOPIC_KEY,
        "access.services-use-the-trail-key-for-the-lab-only",
    ),
    also=(ARRIVES,),
)
def eventbridge_may_not_use_the_key() -> Change:
    """The trail key's policy no longer lets EventBridge use the key for the topic.

    The rule matches, the topic is there and encrypted; no alarm arrives.
    """
    return KeyPolicy(LabOutputs.key_trail, drop("LetEventBridgeAlarm"))
