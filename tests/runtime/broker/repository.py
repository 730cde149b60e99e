"""A small Maven repository on this machine, which can be made to fail as networks do."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from processor.runtime.broker.artifacts import Artifact


def artifact(name, data, *, kind="jar", classifier="", sha256=None):
    """An artifact that pins the data."""
    made = sha256 or hashlib.sha256(data).hexdigest()
    return Artifact("org.example.deep", name, "1.0", kind, classifier, len(data), made)


class Repository:
    """Serves files; ``asked`` counts what was asked for, ``ranges`` has what parts."""

    def __init__(self):
        self.files = {}
        self.asked: Counter[str] = Counter()
        self.ranges = []
        self.break_after_bytes = None  # of the next answer
        self.knows_ranges = True
        self.gate = threading.Event()
        self.gate.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, format, *args):  # noqa: A002 - the library's name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/m2/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def put(self, one, data):
        self.files[f"/m2/{one.path}"] = data

    def answer(self, request):
        self.asked[request.path] += 1
        self.gate.wait(20)
        data = self.files.get(request.path)
        if data is None:
            request.send_error(404)
            return
        begin = 0
        if (wanted := request.headers.get("Range")) and self.knows_ranges:
            self.ranges.append(wanted)
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
        request.send_response(206 if begin else 200)
        request.send_header("Content-Length", str(len(data) - begin))
        request.end_headers()
        end, self.break_after_bytes = self.break_after_bytes, None
        request.wfile.write(data[begin:][:end])

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
