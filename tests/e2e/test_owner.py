# SPDX-License-Identifier: GPL-2.0-or-later
"""Which process is behind a packet: every packet of each kind of flow names the processes at its ends."""
import os
import subprocess
import time

import lab
import pcapng

SYN, ACK = 0x02, 0x10

# Programs of the flows below; each prints "pid PORT" where the test has to know.
ECHO = """
import os, socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
kind = getattr(socket, sys.argv[3])
server = socket.socket(family, kind)
server.bind((sys.argv[1], int(sys.argv[2])))
if kind == socket.SOCK_DGRAM:
    while True:
        data, peer = server.recvfrom(65536); server.sendto(data, peer)
server.listen()
while True:
    connection, _ = server.accept()
    while connection.recv(65536): connection.sendall(b'echo')
    connection.close()
"""
CLIENT = """
import socket, sys, time
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
kind = getattr(socket, sys.argv[3])
client = socket.socket(family, kind)
client.connect((sys.argv[1], int(sys.argv[2])))
for _ in range(int(sys.argv[4])):
    if len(sys.argv) > 5: sys.stdin.readline()
    client.send(b'question'); client.recv(100)
client.close()
time.sleep(0.3)
"""


class Owner(lab.Lab):
    def start_program(self, program, *arguments, ns=None, **kwargs):
        return (ns or self.ns).start(lab.PYTHON, "-c", program, *arguments, **kwargs)

    def start_echo(self, address, port, kind="SOCK_STREAM", ns=None):
        server = self.start_program(ECHO, address, str(port), kind, ns=ns)
        self.wait_for_socket("listening" if kind == "SOCK_STREAM" else "unconnected", "sport", port, ns)
        return server

    def wait_for_socket(self, state, end, port, ns=None):
        """Until a socket of this namespace is in this state, as ss calls it; `end`: whose port, "sport" or "dport"."""
        command = ("ss", "-Hatun", "state", state, f"{end} = :{port}")
        lab.wait_until(lambda: (ns or self.ns).run(*command).stdout, 10, f"a socket {state} on port {port}")

    def packets(self, path, port):
        """(packet, header) of the flows that have this port, whoever probed it before apart."""
        file = pcapng.File(path)
        for packet in file.packets:
            header = pcapng.ip_header(packet, file.linktypes[packet.interface])
            if header and port in header[1:3]:
                yield packet, header

    def finish(self, ecapture):
        time.sleep(1)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))

    def check_loopback(self, path, port, client, server):
        """Both ends stand at every packet, the sender as src."""
        packets = list(self.packets(path, port))
        self.assertGreater(len(packets), 3)
        wrong = []
        for packet, header in packets:
            expected = {"src": server, "dst": client} if header[1] == port else {"src": client, "dst": server}
            found = {owner.end: owner.pid for owner in pcapng.owners(packet)}
            if found != expected:
                wrong.append((f"{header[1]}>{header[2]} flags {header[3]:#x} len {packet.len}", packet.comments))
        self.assertEqual(wrong, [], f"of {len(packets)} packets; client {client}, server {server}")
        return packets

    def test_tcp_on_lo(self):
        """SYN, SYN-ACK, ACK, data and FIN, IPv4 and IPv6."""
        for address, port in (("127.0.0.1", 5001), ("::1", 5002)):
            server = self.start_echo(address, port)
            path = self.path(f"{port}.pcapng")
            ecapture = self.start_ecapture("-w", path)
            client = self.start_program(CLIENT, address, str(port), "SOCK_STREAM", "3")
            client.wait(lab.PATIENCE)
            self.finish(ecapture)
            packets = self.check_loopback(path, port, client.pid, server.pid)
            flags = [header[3] & (SYN | ACK) for _, header in packets]
            self.assertEqual((flags.count(SYN), flags.count(SYN | ACK)), (1, 1), "SYN and SYN-ACK once each")

    def test_udp_on_lo(self):
        for address, port in (("127.0.0.1", 5003), ("::1", 5004)):
            server = self.start_echo(address, port, "SOCK_DGRAM")
            path = self.path(f"{port}.pcapng")
            ecapture = self.start_ecapture("-w", path)
            client = self.start_program(CLIENT, address, str(port), "SOCK_DGRAM", "3")
            client.wait(lab.PATIENCE)
            self.finish(ecapture)
            packets = self.check_loopback(path, port, client.pid, server.pid)
            self.assertEqual(len(packets), 6)

    def test_sockets_older_than_the_capture(self):
        server = self.start_echo("127.0.0.1", 5005)
        client = self.start_program(CLIENT, "127.0.0.1", "5005", "SOCK_STREAM", "3", "wait", stdin=subprocess.PIPE)
        self.wait_for_socket("established", "dport", 5005)
        path = self.path("old.pcapng")
        ecapture = self.start_ecapture("-w", path)
        client.stdin.write(b"go\n" * 3)
        client.stdin.close()
        client.wait(lab.PATIENCE)
        self.finish(ecapture)
        self.check_loopback(path, 5005, client.pid, server.pid)

    def check_veth(self, path, port, pid, least=4):
        packets = list(self.packets(path, port))
        self.assertGreaterEqual(len(packets), least)
        wrong = [(f"{header[1]}>{header[2]} flags {header[3]:#x}", packet.comments) for packet, header in packets
                 if [owner.pid for owner in pcapng.owners(packet)] != [pid]]
        self.assertEqual(wrong, [], f"of {len(packets)} packets of pid {pid}")

    def test_veth_both_sides(self):
        """Away from lo one owner is named, the local one: the client's in one namespace, the server's in the other."""
        other = lab.Namespace(self)
        self.ns.connect(other)
        server = self.start_echo("10.77.0.2", 5006, ns=other)
        paths = self.path("near.pcapng"), self.path("far.pcapng")
        near = self.start_ecapture("-w", paths[0], "-i", "veth0", probe="10.77.0.2")
        far = self.start_ecapture("-w", paths[1], "-i", "veth0", ns=other, probe="10.77.0.1")
        client = self.start_program(CLIENT, "10.77.0.2", "5006", "SOCK_STREAM", "3")
        client.wait(lab.PATIENCE)
        self.finish(near)
        self.finish(far)
        self.check_veth(paths[0], 5006, client.pid)
        self.check_veth(paths[1], 5006, server.pid)

    def test_receive_only(self):
        """A process that never sends: a UDP receiver, and a TCP client that only reads."""
        other = lab.Namespace(self)
        self.ns.connect(other)
        receiver = self.start_program("import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                                      "s.bind(('10.77.0.2', 5007))\nwhile True: s.recv(100)", ns=other)
        self.wait_for_socket("unconnected", "sport", 5007, other)
        path = self.path("receive.pcapng")
        ecapture = self.start_ecapture("-w", path, ns=other)
        self.ns.run(lab.PYTHON, "-c", "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                    "for _ in range(5): s.sendto(b'hear', ('10.77.0.2', 5007))")
        self.finish(ecapture)
        self.check_veth(path, 5007, receiver.pid)

    def test_forked_worker(self):
        """A socket that a parent opened and a child uses belongs to the child from its first use."""
        script = """
import os, socket, time
s = socket.create_server(('127.0.0.1', 5008))
pid = os.fork()
if pid == 0:
    connection, _ = s.accept()
    connection.recv(100); connection.sendall(b'child'); connection.recv(100)
    os._exit(0)
print(pid, flush=True)
os.wait(); time.sleep(5)
"""
        server = self.start_program(script, stdout=subprocess.PIPE, text=True)
        child = int(server.stdout.readline())
        path = self.path("fork.pcapng")
        ecapture = self.start_ecapture("-w", path)
        client = self.start_program(CLIENT, "127.0.0.1", "5008", "SOCK_STREAM", "1")
        client.wait(lab.PATIENCE)
        self.finish(ecapture)
        sent = [pcapng.owners(packet) for packet, header in self.packets(path, 5008)
                if header[1] == 5008 and header[4]]
        self.assertEqual([[o.pid for o in owners if o.end == "src"] for owners in sent], [[child]])

    def test_passed_socket(self):
        """A connection accepted by one process and handed to another over a Unix socket."""
        script = """
import array, os, socket
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
pid = os.fork()
if pid == 0:
    _, fds, _, _ = socket.recv_fds(b, 10, 1)
    connection = socket.socket(fileno=fds[0])
    for _ in range(3): connection.recv(100); connection.sendall(b'other')
    connection.recv(100)
    os._exit(0)
server = socket.create_server(('127.0.0.1', 5009))
print(pid, flush=True)
connection, _ = server.accept()
socket.send_fds(a, [b'x'], [connection.fileno()])
connection.close()
os.wait()
"""
        server = self.start_program(script, stdout=subprocess.PIPE, text=True)
        child = int(server.stdout.readline())
        path = self.path("passed.pcapng")
        ecapture = self.start_ecapture("-w", path)
        client = self.start_program(CLIENT, "127.0.0.1", "5009", "SOCK_STREAM", "3")
        client.wait(lab.PATIENCE)
        self.finish(ecapture)
        sent = [owner.pid for packet, header in self.packets(path, 5009) if header[1] == 5009 and header[4]
                for owner in pcapng.owners(packet) if owner.end == "src"]
        self.assertEqual(sent[1:], [child] * 2, "owners of the answers after the first")

    def test_uid_filter(self):
        """Another user's packets and secrets stay out."""
        self.start_nginx()
        path = self.path("uid.pcapng")
        prober = self.ns.start("setpriv", "--reuid", "65534", "--clear-groups", "--", lab.PYTHON, "-c",
                               "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                               f"while True: s.sendto(b'ecapture-probe', ('127.0.0.1', {lab.PROBE_PORT}));"
                               "time.sleep(.1)")
        ecapture = self.start_ecapture("-w", path, "-u", "nobody")
        self.curl("https://127.0.0.1/by-root")
        self.ns.run("setpriv", "--reuid", "65534", "--clear-groups", "--", "curl", "-sk", "-o", "/dev/null",
                    "https://127.0.0.1/by-nobody")
        lab.stop(prober)
        self.finish(ecapture)
        uris = [row[0] for row in self.decrypt(path, "http.request", "http.request.uri")]
        self.assertEqual(uris, ["/by-nobody"])
        for packet in pcapng.File(path).packets:
            self.assertIn(65534, {owner.uid for owner in pcapng.owners(packet)}, packet.comments)

    def test_no_comments(self):
        path = self.path("bare.pcapng")
        ecapture = self.start_ecapture("-w", path, "--no-comments")
        self.finish(ecapture)
        packets = pcapng.File(path).packets
        self.assertTrue(packets)
        self.assertFalse([packet for packet in packets if packet.comments])
        self.assertTrue([packet for packet in packets if packet.options[8]], "epb_processid_threadid")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
