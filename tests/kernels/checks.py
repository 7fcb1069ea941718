# SPDX-License-Identifier: GPL-2.0-or-later
"""What `guest` left of one part of a machine's work, and whether it is what it should be.

A check returns what is wrong, "" if nothing is. `uses` is {job: way}, as `ecapture doctor` names them.
"""
import json
import os
import re

from debian import run

# Port → (client, server) of `peer`; the server that answers.
PEERS = {7001: ("old-client", "old-server"), 7002: ("new-client", "forked-worker"), 7003: ("udp-client", "udp-server"),
         7004: ("udp6-client", "udp6-server"), 7005: ("tcp6-client", "tcp6-server")}
OWNER_FIELDS = ("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "tcp.len", "udp.length", "frame.comment")
LOCKDOWNS = ("integrity", "confidentiality")


class Part:
    """The folder of a part (see `guest`), and the files in the root that it was to hook."""

    def __init__(self, folder, name, hookable):
        self.folder, self.name, self.hookable = folder, name, hookable
        self.complete = name in ("whole", "nobtf")

    def read(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""

    def is_well(self, doctor):
        """Whether `ecapture doctor --json` said so."""
        return json.loads(self.read(doctor))["well"]

    def fields(self, name, display_filter, *fields):
        words = [word for field in fields for word in ("-e", field)]
        shown = run("tshark", "-n", "-r", os.path.join(self.folder, name), "-Y", display_filter, "-T", "fields", *words)
        return [line.split("\t") for line in shown.stdout.splitlines()]


def check_doctor(part, doctor, well):
    agrees = doctor["well"] == well and part.read("doctor.status") == ("0" if well else "1")
    return "" if agrees else str({job["job"]: job["uses"] for job in doctor["jobs"]})


def check_exchanges(part, name, wanted, user=0):
    """So many requests by curl and responses by openssl, decrypted in one pass, both ends named."""
    answered = part.fields(name, 'http.request.uri == "/answer" || http.response.code == 200', "http.response.code",
                           "frame.comment")
    # Wireshark 4.6 repeats a request's URI at its response.
    requests, responses = ([line for line in answered if bool(line[0]) == by_server] for by_server in (False, True))
    for what, lines, source in (("requests", requests, f"curl uid={user}"), ("responses", responses, "openssl uid=0")):
        named = [line for line in lines if f"comm={source} end=src" in line[1]]
        if len(lines) != wanted or len(named) != wanted:
            return f"{len(lines)} {what} of {wanted}, {len(named)} of them by {source}"
    return ""


def check_owners(part, uses):
    """Each end of peer's traffic, once it has sent or received, and the very first packet of a connection."""
    by_creator = uses["processes of sockets"].endswith("written at socket()")
    packets = part.fields("both.pcapng", "tcp.port in {7001..7005} || udp.port in {7001..7005}", *OWNER_FIELDS)
    packets = [dict(zip(OWNER_FIELDS, packet)) for packet in packets]
    for port, (client, server) in PEERS.items():
        if by_creator and server == "forked-worker":
            server = "forked-parent"  # as doctor says of that way
        layer = "udp" if "udp" in client else "tcp"
        for direction, source, destination in (("dstport", client, None if port == 7002 else server),
                                               ("srcport", server, client)):
            comments = [packet["frame.comment"] for packet in packets if packet[f"{layer}.{direction}"] == str(port)
                        and (packet["udp.length"] or int(packet["tcp.len"]))]
            for comment in comments:
                ends = dict(reversed(match) for match in re.findall(r"comm=(\S+) uid=0 end=(\w+)", comment))
                if ends.get("src") != source or (destination and ends.get("dst") != destination):
                    return f"port {port}, {direction}: {comment or 'no process'} instead of {source}, {destination}"
            if not comments:
                return f"no packet with data, {direction} {port}"
    first = [packet["frame.comment"] for packet in packets if packet["tcp.dstport"] == "7002"][:1]
    return "" if first and "comm=new-client " in first[0] else f"the first packet of a connection: {first}"


def check_plaintext(part, uses):
    """A request and its response, as segments of their own; or the one line that says why not."""
    if uses["plaintext"] == "none":
        said = part.read("no-plaintext")
        return "" if re.fullmatch(r"ecapture: not supported on this kernel: plaintext.*", said) else said
    lines = part.fields("all.pcapng", 'frame.interface_name == "plaintext" && http', "http.request.uri",
                        "http.response.code")
    return "" if [code or uri for uri, code in lines] == ["/answer", "200"] else str(lines)


def check_environment(part):
    """That the part is what it is called; and who may capture: root may, others with the file's capabilities."""
    lockdown = re.search(r"\[(\w+)\]", part.read("lockdown") or "[none]").group(1)
    wanted = part.name if part.name in LOCKDOWNS else "none"
    if lockdown != wanted:
        return f"lockdown is {lockdown}, not {wanted}"
    said = part.read("unprivileged")
    if not re.fullmatch(r"ecapture: no permission to capture \(cap_bpf,.* missing\): run it as root, or .*\n1", said):
        return f"without capabilities: {said}"
    said = part.read("doctor-paranoid")
    return "" if "NO WAY" not in said or "perf_event_paranoid" in said or "modprobe" in said else said


def check_capabilities(part, who, user=0):
    """With some capabilities alone. Before Linux 6.6 a kernel may want cap_sys_admin for uprobes, and says so."""
    if part.is_well(f"doctor-{who}.json"):
        return check_exchanges(part, f"{who}.pcapng", 1, user)
    said, refused = part.read(who), "ecapture: not supported on this kernel: library probes; .*cap_sys_admin.*"
    return "" if re.fullmatch(refused, said) else said or "it says nothing"


def check_types(part):
    """A capture that was given the kernel's BTF as a file."""
    said = re.search("info: types of the kernel: .*", part.read("types.log"))
    if not said or not said.group().startswith("info: types of the kernel: a BTF file"):
        return f"with --btf: {said and said.group()}"
    return check_exchanges(part, "types.pcapng", 1)


def check_refused(part, wanted):
    """One line says why a capture can't start."""
    said = part.read("refused")
    return "" if re.fullmatch(f"ecapture: {wanted}\n1", said) else f"a capture said: {said or 'nothing, it started'}"


def check_hooks(part, uses):
    """Each library and program that was named is hooked, which loads and attaches all kinds of probes."""
    hooked = [os.path.basename(path) for path in re.findall(r"info: hooked (\S+): ", part.read("log"))]
    shells = not uses["types of the kernel"].startswith("none")
    wanted = [path for path in part.hookable if shells or not path.endswith("/zsh")]
    missing = [path for path in wanted if os.path.basename(path) not in hooked]
    if missing or not shells:
        return f"not hooked: {', '.join(missing)}" if missing else ""
    typed = part.fields("all.pcapng", "systemd_journal", "systemd_journal.message", "systemd_journal.field.value")
    wrong = [line for line in typed if line[0] != "(exit 3)"]
    return "" if typed and not wrong else f"typed in bash: {typed}"


def check_filters(part):
    others = part.fields("command.pcapng", "!tcp.port == 443", "frame.number")
    sent = part.fields("uid.pcapng", "udp.dstport in {7006, 7007}", "udp.dstport", "frame.comment")
    wanted, unwanted = ([comment for to, comment in sent if to == port] for port in ("7006", "7007"))
    if others or unwanted or not wanted:
        return f"{len(others)} packets beside port 443; {len(wanted)} packets of the user, {len(unwanted)} of another"
    return "" if all("comm=peer uid=1234" in comment for comment in wanted) else f"not the user's: {wanted[0]}"


def check_nothing_left(part, uses):
    """TCX: nothing after kill -9; clsact: filters, which the next capture sweeps (guest waits for that)."""
    after_kill = part.read("after-kill")
    if "TCX" in uses["packets"] and after_kill:
        return f"after kill -9: {after_kill}"
    left = part.read("filters-left")
    return f"after the last capture: {left}" if "bpf" in left else ""
