"""Records what producer.py publishes as examples, with the schemas as the registry has them.

    SCHEMA_REGISTRY_URL=… python record.py ../schema-registry.examples
"""

import base64
import json
import os
import sys
import urllib.request
from pathlib import Path

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext

import producer

URL = os.environ["SCHEMA_REGISTRY_URL"]


def ask(path):
    with urllib.request.urlopen(URL + path) as answer:
        return json.load(answer)


def line(schema_id):
    found = ask(f"/schemas/ids/{schema_id}")
    references = [
        {"name": r["name"], "schema": ask(f"/subjects/{r['subject']}/versions/{r['version']}")["schema"]}
        for r in found.get("references") or []
    ]
    return {
        "id": schema_id,
        "schemaType": found.get("schemaType", "AVRO"),
        "schema": found["schema"],
        "references": references,
    }


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    registry = SchemaRegistryClient({"url": URL})
    ids = set()
    for name, make in [("avro", producer.avro), ("json", producer.json_schema), ("protobuf", producer.protobuf)]:
        topic = f"chat-{name}"
        serializer, value = make(registry, topic)
        context = SerializationContext(topic, MessageField.VALUE)
        lines = []
        for message in producer.messages():
            bytes_ = serializer(value(message), context)
            ids.add(int.from_bytes(bytes_[1:5], "big"))
            timestamp = int(message["at"].timestamp() * 1000)
            record = {"key": message["chat"], "timestamp": timestamp, "base64": base64.b64encode(bytes_).decode()}
            lines.append(json.dumps(record))
        (folder / f"{name}.records.ndjson").write_text("\n".join(lines) + "\n")
    schemas = [json.dumps(line(schema_id)) for schema_id in sorted(ids)]
    (folder / "schemas.ndjson").write_text("\n".join(schemas) + "\n")


main()
