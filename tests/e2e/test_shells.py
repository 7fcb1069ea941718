# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands typed into bash and zsh, each in a terminal of its own, as tshark reads them in one live pass; with
tests/run --matrix also the shells of other Debian releases, and bash as its own makefile builds it."""
import base64
import contextlib
import ctypes
import ctypes.util
import fcntl
import json
import os
import pty
import shutil
import subprocess
import termios
import threading
import time
import unittest

import debian
import lab

FIELDS = ("systemd_journal.pid", "systemd_journal.message", "systemd_journal.uid", "systemd_journal.comm",
          "systemd_journal.syslog_id", "systemd_journal.realtime_timestamp", "systemd_journal.field.name",
          "systemd_journal.field.value")
PROMPT, MORE = b"\x0eready\x0f", b"\x0emore\x0f"  # control characters: no echo of what is typed looks like them
COMMANDS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
SECONDS = 25


class Shell:
    """A shell in a terminal. What is typed is typed at a prompt, as people do."""

    def __init__(self, test, *argv, cwd=None, **environment):
        self.test, self.output, self.seen = test, b"", 0
        self.root, self.cwd = test.root, cwd or test.tmp
        self.master, slave = pty.openpty()
        self.tty = os.ttyname(slave)
        environment = dict(os.environ, PS1=PROMPT.decode(), PS2=MORE.decode(), TERM="xterm", HISTFILE="",
                           LC_ALL="C.UTF-8", **environment)
        environment.pop("PROMPT_COMMAND", None)
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=environment,
                                        start_new_session=True, preexec_fn=self.enter)
        os.close(slave)
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        test.defer(self.close)
        self.wait_for(PROMPT)

    def enter(self):
        """Runs in the new process."""
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.chroot(self.root)
        os.chdir(self.cwd)

    def read(self):
        with contextlib.suppress(OSError):
            while data := os.read(self.master, 65536):
                self.output += data

    def close(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(5)
        if self.master >= 0:
            os.close(self.master)
        self.master = -1

    def wait_for(self, text):
        """Until `text` stands in what was written since the last call."""
        def found():
            return self.output.find(text, self.seen)
        lab.wait_until(lambda: found() >= 0, SECONDS, f"{text} of a shell that wrote {self.output[self.seen:]}")
        self.seen = found() + len(text)

    def write(self, data):
        while data:
            data = data[os.write(self.master, data[:512]):]

    def type(self, text, then=PROMPT):
        """Enter is pressed behind `text`; waits for what the shell writes then (None: for nothing)."""
        self.write(text.encode() + b"\r")
        if then:
            self.wait_for(then)

    def type_lines(self, *lines):
        for line in lines[:-1]:
            self.type(line, MORE)
        self.type(lines[-1])


def find_address(path, function, *options):
    """Of a function that the file's symbols name, in hexadecimal digits."""
    run = subprocess.run(["nm", *options, "--defined-only", path], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in run.stdout.splitlines() if line.endswith(f" T {function}")][0]


def find(name):
    lab.need(name)
    return COMMANDS[name]


