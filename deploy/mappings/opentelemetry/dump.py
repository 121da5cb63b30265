"""Writes records of a topic as `recap map` reads them: python dump.py BROKERS TOPIC"""

import base64
import json
import sys

from confluent_kafka import Consumer, TopicPartition

brokers, topic = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": brokers, "group.id": "dump", "enable.auto.commit": False})
partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
for number in partitions:
    partition = TopicPartition(topic, number, 0)
    _, end = consumer.get_watermark_offsets(partition, timeout=30)
    consumer.assign([partition])
    for offset in range(end):
        record = consumer.poll(30)
        if record is None or record.error() or record.offset() != offset:
            sys.exit(f"{topic}: no record {offset} of {end}: {record and record.error()}")
        line = {"partition": number, "offset": offset, "timestamp": record.timestamp()[1]}
        if record.key() is not None:
            line["key"] = record.key().decode()
        if record.headers():
            line["headers"] = {name: value.decode() for name, value in record.headers()}
        try:
            # As it is: what the exporter wrote is what a mapping is given.
            text = record.value().decode()
            json.loads(text)
            print(json.dumps(line)[:-1] + ', "value": ' + text + "}")
        except ValueError:
            print(json.dumps(line | {"base64": base64.b64encode(record.value()).decode()}))
consumer.close()
