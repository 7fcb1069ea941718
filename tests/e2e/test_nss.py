# SPDX-License-Identifier: GPL-2.0-or-later
"""NSS, whose keys are known to its TLS code by handle only: Debian's own libraries by NSS's test programs, and Firefox,
which brings others. The other end is OpenSSL's, which ecapture-nss leaves alone."""
import hashlib
import os
import re
import subprocess

import datagram
import debian
import lab
import live
import test_plaintext

# One connection: first a line as it is, which is answered so, then TLS, where each line comes back.
ECHO = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(("127.0.0.1", int(sys.argv[3])))
while True:
    connection, _ = listener.accept()
    try:
        line = b""
        while b"\\n" not in line and connection.recv(1, socket.MSG_PEEK) != b"\\x16":
            data = connection.recv(1)
            if not data:
                raise OSError
            line += data
        connection.sendall(line)
        connection = context.wrap_socket(connection, server_side=True)
        while True:
            data = connection.recv(100)
            if not data:
                break
            connection.sendall(data)
    except OSError:
        pass
    connection.close()
"""

# One socket of NSS, by NSPR's functions. "plain TEXT" while its security is off; "secure"; "echo TEXT". The answer is read
# in two parts, each of which is peeked at.
CLIENT = """
import ctypes, struct, sys
nspr, nss, ssl = (ctypes.CDLL(name) for name in ("libnspr4.so", "libnss3.so", "libssl3.so"))
nspr.PR_NewTCPSocket.restype = ssl.SSL_ImportFD.restype = ctypes.c_void_p
SECURITY, PEEK, FOREVER = 1, 2, ctypes.c_uint32(0xffffffff)
accept = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)(lambda *_: 0)
def check(ok):
    if not ok:
        sys.exit(f"error {nspr.PR_GetError()}")
check(nss.NSS_NoDB_Init(None) == 0)
descriptor = ctypes.c_void_p(ssl.SSL_ImportFD(None, ctypes.c_void_p(nspr.PR_NewTCPSocket())))
check(ssl.SSL_OptionSet(descriptor, SECURITY, 0) == 0)
check(ssl.SSL_AuthCertificateHook(descriptor, accept, None) == 0)
address = struct.pack("=H", 2) + struct.pack(">H", int(sys.argv[1])) + bytes([127, 0, 0, 1]) + bytes(104)
check(nspr.PR_Connect(descriptor, address, FOREVER) == 0)
def say(text):
    data = text.encode() + b"\\n"
    check(nspr.PR_Send(descriptor, data, len(data), 0, FOREVER) == len(data))
    return len(data)
def hear(length, flags=0):
    check(nspr.PR_Recv(descriptor, ctypes.create_string_buffer(length), length, flags, FOREVER) == length)
for line in sys.stdin:
    word, _, text = line.strip().partition(" ")
    if word == "secure":
        check(ssl.SSL_OptionSet(descriptor, SECURITY, 1) == 0 and ssl.SSL_ResetHandshake(descriptor, 0) == 0)
        check(ssl.SSL_ForceHandshake(descriptor) == 0)
    elif word == "plain":
        hear(say(text))
    else:
        length = say(text)
        for part in (3, length - 3):
            hear(part, PEEK)
            hear(part)
    print("done", flush=True)