class Terminals(lab.Lab):
    root = "/"  # where the shells are

    def start_capture(self, module, argv):
        tshark = self.start_tshark(fields=FIELDS, display="systemd_journal", interface=f"ecapture-{module}", probe=None)
        self.wait_until_captured(argv, lambda: self.commands(tshark))
        return tshark

    def wait_until_captured(self, argv, commands):
        """Types into a shell of its own until that is seen."""
        shell = Shell(self, *argv)

        def seen():
            shell.type(": is anybody there")
            return any(row["pid"] == shell.pid for row in commands())
        lab.wait_until(seen, lab.READY_SECONDS, "the first command")
        shell.close()

    def commands(self, tshark):
        self.assertIsNone(tshark.process.poll(), tshark.messages())
        return [self.decode(row) for row in tshark.table()]

    @staticmethod
    def decode(row):
        names, values = (row[f"systemd_journal.field.{part}"].split(",") for part in ("name", "value"))
        fields = dict(zip(names, values))
        return {"pid": int(row["systemd_journal.pid"]), "text": row["systemd_journal.message"].replace("\\n", "\n"),
                "uid": row["systemd_journal.uid"], "comm": row["systemd_journal.comm"],
                "module": row["systemd_journal.syslog_id"], "cwd": fields.get("ECAPTURE_CWD"),
                "tty": fields.get("ECAPTURE_TTY"), "status": fields.get("ECAPTURE_EXIT_STATUS"),
                "usec": int(fields["ECAPTURE_DURATION_USEC"])}

    def wait_for(self, commands, shell, expected):
        """`expected`: [(text, status)], of this shell and in this order; returns them as read."""
        def mine():
            return [command for command in commands() if command["pid"] == shell.pid]
        with contextlib.suppress(AssertionError):
            lab.wait_until(lambda: len(mine()) >= len(expected), SECONDS, "")
        self.assertEqual([(command["text"], command["status"]) for command in mine()], expected)
        return mine()

    def start_text(self, name, *arguments):
        """`ecapture bash` to a file of this name."""
        with open(self.path(name), "wb") as out, open(self.path(f"{name}.log"), "wb") as log:
            return self.ns.start(lab.BINARY, "bash", *arguments, stdout=out, stderr=log)

    def events(self):
        return [json.loads(line) for line in self.read("out.json").split("\n")[:-1]]

    def commands_of(self, pid):
        return [(event["command"], event.get("status")) for event in self.events() if event["pid"] == pid]

    def check_lines(self, name, argv):
        """`ecapture bash --readlineso NAME` shows each line that the program reads, without a status."""
        capture = self.start_text("out.json", "--json", "--readlineso", name)
        shell = Shell(self, *argv)

        def captured():
            self.assertIsNone(capture.poll(), self.read("out.json.log"))
            shell.type(": is anybody there")
            return self.commands_of(shell.pid)
        lab.wait_until(captured, lab.READY_SECONDS, "the first line")
        for line in ("echo one", "echo two"):
            shell.type(line)
        lab.wait_until(lambda: self.commands_of(shell.pid)[-1] == ("echo two", None), SECONDS, "the last line")
        self.assertEqual(lab.stop(capture)[0], 0)
        self.assertEqual(self.commands_of(shell.pid)[-2:], [("echo one", None), ("echo two", None)])

    def check_commands(self, module, argv, commands):
        """What both shells do alike."""
        with open(self.root + self.path("sourced"), "w", encoding="utf-8") as file:
            file.write("echo from the file\ntrue\nfalse\n")
        shell = Shell(self, *argv)
        other = Shell(self, *argv, cwd="/")
        typed = [("echo one", "0"), ("false", "1"), ("true | false", "1"), ("no-such-command-here", "127"),
                 ("(exit 7)", "7"), ("cd /usr", "0"), ("! false", "0"), ("echo 'Grüße, €'", "0"),
                 ("echo " + "x" * 3000, "0"), ("sleep 0.2", "0")]
        for number, (text, _) in enumerate(typed):
            shell.type(text)
            other.type(f": other {number}")
        shell.type_lines("for i in 1 2", "do echo $i", "done")
        shell.type_lines("cat <<X", "", "line", "X")
        shell.type_lines("echo 'a", "b'")
        shell.type(f". {self.path('sourced')}")
        shell.write(b"never run\x03")
        shell.wait_for(PROMPT)
        shell.type("")
        shell.type("sh -c 'exit 9'")
        shell.type("exit 3", None)
        typed += [("for i in 1 2\ndo echo $i\ndone", "0"), ("cat <<X\n\nline\nX", "0"), ("echo 'a\nb'", "0"),
                  (f". {self.path('sourced')}", "1"), ("sh -c 'exit 9'", "9"), ("exit 3", "3")]
        rows = self.wait_for(commands, shell, typed)
        self.assertEqual(shell.process.wait(SECONDS), 3)
        cwds = [self.tmp] * 6 + ["/usr"] * (len(typed) - 6)
        self.assertEqual([row["cwd"] for row in rows], cwds)
        self.assertEqual({row["tty"] for row in rows}, {shell.tty})
        self.assertEqual({(row["uid"], row["module"]) for row in rows}, {("0", module)})
        self.assertEqual({row["comm"] for row in rows}, {os.path.basename(argv[0])[:15]})
        slept = [row["usec"] for row in rows if row["text"] == "sleep 0.2"]
        self.assertGreaterEqual(slept[0], 200000)
        other.type("exec sleep 0", None)
        others = [(f": other {number}", "0") for number in range(10)] + [("exec sleep 0", None)]
        self.assertEqual({row["cwd"] for row in self.wait_for(commands, other, others)}, {"/"})

    def check_bash(self, argv, commands):
        self.check_commands("bash", argv, commands)
        shell = Shell(self, *argv)
        shell.type("echo two words")
        shell.type("!echo")
        shell.type("fi")
        shell.type("while true", MORE)
        shell.write(b"\x03")
        shell.wait_for(PROMPT)
        shell.type("read -e answer", None)
        shell.wait_for(b"read -e answer")
        shell.type("the answer")
        shell.write(b"\x1b[200~true\nfalse\x1b[201~")
        shell.type("")
        self.wait_for(commands, shell, [("echo two words", "0"), ("!echo", "0"), ("fi", "2"), ("while true", "130"),
                                        ("read -e answer", "0"), ("true\nfalse", "1")])

    def check_zsh(self, argv, commands):
        self.check_commands("zsh", argv, commands)
        shell = Shell(self, *argv)
        shell.type("echo two words")
        shell.type("echo !!:1")
        shell.type("fi")
        shell.type("select x in a b; do break; done", None)
        shell.wait_for(b"?# ")
        shell.type("2")
        shell.write(b"\x1b[200~true\nfalse\x1b[201~")
        shell.type("")
        self.wait_for(commands, shell, [("echo two words", "0"), ("echo !!:1", "0"), ("fi", "1"),
                                        ("select x in a b; do break; done", "0"), ("true\nfalse", "1")])

    def check_module(self, module, argv):
        before = Shell(self, *argv)
        tshark = self.start_capture(module, argv)
        before.type("false")
        self.wait_for(lambda: self.commands(tshark), before, [("false", "1")])
        {"bash": self.check_bash, "zsh": self.check_zsh}[module](argv, lambda: self.commands(tshark))
        self.assertEqual(tshark.stop()[0], 0, tshark.messages())


