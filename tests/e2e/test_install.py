# SPDX-License-Identifier: GPL-2.0-or-later
"""The installed program: who may capture, who is told what is missing, and that Wireshark lists it for both."""
import os
import subprocess
import time

import lab


class Install(lab.Lab):
    def setUp(self):
        super().setUp()
        lab.need("setcap", "setpriv")
        if subprocess.run(["getent", "group", "wireshark"], capture_output=True, check=False).returncode:
            subprocess.run(["groupadd", "--system", "wireshark"], check=True)
        self.prefix = self.path("prefix")
        top = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
        build = os.path.join(top, "build-product")  # tests/run has made it; the prefix changes the launcher alone
        for command in (["cmake", "-S", top, "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF",
                         f"-DCMAKE_INSTALL_PREFIX={self.prefix}"],
                        ["cmake", "--build", build, "--parallel", "2"], ["cmake", "--install", build]):
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(run.returncode, 0, run.stdout[-2000:] + run.stderr[-2000:])
        self.launcher = os.path.join(self.prefix, "bin", "ecapture")

    def as_user(self, *groups):
        """A command prefix: user nobody, without any capability, in these groups."""
        numbers = [subprocess.run(["getent", "group", group], capture_output=True, text=True,
                                  check=True).stdout.split(":")[2] for group in groups]
        return ["setpriv", "--reuid", "65534", "--regid", "65534", "--inh-caps=-all",
                f"--groups={','.join(numbers)}" if numbers else "--clear-groups", "--"]

    def test_group_and_others(self):
        self.check_files()
        self.check_member()
        self.check_stranger()

    def check_files(self):
        privileged = os.path.join(self.prefix, "libexec/ecapture/privileged/ecapture")
        status = os.stat(privileged)
        self.assertEqual(status.st_mode & 0o7777, 0o750)
        group = subprocess.run(["getent", "group", "wireshark"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(str(status.st_gid), group.split(":")[2])
        self.assertTrue(os.path.exists(os.path.join(self.prefix, "share/man/man1/ecapture.1")), "the man page")

    def check_member(self):
        """A member of group wireshark captures TLS of his and of others, with nothing but the file's capabilities."""
        self.start_nginx()
        directory = self.path("member")
        os.mkdir(directory)
        os.chown(directory, 65534, 65534)
        path = os.path.join(directory, "out.pcapng")
        with open(self.path("member.log"), "w", encoding="utf-8") as log:
            process = self.ns.start(*self.as_user("wireshark"), self.launcher, "tls", "-w", path, stderr=log)

        def captured():
            self.assertIsNone(process.poll(), self.read("member.log"))
            self.ns.probe()
            return os.path.exists(path) and lab.file_holds(path, b"ecapture-probe")
        lab.wait_until(captured, lab.READY_SECONDS, "the first packet")
        self.check_dropped(process.pid)
        pid, _ = self.curl("https://127.0.0.1/r0")
        time.sleep(1)
        self.assertEqual(lab.stop(process)[0], 0, self.read("member.log"))
        rows = self.decrypt(path, "http.request", "http.request.uri", "frame.comment")
        self.assertEqual([row[0] for row in rows], ["/r0"])
        self.assertIn(f"pid={pid} ", rows[0][1])
        self.assert_whole(path)
        self.assertEqual(os.stat(path).st_uid, 65534)

    def check_dropped(self, pid):
        """Nothing of what was only needed to attach is left."""
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        capabilities = int(status["CapEff"], 16) | int(status["CapPrm"], 16)
        needed_to_attach_only = 1 << 13 | 1 << 21  # cap_net_raw, cap_sys_admin
        self.assertFalse(capabilities & needed_to_attach_only, f"CapEff {status['CapEff']} CapPrm {status['CapPrm']}")

    def check_stranger(self):
        """Somebody else is told in one line what to run, and Wireshark still lists the interface."""
        run = self.ns.run(*self.as_user(), self.launcher, "tls", "-w", self.path("no.pcapng"), check=False)
        self.assertNotEqual(run.returncode, 0)
        self.assertEqual(len(run.stderr.strip().splitlines()), 1, run.stderr)
        self.assertRegex(run.stderr, r"wireshark|setcap|sudo")
        run = self.ns.run(*self.as_user(), self.launcher, "--extcap-interfaces", check=False)
        self.assertEqual(run.returncode, 0)
        self.assertIn("{value=ecapture-tls}", run.stdout)
