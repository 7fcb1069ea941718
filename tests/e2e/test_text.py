# SPDX-License-Identifier: GPL-2.0-or-later
"""Text mode. Plaintext is taken machine-wide, whatever the namespace, so each test looks for targets of its own."""
import collections
import glob
import json
import os
import re
import subprocess
import threading
import time

import lab

HEAD = re.compile(r"=== \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} (\S+)\[(\d+)\] (\S+) (sent|received) "
                  r"(\S+) > (\S+) (HTTP/1\.1|HTTP/2) (request|response)(?:, stream (\d+))?(?:, to (\S+) (\S+))?")
SERVER = """
import gzip, http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_):
        pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        for piece in (gzip.compress(body)[:20], gzip.compress(body)[20:]):
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\\r\\n\\r\\n")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
# Events that come while the response goes on: the next one when standard input says so.
EVENTS_SERVER = """
import socket, ssl, sys, zlib
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(("127.0.0.1", 8443))
while True:
    connection, _ = listener.accept()
    try:
        connection = context.wrap_socket(connection, server_side=True)
        break
    except OSError:  # whoever asked whether we are there
        pass
connection.recv(10000)
connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\nContent-Encoding: gzip\\r\\n"
                   b"Transfer-Encoding: chunked\\r\\n\\r\\n")
coder = zlib.compressobj(wbits=31)
for line in sys.stdin:
    data = coder.compress(b"data: %s\\n\\n" % line.strip().encode()) + coder.flush(zlib.Z_SYNC_FLUSH)
    connection.sendall(b"%x\\r\\n%s\\r\\n" % (len(data), data))
connection.sendall(b"0\\r\\n\\r\\n")
"""
# Both ends of a WebSocket connection, by Python's ssl module: argv is certificate, key, target.
WEBSOCKET = """
import socket, ssl, sys, threading, zlib
def frame(first, payload, mask=b""):
    data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload
    return bytes([first, (0x80 if mask else 0) | len(data)]) + mask + data
def deflated(coder, text):
    return (coder.compress(text) + coder.flush(zlib.Z_SYNC_FLUSH))[:-4]
def serve():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    with context.wrap_socket(listener.accept()[0], server_side=True) as end:
        end.recv(10000)
        end.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
                    b"Sec-WebSocket-Extensions: permessage-deflate\\r\\n\\r\\n")
        end.recv(10000)
        coder = zlib.compressobj(wbits=-15)
        end.sendall(frame(0xc1, deflated(coder, b"answer one")) + frame(0x82, bytes(range(1, 65))))
        end.sendall(frame(0x41, deflated(coder, b"answer two")[:4]) + frame(0x89, b"there?"))
        end.recv(10000)
listener = socket.create_server(("127.0.0.1", 8443))
thread = threading.Thread(target=serve)
thread.start()
with ssl._create_unverified_context().wrap_socket(socket.create_connection(("127.0.0.1", 8443))) as end:
    end.sendall(b"GET %s HTTP/1.1\\r\\nHost: e2e\\r\\nUpgrade: websocket\\r\\n\\r\\n" % sys.argv[3].encode())
    end.recv(10000)
    end.sendall(frame(0x81, b"question", b"mask"))
    while b"there?" not in end.recv(10000):
        pass
    end.sendall(frame(0x88, b"\\x03\\xe8done", b"MASK"))
thread.join()
"""
CLIENT = """
import gzip, ssl, sys, urllib.request
context = ssl._create_unverified_context()
for n in range(5):
    request = urllib.request.Request(f"https://127.0.0.1:8443{sys.argv[1]}{n}", data=b"words %d " % n * 100)
    answer = urllib.request.urlopen(request, context=context).read()
    assert gzip.decompress(answer) == b"words %d " % n * 100
