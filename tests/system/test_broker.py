"""The broker that all system tests rely on: it keeps what it acknowledged, and leaves nothing running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from processor.runtime.broker.errors import UnusableError
from processor.runtime.broker.kafka import LocalKafka
from tests.system.shared import ROOT


def create(address, topic):
    admin = AdminClient({"bootstrap.servers": address})
    for done in admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)]).values():
        done.result()


def produce(address, topic, values, **settings):
    """Write the values in one transaction."""
    producer = Producer(
        {"bootstrap.servers": address, "acks": "all", "transactional.id": f"tx-{topic}", **settings}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value)
    producer.commit_transaction(30)


def read(address, topic, number, **settings):
    """Read so many values from the topic's beginning, committed ones only."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": f"group-{topic}",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            **settings,
        }
    )
    consumer.subscribe([topic])
    found: list[bytes] = []
    end = time.monotonic() + 60
    try:
        while len(found) < number and time.monotonic() < end:
            message = consumer.poll(1)
            if message is not None and message.error() is None:
                found.append(message.value() or b"")
    finally:
        consumer.close()
    return found


def test_what_was_committed_is_there_after_a_kill(own_kafka):
    address = own_kafka.address
    values = [b"%d" % number for number in range(200)]
    create(address, "kept")
    produce(address, "kept", values)
    own_kafka.kill()
    assert not own_kafka.running
    own_kafka.restart()
    assert own_kafka.address == address
    assert read(address, "kept", 200) == values
    # And it is a whole broker again: it takes a transaction of the same id, and stops as it should.
    produce(address, "kept", [b"after"])
    own_kafka.restart()
    assert read(address, "kept", 201, **{"group.id": "another"})[-1] == b"after"


def test_a_folder_has_one_broker_at_a_time(own_kafka):
    with pytest.raises(UnusableError, match="already runs"):
        LocalKafka(own_kafka.folder).start()
    assert own_kafka.running


def test_it_makes_no_topic_unasked(kafka, fresh_name):
    topic = fresh_name()
    assert (
        AdminClient({"bootstrap.servers": kafka.address}).list_topics(topic, timeout=10).topics[topic].error
    )
    assert topic not in AdminClient({"bootstrap.servers": kafka.address}).list_topics(timeout=10).topics


def test_scram(kafka, fresh_topic):
    topic = fresh_topic()
    settings = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": kafka.user,
        "sasl.password": kafka.password,
        "log_level": 0,
    }
    produce(kafka.scram_address, topic, [b"in"], **settings)
    assert read(kafka.scram_address, topic, 1, **settings) == [b"in"]
    wrong = AdminClient({"bootstrap.servers": kafka.scram_address, **settings, "sasl.password": "wrong"})
    with pytest.raises(KafkaException):
        wrong.list_topics(timeout=3)


def test_tls(kafka, fresh_topic):
    topic = fresh_topic()
    settings = {
        "security.protocol": "SSL",
        "ssl.ca.location": kafka.ca,
        "ssl.certificate.location": kafka.client_certificate,
        "ssl.key.location": kafka.client_key,
        "log_level": 0,
    }
    produce(kafka.tls_address, topic, [b"in"], **settings)
    assert read(kafka.tls_address, topic, 1, **settings) == [b"in"]
    del settings["ssl.ca.location"]
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": kafka.tls_address, **settings}).list_topics(timeout=3)


def test_the_registry_keeps_schemas(registry, fresh_name):
    schema = Schema(
        json.dumps({"type": "record", "name": "E", "fields": [{"name": "a", "type": "int"}]}), "AVRO"
    )
    subject = fresh_name("subject")
    with SchemaRegistryClient({"url": registry.url}) as client:
        number = client.register_schema(subject, schema)
        assert json.loads(client.get_schema(number).schema_str or "")["name"] == "E"
    with urllib.request.urlopen(f"{registry.url}/subjects", timeout=10) as answer:
        assert subject in json.load(answer)


def test_the_command_runs_until_it_is_told_to_stop(kafka, tmp_path):
    # `kafka` is asked for so that there is something to skip by where no broker can be had.
    with command(tmp_path, "--throw-away") as (process, address, error):
        create(address, "one")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert "stopping" in error.read_text()
    assert list(tmp_path.glob("trayecto-kafka-*")) == []


def test_the_broker_does_not_outlive_a_killed_command(kafka, tmp_path):
    with command(tmp_path, "--data", "here") as (process, address, _):
        process.kill()
        process.wait(60)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=1)
            except KafkaException:
                break
        else:
            pytest.fail("the broker still answers")
    # What it kept is there for the next.
    with LocalKafka(tmp_path / "here") as again:
        assert again.running


def test_a_taken_port_is_said_before_anything_else(kafka, tmp_path):
    port = kafka.address.rpartition(":")[2]
    done = subprocess.run(
        [*TRAYECTO, "dev", "kafka", "--port", port],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is taken".encode() in done.stderr
    assert list(tmp_path.iterdir()) == []


TRAYECTO = [sys.executable, "-c", "from processor.cli import main; main()"]


class command:  # noqa: N801 - a context manager, used as a function
    """Run ``trayecto dev kafka`` and give its process, the broker's address, and the file of what it says."""

    def __init__(self, folder, *options):
        self.folder, self.options = folder, options

    def __enter__(self):
        out, error = self.folder / "stdout", self.folder / "stderr"
        with out.open("wb") as output, error.open("wb") as errors:
            self.process = subprocess.Popen(
                [*TRAYECTO, "dev", "kafka", "--port", "0", *self.options],
                cwd=self.folder,
                stdout=output,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder)},
            )
        end = time.monotonic() + 120
        while "Ctrl-C" not in out.read_text():
            assert self.process.poll() is None, error.read_text()
            assert time.monotonic() < end
            time.sleep(0.1)
        (line,) = (line for line in out.read_text().splitlines() if line.startswith("  broker"))
        return self.process, line.split()[1], error

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
