# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS that gives nothing to hook: each process is named, with the reason, by ecapture list, the log and the summary."""
import json
import os
import shutil
import subprocess

import lab

WORKERD = """
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "https", address = "127.0.0.1:8443", service = "main",
              https = (tlsOptions = (keypair = (privateKey = embed "key.pem", certificateChain = embed "cert.pem"))))]);
const worker :Workerd.Worker = (compatibilityDate = "2024-01-01", serviceWorkerScript =
  "addEventListener('fetch', event => event.respondWith(new Response('unread')))");
"""
JAVA = """
import java.security.cert.X509Certificate;
import javax.net.ssl.*;

public class Client {
    public static void main(String[] arguments) throws Exception {
        TrustManager trust = new X509TrustManager() {
            public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
            public void checkClientTrusted(X509Certificate[] chain, String kind) {}
            public void checkServerTrusted(X509Certificate[] chain, String kind) {}
        };
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {trust}, null);
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", 4433)) {
            socket.startHandshake();
            System.out.println("shaken");
            System.in.read();
        }
    }
}
"""


class Unsupported(lab.Lab):
    def list_entry(self, pid):
        """The process's not supported library in ecapture list: (path, reason)."""
        run = self.ns.run(lab.BINARY, "list", "--json")
        for process in json.loads(run.stdout)["processes"]:
            if process["pid"] == pid:
                refused = [library for library in process["libraries"] if not library["hookable"]]
                self.assertEqual(len(refused), 1, run.stdout)
                return refused[0]["path"], refused[0]["reason"]
        raise AssertionError(f"process {pid} is not listed: {run.stdout}")

    def assert_told(self, ecapture, pid, comm, reason):
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        log = self.read("ecapture.log")
        self.assertRegex(log, rf"{comm} \(pid {pid}\) has \S+: {reason}")
        self.assertRegex(log, rf"0 with secrets; 1 without: {reason}.* × 1 \({comm}\)\n")

    def test_rustls(self):
        """workerd: the server of a handshake with gnutls-cli, which ecapture-tls leaves alone."""
        lab.need("gnutls-cli")
        self.certificate()
        with open(self.path("config.capnp"), "w", encoding="utf-8") as file:
            file.write(WORKERD)
        program = self.path("workerd")
        shutil.copy(lab.npm_file("@cloudflare/workerd-linux-64", "bin/workerd"), program)
        with open(self.path("workerd.log"), "w", encoding="utf-8") as log:
            server = self.ns.start(program, "serve", self.path("config.capnp"), stdout=log, stderr=log, cwd=self.tmp)
        lab.wait_until(lambda: self.ns.answers(8443), lab.READY_SECONDS, f"workerd: {self.read('workerd.log')}")
        path, reason = self.list_entry(server.pid)
        self.assertEqual(path, program)
        self.assertRegex(reason, r"^not supported: rustls 0\.\d+\.\d+ ")
        saved = self.path("rustls.pcapng")
        ecapture = self.start_ecapture("--log-level", "info", "-w", saved)
        self.ns.run("gnutls-cli", "--insecure", "-p", "8443", "127.0.0.1", stdin=None, input="", check=False)
        self.wait_for_traffic(saved)
        self.assert_told(ecapture, server.pid, "workerd", "not supported: rustls")

    def test_java(self):
        """A client of gnutls-serv."""
        lab.need("java", "javac", "gnutls-serv")
        with open(self.path("Client.java"), "w", encoding="utf-8") as file:
            file.write(JAVA)
        subprocess.run(["javac", "Client.java"], cwd=self.tmp, check=True, capture_output=True)
        certificate, key = self.certificate()
        with open(self.path("serv.log"), "w", encoding="utf-8") as log:
            self.ns.start("gnutls-serv", "--http", "--quiet", "-p", "4433", "--x509keyfile", key, "--x509certfile",
                          certificate, "--disable-client-cert", stdout=log, stderr=log)
        lab.wait_until(lambda: self.ns.answers(4433), lab.READY_SECONDS, "gnutls-serv")
        saved = self.path("java.pcapng")
        ecapture = self.start_ecapture("--log-level", "info", "-w", saved)
        client = self.ns.start("java", "-cp", self.tmp, "Client", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, env=dict(os.environ, HOME=self.tmp))
        self.assertEqual(client.stdout.readline(), "shaken\n")
        path, reason = self.list_entry(client.pid)
        self.assertEqual(os.path.basename(path), "libjvm.so")
        self.assertRegex(reason, r"^not supported: Java's own TLS \(JSSE\)")
        self.wait_for_traffic(saved)
        self.assert_told(ecapture, client.pid, "java", r"not supported: Java's own TLS \(JSSE\)")
        client.stdin.close()
