# SPDX-License-Identifier: GPL-2.0-or-later
"""ecapture beside others: what it leaves behind, whom it disturbs, two of it at once."""
import os
import signal
import subprocess
import time

import lab
import pcapng


# TC_ACT_SHOT for UDP to port 9999 behind an Ethernet and an IPv4 header, else TC_ACT_UNSPEC.
FOREIGN = """
static long (*load_bytes)(const void *, unsigned, void *, unsigned) = (void *)26;
__attribute__((section("classifier"), used)) int foreign(void *skb)
{
    unsigned short port = 0;
    load_bytes(skb, 36, &port, 2);
    return port == __builtin_bswap16(9999) ? 2 : -1;
}
char _license[] __attribute__((section("license"), used)) = "GPL";
"""


class Coexist(lab.Lab):
    def filters(self, interface="lo"):
        """The tc filters and qdiscs of one interface, as tc prints them without counters."""
        parts = [self.ns.run("tc", "filter", "show", "dev", interface, side).stdout for side in ("ingress", "egress")]
        return "".join(parts) + self.ns.run("tc", "qdisc", "show", "dev", interface).stdout

    def check_nothing_left(self, number):
        filters = self.filters()
        ecapture = self.start_ecapture("-w", self.path("out.pcapng"))
        ours = lab.bpf_objects_of(ecapture.pid)
        self.assertEqual({kind for kind, _ in ours}, {"prog", "link", "map"}, "kinds of what a running capture holds")
        self.assertLessEqual(ours, lab.bpf_objects())
        lab.stop(ecapture, number)
        lab.wait_until(lambda: not ours & lab.bpf_objects(), 5, "the end of every program, link and map of ours")
        self.assertEqual(self.filters(), filters)
        self.assertFalse([name for name in os.listdir("/sys/fs/bpf") if "ecapture" in name], "pinned objects")

    def test_terminated(self):
        self.check_nothing_left(signal.SIGTERM)

    def test_killed(self):
        self.check_nothing_left(signal.SIGKILL)
        # What was captured up to then is whole: the file ends on a block.
        self.assertTrue(pcapng.File(self.path("out.pcapng")).packets)

    def add_foreign_filter(self):
        """clsact with a u32 filter and a bpf filter of somebody else's; the latter drops UDP to port 9999."""
        self.ns.run("tc", "qdisc", "add", "dev", "lo", "clsact")
        for side in ("ingress", "egress"):
            self.ns.run("tc", "filter", "add", "dev", "lo", side, "prio", "10", "protocol", "ip", "u32", "match", "ip",
                        "dport", "7", "0xffff", "flowid", "1:1")
        source, program = self.path("foreign.c"), self.path("foreign.o")
        with open(source, "w", encoding="utf-8") as file:
            file.write(FOREIGN)
        subprocess.run(["clang", "-target", "bpf", "-O2", "-c", source, "-o", program], check=True)
        self.ns.run("tc", "filter", "add", "dev", "lo", "ingress", "prio", "20", "bpf", "direct-action", "obj", program,
                    "sec", "classifier")

    def test_foreign_tc_filters_survive(self):
        self.add_foreign_filter()
        filters = self.filters()
        self.assertIn("u32", filters)
        self.assertIn("foreign", filters)
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
            ecapture = self.start_ecapture("-w", self.path("out.pcapng"))
            self.check_drop_works()
            for line in filters.splitlines():
                self.assertIn(line, self.filters(), "while the capture runs")
            lab.stop(ecapture, number)
            lab.wait_until(lambda: self.filters() == filters, 3, "the filters as they were")
        self.check_drop_works()

    def check_drop_works(self):
        """The foreign filter still drops: what we only watch, we do not decide."""
        receiver = self.ns.start(lab.PYTHON, "-c", "import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                                 "s.bind(('127.0.0.1', 9999)); s.settimeout(1); print('bound', flush=True)\n"
                                 "try: s.recv(10)\nexcept TimeoutError: sys.exit(0)\nsys.exit(1)",
                                 stdout=subprocess.PIPE, text=True)
        receiver.stdout.readline()
        self.ns.run(lab.PYTHON, "-c", "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                    "try: s.sendto(b'x', ('127.0.0.1', 9999))\nexcept OSError: pass")
        self.assertEqual(receiver.wait(lab.PATIENCE), 0, "a datagram passed a filter that drops it")

    def test_two_captures_at_once(self):
        """Both see all; the end of one does not touch the other."""
        self.start_nginx()
        first = self.start_ecapture("-w", self.path("first.pcapng"))
        second = self.start_ecapture("-w", self.path("second.pcapng"))
        self.curl_many(16, "https://127.0.0.1/r{n}")
        time.sleep(0.5)
        self.assertEqual(lab.stop(first)[0], 0)
        self.curl("https://127.0.0.1/after")
        time.sleep(0.5)
        self.assertEqual(lab.stop(second)[0], 0)
        wanted = {f"/r{n}" for n in range(16)}
        for name, uris in (("first", wanted), ("second", wanted | {"/after"})):
            rows = self.decrypt(self.path(f"{name}.pcapng"), "http.request", "http.request.uri")
            self.assertEqual(sorted(row[0] for row in rows), sorted(uris), name)
            self.assert_whole(self.path(f"{name}.pcapng"))