"""


class TestText(lab.Lab):
    def setUp(self):
        super().setUp()
        self.token = f"/text-{os.getpid()}-{time.monotonic_ns()}"

    def start_text(self, *arguments, **kwargs):
        """Returns when it is attached."""
        kwargs.setdefault("env", dict(os.environ, XDG_CACHE_HOME=self.path("cache")))
        with open(self.path("ecapture.log"), "w", encoding="utf-8") as log:
            process = self.ns.start(lab.BINARY, "tls", *arguments, stderr=log, **kwargs)

        def attached():
            self.assertIsNone(process.poll(), self.read("ecapture.log"))
            return "capturing; Ctrl-C ends it" in self.read("ecapture.log")

        lab.wait_until(attached, lab.READY_SECONDS, "ecapture's start")
        return process

    def events(self, name="out.json"):
        """Those with this test's target; every whole line of the file must be a JSON object."""
        if not os.path.exists(self.path(name)):
            return []
        lines = self.read(name).split("\n")[:-1]
        return [event for event in map(json.loads, lines) if event.get("target", "").startswith(self.token)]

    def wait_for_events(self, count):
        lab.wait_until(lambda: len(self.events()) >= count, lab.READY_SECONDS, f"{count} events")
        return self.events()

    def assert_once(self, events, targets, ends):
        """Each target's request and response stand there once for each end."""
        seen = collections.Counter((event["target"], event["type"], event["direction"]) for event in events)
        expected = {(target, kind, direction): 1 for target in targets for kind, direction in ends}
        self.assertEqual(seen, expected)

    BOTH_ENDS = [("request", "sent"), ("request", "received"), ("response", "sent"), ("response", "received")]

    def test_http1_with_compressed_bodies(self):
        """nginx compresses, curl asks for it; each end says what it wrote and read."""
        with open(self.path("page"), "w", encoding="utf-8") as file:
            file.write("the same words " * 1000)
        self.start_nginx(extra="gzip on; gzip_types text/plain; gzip_min_length 1; "
                         f"location {self.token} {{ root {self.tmp}; try_files /page =404; }}")
        ecapture = self.start_text("-m", "text", "--json", "-w", self.path("out.json"))
        pids = {self.curl(f"https://127.0.0.1{self.token}{n}", "--http1.1", "--compressed")[0]: n for n in range(4)}
        events = self.wait_for_events(16)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.assert_once(events, [f"{self.token}{n}" for n in range(4)], self.BOTH_ENDS)
        for event in events:
            ours = event["comm"] == "curl"
            self.assertEqual((event["comm"], event["user"]), ("curl" if ours else "nginx", "root"))
            self.assertEqual(event["protocol"], "HTTP/1.1")
            self.assertTrue(not ours or event["target"] == f"{self.token}{pids[event['pid']]}", event)
            self.assertEqual(event["remote" if ours else "local"], {"address": "127.0.0.1", "port": 443})
            if event["type"] == "response":
                self.assertEqual((event["status"], event["coding"]), (200, "gzip"))
                self.assertEqual(event["body"], "the same words " * 1000)
                self.assertLess(event["coded_length"], 1000)
            self.assertNotIn("notes", event)

    def test_http2_streams(self):
        """h2load, 3 connections with 20 streams at once each: none mixed up, none twice."""
        lab.need("nghttpd", "h2load")
        certificate, key = self.certificate()
        os.mkdir(self.path("www"))
        with open(self.path("uris"), "w", encoding="utf-8") as uris:
            for n in range(60):
                with open(self.path(f"www{self.token}-{n}"), "w", encoding="utf-8") as file:
                    file.write(f"content of {self.token}-{n}\n" * (1 + n * 20))
                uris.write(f"https://127.0.0.1:8443{self.token}-{n}\n")
        self.ns.start("nghttpd", "-d", self.path("www"), "8443", key, certificate, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
        lab.wait_until(lambda: self.ns.answers(8443), 10, "nghttpd")
        ecapture = self.start_text("-m", "text", "--json", "-w", self.path("out.json"))
        run = self.ns.run("h2load", "-n", "240", "-c", "3", "-m", "20", "-i", self.path("uris"), check=False)
        self.assertIn("240 succeeded", run.stdout, run.stderr)
        events = self.wait_for_events(960)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.assertEqual(len(events), 960)
        streams = set()
        for event in events:
            self.assertEqual(event["protocol"], "HTTP/2")
            streams.add((event["connection"], event["stream"], event["type"]))
            if event["type"] == "response":
                number = int(event["target"].rsplit("-", 1)[1])
                self.assertEqual(event["status"], 200, event)
                self.assertEqual(event["body"], f"content of {event['target']}\n" * (1 + number * 20), event["stream"])
            self.assertNotIn("notes", event)
        self.assertEqual(len(streams), 960, "a stream of a connection twice")

    def test_python_client_and_server(self):
        """SSL_read_ex and SSL_write_ex; chunked and gzip."""
        with open(self.path("server.py"), "w", encoding="utf-8") as file:
            file.write(SERVER)
        self.ns.start(lab.PYTHON, self.path("server.py"), *self.certificate())
        lab.wait_until(lambda: self.ns.answers(8443), 10, "the Python server")
        ecapture = self.start_text("-m", "text", "--json", "-w", self.path("out.json"))
        self.ns.run(lab.PYTHON, "-c", CLIENT, self.token)
        events = self.wait_for_events(20)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.assert_once(events, [f"{self.token}{n}" for n in range(5)], self.BOTH_ENDS)
        for event in events:
            self.assertEqual(event["body"], f"words {event['target'][-1]} " * 100)

    def test_events_as_they_come(self):
        """A response that goes on is shown while it does, decoded, event by event, by both ends."""
        server = self.ns.start(lab.PYTHON, "-c", EVENTS_SERVER, *self.certificate(), stdin=subprocess.PIPE, text=True)
        lab.wait_until(lambda: self.ns.answers(8443), 10, "the server of events")
        ecapture = self.start_text("-m", "text", "--json", "-w", self.path("out.json"))
        client = self.ns.start("curl", "-skN", "-o", "/dev/null", f"https://127.0.0.1:8443{self.token}")
        heads = [("response", 1, False, "")] * 2
        for number in range(4):
            shown = [(event["type"], event["part"], event["last"], event["body"]) for event in self.wait_for_events(
                4 + 2 * number) if event["type"] != "request"]
            self.assertEqual(sorted(shown), sorted(heads + [("body", n + 2, False, f"data: event {n}\n\n")
                                                            for n in range(number) for _ in range(2)]))
            if number < 3:
                server.stdin.write(f"event {number}\n")
                server.stdin.flush()
        server.stdin.close()
        self.assertEqual(client.wait(lab.PATIENCE), 0)
        last = self.wait_for_events(12)[-1]
        self.assertEqual((last["type"], last["part"], last["last"], last["body"]), ("body", 5, True, ""))
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))

    def test_websocket(self):
        """Frames behind the upgrade, as both ends write and read them: unmasked, inflated, control frames by themselves."""
        ecapture = self.start_text("-m", "text", "--json", "-w", self.path("out.json"))
        self.ns.run(lab.PYTHON, "-c", WEBSOCKET, *self.certificate(), self.token)
        events = [event for event in self.wait_for_events(16) if event.get("protocol") == "WebSocket"]
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        seen = collections.Counter((event["message"], event["direction"], event.get("body")) for event in events)
        expected = [("text", "question"), ("text", "answer one"), ("binary", bytes(range(1, 65)).decode()),
                    ("ping", "there?"), ("close", "done")]
        for message, body in expected:
            for direction in ("sent", "received"):
                self.assertEqual(seen[message, direction, body], 1, events)
        torn = [event for event in events if "notes" in event and event["message"] == "text"]
        self.assertEqual(len(torn), 2, "each end's view of the message that never ends")
        self.assertIn("incomplete: the connection ended", torn[0]["notes"])

    def test_connection_older_than_the_capture(self):
        """HTTP/2's header compression refers to what was sent before: said, and shown as far as it is known."""
        lab.need("nghttpd", "h2load")
        certificate, key = self.certificate()
        os.mkdir(self.path("www"))
        with open(self.path(f"www{self.token}"), "w", encoding="utf-8") as file:
            file.write("old but readable\n")
        self.ns.start("nghttpd", "-d", self.path("www"), "8443", key, certificate, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
        lab.wait_until(lambda: self.ns.answers(8443), 10, "nghttpd")
        load = self.ns.start("h2load", "-c", "1", "-m", "1", "-n", "10000000", f"https://127.0.0.1:8443{self.token}",
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        # One in many is enough; the limit keeps the file small.
        ecapture = self.start_text("-m", "text", "-w", self.path("out.txt"), "-p", str(load.pid), "-t", "100")
        lab.wait_until(lambda: "old but readable" in self.read("out.txt"), lab.READY_SECONDS, "a response")
        lab.stop(load)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        text = self.read("out.txt")
        self.assertIn("--- the connection began before the capture: header values sent earlier are not known\n", text)
        self.assertRegex(text, r"HTTP/2 request, stream \d+\nGET ")
        self.assertRegex(text, r"HTTP/2 200\n")

    def test_command_and_terminal(self):
        """Blocks on standard output, the output of the command and its children elsewhere; nothing that a terminal would obey."""
        evil = "before \033[2J\033]0;title\007 \u009b31m \u202e reversed\n=== forged\n" + "x" * 500
        with open(self.path("page"), "w", encoding="utf-8") as file:
            file.write(evil)
        with open(self.path("binary"), "wb") as file:
            file.write(bytes(range(256)))
        self.start_nginx(extra=f"location {self.token} {{ alias {self.tmp}; add_header X-Evil \"a\033[2J\u009bb \u202ec\"; }}")
        url = f"https://127.0.0.1{self.token}"
        run = subprocess.run(self.ns.command([lab.BINARY, "tls", "-t", "200", "--", "sh", "-c",
                                              f"curl -sk --http1.1 {url}/page {url}/binary >/dev/null; echo done"]),
                             capture_output=True, timeout=60, check=False,
                             env=dict(os.environ, XDG_CACHE_HOME=self.path("cache")))
        self.assertEqual(run.returncode, 0, run.stderr)
        text = run.stdout.decode()
        self.assertNotRegex(text, r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
        heads = HEAD.findall(text)
        self.assertEqual([(head[0], head[3], head[7], head[10]) for head in heads],
                         [("curl", "sent", "request", ""), ("curl", "received", "response", f"{self.token}/page"),
                          ("curl", "sent", "request", ""), ("curl", "received", "response", f"{self.token}/binary")])
        self.assertIn("before \\x1b[2J\\x1b]0;title\\x07 \\u{9b}31m \\u{202e} reversed\n\\=== forged\nxxx", text)
        self.assertIn("X-Evil: a\\x1b[2J\\u{9b}b \\u{202e}c\n", text)
        self.assertRegex(text, r"--- cut: 200 of \d+ bytes shown\n")
        self.assertIn("00000010  10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f  |................|\n", text)
        self.assertRegex(run.stderr.decode(), r"(?ms)^done\n.*^4 messages shown\n")

    def test_rotation(self):
        """Names that sort as time goes; every message in one of the files."""
        self.start_nginx(extra=f"location {self.token} {{ return 200 yes; }}")
        ecapture = self.start_text("-m", "text", "--json", "-w", self.path("out.json"), "--rotate-size", "4K")
        for n in range(10):
            self.curl(f"https://127.0.0.1{self.token}{n}", "--http1.1")
        files = []

        def gathered():
            files[:] = sorted(glob.glob(self.path("out_*.json")))
            return sum(len(self.events(name)) for name in files) >= 40

        lab.wait_until(gathered, lab.READY_SECONDS, "40 messages")
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.assertFalse(os.path.exists(self.path("out.json")))
        self.assertGreater(len(files), 3)
        for name in files:
            self.assertEqual(os.stat(name).st_mode & 0o777, 0o600)
            if self.read(name).count("\n") > 1:  # a longer message, of any program of this machine, has a file to itself
                self.assertLessEqual(os.path.getsize(name), 4096)
            self.assertRegex(name, r"/out_\d{5}_\d{14}\.json$")
        events = [event for name in files for event in self.events(name)]
        self.assert_once(events, [f"{self.token}{n}" for n in range(10)], self.BOTH_ENDS)
        requests = [event["target"] for event in events if event["type"] == "request" and event["direction"] == "sent"]
        self.assertEqual(requests, [f"{self.token}{n}" for n in range(10)])

    def test_stalled_reader(self):
        """A pipe that nobody reads costs messages, which are counted, not memory; afterwards it goes on."""
        body = b"0123456789abcdef" * 65536
        with open(self.path("page"), "wb") as file:
            file.write(body)
        self.start_nginx(extra=f"location {self.token} {{ root {self.tmp}; try_files /page =404; }}")
        ecapture = self.start_text("--json", stdout=subprocess.PIPE)
        for n in range(30):
            self.curl(f"https://127.0.0.1{self.token}{n}", "--http1.1")
        with open(f"/proc/{ecapture.pid}/status", encoding="ascii") as file:
            peak = int(re.search(r"VmHWM:\s*(\d+)", file.read()).group(1))
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(ecapture.stdout))
        reader.start()
        self.defer(reader.join)
        lab.wait_until(lambda: len(lines) > 5, lab.READY_SECONDS, "lines once the pipe is read")
        time.sleep(1)
        self.curl(f"https://127.0.0.1{self.token}-last", "--http1.1")
        lab.wait_until(lambda: any(b"-last" in line for line in lines[-20:]), lab.READY_SECONDS, "the last message")
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        reader.join()
        events = [json.loads(line) for line in lines]
        dropped = sum(event["events"] for event in events if event["type"] == "dropped")
        self.assertGreater(dropped, 10)
        self.assertIn(f"{dropped} not shown, the output was too slow", self.read("ecapture.log"))
        self.assertLess(peak, 400 << 10, "KiB of memory, the rings included")
        for event in events:
            if event.get("target", "").startswith(self.token) and event["type"] == "response" and "notes" not in event:
                self.assertEqual(event["body"].encode(), body)