class Shells(Terminals):
    @lab.mark("asan")
    def test_bash(self):
        self.check_module("bash", find("bash"))

    @lab.mark("asan")
    def test_zsh(self):
        self.check_module("zsh", find("zsh"))

    def read_file(self, path):
        rows = self.decrypt(path, "systemd_journal", *FIELDS)
        return [self.decode(dict(zip(FIELDS, row))) for row in rows]

    def start_command_line(self, *arguments):
        path = self.path("shells.pcapng")
        with open(self.path("ecapture.log"), "w", encoding="utf-8") as log:
            process = self.ns.start(lab.BINARY, *arguments, "-w", path, "--log-level", "info", stderr=log)
        return process, path

    def test_filters(self):
        """-e shows one exit status, -p one shell, and a command that has not ended comes at the capture's end."""
        shell, other = Shell(self, *find("bash")), Shell(self, *find("bash"))
        process, path = self.start_command_line("bash", "-p", f"{shell.pid}", "-e", "1")
        self.addCleanup(lambda: self.keep("shells.log", self.path("ecapture.log")))

        def captured():
            self.assertIsNone(process.poll(), self.read("ecapture.log"))
            other.type("false")
            shell.type("false")
            return os.path.exists(path) and lab.file_holds(path, b"MESSAGE=false")
        lab.wait_until(captured, lab.READY_SECONDS, "the first command")
        shell.type("true")
        shell.type("(exit 2)")
        shell.type("[ 1 = 2 ]")
        lab.wait_until(lambda: lab.file_holds(path, b"MESSAGE=[ 1"), SECONDS, "the last command")
        shell.type("sleep 60", None)
        shell.wait_for(b"sleep 60")
        self.assertEqual(lab.stop(process)[0], 0, self.read("ecapture.log"))
        commands = self.read_file(path)
        self.assertEqual({command["pid"] for command in commands}, {shell.pid})
        self.assertEqual({command["text"] for command in commands}, {"false", "[ 1 = 2 ]"})

    def test_end(self):
        """What still runs when the capture ends stands there without a status; `all` takes both shells."""
        shell, other = Shell(self, *find("bash")), Shell(self, *find("zsh"))
        process, path = self.start_command_line("all")

        def captured():
            self.assertIsNone(process.poll(), self.read("ecapture.log"))
            shell.type(": bash")
            other.type(": zsh")
            return os.path.exists(path) and lab.file_holds(path, b"MESSAGE=: bash") and \
                lab.file_holds(path, b"MESSAGE=: zsh")
        lab.wait_until(captured, lab.READY_SECONDS, "the first commands")
        shell.type("sleep 60", None)
        other.type("sleep 61", None)
        # The child runs: the shell has handed its line over.
        for one in (shell, other):
            lab.wait_until(lambda pid=one.pid: os.path.exists(f"/proc/{pid}/task/{pid}/children") and
                           open(f"/proc/{pid}/task/{pid}/children", encoding="ascii").read().split(), SECONDS, "sleep")
        time.sleep(0.2)
        self.assertEqual(lab.stop(process)[0], 0, self.read("ecapture.log"))
        commands = {command["pid"]: command for command in self.read_file(path)}  # the last of each
        self.assertEqual((commands[shell.pid]["text"], commands[shell.pid]["status"]), ("sleep 60", None))
        self.assertEqual((commands[other.pid]["text"], commands[other.pid]["status"]), ("sleep 61", None))

    def pid_in(self, shell):
        """Of the shell that `shell` has started, which writes its prompt there."""
        with open(f"/proc/{shell.pid}/task/{shell.pid}/children", encoding="ascii") as file:
            return int(file.read())

    def test_shells_in_shells(self):
        """Each one's commands are its own, also those of another user; what isn't typed is nobody's; a job's status is that
        of the command which waits for it."""
        lab.need("su")
        capture = self.start_text("out.json", "--json")
        shell = Shell(self, *find("bash"))
        self.wait_until_captured(find("bash"), self.events)
        with open(self.path("script"), "w", encoding="utf-8") as file:
            file.write("#!/bin/bash\necho from a script\nexit 6\n")
        os.chmod(self.path("script"), 0o755)
        typed = ["(sleep 0.1; exit 3) &", "wait $!", "bash -c 'echo not typed; exit 4'", self.path("script"),
                 "echo 'echo from standard input' | bash", "bash --norc --noprofile"]
        for line in typed:
            shell.type(line)
        inner = self.pid_in(shell)
        shell.type("cd /")
        shell.type("su -s /bin/bash nobody -- --norc --noprofile")
        shell.type("exec bash --norc --noprofile")
        shell.type("id -u")
        shell.type("exit 5")
        shell.type("exit 7")
        lab.wait_until(lambda: self.commands_of(shell.pid)[len(typed) - 1:], SECONDS, "the last command")
        self.assertEqual(lab.stop(capture)[0], 0)
        self.assertEqual(self.commands_of(shell.pid), list(zip(typed, (0, 3, 4, 6, 0, 7))))
        self.assertEqual(self.commands_of(inner), [("cd /", 0), ("su -s /bin/bash nobody -- --norc --noprofile", 5),
                                                   ("exit 7", 7)])
        others = [event for event in self.events() if event["user"] == "nobody" and event["tty"] == shell.tty]
        self.assertEqual([(event["command"], event.get("status"), event["cwd"]) for event in others],
                         [("exec bash --norc --noprofile", None, "/"), ("id -u", 0, "/"), ("exit 5", 5, "/")])
        self.assertEqual(len({event["pid"] for event in others}), 1)
        self.assertNotIn("from a script", self.read("out.json"))
        self.assertNotIn("\"echo not typed", self.read("out.json"))

    def test_hostile_names_and_lines(self):
        """A shell, a directory and lines that would change a terminal's state, in text, JSON, and the list: nothing of it
        comes through, and what was typed can be told."""
        name = "b\033]0;x\007\u202e\u009b1m"
        shutil.copy("/bin/bash", self.path(name))
        os.mkdir(self.path("d" + name[1:]))
        captures = [self.start_text("out.json", "--json"), self.start_text("out.txt"),
                    self.start_text("hex.txt", "--hex", "--color", "always", "-t", "40")]
        shell = Shell(self, self.path(name), "--norc", "--noprofile", "-i")

        def captured():
            shell.type(": is anybody there")
            return ": is anybody there" in self.read("out.json") and ": is anybody there" in self.read("out.txt") and \
                "00000000  3a 20 69 73 20 61 " in self.read("hex.txt")
        lab.wait_until(captured, lab.READY_SECONDS, "the first command")
        shell.type("cd d*")
        shell.type("echo '\x16\x1b]0;title\x16\x07 \u202e \u009b1m'")
        shell.write(b"\x1b[200~: " + b"x" * 70000 + b"\x1b[201~")
        shell.type("")
        shell.write(b"echo '\xff'")
        shell.type("")
        lab.wait_until(lambda: "command_base64" in self.read("out.json") and "\\xff" in self.read("out.txt"), SECONDS, "the last line")
        listed = [self.ns.run(lab.BINARY, "list", *arguments).stdout for arguments in ((), ("--json",))]
        for capture in captures:
            self.assertEqual(lab.stop(capture)[0], 0)
        for text in (*listed, self.read("out.json"), self.read("out.txt")):
            self.assertNotRegex(text, r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
        self.assertIn(f"{shell.pid}  b?]0;x???1m", listed[0])
        self.assertIn(name, [process["name"] for process in json.loads(listed[1])["processes"]])
        events = [event for event in self.events() if event["pid"] == shell.pid][-3:]
        self.assertEqual([(event["comm"], event["cwd"]) for event in events], [(name, self.path("d" + name[1:]))] * 3)
        self.assertEqual(events[0]["command"], "echo '\033]0;title\007 \u202e \u009b1m'")
        self.assertEqual((len(events[1]["command"]), events[1]["command_truncated"]), (65535, True))
        self.assertEqual(base64.b64decode(events[2]["command_base64"]), b"echo '\xff'")
        self.assertIn("echo '\\x1b]0;title\\x07 \\u{202e} \\u{9b}1m'\n", self.read("out.txt"))
        self.assertIn("--- incomplete: the command was longer\n", self.read("out.txt"))
        self.assertRegex(self.read("hex.txt"), r"(?m)^\033\[1;35m=== .* status=0\033\[0m\n00000000  65 63 68 6f 20 27 1b 5d ")
        self.assertIn("\033[33m--- cut: 40 of 65535 bytes shown\033[0m\n", self.read("hex.txt"))

    def test_readline_of_other_programs(self):
        """By option: each line that a program gets from libreadline, by its name or by its address."""
        library = ctypes.util.find_library("readline")
        if not library:
            raise unittest.SkipTest("libreadline is not installed")
        lab.need("nm")
        ctypes.CDLL(library)
        path = [line.split()[-1] for line in lab.maps_of("self").splitlines() if "/libreadline.so" in line][0]
        program = ("import ctypes; readline = ctypes.CDLL(%r).readline; readline.restype = ctypes.c_char_p\n"
                   "while readline(b'\\x0eready\\x0f'): pass" % library)
        for name in (path, f"{path}@0x{find_address(path, 'readline', '-D')}"):
            self.check_lines(name, [lab.PYTHON, "-c", program])

    def test_list(self):
        shell = Shell(self, *find("bash"))
        run = self.ns.run(lab.BINARY, "list", "--json")
        process = [entry for entry in json.loads(run.stdout)["processes"] if entry["pid"] == shell.pid][0]
        library = process["libraries"][0]
        self.assertEqual((library["hookable"], library["kind"], library["method"]), (True, "bash", "symbol"))
        self.assertRegex(library["version"], r"^5\.\d")

    def test_paths_that_are_no_shells(self):
        for module, option, text in (("bash", "--bash", "is no bash"), ("zsh", "--zsh", "has no symbol zleentry"),
                                     ("bash", "--readlineso", "is no bash")):
            run = self.ns.run(lab.BINARY, module, option, "/bin/true", "-w", self.path("x.pcapng"), check=False)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn("/bin/true can't be hooked: it ", run.stderr)
            self.assertIn(text, run.stderr)


class Versions(Terminals):
    def check_in_root(self, suite, module):
        self.root = debian.make_root(suite, module)
        os.makedirs(self.root + self.tmp)
        self.defer(shutil.rmtree, self.root + self.tmp, True)
        self.check_module(module, COMMANDS[module])

    def check_built(self, suite):
        """Debian's source as upstream's makefile builds it, its own readline inside, the C library's malloc."""
        bash, = debian.built_from(debian.get_source(suite, "bash"), f"bash-{suite}",
                                       "$1/configure --without-bash-malloc --disable-nls && make -j2 bash", "bash")
        self.check_module("bash", [bash, *COMMANDS["bash"][1:]])


    def test_bash_static_stripped(self):
        """Nothing tells where its line editor is, but the address that its user knows."""
        lab.need("nm")
        bash, named = debian.built_from(debian.get_source("trixie", "bash"), "bash-static-trixie",
                                        "$1/configure --without-bash-malloc --disable-nls --enable-static-link && "
                                        "make -j2 bash && cp bash named && strip --strip-all bash", "bash", "named")
        run = self.ns.run(lab.BINARY, "bash", "--bash", bash, check=False)
        self.assertRegex(run.stderr, "/bash can't be hooked: it has no symbol read_command: .*--readlineso PATH@ADDRESS")
        self.check_lines(f"{bash}@0x{find_address(named, 'readline')}", [bash, *COMMANDS["bash"][1:]])


for one in ("bullseye", "trixie", "forky"):
    for shell_name in COMMANDS:
        setattr(Versions, f"test_{shell_name}_{one}",
                lambda self, suite=one, module=shell_name: self.check_in_root(suite, module))
    setattr(Versions, f"test_bash_built_{one}", lambda self, suite=one: self.check_built(suite))
