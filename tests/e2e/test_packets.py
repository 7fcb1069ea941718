# SPDX-License-Identifier: GPL-2.0-or-later
"""The same run seen by tcpdump and by ecapture: nothing missing, nothing extra, byte for byte."""
import collections
import os
import re
import signal
import struct
import subprocess
import time

import lab
import pcapng


class Packets(lab.Lab):
    def start_tcpdump(self, interface, path, ns=None):
        tcpdump = (ns or self.ns).start("tcpdump", "-i", interface, "-w", path, "-U", "--nano", "-B", "65536", "-s", "0",
                                        "-Z", "root", stderr=subprocess.DEVNULL)

        def runs():
            (ns or self.ns).probe("127.0.0.1" if interface == "lo" else "10.77.0.2")
            return os.path.exists(path) and lab.file_holds(path, b"ecapture-probe")
        lab.wait_until(runs, 10, f"tcpdump on {interface}")
        return tcpdump

    def read_tcpdump(self, path):
        subprocess.run(["editcap", "-F", "pcapng", path, path + "ng"], check=True, capture_output=True)
        return pcapng.File(path + "ng").packets

    def compare(self, ours, theirs, marks=("begin-compare", "end-compare")):
        """Both between the two marks, as multisets of bytes. Returns how many were compared."""
        cut = [[bytes(packet.data) for packet in self.between(packets, marks)] for packets in (ours, theirs)]
        counts = [collections.Counter(packets) for packets in self.join_segments(*cut)]
        missing, extra = counts[1] - counts[0], counts[0] - counts[1]
        describe = [[f"{number} x {len(data)} bytes {data[:54].hex()}" for data, number in list(side.items())[:5]]
                    for side in (missing, extra)]
        self.assertEqual((sum(missing.values()), sum(extra.values())), (0, 0),
                         f"missing: {describe[0]}; extra: {describe[1]}")
        return sum(counts[1].values())

    @staticmethod
    def parse_tcp(data):
        """(addresses and ports, sequence number, payload) of a TCP packet over Ethernet, else None."""
        if data[12:14] == b"\x08\x00" and data[23] == 6:
            addresses, tcp = data[26:34], 14 + (data[14] & 15) * 4
        elif data[12:14] == b"\x86\xdd" and data[20] == 6:
            addresses, tcp = data[22:54], 54
        else:
            return None
        return (addresses + data[tcp:tcp + 4], int.from_bytes(data[tcp + 4:tcp + 8], "big"),
                data[tcp + (data[tcp + 12] >> 4) * 4:])

    def join_segments(self, ours, theirs):
        """A GSO packet of more than 64 KiB is whole in ours and in pieces in theirs: takes it out of both, once its
        bytes are seen to be the same."""
        pieces = collections.defaultdict(list)
        for data in theirs:
            tcp = self.parse_tcp(data)
            if tcp and tcp[2]:
                pieces[tcp[0]].append((tcp[1], tcp[2], data))
        rest, used = [], []
        for data in ours:
            if len(data) <= 65549:
                rest.append(data)
                continue
            flow, sequence, payload = self.parse_tcp(data)
            at = 0
            while at < len(payload):
                # The first that fits: a busy machine sends some again, which is another packet for both.
                piece = next((piece for piece in pieces[flow] if (piece[0] - sequence) % (1 << 32) == at
                              and payload.startswith(piece[1], at)), None)
                self.assertTrue(piece, "a GSO packet is the sum of its pieces")
                pieces[flow].remove(piece)
                used.append(piece[2])
                at += len(piece[1])
        return rest, list((collections.Counter(theirs) - collections.Counter(used)).elements())

    def between(self, packets, marks):
        found = [[number for number, packet in enumerate(packets) if mark.encode() in packet.data] for mark in marks]
        self.assertTrue(found[0] and found[1], "the marks around what is compared")
        return packets[found[0][0]:found[1][-1] + 1]

    def send_mark(self, text, address):
        self.ns.run(lab.PYTHON, "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
                    f"s.sendto(b'{text}', ('{address}', {lab.PROBE_PORT}))")
        time.sleep(0.3)

    def traffic(self, address, address6):
        """TLS, plain HTTP with a large body, UDP in fragments, ICMP, IPv6, a refused connection."""
        self.curl_many(16, f"https://{address}/r{{n}}")
        self.curl(f"http://{address}/file/big")
        self.curl(f"https://[{address6}]/six")
        self.ns.run(lab.PYTHON, "-c", "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                    f"for n in (1, 1400, 9000, 40000): s.sendto(b'u' * n, ('{address}', 7777))")
        self.ns.run("bash", "-c", f": </dev/tcp/{address}/1", check=False)

    def prepare(self):
        with open(self.path("big"), "wb") as file:
            file.write(os.urandom(3 << 20))
        os.chmod(self.path("big"), 0o644)

    def run_both(self, interface, address, address6, path, *options):
        dump = self.path("theirs.pcap")
        ecapture = self.start_ecapture("-w", path, "-i", interface, *options, probe=address)
        tcpdump = self.start_tcpdump(interface, dump)
        self.send_mark("begin-compare", address)
        self.traffic(address, address6)
        self.send_mark("end-compare", address)
        lab.wait_until(lambda: all(lab.file_holds(name, b"end-compare") for name in (path, dump)), 10, "the end mark")
        lab.stop(tcpdump, signal.SIGINT)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        return self.compare(pcapng.File(path).packets, self.read_tcpdump(dump))

    def test_lo(self):
        """Every packet once, as it is sent; tcpdump shows what lo receives, GSO packets over 64 KiB in pieces."""
        self.prepare()
        self.start_nginx()
        compared = self.run_both("lo", "127.0.0.1", "::1", self.path("ours.pcapng"))
        self.assertGreater(compared, 200)
        self.assert_whole(self.path("ours.pcapng"))

    def test_veth(self):
        self.prepare()
        other = lab.Namespace(self)
        self.ns.connect(other)
        self.start_nginx(ns=other)
        compared = self.run_both("veth0", "10.77.0.2", "fd77:0:0:1::2", self.path("ours.pcapng"))
        self.assertGreater(compared, 200)
        self.assert_whole(self.path("ours.pcapng"))

    def test_snap_length(self):
        """Packets are cut at -s, their length on the wire is told."""
        self.start_nginx()
        path = self.path("snap.pcapng")
        ecapture = self.start_ecapture("-w", path, "-s", "100")
        self.curl("https://127.0.0.1/r0")
        time.sleep(1)
        lab.stop(ecapture)
        packets = pcapng.File(path).packets
        self.assertLessEqual(max(len(packet.data) for packet in packets), 100)
        self.assertGreater(max(packet.len for packet in packets), 1000)

    def test_raw_ip_interface(self):
        """A tun device has no Ethernet header: its interface block says raw IP."""
        self.ns.run("ip", "tuntap", "add", "dev", "tun0", "mode", "tun")
        holder = self.ns.start(lab.PYTHON, "-c", "import fcntl, os, struct, time\n"
                               "fd = os.open('/dev/net/tun', os.O_RDWR)\n"
                               "fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', b'tun0', 0x1001))\n"
                               "while True: os.read(fd, 65536)")
        self.ns.run("ip", "address", "add", "10.78.0.1/24", "dev", "tun0")
        self.ns.run("ip", "link", "set", "tun0", "up")
        lab.wait_until(lambda: "LOWER_UP" in self.ns.run("ip", "link", "show", "tun0").stdout, 5, "tun0 is up")
        path = self.path("tun.pcapng")
        ecapture = self.start_ecapture("-w", path, probe="10.78.0.2")
        self.send_mark("through-the-tunnel", "10.78.0.2")
        time.sleep(0.5)
        lab.stop(ecapture)
        file = pcapng.File(path)
        self.assertIsNone(holder.poll())
        packets = [packet for packet in file.packets if b"through-the-tunnel" in packet.data]
        self.assertEqual(len(packets), 1)
        self.assertEqual(file.interfaces[packets[0].interface], "tun0")
        self.assertEqual(file.linktypes[packets[0].interface], 101)
        self.assertEqual(packets[0].data[0], 0x45)

    def test_interface_that_comes_up_later(self):
        path = self.path("later.pcapng")
        ecapture = self.start_ecapture("-w", path)
        other = lab.Namespace(self)
        self.ns.connect(other)

        def captured():
            self.send_mark("on-the-new-one", "10.77.0.2")
            return lab.file_holds(path, b"on-the-new-one")
        lab.wait_until(captured, 10, "a packet of the new interface")
        lab.stop(ecapture)
        file = pcapng.File(path)
        names = {file.interfaces[packet.interface] for packet in file.packets if b"on-the-new-one" in packet.data}
        self.assertEqual(names, {"veth0"})

    def test_other_protocols(self):
        """ARP, ICMP and VLAN-tagged frames are there, the tag of a received frame too, which is not in its bytes."""
        other = lab.Namespace(self)
        self.ns.connect(other)
        paths = self.path("near.pcapng"), self.path("far.pcapng")
        near = self.start_ecapture("-w", paths[0], "-i", "veth0", probe="10.77.0.2")
        far = self.start_ecapture("-w", paths[1], "-i", "veth0", ns=other, probe="10.77.0.1")
        self.ns.run("ip", "neighbour", "flush", "all")
        self.send_mark("bare", "10.77.0.2")
        self.ns.run(lab.PYTHON, "-c", "import socket\ns = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
                    "s.bind(('veth0', 0))\n"
                    "s.send(b'\\xff' * 6 + b'\\x02' * 6 + b'\\x81\\0\\0\\x07\\x08\\0' + b'tagged' + bytes(60))")
        time.sleep(0.5)
        for ecapture, path in zip((near, far), paths):
            lab.stop(ecapture)
            packets = pcapng.File(path).packets
            self.assertTrue([packet for packet in packets if packet.data[12:14] == b"\x08\x06"], "ARP")
            self.assertTrue([packet for packet in packets if packet.data[23:24] == b"\x01"], "ICMP")
            tagged = [packet for packet in packets if b"tagged" in packet.data]
            self.assertEqual([packet.data[12:16] for packet in tagged], [b"\x81\x00\x00\x07"], f"the tag in {path}")

    def test_losses_are_told(self):
        """A ring that is too small: what is lost is counted, in the file and in the summary, and what is there is whole."""
        with open(self.path("big"), "wb") as file:
            file.truncate(64 << 20)
        os.chmod(self.path("big"), 0o644)
        self.ns.run("ip", "link", "set", "lo", "mtu", "16000")  # no GSO packet over 64 KiB, which tcpdump sees in pieces
        self.start_nginx()
        path = self.path("loss.pcapng")
        ecapture = self.start_ecapture("-w", path, "-i", "lo", "--mapsize", "64K", "tcp port 443 or udp port 9")
        tcpdump = self.ns.start("tcpdump", "-i", "lo", "-w", self.path("all.pcap"), "-B", "200000", "-s", "64", "-Z", "root",
                                "tcp port 443", stderr=subprocess.PIPE, text=True)
        tcpdump.stderr.readline()
        time.sleep(0.5)
        self.curl("https://127.0.0.1/file/big")
        time.sleep(1)
        lab.stop(tcpdump, signal.SIGINT)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        file = self.assert_whole(path)
        lost = int(re.search(r"(\d+) packets? and \d+ secrets? lost", self.read("ecapture.log")).group(1))
        self.assertGreater(lost, 0, "this load was to overflow the ring")
        dropped = struct.unpack("<Q", file.statistics[0][5][0])[0]
        self.assertEqual(dropped, lost, "the interface statistics' drops")
        by_cpu = re.search(r"the ring was full, by CPU: (.*)", self.read("ecapture.log")).group(1)
        self.assertEqual(sum(int(pair.split("=")[1]) for pair in by_cpu.split()), lost, "the drops by CPU")
        self.assertIn(f"drop_ring by CPU: {by_cpu}".encode(), file.statistics[0][1])
        flow = [p for p in file.packets if 443 in (pcapng.ip_header(p, 1) or (0, 0, 0))[1:3]]
        self.assertEqual(len(flow) + lost, len(self.read_tcpdump(self.path("all.pcap"))), "captured and lost make all")