"""


class NssTools(lab.Lab):
    """NSS's test programs."""

    def database(self):
        """A directory with a key database that holds the server's certificate as "e2e"."""
        directory = self.path("nssdb")
        if not os.path.isdir(directory):
            os.mkdir(directory)
            certificate, key = self.certificate()
            archive = self.path("e2e.p12")
            for command in (["certutil", "-N", "-d", f"sql:{directory}", "--empty-password"],
                            ["openssl", "pkcs12", "-export", "-in", certificate, "-inkey", key, "-name", "e2e", "-out",
                             archive, "-passout", "pass:"],
                            ["pk12util", "-i", archive, "-d", f"sql:{directory}", "-W", ""]):
                subprocess.run(command, check=True, capture_output=True)
        return f"sql:{directory}"

    def tstclnt(self, request, version, *arguments, port=443, requests=1):
        """One connection for each request, in one process; later ones resume the first. `request`: a path, or bytes."""
        with open(self.path("request"), "wb") as file:
            file.write(f"GET {request} HTTP/1.0\r\nHost: e2e\r\n\r\n".encode() if isinstance(request, str) else request)
        run = self.ns.run("tstclnt", "-h", "127.0.0.1", "-p", str(port), "-d", self.database(), "-o", "-V",
                          f"tls{version}:tls{version}", "-A", self.path("request"), "-L", str(requests), *arguments,
                          check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def start_selfserv(self, port=4434, *arguments):
        database = self.database()
        with open(self.path("selfserv.log"), "w", encoding="utf-8") as log:
            server = self.ns.start("selfserv", "-d", database, "-n", "e2e", "-p", str(port), "-V", "tls1.2:tls1.3",
                                   *arguments, stdout=log, stderr=log, cwd=self.tmp)
        lab.wait_until(lambda: self.ns.answers(port), 15, f"selfserv: {self.read('selfserv.log')}")
        return server


class Nss(NssTools, live.LiveLab, datagram.DatagramLab):
    def test_client(self):
        """TLS 1.2 with and without the extended master secret, and 1.3; full handshakes and resumed ones."""
        lab.need("tstclnt", "certutil")
        self.start_nginx()
        tshark = self.capture("ecapture-nss")
        paths = []
        for version in ("1.2", "1.3"):
            for options in (["-u"], ["-u", "-G"], []):
                paths.append(f"/nss-{version}{''.join(options)}")
                self.tstclnt(paths[-1], version, *options, requests=3)
        self.finish(tshark, paths, responses=18)

    def test_server(self):
        """curl, and a client that resumes its sessions, against selfserv."""
        lab.need("selfserv", "certutil")
        self.start_selfserv()
        tshark = self.capture("ecapture-nss")
        paths = []
        for number in range(3):
            for version in (["--tlsv1.3"], ["--tls-max", "1.2"]):
                paths.append(f"/{version[0]}-{number}")
                self.curl(f"https://127.0.0.1:4434{paths[-1]}", *version)
        self.finish(tshark, paths)

    def test_both_ends(self):
        """Both by the interface that takes every library."""
        lab.need("tstclnt", "selfserv", "certutil")
        self.start_selfserv()
        tshark = self.start_tshark(*live.LIVE, fields=live.FIELDS, display="http", interface="ecapture")
        paths = ["/both-1.2", "/both-1.3"]
        for path in paths:
            self.tstclnt(path, path[-3:], port=4434)
        lab.wait_until(lambda: set(paths) <= set(live.values(tshark.table(), "http.request.uri")), 25, "both requests")
        tshark.stop()

    def test_is_listed(self):
        lab.need("selfserv", "certutil")
        self.start_selfserv()
        lines = [line for line in self.ns.run(lab.BINARY, "list").stdout.splitlines() if " selfserv " in line]
        self.assertEqual(len(lines), 3, lines)
        for name in ("libssl3", "libnss3", "libsoftokn3"):
            self.assertTrue(any(re.search(rf"/{name}\.so  NSS.* \d+\.\d+", line) for line in lines), lines)
        self.assertEqual([line for line in lines if "no plaintext: " in line], [])

    # --- Firefox ---------------------------------------------------------------------------------

    def trusted_certificate(self):
        """Instead of the self-signed one, a certificate by an authority that the profile trusts."""
        run = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True)
        with open(self.path("extensions"), "w", encoding="utf-8") as file:
            file.write("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=e2e authority", "-keyout",
            self.path("ca-key.pem"), "-out", self.path("ca.pem"))
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", self.path("key.pem"), "-out",
            self.path("request.pem"))
        run("x509", "-req", "-in", self.path("request.pem"), "-CA", self.path("ca.pem"), "-CAkey",
            self.path("ca-key.pem"), "-set_serial", "1", "-days", "2", "-extfile", self.path("extensions"), "-out",
            self.path("cert.pem"))

    def profile(self):
        directory = self.path("firefox")
        os.mkdir(directory)
        for command in (["-N", "--empty-password"], ["-A", "-n", "e2e", "-t", "C,,", "-i", self.path("ca.pem")]):
            subprocess.run(["certutil", "-d", f"sql:{directory}", *command], check=True, capture_output=True)
        with open(os.path.join(directory, "user.js"), "w", encoding="utf-8") as file:
            for name in ("datareporting.policy.dataSubmissionEnabled", "network.captive-portal-service.enabled",
                         "network.connectivity-service.enabled", "browser.shell.checkDefaultBrowser"):
                file.write(f'user_pref("{name}", false);\n')
        return directory

    def firefox(self, profile, url):
        run = self.ns.run("firefox-esr", "--headless", "--no-remote", "--profile", profile, "--screenshot",
                          self.path("page.png"), url, check=False, timeout=90, env=dict(os.environ, HOME=self.tmp))
        self.assertEqual(run.returncode, 0, run.stderr[-2000:])

    def test_firefox(self):
        """It starts after the capture, with NSS libraries of its own, which the first start makes known: HTTP/2 over
        TLS 1.3, then over TLS 1.2."""
        lab.need("firefox-esr", "certutil")
        self.trusted_certificate()
        self.start_nginx(extra="listen 8443 ssl http2;")
        profile = self.profile()
        tshark = self.capture("ecapture-nss", "--plaintext", "all")
        self.firefox(profile, "about:blank")
        paths = []
        for version in ("1.3", "1.2"):
            paths.append(f"/firefox-{version}")
            if version == "1.2":
                with open(os.path.join(profile, "user.js"), "a", encoding="utf-8") as file:
                    file.write('user_pref("security.tls.version.max", 3);\n')
            self.firefox(profile, f"https://localhost:8443{paths[-1]}")
        self.finish(tshark, paths, breaks_off=True)
        found = [stream for stream in test_plaintext.streams(self.path("saved.pcapng")) if stream.comm == "firefox-esr"]
        for piece in (b"PRI * HTTP/2.0\r\n", b"decrypted\n"):
            streams = [stream for stream in found if piece in stream.data]
            self.assertGreaterEqual(len(streams), len(paths), piece)
            self.assertEqual([gap for stream in streams for gap in stream.gaps], [])

    def test_firefox_quic(self):
        """HTTP/3 from ngtcp2's server; without a server's word that it has HTTP/3, on that of a preference for tests."""
        debian.extended()
        lab.need("firefox-esr", "certutil")
        self.trusted_certificate()
        self.start_quic_server()
        profile = self.profile()
        with open(os.path.join(profile, "user.js"), "a", encoding="utf-8") as file:
            file.write('user_pref("network.http.http3.alt-svc-mapping-for-testing", "localhost;h3=:4433");\n'
                       'user_pref("network.http.http3.disable_when_third_party_roots_found", false);\n')
        path = self.path("firefox.pcapng")
        ecapture = self.start_ecapture("--verify", "-w", path, *live.HOLD, module="nss")
        self.firefox(profile, "about:blank")
        self.firefox(profile, datagram.URL.replace("127.0.0.1", "localhost"))
        self.wait_for_traffic(path)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.assertRegex(self.read("ecapture.log"), r"([1-9]\d*) with secrets, \1 verified; 0 without")
        rows = self.decrypt(path, f"quic.stream_data && udp.port == {datagram.PORT}", "udp.srcport", "quic.stream_data")
        self.assertTrue([row for row in rows if row[0] == str(datagram.PORT) and datagram.BODY.encode().hex() in row[1]],
                        "the response, decrypted")


