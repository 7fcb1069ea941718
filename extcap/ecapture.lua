-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Wireshark and tshark plugin: makes fields of the packet comments that ecapture writes,
--
--     pid=1234 tid=1235 comm=curl uid=1000 [end=src|end=dst]
--
-- so that processes can be filtered for and shown in columns. On the loopback interface a packet
-- has two comments: the sender's (end=src) gives ecapture.pid, .tid, .comm and .uid, the receiver's
-- (end=dst) gives ecapture.peer_pid and so on. ecapture.process holds every process's name, of
-- whichever end. Written against the Lua API of Wireshark 4.0 to 4.6 (Lua 5.2 to 5.4).

local ecapture = Proto("ecapture", "eCapture process")

local function fields_of(prefix, whose)
    return {
        pid = ProtoField.uint32("ecapture." .. prefix .. "pid", whose .. " process ID"),
        tid = ProtoField.uint32("ecapture." .. prefix .. "tid", whose .. " thread ID"),
        comm = ProtoField.string("ecapture." .. prefix .. "comm", whose .. " process name"),
        uid = ProtoField.uint32("ecapture." .. prefix .. "uid", whose .. " user ID"),
    }
end

local owner = fields_of("", "Owner")
local peer = fields_of("peer_", "Peer")
local process = ProtoField.string("ecapture.process", "Process")

ecapture.fields = {
    owner.pid, owner.tid, owner.comm, owner.uid,
    peer.pid, peer.tid, peer.comm, peer.uid,
    process,
}

local comment = Field.new("frame.comment")

-- comm's bytes outside 0x21 to 0x7e, and backslashes, are written \xNN.
local function unescape(text)
    return (text:gsub("\\x(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function parse(text)
    local pid, tid, comm, uid, rest = text:match("^pid=(%d+) tid=(%d+) comm=(%S*) uid=(%d+)(.*)$")
    if not pid then
        return nil
    end
    return {
        pid = tonumber(pid), tid = tonumber(tid), comm = unescape(comm), uid = tonumber(uid),
        is_peer = rest:match("^ end=dst") ~= nil,
    }
end

local function show(tree, entry)
    local fields = entry.is_peer and peer or owner
    tree:append_text(string.format(", %s%s (%d)", entry.is_peer and "to " or "", entry.comm, entry.pid))
    tree:add(fields.pid, entry.pid):set_generated()
    tree:add(fields.tid, entry.tid):set_generated()
    tree:add(fields.comm, entry.comm):set_generated()
    tree:add(fields.uid, entry.uid):set_generated()
    tree:add(process, entry.comm):set_hidden()
end

function ecapture.dissector(_, _, tree)
    local branch
    for _, info in ipairs({ comment() }) do
        local entry = parse(info.value)
        if entry then
            branch = branch or tree:add(ecapture):set_generated()
            show(branch, entry)
        end
    end
end

register_postdissector(ecapture)
