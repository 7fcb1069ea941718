# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs with Go's crypto/tls: built here or in a Debian root, run, and captured live. ECAPTURE_GO names another Go than
the system's."""
import glob
import os
import shutil
import subprocess
import unittest

import lab
import pcapng

FIELDS = ("tcp.stream", "http.request.uri", "http.response.code", "frame.comment")
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gohttps", "main.go")
STRIP = ["-ldflags", "-s -w"]
# How a program is built; CGO_ENABLED=0 leaves the C library, and with it the dynamic linker, out. What one variant
# compiles of the standard library serves the others, but for -buildmode=pie and -trimpath, hence in one.
VARIANTS = {
    "plain": ([], {}),
    "stripped": (STRIP, {}),
    "position-independent, trimmed, stripped": (["-buildmode=pie", "-trimpath", *STRIP], {}),
    "static, stripped": (STRIP, {"CGO_ENABLED": "0"}),
}


def find_go():
    places = [os.environ.get("ECAPTURE_GO"), shutil.which("go"), *sorted(glob.glob("/usr/lib/go*/bin/go"))]
    for place in places:
        if place and os.access(place, os.X_OK):
            return place
    raise unittest.SkipTest("go is not installed")


def owners(text):
    """tshark joins a frame's comments by commas."""
    matches = [pcapng.COMMENT.match(part) for part in text.split(",")]
    return {match.group(5): int(match.group(1)) for match in matches if match}


class GoLab(lab.Lab):
    n_captures = 0
    prefix = ()  # what enters a Debian root, in front of Go and of what it builds

    def build(self, variant="plain"):
        """The program, built anew: a file that no capture has met."""
        flags, extra = VARIANTS[variant]
        path = self.path("gohttps-" + "".join(c for c in variant if c.isalpha()))
        source = shutil.copy(SOURCE, self.tmp)
        # Beside the tests' output, which each run clears: the standard library takes long to compile.
        cache = "/root/.cache/go" if self.prefix else os.path.join(os.path.dirname(lab.OUTPUT), "go-cache")
        environment = dict(os.environ, GO111MODULE="off", GOTOOLCHAIN="local", GOFLAGS="", GOCACHE=cache,
                           GOPATH=self.path("go"), **extra)
        environment.pop("GOROOT", None)
        run = subprocess.run([*self.prefix, "go" if self.prefix else find_go(), "build", *flags, "-o", path, source],
                             capture_output=True, text=True, check=False, env=environment, timeout=600)
        self.assertEqual(run.returncode, 0, run.stderr)
        return path

    def start_server(self, program):
        certificate, key = self.certificate()
        server = self.ns.start(*self.prefix, program, "server", "127.0.0.1:443", certificate, key, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        lab.wait_until(lambda: self.ns.answers(443), 10, "the Go server")
        return server

    def run_client(self, program, version, captures, *uris):
        """Returns its pid. It begins when all `captures` have hooked it."""
        client = self.ns.start(*self.prefix, program, "client", version, *(f"https://127.0.0.1{uri}" for uri in uris),
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.wait_until_hooked(program, *(capture.log for capture in captures))
        client.stdin.write("\n" * len(uris))
        client.stdin.close()
        self.assertEqual(client.wait(lab.PATIENCE), 0, "the Go client's exit status")
        return client.pid

    def wait_for(self, tshark, uris):
        """Each URI is there once, and each response; returns {uri: (request, response)}."""
        def pairs():
            rows = tshark.table()
            responses = {row["tcp.stream"]: row for row in rows if row["http.response.code"] == "200"}
            return {row["http.request.uri"]: (row, responses[row["tcp.stream"]]) for row in rows
                    if row["http.request.uri"] and not row["http.response.code"] and row["tcp.stream"] in responses}
        try:
            lab.wait_until(lambda: set(uris) <= set(pairs()), 25, "")
        except AssertionError:
            self.fail(f"not decrypted: {sorted(set(uris) - set(pairs()))} of {len(uris)}: {tshark.messages()}")
        requests = [row["http.request.uri"] for row in tshark.table()
                    if row["http.request.uri"] in uris and not row["http.response.code"]]  # 4.6 repeats it there
        self.assertEqual(sorted(requests), sorted(uris), "requests")
        return pairs()

    def start_capture(self, interface="ecapture-gotls"):
        """Its `log` tells what it hooks."""
        self.n_captures += 1
        log, preference = f"capture-{self.n_captures}.log", f"extcap.{interface.replace('-', '_')}"
        tshark = self.start_tshark("-o", f"{preference}.loglevel:info", "-o", f"{preference}.logfile:{self.path(log)}",
                                   fields=FIELDS, display="http", interface=interface)
        tshark.log = log
        return tshark

    def check_server(self, program):
        server = self.start_server(program)
        tshark = self.start_capture()
        pids = self.curl_many(8, "https://127.0.0.1/r{n}")
        for uri, (request, response) in self.wait_for(tshark, [f"/r{n}" for n in pids]).items():
            self.assertEqual(owners(request["frame.comment"]).get("dst"), server.pid, uri)
            self.assertEqual(owners(response["frame.comment"]).get("src"), server.pid, uri)
        lab.stop(server)
        self.assertEqual(tshark.stop()[0], 0, tshark.messages())

    def check_client(self, program):
        """The program is met for the first time while the capture runs."""
        nginx = self.start_nginx()
        tshark = self.start_capture()
        pids = {}
        for version in ("1.2", "1.3"):
            uris = [f"/{version}/{n}" for n in range(4)]
            pids.update(dict.fromkeys(uris, self.run_client(program, version, [tshark], *uris)))
        for uri, (request, response) in self.wait_for(tshark, list(pids)).items():
            self.assertEqual(owners(request["frame.comment"]).get("src"), pids[uri], uri)
            self.assertEqual(owners(response["frame.comment"]).get("dst"), pids[uri], uri)
        lab.stop(nginx)
        self.assertEqual(tshark.stop()[0], 0, tshark.messages())

    def check_builds(self):
        lab.need("nginx")
        for variant in VARIANTS:
            with self.subTest(variant):
                program = self.build(variant)
                self.check_client(program)
                self.check_server(program)
