# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of the support table (tests/matrix) that need another Debian release: OpenSSL's QUIC and DTLS, HTTP/3 programs over
it, and what each release's Go builds. They run with tests/run --matrix."""
import subprocess

import datagram
import debian
import golang
import lab

# Echoes what comes on a connection's first stream. Debian's openssl has a client of QUIC, but no server.
QUIC_SERVER = """
import ctypes, socket, sys

ssl = ctypes.CDLL("libssl.so.3")
for name in ("OSSL_QUIC_server_method", "SSL_CTX_new", "SSL_new_listener", "SSL_accept_connection"):
    getattr(ssl, name).restype = ctypes.c_void_p
pointer, number, text = ctypes.c_void_p, ctypes.c_long, ctypes.c_char_p
protocol = ctypes.create_string_buffer(b"h3")
NO_VALIDATE = 2  # of addresses: the client would get a Retry for each datagram of its hello, and tshark follows the last

@ctypes.CFUNCTYPE(ctypes.c_int, pointer, ctypes.POINTER(pointer), ctypes.POINTER(ctypes.c_ubyte), pointer, ctypes.c_uint,
                  pointer)
def select(connection, selected, length, offered, offered_length, argument):
    selected[0], length[0] = ctypes.addressof(protocol), 2
    return 0

context = pointer(ssl.SSL_CTX_new(pointer(ssl.OSSL_QUIC_server_method())))
ssl.SSL_CTX_use_certificate_chain_file(context, sys.argv[2].encode())
ssl.SSL_CTX_use_PrivateKey_file(context, sys.argv[3].encode(), 1)
ssl.SSL_CTX_set_alpn_select_cb(context, select, None)
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("127.0.0.1", int(sys.argv[1])))
listener = pointer(ssl.SSL_new_listener(context, ctypes.c_uint64(NO_VALIDATE)))
ssl.SSL_set_fd(listener, port.fileno())
ssl.SSL_listen(listener)
while True:
    connection = pointer(ssl.SSL_accept_connection(listener, ctypes.c_uint64(0)))
    buffer = ctypes.create_string_buffer(100)
    length = ssl.SSL_read(connection, buffer, 100)
    ssl.SSL_write(connection, buffer, length)
    while ssl.SSL_shutdown(connection) == 0:
        pass
    ssl.SSL_free(connection)
"""


class Quic(datagram.DatagramLab):
    """One end from the release, which the module traces, the other one of GnuTLS or untraced."""

    def enter(self, suite):
        self.prefix = debian.enter_release(self, suite)
        self.certificate()

    def map_library(self):
        """A process that holds the release's libssl: the capture knows it before the client starts."""
        holder = self.ns.start(*self.prefix, "python3", "-c", "import ssl; print(flush=True); input()",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        holder.stdout.readline()
        self.defer(holder.stdin.close)

    def check_client(self, suite):
        self.enter(suite)
        self.start_quic_server()
        self.map_library()
        path = self.path("client.pcapng")
        self.capture_command("tls", path, *self.s_client_quic())
        self.assert_quic_open(path)

    def check_server(self, suite):
        self.enter(suite)
        with open(self.path("server.py"), "w", encoding="utf-8") as file:
            file.write(QUIC_SERVER)
        with open(self.path("server.log"), "w", encoding="utf-8") as log:
            server = self.ns.start(*self.prefix, "python3", self.path("server.py"), str(datagram.PORT),
                                   *self.certificate(), stdout=log, stderr=log)
        self.wait_for_port("OpenSSL's QUIC server")
        path = self.path("server.pcapng")
        ecapture = self.capture_process("tls", path, [server.pid])
        self.ns.run(*self.prefix, "sh", "-c", "(echo over-quic; sleep 1) | openssl s_client -quic -alpn h3 -connect "
                    f"127.0.0.1:{datagram.PORT}", check=False)
        self.end(ecapture)
        self.assert_quic_open(path)

    def check_http3_server(self, suite):
        self.enter(suite)
        pids = self.start_quic_nginx()
        path = self.path("nginx.pcapng")
        ecapture = self.capture_process("tls", path, pids)
        self.ns.run(*self.quic_client())
        self.end(ecapture)
        self.assert_quic_decrypted(path)

    def check_http3_client(self, suite):
        self.enter(suite)
        self.start_quic_server()
        self.map_library()
        path = self.path("curl.pcapng")
        self.capture_command("tls", path, *self.prefix, "curl", "-sk", "--http3-only", datagram.URL)
        self.assert_quic_decrypted(path)

    def check_dtls(self, suite):
        self.enter(suite)
        server = self.start_dtls_server()
        path = self.path("client.pcapng")
        self.capture_command("tls", path, *self.dtls_client("from-client"))
        self.assert_dtls_decrypted(path, "from-client")
        path = self.path("server.pcapng")
        ecapture = self.capture_process("tls", path, [server.pid])
        self.ns.run(*self.dtls_client("to-server"))
        self.end(ecapture)
        self.assert_dtls_decrypted(path, "to-server")

    def test_quic_client_trixie(self):
        self.check_client("trixie")

    def test_quic_client_forky(self):
        self.check_client("forky")

    def test_quic_server_trixie(self):
        self.check_server("trixie")

    def test_quic_server_forky(self):
        self.check_server("forky")

    def test_http3_nginx_trixie(self):
        self.check_http3_server("trixie")

    def test_http3_nginx_forky(self):
        self.check_http3_server("forky")

    def test_http3_curl_forky(self):
        self.check_http3_client("forky")

    def test_dtls_trixie(self):
        self.check_dtls("trixie")

    def test_dtls_forky(self):
        self.check_dtls("forky")


class Go(golang.GoLab):
    def check_release(self, suite):
        self.prefix = debian.enter_release(self, suite)
        self.check_builds()

    def test_go_bullseye(self):
        self.check_release("bullseye")

    def test_go_trixie(self):
        self.check_release("trixie")

    def test_go_forky(self):
        self.check_release("forky")


class Caddy(datagram.DatagramLab):
    """Go's crypto/tls, over TCP and QUIC."""

    def test_caddy(self):
        prefix = debian.enter_release(self, "forky")
        certificate, key = self.certificate()
        with open(self.path("Caddyfile"), "w", encoding="utf-8") as file:
            file.write(f"{{\n admin off\n auto_https off\n}}\nhttps://127.0.0.1:{datagram.PORT} {{\n tls {certificate} {key}\n"
                       f" respond {datagram.BODY}\n}}\n")
        with open(self.path("caddy.log"), "w", encoding="utf-8") as log:
            caddy = self.ns.start(*prefix, "caddy", "run", "--adapter", "caddyfile", "--config", self.path("Caddyfile"),
                                  stdout=log, stderr=log)
        self.wait_for_port("caddy")
        path = self.path("caddy.pcapng")
        ecapture = self.capture_process("gotls", path, [caddy.pid])
        self.ns.run(*self.quic_client())
        self.end(ecapture)
        self.assert_quic_decrypted(path)
        path = self.path("tcp.pcapng")
        ecapture = self.capture_process("gotls", path, [caddy.pid])
        for version in ("1.2", "1.3"):
            self.ns.run("gnutls-cli", "--insecure", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "-p",
                        str(datagram.PORT), "127.0.0.1", stdin=None, input="GET / HTTP/1.0\r\n\r\n", check=False)
        self.end(ecapture)
        self.assertEqual(len(self.decrypt(path, "http.response", "frame.number")), 2)
        self.assertIn("2 with secrets, 2 verified; 0 without", self.read("ecapture.log"))
