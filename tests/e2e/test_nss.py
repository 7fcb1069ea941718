# SPDX-License-Identifier: GPL-2.0-or-later
"""NSS, whose keys are known to its TLS code by handle only: Debian's own libraries by NSS's test programs, and Firefox,
which brings others. The other end is OpenSSL's, which ecapture-nss leaves alone."""
import os
import re
import subprocess

import datagram
import debian
import lab
import live


class Nss(live.LiveLab, datagram.DatagramLab):
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

    def tstclnt(self, path, version, *arguments, port=443, requests=1):
        """One connection for each request, in one process; later ones resume the first."""
        with open(self.path("request"), "w", encoding="utf-8", newline="") as file:
            file.write(f"GET {path} HTTP/1.0\r\nHost: e2e\r\n\r\n")
        run = self.ns.run("tstclnt", "-h", "127.0.0.1", "-p", str(port), "-d", self.database(), "-o", "-V",
                          f"tls{version}:tls{version}", "-A", self.path("request"), "-L", str(requests), *arguments,
                          check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def start_selfserv(self, port=4434, *arguments):
        database = self.database()
        with open(self.path("selfserv.log"), "w", encoding="utf-8") as log:
            self.ns.start("selfserv", "-d", database, "-n", "e2e", "-p", str(port), "-V", "tls1.2:tls1.3", *arguments,
                          stdout=log, stderr=log)
        lab.wait_until(lambda: self.ns.answers(port), 15, f"selfserv: {self.read('selfserv.log')}")

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
        self.assertEqual([line for line in lines if "no plaintext: " in line],
                         [line for line in lines if "/libssl3.so " in line])

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
        tshark = self.capture("ecapture-nss")
        self.firefox(profile, "about:blank")
        paths = []
        for version in ("1.3", "1.2"):
            paths.append(f"/firefox-{version}")
            if version == "1.2":
                with open(os.path.join(profile, "user.js"), "a", encoding="utf-8") as file:
                    file.write('user_pref("security.tls.version.max", 3);\n')
            self.firefox(profile, f"https://localhost:8443{paths[-1]}")
        self.finish(tshark, paths, breaks_off=True)

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
