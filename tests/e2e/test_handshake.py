# SPDX-License-Identifier: GPL-2.0-or-later
"""Kinds of TLS handshakes, each decrypted in one live pass of tshark."""
import os
import subprocess
import time

import lab
import pcapng

FIELDS = ("tcp.stream", "http.request.uri", "http.response.code", "tls.handshake.type", "tls.handshake.ciphersuite",
          "tls.handshake.extension.type")
GET = "GET {} HTTP/1.1\\r\\nHost: e2e\\r\\nConnection: close\\r\\n\\r\\n"


class Handshake(lab.Lab):
    def capture(self, display="http || tls.handshake"):
        return self.start_tshark(fields=FIELDS, display=display)

    def wait_for(self, tshark, requests, responses=None):
        """The URIs in `requests` and as many responses appear on tshark's output."""
        def done():
            rows = tshark.table()
            uris = {uri for row in rows for uri in row["http.request.uri"].split(",")}
            answers = sum(1 for row in rows if row["http.response.code"])
            return set(requests) <= uris and answers >= (len(requests) if responses is None else responses)
        try:
            lab.wait_until(done, 25, f"{requests} and their responses, decrypted")
        except AssertionError as error:
            raise AssertionError(f"{error}; seen: {tshark.table()}") from None

    def s_client(self, *arguments, uri="/r0", check=True, until=None):
        """One request by openssl s_client, which ends when the server closes the connection, or when there is a file
        `until`. Returns its output."""
        wait = f"; until [ -s {until} ]; do sleep 0.1; done" if until else ""
        script = f"(printf '{GET.format(uri)}'{wait}) | exec openssl s_client -connect 127.0.0.1:443 -alpn http/1.1 " \
                 + " ".join(arguments) + ("" if until else " -ign_eof")
        return self.ns.run("bash", "-c", script, check=check).stdout

    @lab.mark("asan")
    def test_sha256_and_sha384_suites(self):
        self.start_nginx()
        tshark = self.capture()
        suites = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
        older = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA384"]
        for suite in suites:
            self.curl(f"https://127.0.0.1/{suite}", "--tls13-ciphers", suite, "--tlsv1.3")
        for suite in older:
            self.curl(f"https://127.0.0.1/{suite}", "--ciphers", suite, "--tls-max", "1.2")
        self.wait_for(tshark, [f"/{suite}" for suite in suites + older])
        os.link(tshark.capture_file(), self.path("saved.pcapng"))
        tshark.stop()
        lengths = {len(line.split()[2]) // 2 for line in pcapng.File(self.path("saved.pcapng")).secrets}
        self.assertEqual(lengths, {32, 48}, "lengths of secrets")

    def test_resumption(self):
        self.start_nginx()
        tshark = self.capture()
        for version in ("-tls1_3", "-tls1_2"):
            session = self.path("session" + version)
            self.s_client(version, "-sess_out", session, uri="/first" + version)
            self.assertTrue(os.path.exists(session), "the session was not saved")
            output = self.s_client(version, "-sess_in", session, uri="/again" + version)
            self.assertIn("Reused, TLSv1", output)
        self.wait_for(tshark, ["/first-tls1_3", "/again-tls1_3", "/first-tls1_2", "/again-tls1_2"])
        tshark.stop()

    def test_hello_retry_request(self):
        self.start_nginx(extra="ssl_ecdh_curve secp384r1;")
        tshark = self.capture()
        self.s_client("-tls1_3", "-groups", "X25519:P-384")
        self.wait_for(tshark, ["/r0"])
        tshark.stop()
        types = [row["tls.handshake.type"] for row in tshark.table()]
        hellos = sum(types_of.split(",").count("1") for types_of in types)
        self.assertEqual(hellos, 2, f"ClientHellos of a retried handshake: {types}")

    def test_early_data(self):
        self.start_s_server("-early_data", "-tls1_3")
        tshark = self.capture()
        session, early = self.path("session"), self.path("early")
        with open(early, "w", encoding="utf-8") as file:
            file.write("GET /early HTTP/1.0\r\n\r\n")
        self.s_client("-tls1_3", "-sess_out", session, uri="/first", until=session)
        output = self.s_client("-tls1_3", "-sess_in", session, "-early_data", early, uri="/late", check=False, until=session)
        self.assertIn("Early data was accepted", output)
        self.wait_for(tshark, ["/first", "/early"], 0)
        os.link(tshark.capture_file(), self.path("saved.pcapng"))
        tshark.stop()
        labels = [line.split()[0] for line in pcapng.File(self.path("saved.pcapng")).secrets]
        self.assertIn("CLIENT_EARLY_TRAFFIC_SECRET", labels)

    def test_client_that_starts_before_the_capture(self):
        """A process that has libssl mapped already, and one that maps it only after the capture has begun."""
        self.start_nginx()
        client = self.ns.start(lab.PYTHON, "-c", self.python_client("early-process"), stdin=subprocess.PIPE)
        time.sleep(0.5)
        tshark = self.capture()
        client.stdin.write(b"go\n")
        client.stdin.close()
        self.assertEqual(client.wait(lab.PATIENCE), 0)
        self.curl("https://127.0.0.1/late-process")
        self.wait_for(tshark, ["/early-process", "/late-process"])
        tshark.stop()

    def python_client(self, name, wait=True):
        return ("import ssl, sys, urllib.request\n" + ("sys.stdin.readline()\n" if wait else "") +
                "context = ssl._create_unverified_context()\n"
                f"urllib.request.urlopen('https://127.0.0.1/{name}', context=context).read()")

    def system_libssl(self):
        run = subprocess.run(["ldd", "/usr/bin/openssl"], capture_output=True, text=True, check=True)
        return [line.split()[2] for line in run.stdout.splitlines() if "libssl.so" in line][0]

    def test_other_mount_namespace(self):
        """A library that lies where only its process can see it, as in a container."""
        self.start_nginx()
        directory = self.path("lib")
        os.mkdir(directory)
        tshark = self.capture()
        script = f"mount -t tmpfs tmpfs {directory} && cp {self.system_libssl()} {directory} && " \
                 f"LD_LIBRARY_PATH={directory} exec curl -sk -o /dev/null https://127.0.0.1/inside"
        self.ns.run("unshare", "--mount", "sh", "-c", script)
        self.wait_for(tshark, ["/inside"])
        tshark.stop()

    def test_other_copy_of_the_library(self):
        """A copy of libssl elsewhere, mapped by one process only after the start, then deleted from disk."""
        self.start_nginx()
        directory = self.path("lib")
        os.mkdir(directory)
        copy = os.path.join(directory, os.path.basename(self.system_libssl()))
        subprocess.run(["cp", self.system_libssl(), copy], check=True)
        tshark = self.capture()
        environment = dict(os.environ, LD_LIBRARY_PATH=directory)
        script = self.python_client("copied")
        client = self.ns.start(lab.PYTHON, "-c", "import ssl\n" + script, stdin=subprocess.PIPE, env=environment)
        lab.wait_until(lambda: copy in lab.maps_of(client.pid), 5, "the copy is mapped")
        os.unlink(copy)
        time.sleep(1)
        client.stdin.write(b"go\n")
        client.stdin.close()
        self.assertEqual(client.wait(lab.PATIENCE), 0)
        self.wait_for(tshark, ["/copied"])
        tshark.stop()

    def test_short_lived_process(self):
        """A program that maps a library nobody else has, connects at once and ends."""
        self.start_nginx()
        directory = self.path("lib")
        os.mkdir(directory)
        subprocess.run(["cp", self.system_libssl(), directory], check=True)
        tshark = self.capture()
        self.ns.run("curl", "-sk", "-o", "/dev/null", "https://127.0.0.1/short",
                    env=dict(os.environ, LD_LIBRARY_PATH=directory))
        self.wait_for(tshark, ["/short"])
        tshark.stop()

    def test_large_transfer(self):
        """GSO packets of 64 KiB, and every byte of a response of 8 MiB."""
        with open(self.path("big"), "wb") as file:
            file.write(os.urandom(8 << 20))
        os.chmod(self.path("big"), 0o644)
        self.start_nginx()
        path = self.path("big.pcapng")
        ecapture = self.start_ecapture("-w", path)
        self.curl("https://127.0.0.1/file/big")
        time.sleep(1)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        objects = self.path("objects")
        subprocess.run(["tshark", "-q", "-r", path, "--export-objects", f"http,{objects}"], capture_output=True, check=True,
                       env=self.wireshark_environment())
        with open(self.path("big"), "rb") as sent, open(os.path.join(objects, "big"), "rb") as decrypted:
            self.assertTrue(sent.read() == decrypted.read(), "the decrypted file is not the one that was sent")
        self.assertGreater(max(packet.len for packet in pcapng.File(path).packets), 20000)
