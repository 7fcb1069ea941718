/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uprobe.h"

#include "abi.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <glib.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/bpf.h, Linux 6.6 (commit 0b779b61f651) */
enum { UPROBE_MULTI_RETURN = 1 };
/* union bpf_attr's part for BPF_LINK_CREATE of a uprobe link. */
struct uprobe_multi_attr {
    uint32_t program, target, type, flags;
    uint64_t path;    /* const char * */
    uint64_t offsets; /* const uint64_t *, n of them */
    uint64_t reference_counters;
    uint64_t cookies; /* const uint64_t *, n of them */
    uint32_t n, multi_flags, pid, pad;
};
_Static_assert(sizeof(struct uprobe_multi_attr) == 64, "abi");

int ec_uprobe_attach_link(int program, const char *path, const uint64_t *offsets, const uint64_t *cookies, size_t n,
                          bool at_return)
{
    const struct uprobe_multi_attr attr = {
        .program = (uint32_t)program,
        .type = EC_TRACE_UPROBE_MULTI,
        .path = (uintptr_t)path,
        .offsets = (uintptr_t)offsets,
        .cookies = (uintptr_t)cookies,
        .n = (uint32_t)n,
        .multi_flags = at_return ? UPROBE_MULTI_RETURN : 0,
    };

    return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* The number that sysfs gives for such a kind of event. */
static bool read_event_type(const char *kind, uint32_t *ret_type)
{
    g_autofree char *path = g_strdup_printf("/sys/bus/event_source/devices/%s/type", kind), *text = NULL;
    guint64 type;

    if (!g_file_get_contents(path, &text, NULL, NULL) ||
        !g_ascii_string_to_unsigned(g_strchomp(text), 10, 0, UINT32_MAX, &type, NULL))
        return false;
    *ret_type = (uint32_t)type;
    return true;
}

int ec_uprobe_open_event(const char *kind, const char *what, uint64_t offset, bool at_return)
{
    /* Bit 0 of config: /sys/bus/event_source/devices/uprobe/format/retprobe */
    struct perf_event_attr attr = {
        .size = sizeof(attr), .config = at_return, .config1 = (uintptr_t)what, .config2 = offset, .disabled = 1};

    if (!read_event_type(kind, &attr.type)) {
        errno = ENOENT;
        return -1;
    }
    return (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

static int close_failed(int fd)
{
    int err = errno;

    close(fd);
    errno = err;
    return -1;
}

/* Before Linux 5.15 a program is attached to an event by ioctl. */
static int attach_event_without_cookie(int program, const char *path, const struct ec_probe *probe)
{
    int event = ec_uprobe_open_event("uprobe", path, probe->offset, probe->at_return);

    if (event >= 0 && (ioctl(event, PERF_EVENT_IOC_SET_BPF, program) || ioctl(event, PERF_EVENT_IOC_ENABLE, 0)))
        return close_failed(event);
    return event;
}

int ec_uprobe_attach_event(int program, const char *path, const struct ec_probe *probe)
{
    LIBBPF_OPTS(bpf_link_create_opts, options, .perf_event.bpf_cookie = probe->cookie);
    int event = ec_uprobe_open_event("uprobe", path, probe->offset, probe->at_return), link;

    if (event < 0)
        return -1;
    link = bpf_link_create(program, event, BPF_PERF_EVENT, &options);
    if (link < 0 || ioctl(event, PERF_EVENT_IOC_ENABLE, 0)) {
        if (link >= 0)
            close(link);
        return close_failed(event);
    }
    close(event); /* the link holds it */
    return link;
}

/* Nowhere, if the program doesn't ask for its cookie. */
static void put_cookie(struct bpf_insn *insns, size_t n, uint64_t cookie)
{
    for (size_t i = 0; i + 1 < n; i++) {
        if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW) || insns[i].src_reg != 0)
            continue;
        if ((uint32_t)insns[i].imm == (uint32_t)EC_COOKIE_MAGIC &&
            (uint32_t)insns[i + 1].imm == (uint32_t)(EC_COOKIE_MAGIC >> 32)) {
            insns[i].imm = (int32_t)(uint32_t)cookie;
            insns[i + 1].imm = (int32_t)(uint32_t)(cookie >> 32);
        }
    }
}

int ec_uprobe_attach_copy(const struct bpf_program *program, const char *path, const struct ec_probe *probe)
{
    size_t n = bpf_program__insn_cnt(program);
    g_autofree struct bpf_insn *insns = g_memdup2(bpf_program__insns(program), n * sizeof(*insns));
    int copy, event, err;

    put_cookie(insns, n, probe->cookie);
    copy = bpf_prog_load(BPF_PROG_TYPE_KPROBE, bpf_program__name(program), "GPL", insns, n, NULL);
    if (copy < 0)
        return -1;
    event = attach_event_without_cookie(copy, path, probe);
    err = errno;
    close(copy); /* the event holds it */
    errno = err;
    return event;
}
