# SPDX-License-Identifier: GPL-2.0-or-later
"""What the end-to-end tests share: network namespaces, servers, clients, and captures by tshark and by the
command line. Everything a test starts, it ends: Lab keeps a list."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

BINARY = os.path.abspath(os.environ.get("ECAPTURE", "build/extcap/ecapture"))
OUTPUT = os.path.abspath(os.environ.get("ECAPTURE_TEST_OUTPUT", "build/test-output"))
PYTHON = "/usr/bin/python3"  # one that uses the system's libssl
PROBE_PORT = 9  # discard: nobody listens; datagrams to it tell whether a capture runs
READY_SECONDS = 30
# What takes milliseconds takes long on a machine that does much else. Who waits this long in vain has found a fault.
PATIENCE = 60


def wait_until(condition, seconds, what):
    """Polls; returns the condition's value, or fails naming `what`. At least PATIENCE is waited."""
    seconds = max(seconds, PATIENCE)
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def need(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise unittest.SkipTest(f"{', '.join(missing)} is not installed")


def npm_file(package, name):
    """A file of an npm package, which is fetched once; skips without npm or registry."""
    need("npm", "tar")
    directory = os.path.join(os.path.dirname(OUTPUT), "npm", package.replace("/", "_"))
    path = os.path.join(directory, "package", name)
    if not os.path.exists(path):
        os.makedirs(directory, exist_ok=True)
        try:
            run = subprocess.run(["npm", "pack", "--silent", package], cwd=directory, capture_output=True, text=True,
                                 timeout=180, check=False)
        except subprocess.TimeoutExpired:
            raise unittest.SkipTest(f"npm does not answer: {package} can't be had") from None
        archive = os.path.join(directory, (run.stdout.split() or ["-"])[-1])
        if run.returncode or not os.path.exists(archive):
            raise unittest.SkipTest(f"{package} can't be had by npm: {run.stderr.strip()[:200]}")
        subprocess.run(["tar", "xzf", archive, "-C", directory, f"package/{name}"], check=True)
        os.unlink(archive)
    return path


def mark(name):
    """Decorator: tests/e2e/run --only-marked NAME runs this test too."""
    def set_mark(method):
        method.marks = (*getattr(method, "marks", ()), name)
        return method
    return set_mark


class Namespace:
    """A network namespace that goes when its holder goes; lo is up."""

    def __init__(self, lab):
        self.lab = lab
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "1800"])
        lab.defer(self.close)
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, 5, "a network namespace")
        self.run("ip", "link", "set", "lo", "up")

    def close(self):
        self.holder.kill()
        self.holder.wait()

    def command(self, argv):
        """nsenter becomes the program: its pid is the program's."""
        return ["nsenter", "-t", str(self.holder.pid), "-n", "--", *argv]

    def run(self, *argv, check=True, timeout=2 * PATIENCE, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(self.command(argv), check=check, capture_output=True, text=True, timeout=timeout,
                              errors="replace", **kwargs)

    def start(self, *argv, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(self.command(argv), **kwargs)
        self.lab.defer(stop, process)
        return process

    def connect(self, other, name="veth0", net="10.77.0", net6="fd77:0:0:1"):
        """A veth pair: .1 here, .2 there."""
        self.run("ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", str(other.holder.pid))
        for end, number in ((self, 1), (other, 2)):
            end.run("ip", "address", "add", f"{net}.{number}/24", "dev", name)
            end.run("ip", "-6", "address", "add", f"{net6}::{number}/64", "dev", name, "nodad")
            end.run("ip", "link", "set", name, "up")

    def probe(self, address="127.0.0.1"):
        self.run(PYTHON, "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
                 f"s.sendto(b'ecapture-probe', ('{address}', {PROBE_PORT}))", check=False)

    def answers(self, port, address="127.0.0.1"):
        return self.run("bash", "-c", f": </dev/tcp/{address}/{port}", check=False).returncode == 0


def stop(process, number=signal.SIGTERM):
    """Returns the exit status and how long it took; a process that stays is killed."""
    began = time.monotonic()
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        print(f"# process {process.pid} does not end: {describe_threads(process.pid)}", flush=True)
        process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream and not stream.closed and not getattr(process, "reader", None):
            stream.close()
    return process.returncode, time.monotonic() - began


def describe_threads(pid):
    """What each thread of a process does: its name, state, and functions in the kernel."""
    found = []
    with contextlib.suppress(OSError):
        for tid in os.listdir(f"/proc/{pid}/task"):
            texts = []
            for name in ("stat", "stack"):
                with open(f"/proc/{pid}/task/{tid}/{name}", encoding="utf-8", errors="replace") as file:
                    texts.append(file.read())
            state = texts[0].rpartition(")")[2].split()[0]
            found.append(f"{texts[0].split()[1]} {state} " + " ".join(re.findall(r"] (\w+)", texts[1])))
    return "; ".join(found)


class Lab(unittest.TestCase):
    """Base of the tests: self.tmp, and self.ns, a network namespace of its own."""

    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="ecapture-e2e-")
        os.chmod(self.tmp, 0o755)
        self.addCleanup(shutil.rmtree, self.tmp, True)
        self.addCleanup(self.kill_leftovers)
        self.ns = Namespace(self)

    def kill_leftovers(self):
        """dumpcap, and what it reads from, outlive a Wireshark that a failing test has killed. Their arguments name
        this test's directory."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if self.tmp.encode() in file.read():
                        os.kill(int(pid), signal.SIGKILL)

    def defer(self, function, *arguments):
        self.addCleanup(function, *arguments)

    def path(self, name):
        return os.path.join(self.tmp, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def keep(self, name, source):
        """Leaves a file of this test for people to look at."""
        os.makedirs(OUTPUT, exist_ok=True)
        with contextlib.suppress(OSError):
            shutil.copy(source, os.path.join(OUTPUT, name))

    def program(self, name, package):
        """A program out of an npm package, as a copy that no other process runs: found anew, by what it holds."""
        copy = self.path(name)
        if not os.path.exists(copy):
            shutil.copy(npm_file(package, f"bin/{name}"), copy)
        return copy

    # --- servers ---------------------------------------------------------------------------------

    def certificate(self):
        if not os.path.exists(self.path("cert.pem")):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                            "/CN=e2e.example", "-addext",
                            "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1,IP:10.77.0.1,IP:10.77.0.2",
                            "-keyout", self.path("key.pem"), "-out", self.path("cert.pem")],
                           check=True, capture_output=True)
        return self.path("cert.pem"), self.path("key.pem")

    def start_nginx(self, ns=None, workers=1, extra="", body="decrypted", prefix=(), user="root"):
        """TLS on 443, both address families; plain HTTP on 80; `prefix` enters a Debian root; `user`: the workers'. Returns the
        master's Popen."""
        if not prefix:
            need("nginx")
        ns = ns or self.ns
        certificate, key = self.certificate()
        directory = tempfile.mkdtemp(dir=self.tmp)
        os.chmod(directory, 0o755)
        config = os.path.join(directory, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"""
daemon off; worker_processes {workers}; user {user}; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
    uwsgi_temp_path {directory}; scgi_temp_path {directory}; keepalive_requests 1000000; default_type text/plain;
    server {{
        listen 443 ssl; listen [::]:443 ssl; listen 80;
        ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
        {extra}
        location / {{ return 200 "{body}\\n"; }}
        location /file/ {{ alias {self.tmp}/; }}
    }}
}}
""")
        server = ns.start(*prefix, "nginx", "-c", config, "-p", directory, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
        wait_until(lambda: ns.answers(443), 10, "nginx on port 443")
        return server

    def start_s_server(self, *arguments, ns=None, port=443):
        """With -HTTP it sends the files of self.tmp as they are: see answer_with(). Its standard input stays open."""
        ns = ns or self.ns
        certificate, key = self.certificate()
        server = ns.start("openssl", "s_server", "-accept", str(port), "-cert", certificate, "-key", key, "-quiet",
                          *arguments, cwd=self.tmp, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
        self.defer(server.stdin.close)
        wait_until(lambda: ns.answers(port), 10, f"openssl s_server on port {port}")
        return server

    def answer_with(self, name, body="decrypted"):
        """A whole response as a file; the length lets Wireshark show it before the connection ends."""
        with open(self.path(name), "w", encoding="utf-8", newline="") as file:
            file.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}")

    # --- clients ---------------------------------------------------------------------------------

    def curl(self, url, *arguments, ns=None):
        """Returns (pid, exit status)."""
        process = subprocess.Popen((ns or self.ns).command(["curl", "-sk", "--max-time", str(PATIENCE), "-o", "/dev/null",
                                                            *arguments, url]), stdin=subprocess.DEVNULL)
        return process.pid, process.wait()

    def curl_many(self, count, url, at_once=8, ns=None):
        """Half TLS 1.3, half TLS 1.2; {n} in the URL is the number. Returns {number: pid}."""
        pids, lock, numbers = {}, threading.Lock(), iter(range(count))

        def work():
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                version = ["--tlsv1.3"] if number % 2 else ["--tls-max", "1.2"]
                pid, status = self.curl(url.format(n=number), *version, ns=ns)
                with lock:
                    pids[number] = pid if status == 0 else None

        threads = [threading.Thread(target=work) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        failed = [number for number, pid in pids.items() if pid is None]
        self.assertEqual(failed, [], "requests that curl could not make")
        return pids

    # --- captures --------------------------------------------------------------------------------

    def wireshark_environment(self):
        """A home whose personal extcap directories (4.0; 4.2 and later) hold the program under test only."""
        home = self.path("home")
        for directory in (".config/wireshark/extcap", ".local/lib/wireshark/extcap"):
            os.makedirs(os.path.join(home, directory), exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.symlink(BINARY, os.path.join(home, directory, "ecapture"))
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "WIRESHARK"))}
        os.makedirs(self.path("tmp"), exist_ok=True)
        return dict(environment, HOME=home, TMPDIR=self.path("tmp"))

    def start_tshark(self, *arguments, ns=None, fields=(), display=None, interface="ecapture-tls", probe="127.0.0.1"):
        """A live capture by tshark; returns when packets come through."""
        return Tshark(self, ns or self.ns, interface, arguments, fields, display, probe)

    def start_ecapture(self, *arguments, ns=None, probe="127.0.0.1", ready=None, module="tls", **kwargs):
        """`ecapture MODULE ARGUMENTS`; returns when packets reach the file `ready` (default: after -w)."""
        ns = ns or self.ns
        with open(self.path("ecapture.log"), "w", encoding="utf-8") as log:
            kwargs.setdefault("stderr", log)
            kwargs.setdefault("env", dict(os.environ, XDG_CACHE_HOME=self.path("cache")))
            process = ns.start(BINARY, module, *arguments, **kwargs)
        ready = ready or arguments[arguments.index("-w") + 1]

        def captured():
            if process.poll() is not None:
                raise AssertionError(f"ecapture ended with status {process.returncode}: {self.read('ecapture.log')}")
            ns.probe(probe)
            return os.path.exists(ready) and file_holds(ready, b"ecapture-probe")

        wait_until(captured, READY_SECONDS, "the first packet of ecapture")
        return process

    def wait_for_traffic(self, path):
        """Until all that was sent before stands in the file, as a datagram sent behind it does."""
        self.ns.run(PYTHON, "-c", "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
                    f".sendto(b'ecapture-last', ('127.0.0.1', {PROBE_PORT}))")
        wait_until(lambda: file_holds(path, b"ecapture-last"), READY_SECONDS, "the last packet")

    def wait_until_hooked(self, path, *logs):
        """A program that nobody has seen before is hooked some milliseconds after its start, as each capture's log tells.
        Its path is there as seen from outside a root."""
        hooked = re.compile(rf"hooked \S*{re.escape(path)}: ")
        wait_until(lambda: all(hooked.search(self.read(log)) for log in logs), READY_SECONDS, hooked.pattern)

    def decrypt(self, path, display, *fields):
        """One pass of tshark over a file: rows of fields."""
        arguments = ["tshark", "-n", "-r", path, "-Y", display, "-T", "fields", "-E", "separator=/t"]
        for field in fields:
            arguments += ["-e", field]
        run = subprocess.run(arguments, capture_output=True, text=True, check=False, env=self.wireshark_environment())
        self.assertEqual(run.returncode, 0, run.stderr)
        return [line.split("\t") for line in run.stdout.splitlines()]

    def assert_whole(self, path):
        """The file is in time order, and holds no packet and no secret twice."""
        import pcapng
        file = pcapng.File(path)
        times = [packet.time for packet in file.packets]
        self.assertEqual(times, sorted(times), "time order")
        run = subprocess.run(["reordercap", "-n", path, self.path("reordered")], capture_output=True, text=True,
                             check=False)
        self.assertRegex(run.stdout + run.stderr, r"\b0 out of order", "reordercap")
        seen = {}
        for packet in file.packets:
            key = (packet.interface, packet.data, packet.time)
            self.assertNotIn(key, seen, "a packet stands twice in the file")
            seen[key] = True
        self.assertEqual(len(file.secrets), len(set(file.secrets)), "a secret stands twice in the file")
        return file


def file_holds(path, needle):
    with open(path, "rb") as file:
        return needle in file.read()


class Tshark:
    """A running tshark -i ecapture-…, or -r - if `interface` is None; `rows`: (arrival time, [fields]) of each line."""

    def __init__(self, lab, ns, interface, arguments, fields, display, probe, stdin=subprocess.DEVNULL):
        self.lab, self.rows, self.fields = lab, [], ("udp.dstport", *fields)
        command = ["tshark", "-l", "-n", *(["-i", interface] if interface else ["-r", "-"]), *arguments]
        live = "-w" not in arguments
        if live:
            command += ["-Y", f"({display}) || udp.port == {PROBE_PORT}", "-T", "fields", "-E", "separator=/t"]
            for field in self.fields:
                command += ["-e", field]
        self.stderr = lab.path("tshark.log")
        with open(self.stderr, "w", encoding="utf-8") as log:
            self.process = ns.start(*command, stdin=stdin, stdout=subprocess.PIPE, stderr=log, text=True,
                                    errors="replace", env=lab.wireshark_environment())
        self.process.reader = threading.Thread(target=self.read_rows, daemon=True)
        self.process.reader.start()
        if live and probe:
            self.wait_for_probe(ns, probe)

    def read_rows(self):
        for line in self.process.stdout:
            self.rows.append((time.time(), line.rstrip("\n").split("\t")))

    def wait_for_probe(self, ns, probe):
        def seen():
            if self.process.poll() is not None:
                raise AssertionError(f"tshark ended: {self.messages()}")
            ns.probe(probe)
            return any(row[0] == str(PROBE_PORT) for _, row in self.rows)

        wait_until(seen, READY_SECONDS, f"the first packet of tshark: {self.messages()}")

    def messages(self):
        with open(self.stderr, encoding="utf-8", errors="replace") as file:
            return file.read()

    def table(self):
        """Rows that are no probe, each a dict of the asked fields, with `arrival`."""
        names = self.fields[1:]
        return [dict(zip(names, row[1:]), arrival=arrival) for arrival, row in list(self.rows)
                if row[0] != str(PROBE_PORT)]

    def capture_file(self):
        """The temporary file that dumpcap writes to."""
        directory = self.lab.path("tmp")
        files = [os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(".pcapng")]
        return files[0]

    def stop(self, number=signal.SIGINT):
        result = stop(self.process, number)
        self.process.reader.join(PATIENCE)
        self.process.stdout.close()
        return result


def libssl():
    """The system's, as Python maps it."""
    run = subprocess.run([PYTHON, "-c", "import ssl; print(open('/proc/self/maps').read())"], capture_output=True, text=True,
                         check=True)
    return next(line.split()[-1] for line in run.stdout.splitlines() if "/libssl.so" in line)


def make_another_build(path, copy, name):
    """A copy of an ELF file whose build ID begins with other bytes: nothing that is known of the file is known of it."""
    with open(path, "rb") as file:
        contents = bytearray(file.read())
    note = contents.find(b"\3\0\0\0GNU\0")
    if note < 0:
        raise unittest.SkipTest(f"{path} has no build ID")
    contents[note + 8:note + 12] = name.ljust(4)[:4]
    with open(copy, "wb") as file:
        file.write(contents)


def bpf_objects():
    """(kind, id) of all BPF programs, links and maps of this kernel."""
    found = set()
    for kind in ("prog", "link", "map"):
        run = subprocess.run(["bpftool", "-j", kind, "list"], capture_output=True, text=True, check=True)
        found |= {(kind, entry["id"]) for entry in json.loads(run.stdout or "[]")}
    return found


def bpf_objects_of(pid):
    """(kind, id) of those that a process holds by descriptors."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/fdinfo/{name}", encoding="utf-8") as file:
            found |= {(kind, int(number)) for kind, number in re.findall(r"(?m)^(prog|link|map)_id:\s*(\d+)$", file.read())}
    return found


def maps_of(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        return file.read()
