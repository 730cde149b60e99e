"""Settings of a connection: where they come from, what does not fit, and what clients are told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from processor.runtime.broker.tls import make_certificates
from processor.runtime.kafka.errors import SettingsError
from processor.runtime.kafka.settings import SETTINGS, KafkaSettings, settings_from

BROKER = {"TRAYECTO_BROKER": "k:9092"}
SCRAM = BROKER | {"TRAYECTO_SECURITY": "sasl_ssl", "TRAYECTO_USER": "ana", "TRAYECTO_PASSWORD": "secret"}


def test_every_field_is_documented_and_every_document_a_field():
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert {setting.name for setting in SETTINGS} == set(KafkaSettings.__struct_fields__)


def test_defaults():
    made = settings_from({}, BROKER)
    assert made == KafkaSettings(broker="k:9092")
    assert made.for_aiokafka() == {
        "bootstrap_servers": "k:9092",
        "client_id": "trayecto",
        "security_protocol": "PLAINTEXT",
        "request_timeout_ms": 30_000,
    }
    assert made.for_confluent()["bootstrap.servers"] == "k:9092"
    assert not {name for name in made.for_confluent() if name.startswith(("sasl", "ssl"))}


def test_what_is_given_comes_before_variables():
    made = settings_from(
        {"broker": "other:9092", "registry": None}, BROKER | {"TRAYECTO_REGISTRY": "http://r"}
    )
    assert (made.broker, made.registry) == ("other:9092", "http://r")


def test_a_user_with_a_password():
    made = settings_from({}, SCRAM)
    assert made.mechanism == "SCRAM-SHA-512"
    told = made.for_confluent()
    assert told["sasl.mechanism"] == "SCRAM-SHA-512"
    assert (told["sasl.username"], told["sasl.password"]) == ("ana", "secret")
    told = made.for_aiokafka()
    assert (told["sasl_plain_username"], told["sasl_plain_password"]) == ("ana", "secret")
    assert told["ssl_context"].check_hostname
    assert settings_from({}, SCRAM | {"TRAYECTO_MECHANISM": "plain"}).mechanism == "PLAIN"


def test_a_password_is_not_shown():
    made = settings_from({}, SCRAM | {"TRAYECTO_REGISTRY_PASSWORD": "hidden"})
    assert "secret" not in repr(made)
    assert "secret" not in str([made])
    assert "hidden" not in f"{made}"


def test_a_password_from_a_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text("from file\n", encoding="utf-8")
    given = {name: value for name, value in SCRAM.items() if name != "TRAYECTO_PASSWORD"}
    assert settings_from({}, given | {"TRAYECTO_PASSWORD_FILE": str(file)}).password == "from file"
    assert settings_from({}, SCRAM | {"TRAYECTO_PASSWORD_FILE": str(file)}).password == "secret"
    with pytest.raises(SettingsError, match=r"TRAYECTO_PASSWORD_FILE: .* cannot be read"):
        settings_from({}, given | {"TRAYECTO_PASSWORD_FILE": str(tmp_path)})


def test_the_registry():
    variables = BROKER | {"TRAYECTO_REGISTRY": "http://r", "TRAYECTO_REGISTRY_USER": "u"}
    made = settings_from({}, variables | {"TRAYECTO_REGISTRY_PASSWORD": "p", "TRAYECTO_TIMEOUT_S": "5"})
    assert made.for_registry() == {"url": "http://r", "timeout": 5.0, "basic.auth.user.info": "u:p"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "which broker?"),
        (BROKER | {"TRAYECTO_SECURITY": "TLS"}, "security TLS is not known: it is one of PLAINTEXT"),
        (SCRAM | {"TRAYECTO_MECHANISM": "GSSAPI"}, "mechanism GSSAPI is not known"),
        (SCRAM | {"TRAYECTO_PASSWORD": ""}, "SASL_SSL needs TRAYECTO_USER, and TRAYECTO_PASSWORD"),
        (BROKER | {"TRAYECTO_USER": "ana"}, "a user is of no use with PLAINTEXT"),
        (BROKER | {"TRAYECTO_CA_FILE": __file__}, "certificates are of no use with PLAINTEXT"),
        (BROKER | {"TRAYECTO_SECURITY": "SSL", "TRAYECTO_CA_FILE": "/none"}, "there is no file /none"),
        (BROKER | {"TRAYECTO_SECURITY": "SSL", "TRAYECTO_KEY_FILE": __file__}, "without TRAYECTO_CERT_FILE"),
        (BROKER | {"TRAYECTO_REGISTRY": "localhost:8081"}, "has to begin with http:// or https://"),
        (BROKER | {"TRAYECTO_TIMEOUT_S": "soon"}, "TRAYECTO_TIMEOUT_S is no number"),
        (BROKER | {"TRAYECTO_TIMEOUT_S": "0"}, "TRAYECTO_TIMEOUT_S is out of bounds"),
        (BROKER | {"TRAYECTO_TIMEOUT_S": "nan"}, "TRAYECTO_TIMEOUT_S is out of bounds"),
    ],
)
def test_what_does_not_fit(variables: dict[str, str], said: str):
    with pytest.raises(SettingsError, match=re.escape(said)) as raised:
        settings_from({}, variables)
    assert "secret" not in str(raised.value)


def test_certificates(tmp_path):
    """A real certificate of our own making is taken by both clients; what is none is explained."""
    made_here = make_certificates(tmp_path)
    variables = BROKER | {
        "TRAYECTO_SECURITY": "SSL",
        "TRAYECTO_CA_FILE": str(made_here.ca),
        "TRAYECTO_CERT_FILE": str(made_here.client_certificate),
        "TRAYECTO_KEY_FILE": str(made_here.client_key),
    }
    made = settings_from({}, variables)
    told: dict[str, Any] = made.for_confluent()
    assert told["ssl.ca.location"] == str(made_here.ca)
    assert told["ssl.certificate.location"] == str(made_here.client_certificate)
    assert made.for_aiokafka()["ssl_context"].get_ca_certs()
    with pytest.raises(SettingsError, match="PEM"):
        settings_from({}, variables | {"TRAYECTO_CA_FILE": __file__}).ssl_context()
