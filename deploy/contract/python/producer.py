"""A producer of recap's events: CloudEvents by their SDK, published with Confluent's client.

    pip install -r requirements.txt && KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 python producer.py structured

The other mode is `binary`. TOPIC_PREFIX stands before the default names of the topics.
"""

import os
import sys
import uuid
from datetime import datetime, timedelta, timezone

from cloudevents.core.bindings.kafka import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Producer

PREFIX = os.environ.get("TOPIC_PREFIX", "")
TO_RECORD = to_binary_event if sys.argv[1:] == ["binary"] else to_structured_event
TOPICS = {
    "conversation": "recap.conversations",
    "message": "recap.messages",
    "tool_call": "recap.tool-calls",
    "feedback": "recap.feedback",
    "user": "recap.users",
    "agent": "recap.agents",
}

# Idempotent, so that an event is not lost when a broker changes; that an event arrives twice would change nothing.
producer = Producer(
    {
        "bootstrap.servers": os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
        "client.id": "chat",
        "enable.idempotence": True,
        # The partitions that Java and JavaScript choose for a key, too.
        "partitioner": "murmur2_random",
    }
)
failed = []


def event_id(time):
    """An id that sorts by time, as UUIDv7 does: of two events with one time the greater id wins."""
    return f"{int(time.timestamp() * 1000):012x}-{uuid.uuid4()}"


def key(data):
    """The key keeps what belongs together on one partition."""
    return data.get("conversationId") or f"{data['orgId']}/{data.get('userId') or data.get('agentId')}"


def publish(event_type, time, data):
    """Returns at once; whether Kafka has acknowledged the event shows at the end."""
    attributes = {
        "id": event_id(time),
        "source": "/chat",
        "type": event_type,
        "time": time,
        "datacontenttype": "application/json",
    }
    record = TO_RECORD(CloudEvent(attributes, data))
    producer.produce(
        PREFIX + TOPICS[event_type.split(".")[0]],
        key=key(data),
        value=record.value,
        headers=record.headers,
        on_delivery=lambda error, _: error and failed.append(error),
    )
    producer.poll(0)


def at(seconds):
    return datetime(2026, 1, 5, 10, tzinfo=timezone.utc) + timedelta(seconds=seconds)


org = {"orgId": "org_demo"}
chat = {**org, "conversationId": "chat-1"}

publish(
    "user.upserted",
    at(0),
    {
        **org,
        "userId": "user_ada",
        "email": "ada@example.com",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "publicMetadata": {"plan": "pro", "seats": 3},
    },
)
publish("agent.upserted", at(0), {**org, "agentId": 7, "name": "Helper", "model": "small-1"})
publish("conversation.upserted", at(1), {**chat, "userId": "user_ada", "agentId": 7, "createdAt": at(1).isoformat()})
publish(
    "message.upserted",
    at(2),
    {
        **chat,
        "messageId": "m1",
        "role": "user",
        "createdAt": at(2).isoformat(),
        "text": "Wie wird das Wetter in Zürich? ☂",
    },
)
publish(
    "tool_call.started",
    at(3),
    {**chat, "toolCallId": "t1", "toolName": "weather", "args": {"city": "Zürich", "days": [1, 2]}, "messageId": "m2"},
)
publish("tool_call.finished", at(4), {**chat, "toolCallId": "t1", "result": {"rain": True, "millimetres": 2.5}})
publish(
    "message.upserted",
    at(5),
    {
        **chat,
        "messageId": "m2",
        "role": "assistant",
        "createdAt": at(5).isoformat(),
        "text": "Nimm einen Schirm mit.",
        "model": "large-2",
        "finishReason": "stop",
        "usage": {"inputTokens": 40, "outputTokens": 8},
    },
)
publish(
    "feedback.submitted",
    at(6),
    {**chat, "feedbackId": "f1", "helpful": True, "comment": "Danke!", "messageId": "m2", "userId": "user_ada"},
)
left = producer.flush(30)
if failed or left:
    sys.exit(f"{left} events are not acknowledged, {len(failed)} failed: {failed[:1]}")
