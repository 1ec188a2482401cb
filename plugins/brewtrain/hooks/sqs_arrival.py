"""Amazon SQS as a run that waits for its data uses it: receive and delete messages.

Must not be imported while DAG files are parsed.

Source: ReceiveMessage, DeleteMessageBatch and GetQueueUrl in the Amazon SQS API Reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from brewtrain.domain.errors import DeploymentError
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook

# ReceiveMessage's limits.
MESSAGES_A_CALL = 10
WAIT_SECONDS = 20
# After which a message that was not deleted is received again.
HIDDEN_SECONDS = 5
_ABSENT = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


@dataclass(frozen=True)
class Message:
    """A message.

    :param body: Its text.
    :param receipt: By which it is deleted.
    :param times_received: How often it has been received, this time included.
    """

    body: str
    receipt: str
    times_received: int


class SqsArrivalHook(AwsClientHook):
    """The queue that a bucket tells of its new objects."""

    service = "sqs"

    def queue_url(self, arn: str) -> str:
        """Return the address of a queue.

        :raises DeploymentError: If it does not exist, or AWS refuses.
        """
        account_id, name = arn.split(":")[4:6]
        with self.errors(f"queue {arn}"):
            try:
                url: str = self.conn.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account_id)["QueueUrl"]
            except ClientError as error:
                if error_code(error) in _ABSENT:
                    raise DeploymentError(
                        f"{arn} does not exist; deploy include/cloudformation/storage.yaml again"
                    ) from error
                raise
        return url

    def receive(self, url: str) -> list[Message]:
        """Wait for messages; return up to ten, or none after 20 seconds."""
        with self.errors(f"queue {url}"):
            answer = self.conn.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=MESSAGES_A_CALL,
                WaitTimeSeconds=WAIT_SECONDS,
                VisibilityTimeout=HIDDEN_SECONDS,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [
            Message(one["Body"], one["ReceiptHandle"], int(one.get("Attributes", {}).get("ApproximateReceiveCount", 1)))
            for one in answer.get("Messages", ())
        ]

    def delete(self, url: str, messages: Sequence[Message]) -> None:
        """Delete messages; one that is not deleted comes again, which does no harm."""
        if not messages:
            return
        entries = [{"Id": str(number), "ReceiptHandle": one.receipt} for number, one in enumerate(messages)]
        with self.errors(f"queue {url}"):
            answer = self.conn.delete_message_batch(QueueUrl=url, Entries=entries)
        for failed in answer.get("Failed", ()):
            self.log.info("a message was not deleted, and comes again (%s)", failed.get("Code"))