class NssPlaintext(NssTools, test_plaintext.PlaintextLab):
    """What NSS's sockets are handed and give while they are TLS's."""

    def body(self, name):
        data = os.urandom(4 * test_plaintext.MIB)
        with open(self.path(name), "wb") as file:
            file.write(data)
        return data

    def check(self, found, data, head, pid=None):
        """Just one stream has it: behind a header, whole."""
        streams = [stream for stream in found if data[:100] in stream.data]
        self.assertEqual([stream.gaps for stream in streams], [[]])
        begin, body = bytes(streams[0].data).split(b"\r\n\r\n", 1)
        self.assertTrue(begin.startswith(head), begin[:100])
        self.assertEqual((len(body), hashlib.sha256(body).digest()), (len(data), hashlib.sha256(data).digest()))
        if pid:
            self.assertEqual(int(streams[0].pid), pid)
        return streams[0]

    def test_plaintext_of_client(self):
        """Up to OpenSSL's server, and down from it."""
        lab.need("tstclnt", "certutil")
        self.start_python_server()
        self.start_nginx()
        up, down = self.body("up"), self.body("down")
        process = self.capture(module="nss")
        head = b"PUT /up%s HTTP/1.1\r\nContent-Length: %d" % (self.token.encode(), len(up))
        self.tstclnt(head + b"\r\n\r\n" + up, "1.3", port=4440)
        self.tstclnt(f"/file/down?{self.token}", "1.2")
        found = self.finish(process)
        stream = self.check(found, up, head)
        self.assertEqual((stream.comm, stream.end, stream.port, stream.destination), ("tstclnt", "server", "4440", 80))
        self.check(found, down, b"HTTP/1.1 200 OK")
        self.assertTrue(any(hashlib.sha256(up).hexdigest().encode() in stream.data for stream in found))

    def test_plaintext_of_server(self):
        lab.need("selfserv", "certutil")
        data = self.body("down" + self.token)
        server = self.start_selfserv()
        process = self.capture(module="nss")
        self.assertEqual(self.curl("https://127.0.0.1:4434" + self.path("down" + self.token))[1], 0)
        found = self.finish(process)
        stream = self.check(found, data, b"HTTP/1.", server.pid)
        self.assertEqual((stream.end, stream.port, stream.source), ("server", "4434", 80))
        self.assertTrue(any(stream.data.startswith(f"GET {self.path('down' + self.token)} ".encode()) for stream in found))

    def start_client(self, port=4443):
        """A client that does as it is told, against one that says back what it is told, once that is TLS."""
        lab.need("tstclnt", "certutil")  # of the package that needs NSS's libraries
        certificate, key = self.certificate()
        self.ns.start(lab.PYTHON, "-c", ECHO, certificate, key, str(port), stderr=subprocess.DEVNULL)
        lab.wait_until(lambda: self.ns.answers(port), 10, "the echo server")
        client = self.ns.start(lab.PYTHON, "-c", CLIENT, str(port), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
        self.defer(client.stdin.close)
        return client

    def tell(self, client, *words):
        client.stdin.write(" ".join(words) + "\n")
        client.stdin.flush()
        self.assertEqual(client.stdout.readline(), "done\n")

    def test_plaintext_before_tls_is_none(self):
        """The same socket, before STARTTLS and after; what is peeked at is there once."""
        process = self.capture(module="nss")
        client = self.start_client()
        self.tell(client, "plain", "before" + self.token)
        self.tell(client, "secure")
        self.tell(client, "echo", "after" + self.token)
        found = [stream for stream in self.finish(process) if self.token.encode() in stream.data]
        self.assertEqual([(bytes(stream.data), int(stream.pid), stream.gaps) for stream in found],
                         2 * [(f"after{self.token}\n".encode(), client.pid, [])])
        self.assertFalse(lab.file_holds(self.saved, b"before" + self.token.encode()))

    def test_plaintext_missing(self):
        client = self.start_client()
        self.tell(client, "secure")
        self.tell(client, "echo", "before" + self.token)
        self.start_nginx()
        process = self.capture(module="nss", mode="missing")
        for version in ("1.2", "1.3"):
            self.tstclnt(f"/new-{version}{self.token}", version, requests=2)
        self.tell(client, "echo", "after" + self.token)
        found = [stream for stream in self.finish(process) if self.token.encode() in stream.data]
        self.assertEqual([bytes(stream.data) for stream in found], 2 * [f"after{self.token}\n".encode()])

    def test_plaintext_as_text(self):
        lab.need("tstclnt", "certutil")
        self.start_nginx()
        with open(self.path("ecapture.log"), "w", encoding="utf-8") as log:
            process = self.ns.start(lab.BINARY, "nss", "-m", "text", "-w", self.path("text"), stderr=log)
        lab.wait_until(lambda: "capturing; " in self.read("ecapture.log"), lab.READY_SECONDS, "ecapture's start")
        self.tstclnt(f"/text{self.token}", "1.3")
        needle = f"GET /text{self.token} HTTP/1.0".encode()
        lab.wait_until(lambda: os.path.exists(self.path("text")) and lab.file_holds(self.path("text"), needle), 25,
                       "the request")
        self.assertEqual(lab.stop(process)[0], 0, self.read("ecapture.log"))
