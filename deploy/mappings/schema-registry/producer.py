"""Publishes the same messages as Avro, JSON Schema and Protobuf, each by Confluent's serializer, which registers the schemas.

    KAFKA_BOOTSTRAP_SERVERS=… SCHEMA_REGISTRY_URL=… TOPIC=… python producer.py avro|json|protobuf
"""

import os
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

AUTHOR = """{"type": "record", "name": "Author", "namespace": "com.acme", "fields": [
  {"name": "id", "type": "string"},
  {"name": "role", "type": {"type": "enum", "name": "Role", "symbols": ["USER", "ASSISTANT"]}}]}"""

MESSAGE = """{"type": "record", "name": "Message", "namespace": "com.acme.chat", "fields": [
  {"name": "tenant", "type": "string"},
  {"name": "chat", "type": "string"},
  {"name": "number", "type": "int"},
  {"name": "author", "type": "com.acme.Author"},
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "text", "type": ["null", "string"], "default": null},
  {"name": "cost", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 4}}]}"""

JSON_SCHEMA = """{"$schema": "http://json-schema.org/draft-07/schema#", "title": "Message", "type": "object",
  "properties": {"tenant": {"type": "string"}, "chat": {"type": "string"}, "number": {"type": "integer"},
    "author": {"type": "object", "properties": {"id": {"type": "string"}, "role": {"type": "string"}}},
    "at": {"type": "string"}, "text": {"type": ["string", "null"]}, "cost": {"type": "string"}},
  "required": ["tenant", "chat", "number", "author", "at"]}"""

BEGIN = datetime(2026, 1, 5, 10, tzinfo=timezone.utc)
TALK = [
    ("org_a", "c1", "user_1", "USER", "Where is my order 4711?"),
    ("org_a", "c1", "agent_1", "ASSISTANT", "It is on its way – grüße!"),
    ("org_a", "c2", "user_2", "USER", "Thank you"),
    ("org_b", "c1", "user_3", "USER", None),
]


def messages():
    for number, (tenant, chat, author, role, text) in enumerate(TALK):
        yield {
            "tenant": tenant,
            "chat": chat,
            "number": number,
            "author": {"id": author, "role": role},
            "at": BEGIN + timedelta(milliseconds=number),
            "text": text,
            "cost": Decimal("0.0125") * number,
        }


def named(format_name):
    """A registry keeps schemas of one language under a subject, and the topic has values of three."""
    return {"subject.name.strategy": lambda context, *_: f"{context.topic}-{format_name}"}


def avro(registry, subject):
    author = f"{subject}-author"
    registry.register_schema(author, Schema(AUTHOR, "AVRO"))
    reference = SchemaReference("com.acme.Author", author, 1)
    serializer = AvroSerializer(registry, Schema(MESSAGE, "AVRO", [reference]), conf=named("avro"))
    return serializer, lambda message: message


def json_schema(registry, _):
    serializer = JSONSerializer(JSON_SCHEMA, registry, conf=named("json"))

    def plain(message):
        at = message["at"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return message | {"at": at, "cost": str(message["cost"])}

    return serializer, plain


def protobuf(registry, _):
    # As protoc would compile it, without the need to have protoc.
    file = descriptor_pb2.FileDescriptorProto(name="acme/message.proto", package="acme", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    file.message_type.add(name="Unused")
    kind = file.message_type.add(name="Message")
    role = kind.enum_type.add(name="Role")
    for number, symbol in enumerate(["USER", "ASSISTANT"]):
        role.value.add(name=symbol, number=number)
    author = kind.nested_type.add(name="Author")
    field = descriptor_pb2.FieldDescriptorProto
    author.field.add(name="id", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    author.field.add(
        name="role", number=2, type=field.TYPE_ENUM, type_name=".acme.Message.Role", label=field.LABEL_OPTIONAL
    )
    for number, (name, proto_type, type_name) in enumerate(
        [
            ("tenant", field.TYPE_STRING, None),
            ("chat", field.TYPE_STRING, None),
            ("number", field.TYPE_INT32, None),
            ("author", field.TYPE_MESSAGE, ".acme.Message.Author"),
            ("at", field.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
            ("text", field.TYPE_STRING, None),
            ("cost", field.TYPE_STRING, None),
        ],
        start=1,
    ):
        kind.field.add(name=name, number=number, type=proto_type, type_name=type_name, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    message_class = message_factory.GetMessageClass(pool.FindMessageTypeByName("acme.Message"))
    serializer = ProtobufSerializer(message_class, registry, conf=named("protobuf"))

    def filled(message):
        made = message_class(
            tenant=message["tenant"], chat=message["chat"], number=message["number"], text=message["text"] or ""
        )
        made.author.id = message["author"]["id"]
        made.author.role = ["USER", "ASSISTANT"].index(message["author"]["role"])
        made.at.FromDatetime(message["at"])
        made.cost = str(message["cost"])
        return made

    return serializer, filled


def main():
    topic = os.environ["TOPIC"]
    registry = SchemaRegistryClient({"url": os.environ["SCHEMA_REGISTRY_URL"]})
    make = {"avro": avro, "json": json_schema, "protobuf": protobuf}[sys.argv[1]]
    serializer, value = make(registry, topic)
    producer = Producer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]})
    context = SerializationContext(topic, MessageField.VALUE)
    for message in messages():
        producer.produce(topic, key=message["chat"], value=serializer(value(message), context))
    producer.flush()


if __name__ == "__main__":
    main()
