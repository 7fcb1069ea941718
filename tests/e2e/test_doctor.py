# SPDX-License-Identifier: GPL-2.0-or-later
"""`ecapture doctor`: what it finds here, and what it says where a capture can't start."""
import json
import re
import subprocess

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
        run = self.doctor(prefix=(lab.PYTHON, "-c", REFUSE_BPF))
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertRegex(run.stdout, r"packets +NO WAY\n +missing: eBPF, allowed: .*seccomp")
        capture = self.ns.run(lab.PYTHON, "-c", REFUSE_BPF, lab.BINARY, "tls", "-w", self.path("x.pcapng"), check=False)
        self.assertEqual(capture.returncode, 1)
        self.assertRegex(capture.stderr, r"^ecapture: not supported on this kernel: packets; missing eBPF, allowed: .*\n$")


# Runs its arguments under a filter that answers EPERM to bpf(2): number 321 on x86-64, 280 on aarch64.
REFUSE_BPF = """
import ctypes, os, platform, struct, sys
number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
program = b"".join(struct.pack("HBBI", *insn) for insn in (
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)))
code = ctypes.create_string_buffer(program)
class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("code", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(Program(4, ctypes.addressof(code))), 0, 0):
    sys.exit(f"no seccomp filter: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[1], sys.argv[1:])
"""
