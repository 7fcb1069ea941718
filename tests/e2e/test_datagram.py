# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS over UDP, each decrypted in one pass of tshark: in the stream, secrets stand before the packets that need them."""
import subprocess
import time

import lab

PORT = 4433


class Datagram(lab.Lab):
    def start_dtls_server(self):
        certificate, key = self.certificate()
        with open(self.path("server.log"), "w", encoding="utf-8") as log:
            server = self.ns.start("openssl", "s_server", "-dtls1_2", "-accept", str(PORT), "-cert", certificate,
                                   "-key", key, stdin=subprocess.PIPE, stdout=log, stderr=log)
        self.defer(server.stdin.close)
        lab.wait_until(lambda: f":{PORT} " in self.ns.run("ss", "-Hlnu").stdout, 10, "openssl s_server on its port")
        return server

    def dtls_client(self, text):
        """A shell command that sends a line; the program that does TLS replaces the shell."""
        return ["bash", "-c", f"(sleep 0.5; echo {text}; sleep 0.5) | exec openssl s_client -dtls1_2 "
                f"-connect 127.0.0.1:{PORT}"]

    def assert_decrypted(self, path, *texts):
        rows = self.decrypt(path, f"dtls && udp.port == {PORT} && data", "data.data")
        self.assertEqual([bytes.fromhex(row[0]).decode() for row in rows], [text + "\n" for text in texts])
        self.assert_whole(path)
        self.assertIn(f"{len(texts)} with keys, 0 without", self.read("ecapture.log"))

    def test_dtls_client_only(self):
        self.start_dtls_server()
        path = self.path("client.pcapng")
        with open(self.path("ecapture.log"), "w", encoding="utf-8") as log:
            run = subprocess.run(self.ns.command([lab.BINARY, "tls", "-w", path, "--", *self.dtls_client("from-client")]),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, check=False, timeout=60)
        self.assertEqual(run.returncode, 0, self.read("ecapture.log"))
        self.assert_decrypted(path, "from-client")

    def test_dtls_server_only(self):
        server = self.start_dtls_server()
        path = self.path("server.pcapng")
        with open(self.path("ecapture.log"), "w", encoding="utf-8") as log:
            ecapture = self.ns.start(lab.BINARY, "tls", "-p", str(server.pid), "-w", path, stdout=subprocess.DEVNULL,
                                     stderr=log)
        lab.wait_until(lambda: "capturing" in self.read("ecapture.log"), lab.READY_SECONDS, "the capture runs")
        for text in ("to-server", "to-server-again"):
            self.ns.run(*self.dtls_client(text))
        time.sleep(1)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.assert_decrypted(path, "to-server", "to-server-again")

    def test_dtls_live(self):
        self.start_dtls_server()
        tshark = self.start_tshark(fields=("data.data",), display="dtls && data")
        self.ns.run(*self.dtls_client("live"))
        lab.wait_until(lambda: tshark.table(), 5, "the decrypted line")
        tshark.stop()
        self.assertEqual([row["data.data"] for row in tshark.table()], [b"live\n".hex()])
