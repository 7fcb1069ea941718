# SPDX-License-Identifier: GPL-2.0-or-later
"""A reader of pcapng files (draft-ietf-opsawg-pcapng) that shows every block as it stands in the file: what
Wireshark's own readers hide or repair is what the tests want to see."""
import collections
import re
import struct

SHB, IDB, ISB, EPB, DSB = 0x0A0D0D0A, 1, 5, 6, 10
PROCESS = 0x80000001  # Apple's process block
COMMENT = re.compile(r"pid=(\d+) tid=(\d+) comm=(\S+) uid=(\d+)(?: end=(src|dst))?$")

Block = collections.namedtuple("Block", "type body offset")
Packet = collections.namedtuple("Packet", "interface time len data options comments")
Owner = collections.namedtuple("Owner", "pid tid comm uid end")


def parse_options(body, order):
    options, at = collections.defaultdict(list), 0
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        if code == 0:
            break
        options[code].append(body[at + 4:at + 4 + length])
        at += 4 + (length + 3) // 4 * 4
    return options


def read_blocks(data):
    """Yields Block. A block that the file's end cuts raises ValueError."""
    at, order = 0, "<"
    while at < len(data):
        if len(data) - at < 12:
            raise ValueError(f"cut block at {at}")
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or length % 4 or at + length > len(data):
            raise ValueError(f"bad block length {length} at {at}")
        if struct.unpack_from(order + "I", data, at + length - 4)[0] != length:
            raise ValueError(f"block lengths differ at {at}")
        yield Block(kind, data[at + 8:at + length - 4], at)
        at += length


class File:
    """`items`: ("packet", Packet) and ("secrets", text) in the file's order; `interfaces`: their names;
    `statistics`: the last ISB's options by interface."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.items, self.interfaces, self.linktypes, self.units, self.statistics = [], [], [], [], {}
        self.block_types = collections.Counter()
        for block in read_blocks(data):
            self.block_types[block.type] += 1
            self.add(block)

    def add(self, block):
        if block.type == IDB:
            options = parse_options(block.body[8:], "<")
            self.interfaces.append(options[2][0].decode() if options[2] else "")
            self.linktypes.append(struct.unpack_from("<H", block.body)[0])
            self.units.append(10 ** options[9][0][0] if options[9] else 10 ** 6)
        elif block.type == EPB:
            interface, high, low, caplen, length = struct.unpack_from("<IIIII", block.body)
            options = parse_options(block.body[20 + (caplen + 3) // 4 * 4:], "<")
            time = ((high << 32) | low) * (10 ** 9 // self.units[interface])
            self.items.append(("packet", Packet(interface, time, length, block.body[20:20 + caplen], options,
                                                [text.decode() for text in options[1]])))
        elif block.type == DSB:
            length = struct.unpack_from("<I", block.body, 4)[0]
            self.items.append(("secrets", block.body[8:8 + length].decode()))
        elif block.type == ISB:
            self.statistics[struct.unpack_from("<I", block.body)[0]] = parse_options(block.body[12:], "<")

    @property
    def packets(self):
        return [item for kind, item in self.items if kind == "packet"]

    @property
    def secrets(self):
        """Key-log lines, in order."""
        return [line for kind, item in self.items if kind == "secrets" for line in item.splitlines() if line.strip()]


def owners(packet):
    """The owners that a packet's comments name."""
    matches = [COMMENT.match(comment) for comment in packet.comments]
    return [Owner(int(m.group(1)), int(m.group(2)), m.group(3), int(m.group(4)), m.group(5)) for m in matches if m]


def owner_pids(packet):
    return {owner.pid for owner in owners(packet)}


def ip_header(packet, linktype):
    """(protocol, source port, destination port, tcp flags, payload, version) of an IP packet, else None."""
    data = packet.data[14:] if linktype == 1 else packet.data
    if linktype == 1 and packet.data[12:14] not in (b"\x08\x00", b"\x86\xdd"):
        return None
    if not data:
        return None
    version = data[0] >> 4
    offset, protocol = ((data[0] & 15) * 4, data[9]) if version == 4 else (40, data[6])
    if protocol not in (6, 17) or len(data) < offset + 8:
        return protocol, 0, 0, 0, b"", version
    source, destination = struct.unpack_from(">HH", data, offset)
    if protocol == 17:
        return protocol, source, destination, 0, data[offset + 8:], version
    header = (data[offset + 12] >> 4) * 4
    return protocol, source, destination, data[offset + 13], data[offset + header:], version
