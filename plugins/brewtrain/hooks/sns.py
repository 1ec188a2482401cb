"""Amazon SNS, for the on-call card. Must not be imported while DAG files are parsed.

Source: Publish in the Amazon SNS API Reference.
"""

from __future__ import annotations

from brewtrain.domain.names import partition
from brewtrain.hooks.connection import AwsClientHook

TOPIC = "brewtrain-on-call"
# Publish's limits: a subject of 100 ASCII characters without line breaks, a message of 256 KiB.
_SUBJECT_LIMIT = 100
_MESSAGE_LIMIT = 200_000


class SnsHook(AwsClientHook):
    """Publishes messages."""

    service = "sns"

    def default_topic_arn(self) -> str:
        """ARN of the topic ``brewtrain-on-call`` of the account."""
        account = self.account
        return f"arn:{partition(account.region)}:sns:{account.region}:{account.account_id}:{TOPIC}"

    def publish(self, topic_arn: str, *, subject: str, message: str) -> None:
        """Publish a message.

        :param subject: Cut to what SNS takes.
        """
        plain = subject.encode("ascii", "replace").decode().replace("\n", " ")[:_SUBJECT_LIMIT]
        with self.errors(f"SNS topic {topic_arn}"):
            self.conn.publish(TopicArn=topic_arn, Subject=plain, Message=message[:_MESSAGE_LIMIT])
