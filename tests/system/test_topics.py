"""Topics on a real broker are made as planned, and whatever is not as planned is told with its fix."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from processor.runtime.kafka.errors import KafkaDown
from processor.runtime.kafka.settings import KafkaSettings, settings_from
from processor.runtime.kafka.topics import compare, create, look, plan
from tests.system.shop import Shop


@pytest.fixture
def shop(kafka, fresh_name, tmp_path):
    made = Shop(tmp_path / "shop", fresh_name("topics"), kafka.address)
    yield made
    made.close()


def test_topics_are_made_as_planned(shop):
    specs = plan(shop.topology)
    changed, left = create(shop.settings, specs)
    assert changed == [spec.name for spec in specs]
    assert left == []
    found = look(shop.settings, changed)
    events = found[shop.names.events[0]]
    assert (events.partitions, events.replication) == (3, 1)
    assert events.config["message.timestamp.type"] == "LogAppendTime"
    assert events.config["max.message.bytes"] == str(2 << 20)
    assert found[shop.names.internal].config["message.timestamp.type"] == "LogAppendTime"
    assert found[shop.names.commands["push"]].config["retention.ms"] == str(2 * 86_400_000)
    assert found[shop.names.changelog].config["cleanup.policy"] == "compact"
    assert found[shop.names.control].partitions == 1
    assert create(shop.settings, specs) == ([], [])


def test_the_command_makes_and_checks(shop):
    missing = shop.cli("topics", "check", "-o", "json")
    assert missing.code == 1
    assert {one["what"] for one in missing.json["differences"]} == {"missing"}
    made = shop.cli("topics", "create")
    assert made.code == 0, made.err
    assert shop.names.clock in made.out
    assert shop.cli("topics", "create", "-o", "json").json["changed"] == []
    checked = shop.cli("topics", "check")
    assert (checked.code, checked.out.strip()) == (0, "topics: 9, differences: 0")


def test_every_difference_is_told_and_mended_where_it_can_be(shop):
    names = shop.names
    admin = AdminClient({"bootstrap.servers": shop.settings.broker})
    for done in admin.create_topics([NewTopic(names.decisions, 2, 1)], request_timeout=30).values():
        done.result()
    create(shop.settings, plan(shop.topology))
    wrong = {
        "message.timestamp.type": "CreateTime",
        "retention.ms": "1000",
        "max.message.bytes": str(8 << 20),
    }
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in wrong.items()
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, names.events[0], incremental_configs=entries)
    for done in admin.incremental_alter_configs([resource]).values():
        done.result()

    found = shop.cli("topics", "check", "-o", "json").json["differences"]
    told = {(one["topic"], one["what"]): one for one in found}
    assert told[names.decisions, "partitions"]["found"] == "2"
    assert not told[names.decisions, "partitions"]["mendable"]
    assert told[names.events[0], "message.timestamp.type"]["found"] == "CreateTime"
    assert told[names.events[0], "retention.ms"]["expected"] == "2592000000 (30d)"
    assert (names.events[0], "max.message.bytes") not in told, "more than needed is fine"

    mended = shop.cli("topics", "create", "--mend", "-o", "json")
    assert mended.code == 1
    assert mended.json["changed"] == [names.events[0], names.decisions]
    assert [(one["topic"], one["what"]) for one in mended.json["differences"]] == [
        (names.decisions, "partitions")
    ]


def test_replication_is_checked_when_it_is_said(shop):
    specs = plan(shop.topology)
    create(shop.settings, specs)
    differences = compare(specs, look(shop.settings, [spec.name for spec in specs]), replication=2)
    assert {(one.what, one.expected, one.found) for one in differences} == {("replication", "2", "1")}
    refused = shop.cli("topics", "create", "--replication", "5", TRAYECTO_TOPOLOGY=_other(shop))
    assert refused.code == 1
    assert "INVALID_REPLICATION_FACTOR" in refused.err


def _other(shop):
    folder = shop.folder.parent / "other"
    (folder / "programs").mkdir(parents=True)
    text = (shop.folder / "topology.yaml").read_text(encoding="utf-8")
    (folder / "topology.yaml").write_text(text.replace("prefix: ", "prefix: x"), encoding="utf-8")
    return str(folder)


def test_who_logs_in_and_encrypts_is_let_in(kafka, tmp_path):
    """The settings of a connection, as each kind of listener wants them."""
    secret = tmp_path / "password"
    secret.write_text(kafka.password + "\n", encoding="utf-8")
    scram = {
        "TRAYECTO_BROKER": kafka.scram_address,
        "TRAYECTO_SECURITY": "SASL_PLAINTEXT",
        "TRAYECTO_USER": kafka.user,
        "TRAYECTO_PASSWORD_FILE": str(secret),
    }
    tls = {"TRAYECTO_BROKER": kafka.tls_address, "TRAYECTO_SECURITY": "ssl", "TRAYECTO_CA_FILE": kafka.ca}
    mutual = tls | {
        "TRAYECTO_CERT_FILE": kafka.client_certificate,
        "TRAYECTO_KEY_FILE": kafka.client_key,
    }
    for variables in (scram, tls, mutual):
        assert look(settings_from({}, variables), ["no-such-topic"]) == {}
    wrong = settings_from({}, scram | {"TRAYECTO_PASSWORD": "wrong", "TRAYECTO_TIMEOUT_S": "3"})
    with pytest.raises(KafkaDown, match="uthentication"):
        look(wrong, ["no-such-topic"])


@pytest.mark.parametrize("kind", ["scram", "tls"])
async def test_aiokafka_takes_the_same_settings(kafka, kind):
    from aiokafka.admin import AIOKafkaAdminClient

    if kind == "scram":
        settings = KafkaSettings(
            broker=kafka.scram_address,
            security="SASL_PLAINTEXT",
            mechanism="SCRAM-SHA-512",
            user=kafka.user,
            password=kafka.password,
        )
    else:
        settings = KafkaSettings(broker=kafka.tls_address, security="SSL", ca_file=kafka.ca)
    client = AIOKafkaAdminClient(**settings.for_aiokafka())
    await client.start()
    try:
        assert isinstance(await client.list_topics(), list)
    finally:
        await client.close()


def test_a_broker_that_is_not_there(shop):
    done = shop.cli("topics", "check", "--broker", "127.0.0.1:1", TRAYECTO_TIMEOUT_S="2")
    assert done.code == 3
    assert "Kafka at 127.0.0.1:1 does not answer" in done.err
    assert "%3|" not in done.err, "the client library keeps its log to itself"
