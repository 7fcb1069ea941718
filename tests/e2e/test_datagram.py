# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS over UDP, each decrypted in one pass of tshark: in the stream, secrets stand before the packets that need them."""
import base64
import hashlib
import os
import re
import subprocess
import unittest

import datagram
import lab
import live
import pcapng
from datagram import BODY, PORT, URL


class Datagram(datagram.DatagramLab):
    # --- DTLS ------------------------------------------------------------------------------------

    def test_dtls_client_only(self):
        self.start_dtls_server()
        path = self.path("client.pcapng")
        self.capture_command("tls", path, *self.dtls_client("from-client"))
        self.assert_dtls_decrypted(path, "from-client")

    def test_dtls_server_only(self):
        server = self.start_dtls_server()
        path = self.path("server.pcapng")
        ecapture = self.capture_process("tls", path, [server.pid])
        for text in ("to-server", "to-server-again"):
            self.ns.run(*self.dtls_client(text))
        self.end(ecapture)
        self.assert_dtls_decrypted(path, "to-server", "to-server-again")

    def test_dtls_live(self):
        self.start_dtls_server()
        tshark = self.start_tshark(fields=("data.data",), display="dtls && data")
        self.ns.run(*self.dtls_client("live"))
        lab.wait_until(lambda: tshark.table(), 5, "the decrypted line")
        tshark.stop()
        self.assertEqual([row["data.data"] for row in tshark.table()], [b"live\n".hex()])

    # --- QUIC ------------------------------------------------------------------------------------

    def test_quic_client_only(self):
        self.start_quic_server()
        path = self.path("client.pcapng")
        self.capture_command("gnutls", path, *self.quic_client())
        self.assert_quic_decrypted(path)

    def test_quic_server_only(self):
        """The server sends application data before it has derived the client's secret, without which tshark reads none."""
        server = self.start_quic_server()
        path = self.path("server.pcapng")
        ecapture = self.capture_process("gnutls", path, [server.pid])
        for _ in range(3):
            self.ns.run(*self.quic_client())
        self.end(ecapture)
        self.assert_quic_decrypted(path, 3)

    def test_quic_retry_and_early_data(self):
        server = self.start_quic_server("--validate-addr")
        path = self.path("early.pcapng")
        ecapture = self.capture_process("gnutls", path, [server.pid])
        for _ in range(2):
            self.ns.run(*self.quic_client("--session-file", self.path("session"), "--tp-file", self.path("parameters")))
        self.end(ecapture)
        self.assertTrue(self.decrypt(path, "quic.long.packet_type == 3", "frame.number"), "no Retry was sent")
        self.assertTrue(self.decrypt(path, "quic.long.packet_type == 1", "frame.number"), "no 0-RTT packet was sent")
        self.assertIn("CLIENT_EARLY_TRAFFIC_SECRET", [line.split()[0] for line in pcapng.File(path).secrets])
        self.assert_quic_decrypted(path, 2)

    def test_quic_segmented(self):
        """The server hands the kernel several datagrams at once (UDP_SEGMENT): in the file each is a packet."""
        size = 200000
        self.start_quic_server()
        with open(self.path("www/index.html"), "w", encoding="utf-8") as file:
            file.write(BODY * (size // len(BODY)))
        path = self.path("segmented.pcapng")
        self.capture_command("gnutls", path, *self.quic_client())
        rows = self.decrypt(path, f"quic && udp.srcport == {PORT}", "frame.number", "udp.length", "quic.frame_type",
                            "quic.stream_data", "udp.checksum.status")
        self.assertEqual([row[0] for row in rows if not row[2]], [],
                         "QUIC packets that tshark could not decrypt: " + self.read("ecapture.log"))
        self.assertGreaterEqual(sum(len(row[3].replace(",", "")) // 2 for row in rows), size, "bytes of the response")
        self.assertLess(max(int(row[1]) for row in rows), 1500, "longer than a frame: several datagrams")
        self.assert_whole(path)

    def test_quic_live(self):
        self.start_quic_server()
        tshark = self.start_tshark(fields=("quic.stream_data",), display="quic.stream_data", interface="ecapture-gnutls")
        self.ns.run(*self.quic_client())
        lab.wait_until(lambda: any(BODY.encode().hex() in row["quic.stream_data"] for row in tshark.table()), 5,
                       "the decrypted response")
        tshark.stop()

    def test_quic_chromium(self):
        """BoringSSL inside; its ClientHello is cut, shuffled and takes two datagrams."""
        lab.need("chromium")
        self.start_quic_server()
        path = self.path("chromium.pcapng")
        ecapture = self.start_ecapture("--verify", "--log-level", "info", "-w", path, *live.HOLD)
        self.chromium("about:blank")
        self.wait_until_hooked("/chromium", "ecapture.log")
        for _ in range(2):
            self.assertIn(BODY, self.chromium(URL))
        self.end(ecapture)
        self.assert_quic_decrypted(path, 2)

    def chromium(self, url):
        with open(self.certificate()[0], "rb") as file:
            public = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=file.read(), capture_output=True,
                                    check=True).stdout
        public = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=public, capture_output=True,
                                check=True).stdout
        spki = base64.b64encode(hashlib.sha256(public).digest()).decode()
        run = self.ns.run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                          "--disable-background-networking", "--disable-component-update", "--disable-sync",
                          "--disable-dev-shm-usage", f"--ignore-certificate-errors-spki-list={spki}",
                          f"--origin-to-force-quic-on=127.0.0.1:{PORT}", f"--user-data-dir={self.path('profile')}",
                          "--dump-dom", url, check=False, timeout=90, env=dict(os.environ, HOME=self.tmp))
        self.assertEqual(run.returncode, 0, run.stderr[-2000:])
        return run.stdout

    def need_openssl_quic(self):
        lab.need("nginx")
        version = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
        if tuple(map(int, re.search(r"(\d+)\.(\d+)", version).groups())) < (3, 5):
            raise unittest.SkipTest(f"openssl s_client -quic needs OpenSSL 3.5; this is {version.strip()}")
        if "http_v3_module" not in subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True).stderr:
            raise unittest.SkipTest("this nginx has no HTTP/3")

    def test_quic_openssl_client_only(self):
        self.need_openssl_quic()
        self.start_quic_nginx()
        path = self.path("client.pcapng")
        self.capture_command("tls", path, *self.s_client_quic())
        self.assert_quic_open(path)

    def test_quic_openssl_server_only(self):
        self.need_openssl_quic()
        path = self.path("server.pcapng")
        ecapture = self.capture_process("tls", path, self.start_quic_nginx())
        self.ns.run(*self.s_client_quic())
        self.end(ecapture)
        self.assert_quic_open(path)
