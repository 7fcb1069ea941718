# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs with Go's crypto/tls, each decrypted in one live pass."""
import json
import os
import subprocess

import golang
import lab


class GoTls(golang.GoLab):
    def test_builds(self):
        self.check_builds()

    @lab.mark("asan")
    def test_resumed_tls12_session_from_before(self):
        """crypto/tls keeps a resumed TLS 1.2 connection from its key log; the session began before the capture."""
        program = self.build()
        self.start_nginx()
        client = self.ns.start(program, "client", "1.2", "https://127.0.0.1/before", "https://127.0.0.1/after",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.defer(client.stdin.close)
        resumed = []
        for step in range(2):
            if step == 1:
                tshark = self.start_capture()
            client.stdin.write("\n")
            client.stdin.flush()
            resumed.append(client.stdout.readline().strip())
        self.assertEqual(resumed, ["false", "true"])
        self.wait_for(tshark, ["/after"])
        tshark.stop()

    def test_each_module_hooks_its_own(self):
        """tls leaves Go alone, gotls OpenSSL; the interface ecapture has both."""
        program = self.build()
        wanted = {"ecapture-tls": {"/openssl"}, "ecapture-gotls": {"/go"}, "ecapture": {"/openssl", "/go"}}
        captures = {interface: self.start_capture(interface) for interface in wanted}
        nginx = self.start_nginx()
        self.curl("https://127.0.0.1/openssl")
        lab.stop(nginx)
        server = self.start_server(program)
        self.run_client(program, "1.3", [captures["ecapture-gotls"], captures["ecapture"]], "/go")
        lab.stop(server)
        self.wait_for(captures["ecapture"], list(wanted["ecapture"]))
        for interface, tshark in captures.items():
            self.wait_for(tshark, list(wanted[interface]))
            seen = {row["http.request.uri"] for row in tshark.table() if row["http.request.uri"]}
            self.assertEqual(seen, wanted[interface], interface)
            tshark.stop()

    def test_elfpath(self):
        program = self.build("stripped")
        path = self.path("go.pcapng")
        with open(self.path("ecapture.log"), "w", encoding="utf-8") as log:
            process = self.ns.start(lab.BINARY, "gotls", "--elfpath", program, "-w", path, "--log-level", "info",
                                    stderr=log)

        def captured():
            self.assertIsNone(process.poll(), self.read("ecapture.log"))
            self.ns.probe()
            return os.path.exists(path) and lab.file_holds(path, b"ecapture-probe")
        lab.wait_until(captured, lab.READY_SECONDS, "the first packet of ecapture")
        self.assertRegex(self.read("ecapture.log"), rf"hooked {program}:? Go crypto/tls go1\.")
        lab.stop(process)
        for argument in ("/bin/true", self.path("none")):
            run = self.ns.run(lab.BINARY, "gotls", "--elfpath", argument, "-w", self.path("x.pcapng"), check=False)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(argument, run.stderr)

    def test_list(self):
        program = self.build()
        server = self.start_server(program)
        run = self.ns.run(lab.BINARY, "list", "--json")
        process = [entry for entry in json.loads(run.stdout)["processes"] if entry["pid"] == server.pid][0]
        library = process["libraries"][0]
        self.assertEqual((library["path"], library["hookable"], library["kind"]), (program, True, "Go crypto/tls"))
        self.assertRegex(library["version"], r"^go1\.\d+")
