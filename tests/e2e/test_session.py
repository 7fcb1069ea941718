# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job: live HTTPS decrypted in one pass, with the right process at every request and response."""
import collections
import os
import pty
import random
import subprocess
import time

import lab
import pcapng

REQUESTS = 200
HTTP_FIELDS = ("tcp.stream", "http.request.uri", "http.response.code", "frame.comment", "frame.time_epoch")


def parse_comments(text):
    """tshark joins a frame's comments by commas."""
    owners = [pcapng.COMMENT.match(part) for part in text.split(",")]
    return {match.group(5): int(match.group(1)) for match in owners if match}


class Session(lab.Lab):
    def check_exchanges(self, rows, pids, server_pids=None, sides=("src", "dst")):
        """`rows`: dicts of HTTP_FIELDS. Every request and its response is there once, with its process."""
        requests = collections.defaultdict(list)
        responses = collections.defaultdict(list)
        for row in rows:
            if row["http.response.code"]:  # 4.6 names the request's URI there too
                responses[row["tcp.stream"]].append(row)
            elif row["http.request.uri"]:
                requests[row["http.request.uri"]].append(row)
        missing = [n for n in pids if len(requests.get(f"/r{n}", [])) != 1]
        self.assertEqual(missing, [], f"requests not decrypted once, of {len(pids)}")
        unanswered = [n for n in pids if len(responses[requests[f"/r{n}"][0]["tcp.stream"]]) != 1]
        self.assertEqual(unanswered, [], f"responses not decrypted once, of {len(pids)}")
        for n, pid in pids.items():
            request = requests[f"/r{n}"][0]
            response = responses[request["tcp.stream"]][0]
            self.assertEqual(response["http.response.code"], "200")
            self.check_owners(request, response, pid, server_pids, sides)

    def requested(self, rows):
        return [row["http.request.uri"] for row in rows if row["http.request.uri"] and not row["http.response.code"]]

    def check_owners(self, request, response, client, servers, sides):
        """On lo each packet names both ends: curl sends the request and receives the response."""
        sent, received = (parse_comments(row["frame.comment"]) for row in (request, response))
        if "src" in sides:
            self.assertEqual((sent.get("src"), received.get("dst")), (client, client), "the client's pid")
        if servers:
            self.assertIn(sent.get("dst"), servers, "the server's pid at the request")
            self.assertIn(received.get("src"), servers, "the server's pid at the response")

    def nginx_workers(self, master):
        run = subprocess.run(["ps", "-o", "pid=", "--ppid", str(master.pid)], capture_output=True, text=True,
                             check=False)
        return {int(pid) for pid in run.stdout.split()}

    @lab.mark("asan")
    def test_tshark_live_200_requests(self):
        workers = self.nginx_workers(self.start_nginx(workers=2))
        tshark = self.start_tshark(fields=HTTP_FIELDS, display="http")
        pids = self.curl_many(REQUESTS, "https://127.0.0.1/r{n}")
        try:
            lab.wait_until(lambda: len(tshark.table()) >= 2 * REQUESTS, 10, "all decrypted lines")
        except AssertionError:
            pass  # what is missing is named below
        os.link(tshark.capture_file(), self.path("saved.pcapng"))
        self.assertEqual(tshark.stop()[0], 0, tshark.messages())
        self.check_exchanges(tshark.table(), pids, workers)
        self.assert_whole(self.path("saved.pcapng"))

    def test_ring_files(self):
        self.start_nginx()
        tshark = self.start_tshark("-b", "filesize:200", "-w", self.path("ring.pcapng"))
        lab.wait_until(lambda: self.ring_holds_probe(tshark), lab.READY_SECONDS, "the first packet")
        pids = self.curl_many(REQUESTS, "https://127.0.0.1/r{n}")
        time.sleep(1)
        status, _ = tshark.stop()
        self.assertEqual(status, 0, tshark.messages())
        files = self.ring_files()
        self.assertGreater(len(files), 1, "ring files")
        for file in files:
            self.assert_whole(file)
        subprocess.run(["mergecap", "-w", self.path("merged.pcapng"), *files], check=True, capture_output=True)
        self.check_file(self.path("merged.pcapng"), pids)

    def ring_files(self):
        return sorted(self.path(name) for name in os.listdir(self.tmp) if name.startswith("ring_"))

    def ring_holds_probe(self, tshark):
        self.assertIsNone(tshark.process.poll(), tshark.messages())
        self.ns.probe()
        return any(lab.file_holds(file, b"ecapture-probe") for file in self.ring_files())

    def check_file(self, path, pids, sides=("src", "dst"), servers=None):
        rows = [dict(zip(HTTP_FIELDS, row)) for row in self.decrypt(path, "http", *HTTP_FIELDS)]
        self.check_exchanges(rows, pids, servers, sides)

    @lab.mark("asan")
    def test_write_file(self):
        workers = self.nginx_workers(self.start_nginx(workers=2))
        path = self.path("cli.pcapng")
        ecapture = self.start_ecapture("-w", path)
        pids = self.curl_many(REQUESTS, "https://127.0.0.1/r{n}")
        time.sleep(1)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600, "the file's mode")
        self.check_file(path, pids, servers=workers)
        file = self.assert_whole(path)
        self.assertTrue(file.statistics, "interface statistics")
        self.assertRegex(self.read("ecapture.log"), r"(?m)^.*\b0 packets and 0 secrets lost")

    def test_write_standard_output(self):
        self.start_nginx()
        path = self.path("stdout.pcapng")
        with open(path, "wb") as out:
            ecapture = self.start_ecapture("-w", "-", stdout=self.pipe_into(out), ready=path)
        pids = self.curl_many(40, "https://127.0.0.1/r{n}")
        time.sleep(1)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.check_file(path, pids)
        self.assert_whole(path)

    def pipe_into(self, out):
        """A pipe's writing end, whose bytes a cat puts into `out`: a pipe is what -w - is for."""
        cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=out)
        self.defer(lab.stop, cat)
        self.defer(cat.stdin.close)
        return cat.stdin

    def test_key_log(self):
        self.start_nginx()
        path, keys = self.path("k.pcapng"), self.path("keys.txt")
        ecapture = self.start_ecapture("-w", path, "-k", keys)
        self.curl_many(8, "https://127.0.0.1/r{n}")
        time.sleep(1)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.assertEqual(os.stat(keys).st_mode & 0o777, 0o600, "the key log's mode")
        lines = self.read("keys.txt").splitlines()
        self.assertEqual(sorted(lines), sorted(pcapng.File(path).secrets))
        # At least: what other programs of this machine negotiate meanwhile is there too.
        self.assertGreaterEqual(sum(line.startswith("CLIENT_RANDOM ") for line in lines), 4)
        self.assertGreaterEqual(sum(line.startswith("CLIENT_TRAFFIC_SECRET_0 ") for line in lines), 4)

    def veth_pair(self):
        """A server's namespace beside self.ns, the client's."""
        other = lab.Namespace(self)
        self.ns.connect(other)
        return other

    def test_server_only(self):
        """The clients are elsewhere, and so are their packets' other ends: the filter asks for the server only."""
        server_ns = self.veth_pair()
        master = self.start_nginx(ns=server_ns)
        worker = min(self.nginx_workers(master))
        path = self.path("server.pcapng")
        ecapture = self.start_ecapture("-w", path, "-p", f"{worker},{self.prober(server_ns)}", ns=server_ns,
                                       probe="10.77.0.1")
        pids = self.curl_many(40, "https://10.77.0.2/r{n}")
        time.sleep(1)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.check_file(path, pids, sides=())
        named = set().union(*(pcapng.owner_pids(packet) for packet in self.assert_whole(path).packets))
        self.assertIn(worker, named)
        self.assertFalse(named & set(pids.values()), "owners of the other namespace")

    def prober(self, ns):
        """A process that sends probes for as long as the test lasts, for captures that look at some pids only."""
        process = ns.start(lab.PYTHON, "-c", "import socket, time\n"
                           "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                           f"while True: s.sendto(b'ecapture-probe', ('127.0.0.1', {lab.PROBE_PORT})); time.sleep(.1)")
        return process.pid

    def test_client_only(self):
        """Captures a command and its descendants; the server runs behind veth."""
        server_ns = self.veth_pair()
        self.start_nginx(ns=server_ns)
        path = self.path("client.pcapng")
        script = "for n in $(seq 0 39); do curl -sk -o /dev/null https://10.77.0.2/r$n & echo $! $n; " \
                 "[ $((n % 8)) = 7 ] && wait; done; wait; exit 7"
        run = self.ns.run(lab.BINARY, "tls", "-w", path, "--", "bash", "-c", script, check=False)
        self.assertEqual(run.returncode, 7, run.stderr)
        pids = {int(n): int(pid) for pid, n in (line.split() for line in run.stdout.split("\n") if line)}
        rows = [dict(zip(HTTP_FIELDS, row)) for row in self.decrypt(path, "http", *HTTP_FIELDS)]
        self.check_exchanges(rows, pids, sides=())
        file = self.assert_whole(path)
        for packet in file.packets:
            self.assertFalse(pcapng.owner_pids(packet) - set(pids.values()), packet.comments)

    def test_pid_option_of_extcap(self):
        """Only one of two servers is asked for."""
        self.answer_with("r0")
        self.answer_with("r1")
        wanted = self.start_s_server("-HTTP", port=443)
        self.start_s_server("-HTTP", port=8443)
        tshark = self.start_tshark("-o", f"extcap.ecapture_tls.pid:{wanted.pid},{self.prober(self.ns)}",
                                   fields=HTTP_FIELDS + ("tcp.port",), display="tcp.port == 443 || tcp.port == 8443")
        self.curl("https://127.0.0.1:8443/r1")
        self.curl("https://127.0.0.1/r0")
        lab.wait_until(lambda: [row for row in tshark.table() if row["http.response.code"]], 10, "the response")
        time.sleep(0.5)
        self.assertEqual(tshark.stop()[0], 0, tshark.messages())
        rows = tshark.table()
        self.assertEqual(self.requested(rows), ["/r0"])
        self.assertFalse([row for row in rows if "8443" in row["tcp.port"]], "packets of the other server")

    def measure_latency(self, rows, limit=0.1):
        """From each response on the wire to its line on tshark's output; `rows`: a function. The 99th percentile in
        seconds: the best of up to five rounds, for a busy machine delays everybody, but not always."""
        best, seen = 1e9, 0
        for attempt in range(5):
            delays = self.measure_delays(rows, seen, attempt)
            seen += 2 * len(delays)
            percentile = delays[int(len(delays) * 0.99)]
            print(f"# latency of {len(delays)} responses: median {delays[len(delays) // 2] * 1000:.1f} ms, "
                  f"99th percentile {percentile * 1000:.1f} ms, worst {delays[-1] * 1000:.1f} ms", flush=True)
            best = min(best, percentile)
            if best < limit:
                break
        return best

    def measure_delays(self, rows, seen, attempt):
        """Sorted, in seconds, of 120 requests; the first `seen` rows are of earlier ones."""
        generator = random.Random(1)
        for number in range(120):
            self.curl(f"https://127.0.0.1/{attempt}/{number}", *(["--tls-max", "1.2"] if number % 2 else []))
            time.sleep(generator.uniform(0, 0.1))
        lab.wait_until(lambda: len(rows()) >= seen + 240, 10, "all decrypted lines")
        return sorted(row["arrival"] - float(row["frame.time_epoch"]) for row in rows()[seen:]
                      if row["http.response.code"])

    def test_interface_of_all_modules(self):
        """`ecapture` captures as `ecapture-tls` does, with every module; and tshark lists both."""
        self.start_nginx()
        listing = self.ns.run("tshark", "-D", env=self.wireshark_environment()).stdout
        self.assertRegex(listing, r"(?m)^\d+\. ecapture \(eCapture: ")
        self.assertRegex(listing, r"(?m)^\d+\. ecapture-tls \(eCapture: OpenSSL and BoringSSL\)")
        tshark = self.start_tshark(fields=HTTP_FIELDS, display="http", interface="ecapture")
        pid, _ = self.curl("https://127.0.0.1/r0")
        lab.wait_until(lambda: len(tshark.table()) >= 2, 10, "the request and its response")
        tshark.stop()
        self.check_exchanges(tshark.table(), {0: pid})

    def test_latency_through_dumpcap(self):
        """dumpcap tells its reader of new packets every 500 ms in Wireshark 4.0, every --update-interval later."""
        self.start_nginx()
        help_text = subprocess.run(["tshark", "--help"], capture_output=True, text=True, check=False).stdout
        quick = "--update-interval" in help_text
        tshark = self.start_tshark(*(["--update-interval", "0"] if quick else []), fields=HTTP_FIELDS, display="http")
        limit = 0.1 if quick else 0.8
        percentile = self.measure_latency(tshark.table, limit)
        tshark.stop()
        self.assertLess(percentile, limit)
        if not quick:
            self.skipTest("this tshark has no --update-interval: dumpcap itself adds up to 500 ms, "
                          f"{percentile * 1000:.0f} ms at the 99th percentile here")

    def test_latency_through_a_pipe(self):
        """ecapture tls -w - | tshark -r -"""
        self.start_nginx()
        reading, writing = os.pipe()
        tshark = lab.Tshark(self, self.ns, None, (), HTTP_FIELDS, "http", None, stdin=reading)
        os.close(reading)
        ecapture = self.ns.start(lab.BINARY, "tls", "-w", "-", stdout=writing, stderr=subprocess.DEVNULL)
        os.close(writing)
        tshark.wait_for_probe(self.ns, "127.0.0.1")
        percentile = self.measure_latency(tshark.table)
        lab.stop(ecapture)
        tshark.stop()
        self.assertLess(percentile, 0.1)

    def test_autostop_and_count(self):
        for arguments in (("-a", "duration:2"), ("-c", "20")):
            tshark = self.start_tshark(*arguments, display="udp", fields=("frame.number",))
            for _ in range(25):
                self.ns.probe()
            lab.wait_until(lambda: tshark.process.poll() is not None, 15, f"the end by {arguments}")
            self.assertEqual(tshark.stop()[0], 0, tshark.messages())
        path = self.path("count.pcapng")
        process = self.ns.start(lab.BINARY, "tls", "-w", path, "-c", "10", stderr=subprocess.DEVNULL)

        def ended():
            self.ns.probe()
            return process.poll() is not None
        lab.wait_until(ended, 20, "the end by -c 10")
        self.assertEqual(process.returncode, 0)
        self.assertEqual(len(pcapng.File(path).packets), 10)
        run = self.ns.run(lab.BINARY, "tls", "-w", path, "-a", "duration:1", check=False)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_capture_filter(self):
        """The filter runs in the kernel; Wireshark's -f and the CLI's words do the same."""
        self.start_nginx()
        path = self.path("filter.pcapng")
        ecapture = self.start_ecapture("-w", path, "tcp port 443 or udp port 9")
        tshark = self.start_tshark("-f", "tcp port 443 or udp port 9", fields=HTTP_FIELDS, display="tcp")
        self.curl("http://127.0.0.1/plain")
        self.curl("https://127.0.0.1/r0")
        lab.wait_until(lambda: [row for row in tshark.table() if row["http.response.code"]], 10, "the response")
        lab.stop(ecapture)
        tshark.stop()
        file = self.assert_whole(path)
        ports = set()
        for packet in file.packets:
            ports |= set(pcapng.ip_header(packet, file.linktypes[packet.interface])[1:3])
        self.assertIn(443, ports)
        self.assertNotIn(80, ports)
        self.assertEqual(self.requested(tshark.table()), ["/r0"])

    def test_progress_on_a_terminal(self):
        """One line, written over once a second; none where stderr is no terminal."""
        reading, terminal = pty.openpty()
        process = self.ns.start(lab.BINARY, "tls", "-w", self.path("t.pcapng"), "-a", "duration:3", stderr=terminal)
        os.close(terminal)
        self.ns.probe()
        text = b""
        while True:
            try:
                chunk = os.read(reading, 4096)
            except OSError:  # EIO: the other end is closed
                break
            if not chunk:
                break
            text += chunk
        os.close(reading)
        self.assertEqual(process.wait(lab.PATIENCE), 0)
        self.assertGreaterEqual(text.count(b"handshakes:"), 2, text)
        self.assertGreaterEqual(text.count(b"\r"), 2, text)
        run = self.ns.run(lab.BINARY, "tls", "-w", self.path("t.pcapng"), "-a", "duration:2")
        self.assertNotIn("\r", run.stderr)
        self.assertNotIn("handshakes:", run.stderr.split(" TLS handshakes seen")[0])
