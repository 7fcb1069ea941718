# SPDX-License-Identifier: GPL-2.0-or-later
"""`ecapture doctor`: what it finds here, and what it says where a capture can't start."""
import json
import os
import re
import subprocess
import unittest

import lab


class Doctor(lab.Lab):
    def doctor(self, *arguments, prefix=()):
        return subprocess.run([*prefix, lab.BINARY, "doctor", *arguments], capture_output=True, text=True, check=False,
                              timeout=60)

    def test_table(self):
        """Every job of a capture has its way, and the end says that one can start."""
        run = self.doctor()
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        self.assertTrue(run.stdout.endswith("\nA capture can start.\n"), run.stdout)
        self.assertNotIn("NO WAY", run.stdout)

    def test_json_agrees_with_the_log_of_a_capture(self):
        """What the doctor says that a capture uses is what a capture says that it uses."""
        found = json.loads(self.doctor("--json").stdout)
        self.assertTrue(found["well"])
        capture = self.ns.run(lab.BINARY, "tls", "-w", self.path("x.pcapng"), "-a", "duration:1", "--log-level", "info")
        for job in found["jobs"]:
            self.assertRegex(capture.stderr, rf"(?m)^ecapture: info: {re.escape(job['job'] + ': ' + job['uses'])}")

    def test_without_capabilities(self):
        """An unprivileged user learns what is missing and how to get it, and no probe's failure."""
        run = self.doctor(prefix=("setpriv", "--reuid", "65534", "--clear-groups", "--"))
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stdout, r"cap_bpf.*quickstart")
        self.assertNotIn("What the kernel has", run.stdout)

    def test_seccomp(self):
        """bpf() refused with all capabilities, as in a container with a seccomp profile: the cause is named."""
        run = self.doctor(prefix=(lab.PYTHON, "-c", REFUSE, "bpf"))
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertRegex(run.stdout, r"packets +NO WAY\n +missing: eBPF, allowed: .*seccomp")
        capture = self.ns.run(lab.PYTHON, "-c", REFUSE, "bpf", lab.BINARY, "tls", "-w", self.path("x.pcapng"), check=False)
        self.assertEqual(capture.returncode, 1)
        self.assertRegex(capture.stderr, r"^ecapture: not supported on this kernel: packets; missing eBPF, allowed: .*\n$")

    def test_perf_events_refused(self):
        """A container that has the capabilities, but a seccomp profile without perf_event_open(): what that costs."""
        run = self.doctor(prefix=(lab.PYTHON, "-c", REFUSE, "perf_event_open"))
        self.assertRegex(run.stdout, r"new libraries +/proc, looked through.*\n +costs: .*\n +missing: .*seccomp")

    def test_root_without_capabilities(self):
        """A container as Docker starts it: one line says what to start it with."""
        capture = self.ns.run("setpriv", "--bounding-set=-all", "--inh-caps=-all", lab.BINARY, "tls", "-w",
                              self.path("x.pcapng"), check=False)
        self.assertEqual(capture.returncode, 1)
        self.assertRegex(capture.stderr, r"^ecapture: no permission to capture \(cap_bpf,.*: root .*--privileged.*\n$")

    def test_command_without_btf(self):
        """Where no structure of the kernel can be read, the pid filter follows a command's children all the same."""
        if not os.path.exists("/sys/kernel/btf/vmlinux"):
            raise unittest.SkipTest("this kernel has no BTF that could be hidden")
        saved = self.path("x.pcapng")
        hidden = 'mount --bind /dev/null /sys/kernel/btf/vmlinux && exec "$@"'
        self.ns.run("unshare", "--mount", "sh", "-c", hidden, "sh", lab.BINARY, "tls", "-w", saved, "--",
                    "sh", "-c", f"sleep 0.1; {lab.PYTHON} -c '{SEND}'; true")
        shown = subprocess.run(["tshark", "-n", "-r", saved, "-Y", "udp.dstport == 9", "-T", "fields", "-e",
                                "frame.comment"], capture_output=True, text=True, check=False).stdout
        self.assertRegex(shown, r"^pid=\d+ tid=\d+ comm=python3\S* uid=0\b")


SEND = """import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))"""
# Runs its other arguments under a filter that answers EPERM to the system call that the first one names.
REFUSE = """
import ctypes, os, platform, struct, sys
number = {"x86_64": {"bpf": 321, "perf_event_open": 298},
          "aarch64": {"bpf": 280, "perf_event_open": 241}}[platform.machine()][sys.argv[1]]
program = b"".join(struct.pack("HBBI", *insn) for insn in (
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)))
code = ctypes.create_string_buffer(program)
class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("code", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(Program(4, ctypes.addressof(code))), 0, 0):
    sys.exit(f"no seccomp filter: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[2], sys.argv[2:])
"""
