# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers and clients of TLS over UDP, captures of them, and what tshark has to show of each in one pass."""
import os
import subprocess
import time

import lab

PORT = 4433
URL = f"https://127.0.0.1:{PORT}/index.html"
BODY = "over-quic"


class DatagramLab(lab.Lab):
    prefix = ()  # what enters a Debian root, in front of OpenSSL's programs

    def start_dtls_server(self, *arguments):
        certificate, key = self.certificate()
        with open(self.path("server.log"), "w", encoding="utf-8") as log:
            server = self.ns.start(*self.prefix, "openssl", "s_server", "-dtls1_2", "-accept", str(PORT), "-cert",
                                   certificate, "-key", key, *arguments, stdin=subprocess.PIPE, stdout=log, stderr=log)
        self.defer(server.stdin.close)
        self.wait_for_port("openssl s_server")
        return server

    def dtls_client(self, text, *arguments):
        """A shell command that sends a line; the program that does TLS replaces the shell."""
        return [*self.prefix, "bash", "-c", f"(sleep 0.5; echo {text}; sleep 0.5) | exec openssl s_client -dtls1_2 "
                f"-connect 127.0.0.1:{PORT} {' '.join(arguments)}"]

    def capture_command(self, module, path, *command):
        with open(self.path("ecapture.log"), "w", encoding="utf-8") as log:
            run = subprocess.run(self.ns.command([lab.BINARY, module, "--verify", "-w", path, "--", *command]),
                                 check=False, timeout=2 * lab.PATIENCE, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=log)
        self.assertEqual(run.returncode, 0, self.read("ecapture.log"))

    def capture_process(self, module, path, pids):
        """`ecapture MODULE -p PIDS`, which sees no packet of other processes: it says when it is ready."""
        with open(self.path("ecapture.log"), "w", encoding="utf-8") as log:
            ecapture = self.ns.start(lab.BINARY, module, "--verify", "-p", ",".join(map(str, pids)), "-w", path,
                                     stdout=subprocess.DEVNULL, stderr=log)
        lab.wait_until(lambda: "capturing" in self.read("ecapture.log"), lab.READY_SECONDS, "the capture runs")
        return ecapture

    def wait_for_port(self, what):
        lab.wait_until(lambda: f":{PORT} " in self.ns.run("ss", "-Hlnu").stdout, 10, f"{what} on its port")

    def end(self, ecapture):
        time.sleep(1)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))

    def assert_dtls_decrypted(self, path, *texts):
        rows = self.decrypt(path, f"dtls && udp.port == {PORT} && data", "data.data")
        self.assertEqual([bytes.fromhex(row[0]).decode() for row in rows], [text + "\n" for text in texts],
                         self.read("ecapture.log"))
        self.assert_whole(path)
        self.assertIn(f"{len(texts)} with secrets, {len(texts)} verified; 0 without", self.read("ecapture.log"))

    def start_quic_server(self, *arguments):
        """ngtcp2's example server; GnuTLS."""
        lab.need("gtlsserver", "gtlsclient")
        certificate, key = self.certificate()
        os.makedirs(self.path("www"), exist_ok=True)
        with open(self.path("www/index.html"), "w", encoding="utf-8") as file:
            file.write(BODY + "\n")
        server = self.ns.start("gtlsserver", "-q", "-d", self.path("www"), *arguments, "127.0.0.1", str(PORT), key,
                               certificate, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_port("gtlsserver")
        return server

    def quic_client(self, *arguments):
        return ["gtlsclient", "-q", "--exit-on-all-streams-close", *arguments, "127.0.0.1", str(PORT), URL]

    def assert_quic_decrypted(self, path, connections=1):
        """Every packet, in both directions, from the Handshake packets on. Each connection has its own port; what is sent
        again, on a busy machine, is there twice."""
        rows = self.decrypt(path, f"quic && udp.port == {PORT} && !(quic.long.packet_type == 3)", "frame.number",
                            "udp.srcport", "udp.dstport", "quic.frame_type", "tls.handshake.type", "quic.stream_data")
        unread = [row[0] for row in rows if not row[3]]
        self.assertEqual(unread, [],
                         "QUIC packets that tshark could not decrypt: " + self.read("ecapture.log"))
        for sender, receiver in ((1, 2), (2, 1)):
            finished = {row[receiver] for row in rows if row[sender] == str(PORT) and "20" in row[4].split(",")}
            self.assertEqual(len(finished), connections, f"Finished, decrypted, {'server' if sender == 1 else 'client'}")
        answered = {row[2] for row in rows if BODY.encode().hex() in row[5]}
        self.assertEqual(len(answered), connections, "responses")
        self.assertIn(f"{connections} with secrets, {connections} verified; 0 without", self.read("ecapture.log"))
        self.assert_whole(path)

    def start_quic_nginx(self):
        """HTTP/3 over OpenSSL. Returns the pids of its processes."""
        master = self.start_nginx(extra=f"listen 127.0.0.1:{PORT} quic;", body=BODY, prefix=self.prefix)
        self.wait_for_port("nginx")
        return [master.pid, *self.ns.run("pgrep", "-P", str(master.pid)).stdout.split()]

    def s_client_quic(self):
        return [*self.prefix, "bash", "-c", f"sleep 1 | exec openssl s_client -quic -alpn h3 -connect 127.0.0.1:{PORT}"]

    def assert_quic_open(self, path):
        rows = self.decrypt(path, f"quic && udp.port == {PORT}", "frame.number", "quic.frame_type", "tls.handshake.type")
        self.assertEqual([row[0] for row in rows if not row[1]], [],
                         "QUIC packets that tshark could not decrypt: " + self.read("ecapture.log"))
        self.assertEqual(sum("20" in row[2].split(",") for row in rows), 2, "Finished, decrypted, of both")
        self.assertIn("1 with secrets, 1 verified; 0 without", self.read("ecapture.log"))
