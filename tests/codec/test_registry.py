"""What a registry says, and how long that is believed. A real one is in tests/system."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from processor.codec.frames import confluent_head, single_head
from processor.codec.registry import (
    ABSENT,
    ABSENT_SECONDS,
    FileSchemas,
    RegistrySchemas,
    RegistryUnavailable,
    SchemaRefused,
    SchemaSource,
    subject_of,
)
from processor.codec.schemas import SUBJECTS, fingerprint, history, schema


class Registry:
    """An HTTP server that answers as it is told to, and counts."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, object]] = {}
        self.asked: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.split("?")[0]
                registry.asked.append(path)
                code, said = registry.answers.get(
                    path, (404, {"error_code": 40403, "message": "Schema not found"})
                )
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer  # noqa: N815 - the names that the server calls

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def registry():
    made = Registry()
    yield made
    made.close()


class Now:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def source(registry: Registry, now: Now | None = None) -> RegistrySchemas:
    made = RegistrySchemas({"url": registry.url, "timeout": 5, "max.retries": 0}, now or Now())
    assert isinstance(made, RegistrySchemas)
    _: SchemaSource = made
    return made


def test_files_know_every_version_by_its_fingerprint():
    files = FileSchemas()
    for subject in SUBJECTS:
        for version in history(subject):
            assert files.peek(fingerprint(version)) == version
        assert files.head("t", subject) == single_head(fingerprint(schema(subject)))
    assert files.peek(b"?" * 8) == ABSENT
    assert files.peek(7) == ABSENT
    files.fetch(7)


def test_a_schema_that_was_found_is_kept_for_ever(registry):
    registry.answers["/schemas/ids/7"] = (200, {"schema": json.dumps(schema("event"))})
    now = Now()
    schemas = source(registry, now)
    assert schemas.peek(7) is None
    schemas.fetch(7)
    now.seconds += 1e9
    schemas.fetch(7)
    assert schemas.peek(7) == schema("event")
    assert registry.asked == ["/schemas/ids/7"]
    assert schemas.peek(fingerprint(schema("event"))) == schema("event")


def test_that_there_is_none_is_believed_for_a_while(registry):
    now = Now()
    schemas = source(registry, now)
    schemas.fetch(7)
    assert schemas.peek(7) == ABSENT
    now.seconds += ABSENT_SECONDS - 1
    assert schemas.peek(7) == ABSENT
    now.seconds += 1
    assert schemas.peek(7) is None
    registry.answers["/schemas/ids/7"] = (200, {"schema": json.dumps(schema("event"))})
    schemas.fetch(7)
    assert schemas.peek(7) == schema("event")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (500, {"error_code": 50001, "message": "store"}),
        (503, b"down"),
        (401, {"error_code": 40101, "message": "who are you"}),
        (404, {"message": "no such path"}),
        (404, b"<html>"),
        (200, b"<html>"),
    ],
)
def test_what_is_no_answer_is_waited_for(registry, code, said):
    """An address of something else must not turn every record into a dead letter."""
    registry.answers["/schemas/ids/7"] = (code, said)
    schemas = source(registry)
    with pytest.raises(RegistryUnavailable, match=r"127\.0\.0\.1.*check that it runs"):
        schemas.fetch(7)
    assert schemas.peek(7) is None


def test_a_registry_that_is_not_there_is_waited_for(registry):
    registry.close()
    schemas = source(registry)
    with pytest.raises(RegistryUnavailable):
        schemas.fetch(7)
    with pytest.raises(RegistryUnavailable):
        schemas.register({"events": "event"})


def test_a_password_in_the_address_is_not_shown(registry):
    registry.close()
    schemas = RegistrySchemas({"url": registry.url.replace("//", "//me:secret@"), "max.retries": 0})
    with pytest.raises(RegistryUnavailable) as raised:
        schemas.fetch(7)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "said",
    [
        {"schemaType": "PROTOBUF", "schema": "x"},
        {"schema": "{}", "references": [{"name": "a", "subject": "b", "version": 1}]},
    ],
)
def test_a_schema_of_another_kind_is_there_and_of_no_use(registry, said):
    registry.answers["/schemas/ids/7"] = (200, said)
    schemas = source(registry)
    schemas.fetch(7)
    assert schemas.peek(7) not in (None, ABSENT)
    assert "type" not in schemas.peek(7)


def test_registering(registry):
    registry.answers["/subjects/shop.events-value/versions"] = (200, {"id": 5})
    schemas = source(registry)
    assert subject_of("shop.events") == "shop.events-value"
    assert schemas.register({"shop.events": "event"}) == {"shop.events": 5}
    assert schemas.head("shop.events", "event") == confluent_head(5)


def test_a_schema_that_is_not_taken(registry):
    registry.answers["/subjects/events-value/versions"] = (
        409,
        {"error_code": 409, "message": "incompatible"},
    )
    with pytest.raises(SchemaRefused, match="another name"):
        source(registry).register({"events": "event"})
