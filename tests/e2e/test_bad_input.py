# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong is told in one line, cause and remedy, with a non-zero exit; what was captured is kept whole."""
import os
import re
import shutil
import signal
import struct
import subprocess
import threading
import time

import lab
import pcapng

NO_PROCESS = "4194304"  # PID_MAX_LIMIT: no process bears it


def library_of(program, name):
    """Where a program has a library of that name from; None if it isn't installed."""
    run = subprocess.run(["ldd", shutil.which(program) or "-"], capture_output=True, text=True, check=False)
    return next((line.split()[2] for line in run.stdout.splitlines() if name in line), None)


class BadInput(lab.Lab):
    def refuse(self, *arguments, says, ns=None, status=None, **kwargs):
        """The command line ends non-zero within seconds, with one line on stderr that matches `says`."""
        run = (ns or self.ns).run(lab.BINARY, *arguments, check=False, **kwargs)
        self.assertNotEqual(run.returncode, 0, f"{arguments} was accepted: {run.stderr}")
        self.assertGreaterEqual(run.returncode, 0, f"{arguments} was killed by a signal")
        if status:
            self.assertEqual(run.returncode, status)
        lines = run.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, f"{arguments}: {run.stderr}")
        self.assertRegex(lines[0], r"^ecapture: ")
        self.assertRegex(lines[0], re.compile(says, re.IGNORECASE), f"{arguments}")
        self.assertRegex(lines[0], r"[:;] ", "a remedy")
        return lines[0]

    def capture(self, *arguments):
        return ("tls", "-w", self.path("out.pcapng"), *arguments)

    def test_unknown_module(self):
        self.refuse("tsl", says="no module 'tsl'")

    def test_unknown_option(self):
        self.refuse(*self.capture("--nonsense"), says="nonsense")

    def test_bad_numbers(self):
        for arguments in (("-s", "x"), ("--mapsize", "0"), ("--hold", "-1"), ("-c", "1e9"), ("-a", "size:3"), ("-p", "0")):
            self.refuse(*self.capture(*arguments), says=r"can't be|give")

    def test_no_such_process(self):
        self.refuse(*self.capture("-p", NO_PROCESS), says="no process 4194304")

    def test_no_such_user(self):
        self.refuse(*self.capture("-u", "no-such-user"), says="no user")

    def test_missing_interface(self):
        self.refuse(*self.capture("-i", "nosuch0"), says="no network interface 'nosuch0'")

    def test_bad_filter(self):
        self.refuse(*self.capture("port or"), says="filter")
        self.assertFalse(os.path.exists(self.path("out.pcapng")), "a refused capture leaves no file")

    def test_filter_that_rejects_everything(self):
        self.refuse(*self.capture("tcp and udp"), says="filter")

    def test_library_that_is_none(self):
        text = self.path("text")
        with open(text, "w", encoding="utf-8") as file:
            file.write("no ELF file\n")
        self.refuse(*self.capture("--libssl", text), says=re.escape(text))
        self.refuse(*self.capture("--libssl", "/bin/true"), says="/bin/true")
        self.refuse(*self.capture("--libssl", self.path("nothing")), says="nothing")
        self.refuse(*self.capture("--libssl", self.tmp), says=re.escape(self.tmp))

    def test_file_that_is_not_the_modules(self):
        """For each option that names a file: what is there, but isn't what the module hooks. --libssl takes every library."""
        places = {"tls": ("--libssl", lab.libssl()), "gnutls": ("--gnutls", library_of("gnutls-cli", "libgnutls.so")),
                  "nss": ("--nss", library_of("tstclnt", "libssl3.so")), "gotls": ("--elfpath", None)}
        fifo, text, unreadable = self.path("fifo"), self.path("text"), self.path("unreadable")
        os.mkfifo(fifo)
        for path in (text, unreadable):
            with open(path, "w", encoding="utf-8") as file:
                file.write("no ELF file\n")
        os.chmod(unreadable, 0)
        root = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--")
        for module, (option, own) in places.items():
            arguments = (module, "-w", self.path("out.pcapng"), "-a", "duration:1", option)
            others = [path for _, path in places.values() if path and path != own and module != "tls"]
            for path in (fifo, text, *others):
                self.refuse(*arguments, path, says=re.escape(path))
            run = self.ns.run(*root, lab.BINARY, *arguments, unreadable, check=False)
            self.assertRegex(run.stderr, rf"^ecapture: {re.escape(unreadable)} can't be opened: Permission denied; .*\n$")
            if own:
                self.assertEqual(self.ns.run(lab.BINARY, *arguments, own, check=False).returncode, 0, own)

    def hostile_files(self):
        """Truncated and damaged copies of a real libssl."""
        run = subprocess.run(["ldd", "/usr/bin/openssl"], capture_output=True, text=True, check=True)
        source = [line.split()[2] for line in run.stdout.splitlines() if "libssl.so" in line][0]
        with open(source, "rb") as file:
            image = file.read()
        yield "empty", b""
        for length in (1, 16, 63, 64, 4096, len(image) // 2):
            yield f"cut-{length}", image[:length]
        yield "phoff-far", image[:0x20] + struct.pack("<Q", 1 << 63) + image[0x28:]
        yield "no-sections", image[:0x3C] + b"\0\0\0\0" + image[0x40:4096]
        yield "other-machine", image[:0x12] + b"\x08\x00" + image[0x14:]

    def test_hostile_libraries(self):
        for name, image in self.hostile_files():
            path = self.path("libssl-" + name)
            with open(path, "wb") as file:
                file.write(image)
            with self.subTest(name):
                self.refuse(*self.capture("--libssl", path), says=re.escape(path))

    def test_full_disk(self):
        """What fits is kept, and ends on a whole block."""
        self.start_nginx(body="x" * 4000)
        mount = self.path("small")
        os.mkdir(mount)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", mount], check=True)
        self.defer(subprocess.run, ["umount", "-l", mount])
        path = os.path.join(mount, "full.pcapng")
        ecapture = self.start_ecapture("-w", path)
        for _ in range(60):
            if ecapture.poll() is not None:
                break
            self.curl("https://127.0.0.1/r0")
        self.assertGreater(ecapture.wait(lab.PATIENCE), 0)
        self.assertRegex(self.read("ecapture.log"), r"(?i)no space left.*")
        self.assertGreater(len(pcapng.File(path).packets), 20)

    def test_output_that_cannot_be_written(self):
        self.refuse("tls", "-w", self.path("no/such/directory/file"), says="no/such/directory")
        self.refuse("tls", "-w", self.tmp, says=re.escape(self.tmp))

    def test_nowhere_to_write(self):
        self.refuse("tls", "-m", "pcapng", says="-w FILE")
        self.refuse("tls", "-m", "keylog", says="-w FILE")

    def test_no_such_command(self):
        self.refuse(*self.capture("--", "no-such-program-here"), says="no-such-program-here")

    def test_no_permission(self):
        """Without capabilities: one line that says what to run. The questions are still answered."""
        prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--", lab.BINARY]
        copy = self.path("ecapture")  # the build may lie where nobody may look
        subprocess.run(["cp", lab.BINARY, copy], check=True)
        prefix[-1] = copy
        run = self.ns.run(*prefix, "tls", "-w", "-", check=False, stdin=subprocess.DEVNULL)
        self.assertNotEqual(run.returncode, 0)
        self.assertEqual(len(run.stderr.strip().splitlines()), 1, run.stderr)
        self.assertRegex(run.stderr, r"(?i)permission|privilege|capabilit")
        self.assertRegex(run.stderr, r"sudo|setcap|usermod|root")
        run = self.ns.run(*prefix, "--extcap-interfaces", "--extcap-version=4.0", check=False)
        self.assertEqual(run.returncode, 0)
        self.assertIn("{value=ecapture-tls}", run.stdout)

    def test_no_btf(self):
        """A kernel without BTF, played by an empty directory over /sys/kernel/btf: a capture needs none."""
        self.start_nginx()
        script = 'mount -t tmpfs tmpfs /sys/kernel/btf && exec "$@"'
        process = self.ns.start("unshare", "--mount", "sh", "-c", script, "sh", lab.BINARY, *self.capture(),
                                stderr=subprocess.DEVNULL)
        lab.wait_until(lambda: os.path.exists(self.path("out.pcapng")) and self.probe_seen("out.pcapng"),
                       lab.READY_SECONDS, "the first packet")
        self.curl("https://127.0.0.1/r0")
        self.assertEqual(lab.stop(process)[0], 0)
        self.assertEqual(self.decrypt(self.path("out.pcapng"), "http.request", "http.request.uri"), [["/r0"]])

    # --- through the FIFO ------------------------------------------------------------------------

    def run_extcap(self, *arguments):
        """Plays dumpcap: opens the FIFO and reads until its end. Returns (bytes, stderr, status)."""
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        process = self.ns.start(lab.BINARY, "--capture", "--extcap-interface", "ecapture-tls", "--fifo", fifo, *arguments,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        chunks = []

        def read():
            with open(fifo, "rb") as file:
                chunks.append(file.read())
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        reader.join(lab.PATIENCE)
        self.assertFalse(reader.is_alive(), "the FIFO was not opened and closed")
        status = process.wait(lab.PATIENCE)
        os.unlink(fifo)
        return chunks[0], process.stderr.read(), status

    def test_extcap_errors_open_the_fifo(self):
        for arguments, says in ((("--pid", NO_PROCESS), "no process"), (("--extcap-capture-filter", "port or"), "filter"),
                                (("--interface", "nosuch0"), "nosuch0"), (("--libssl", "/bin/true"), "/bin/true"),
                                (("--uid", "no-such-user"), "no user"), (("--snaplen", "x"), "snaplen")):
            with self.subTest(arguments):
                _, messages, status = self.run_extcap(*arguments)
                self.assertNotEqual(status, 0)
                self.assertRegex(messages, says)
                self.assertEqual(len(messages.strip().splitlines()), 1, messages)

    def test_tshark_shows_the_error(self):
        tshark = self.start_tshark("-o", f"extcap.ecapture_tls.pid:{NO_PROCESS}", "-w", self.path("none.pcapng"))
        lab.wait_until(lambda: tshark.process.poll() is not None, 15, "the end of tshark")
        tshark.stop()
        self.assertIn("no process 4194304", tshark.messages())

    def test_fifo_that_vanishes(self):
        """The reader goes, while nothing is captured: ecapture ends by itself, silently."""
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        process = self.ns.start(lab.BINARY, "--capture", "--extcap-interface", "ecapture-tls", "--fifo", fifo,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        with open(fifo, "rb") as file:
            file.read(28)
            time.sleep(1)
        self.assertEqual(process.wait(lab.PATIENCE), 0)
        self.assertEqual(process.stderr.read(), "")

    def test_successful_capture_is_silent(self):
        self.start_nginx()
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        process = self.ns.start(lab.BINARY, "--capture", "--extcap-interface", "ecapture-tls", "--fifo", fifo,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        with open(self.path("fifo.pcapng"), "wb") as out:
            reader = subprocess.Popen(["cat", fifo], stdout=out)
            self.defer(lab.stop, reader)
            lab.wait_until(lambda: self.probe_seen("fifo.pcapng"), lab.READY_SECONDS, "the first packet")
            self.curl("https://127.0.0.1/r0")
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(lab.PATIENCE), 0)
            reader.wait(lab.PATIENCE)
        self.assertEqual(process.stdout.read(), "")
        self.assertEqual([row[0] for row in self.decrypt(self.path("fifo.pcapng"), "http.request", "http.request.uri")],
                         ["/r0"])

    def probe_seen(self, name):
        self.ns.probe()
        return lab.file_holds(self.path(name), b"ecapture-probe")

    # --- processes that go -----------------------------------------------------------------------

    def test_processes_that_exit_while_being_inspected(self):
        """`ecapture list` and a start of a capture amid a storm of short-lived processes."""
        storm = self.ns.start("bash", "-c", "while :; do for i in 1 2 3 4 5 6 7 8; do openssl version & done; wait; done",
                              stdout=subprocess.DEVNULL)
        for _ in range(3):
            run = self.ns.run(lab.BINARY, "list", "--json", check=False)
            self.assertEqual(run.returncode, 0, run.stderr)
        run = self.ns.run(lab.BINARY, *self.capture("-a", "duration:1"), check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        lab.stop(storm, signal.SIGKILL)

    def test_list(self):
        """`ecapture list` names a process, its library, version and how the hook point was found."""
        server = self.start_s_server("-www")
        run = self.ns.run(lab.BINARY, "list")
        line = [text for text in run.stdout.splitlines() if re.match(rf"\s*{server.pid}\b", text)]
        self.assertEqual(len(line), 1, run.stdout)
        self.assertRegex(line[0], r"openssl.*libssl\.so")
        self.assertRegex(line[0], r"symbol|debug data|cross-reference")
