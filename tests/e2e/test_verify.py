# SPDX-License-Identifier: GPL-2.0-or-later
"""--verify, and what the summary says of handshakes without secrets. (Other tests verify GnuTLS, BoringSSL, DTLS, QUIC.)"""
import subprocess

import datagram
import debian
import lab
import pcapng


class Verify(datagram.DatagramLab):
    def summary(self, ecapture):
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        return self.read("ecapture.log")

    @lab.mark("asan")
    def test_openssl_suites_are_verified(self):
        suites = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
                  "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]
        older = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
                 "AES128-CCM", "AES256-CCM", "AES128-CCM8", "AES256-CCM8",
                 "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES256-SHA384"]
        # With OpenSSL at both ends CBC's records are encrypted, then authenticated: here it is the other way round.
        gnutls = "NONE:+VERS-TLS1.2:+AES-128-CBC:+SHA1:+ECDHE-RSA:+SIGN-ALL:+GROUP-ALL:+COMP-NULL:%NO_ETM"
        lab.need("gnutls-cli")
        self.start_nginx(extra=f"ssl_ciphers ALL:@SECLEVEL=0; ssl_conf_command Ciphersuites {':'.join(suites)};")
        path = self.path("verified.pcapng")
        ecapture = self.start_ecapture("--verify", "-w", path)
        for suite in suites:
            self.assertEqual(self.curl("https://127.0.0.1/", "--tls13-ciphers", suite, "--tlsv1.3", "--ciphers",
                                       "ALL:@SECLEVEL=0")[1], 0, suite)
        for suite in older:
            self.assertEqual(self.curl("https://127.0.0.1/", "--ciphers", f"{suite}:@SECLEVEL=0", "--tls-max", "1.2")[1], 0,
                             suite)
        self.ns.run("gnutls-cli", "--insecure", "--priority", gnutls, "127.0.0.1", stdin=None, input="GET / HTTP/1.0\r\n\r\n")
        self.wait_for_traffic(path)
        count = len(suites + older) + 1
        used = {row[0] for row in self.decrypt(path, "tls.handshake.type == 2", "tls.handshake.ciphersuite")}
        self.assertEqual(len(used), count - 1, "suites")
        self.assertIn(f"\n{count} TLS handshakes seen, {count} with secrets, {count} verified; 0 without\n",
                      self.summary(ecapture))
        self.assertIn(f" handshakes_verified={count} handshakes_wrong=0 ",
                      pcapng.File(path).statistics[0][1][0].decode())

    def test_datagram_suites_are_verified(self):
        """DTLS 1.2 and QUIC."""
        debian.extended()
        lab.need("gtlsserver", "gtlsclient")
        suites = ["AES128-GCM-SHA256", "AES256-CCM", "ECDHE-RSA-CHACHA20-POLY1305", "AES128-SHA"]
        ciphers = ["AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305", "AES-128-CCM"]
        path = self.path("datagrams.pcapng")
        ecapture = self.start_ecapture("--verify", "-w", path, module="all")
        server = self.start_dtls_server("-cipher", "ALL:@SECLEVEL=0")
        for suite in suites:
            self.ns.run(*self.dtls_client("verified", "-cipher", suite))
        lab.stop(server)
        self.start_quic_server()
        for cipher in ciphers:
            self.ns.run(*self.quic_client("--ciphers", f"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+{cipher}"))
        self.wait_for_traffic(path)
        count = len(suites + ciphers)
        self.assertIn(f"\n{count} TLS handshakes seen, {count} with secrets, {count} verified; 0 without\n",
                      self.summary(ecapture))

    def test_without_the_option_nothing_is_said_of_it(self):
        self.start_nginx()
        path = self.path("plain.pcapng")
        ecapture = self.start_ecapture("-w", path)
        self.assertEqual(self.curl("https://127.0.0.1/")[1], 0)
        self.wait_for_traffic(path)
        self.assertIn("\n1 TLS handshake seen, 1 with secrets; 0 without\n", self.summary(ecapture))

    def test_connection_that_began_before_is_told(self):
        self.start_nginx()
        path = self.path("older.pcapng")
        client = "import http.client, ssl, sys\n" \
                 "c = http.client.HTTPSConnection('127.0.0.1', context=ssl._create_unverified_context())\n" \
                 "for line in sys.stdin:\n c.request('GET', '/'); c.getresponse().read(); print('done', flush=True)"
        python = self.ns.start(lab.PYTHON, "-c", client, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def request():
            python.stdin.write("\n")
            python.stdin.flush()
            self.assertEqual(python.stdout.readline(), "done\n")

        request()
        ecapture = self.start_ecapture("--verify", "-w", path)
        for _ in range(2):
            request()
        python.stdin.close()
        self.assertEqual(self.curl("https://127.0.0.1/")[1], 0)
        self.wait_for_traffic(path)
        self.assertRegex(self.summary(ecapture), r"\n1 TLS handshake seen, 1 with secrets, 1 verified; 1 without: it began "
                         r"before the capture × 1 \((python3|nginx)\)\n")

    def test_older_connection_alone_is_told(self):
        """By a capture that sees no handshake."""
        self.start_s_server("-www")
        client = self.ns.start("openssl", "s_client", "-connect", "127.0.0.1:443", "-quiet", stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        client.stdin.write(b"GET / ")
        client.stdin.flush()
        path = self.path("older.pcapng")
        ecapture = self.start_ecapture("-w", path)
        client.stdin.write(b"HTTP/1.0\r\n\r\n")
        client.stdin.flush()
        self.assertTrue(client.stdout.read(1))
        self.wait_for_traffic(path)
        self.assertIn("\n0 TLS handshakes seen, 0 with secrets; 1 without: it began before the capture × 1 (openssl)\n",
                      self.summary(ecapture))

    def test_handshake_that_was_not_captured_is_told(self):
        """Its secrets come, but the filter leaves its packets out."""
        self.start_nginx()
        path = self.path("unmatched.pcapng")
        ecapture = self.start_ecapture("-w", path, "udp")
        self.assertEqual(self.curl("https://127.0.0.1/")[1], 0)
        self.wait_for_traffic(path)
        # More than one if other namespaces have handshakes meanwhile: secrets are those of the whole machine.
        self.assertRegex(self.summary(ecapture), r"\n[1-9]\d* handshakes? gave secrets, but no packets in this capture\n")

    def test_handshakes_without_secrets_are_explained(self):
        """ecapture-gnutls leaves OpenSSL's handshakes alone, and says so; in the file too."""
        self.start_nginx()
        path = self.path("without.pcapng")
        ecapture = self.start_ecapture("-w", path, module="gnutls")
        client = "import ssl, urllib.request\nurllib.request.urlopen('https://127.0.0.1/', " \
                 "context=ssl._create_unverified_context()).read()"
        for _ in range(2):  # not by curl, which has a GnuTLS as well
            self.ns.run(lab.PYTHON, "-c", client)
        self.wait_for_traffic(path)
        text = self.summary(ecapture)
        self.assertRegex(text, r"\n2 TLS handshakes seen, 0 with secrets; 2 without: its library is left to another "
                         r"module × 2 \((python3|nginx)(, (python3|nginx))?\)\n")
        self.assertEqual(text.split("without: ")[1].split("\n")[0], pcapng.File(path).statistics[0][1][1].decode())
