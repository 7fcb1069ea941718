/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Our eBPF programs: loaded, attached, and gone again. The only code (with tc.c and uprobe.c, which it calls,
 * privilege.c, mappings.c and what proc.c opens) that needs capabilities. Everything attached is held by a file
 * descriptor, so the kernel detaches it when the process ends, however it ends (the clsact fallback excepted).
 */
#include "abi.h"
#include "feature.h"
#include "filter.h"
#include "linktype.h"
#include "probe.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

struct ec_kernel_config {
    struct ec_bpf_config bpf;
    unsigned modules;            /* bits of 1 << enum ec_module_id: whose uprobes will be attached */
    size_t ring_size, near_size; /* bytes, powers of two >= the page size */
    size_t messages_size;        /* likewise, of the ring `messages` */
    const ec_filter *filter_eth; /* borrowed for ec_kernel_new(); NULL: none */
    const ec_filter *filter_ip;
    const char *btf_file;  /* borrowed likewise; NULL: none */
    ec_features *features; /* borrowed for ec_kernel_new() */
};

typedef struct ec_kernel ec_kernel;
/* Loads the programs; nothing is attached yet. EC_SESSION_ERROR_* on failure. */
ec_kernel *ec_kernel_new(const struct ec_kernel_config *config, GError **error);
void ec_kernel_free(ec_kernel *kernel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_kernel, ec_kernel_free)

/* Attaches what follows processes. */
bool ec_kernel_attach_processes(ec_kernel *kernel, GError **error);
/* Attaches what follows sockets and takes stock of the sockets that exist already. */
bool ec_kernel_attach_owners(ec_kernel *kernel, GError **error);
/* Attaches what sees the sockets that plaintext runs over. Only if config.bpf.plaintext says so. */
bool ec_kernel_attach_plaintext(ec_kernel *kernel, GError **error);
/* `linktype`: enum ec_linktype. */
bool ec_kernel_attach_interface(ec_kernel *kernel, int ifindex, int linktype, bool loopback, GError **error);
/* The interface has gone, or is no longer wanted. */
void ec_kernel_detach_interface(ec_kernel *kernel, int ifindex);
/* For EC_UPROBE_MYSQLD_END: *ret_number is its cookie. */
bool ec_kernel_add_layout(ec_kernel *kernel, const struct ec_mysqld_layout *layout, uint32_t *ret_number,
                          GError **error);
/* All or, on failure, maybe some of them. `fd`: the open file, borrowed for the call. */
bool ec_kernel_attach_probes(ec_kernel *kernel, int fd, const struct ec_probe *probes, size_t n_probes, GError **error);
/* Takes away what was attached to these files: a set of their descriptors (GINT_TO_POINTER), which may be closed then.
 * It goes on in the background, since each probe takes up to 0.1 s. */
void ec_kernel_detach_probes(ec_kernel *kernel, GHashTable *fds);
/* Whether that may take cap_sys_admin: so do probes by perf events, on kernels since July 2025 (ba677dbe77af). */
bool ec_kernel_probes_as_admin(const ec_kernel *kernel);
/* Lets a process through the pid filter. */
bool ec_kernel_add_pid(ec_kernel *kernel, uint32_t pid, GError **error);

/* Of ring buffers, borrowed. */
int ec_kernel_get_near_fd(const ec_kernel *kernel);
int ec_kernel_get_packets_fd(const ec_kernel *kernel);
int ec_kernel_get_events_fd(const ec_kernel *kernel);
size_t ec_kernel_get_events_size(const ec_kernel *kernel);
int ec_kernel_get_messages_fd(const ec_kernel *kernel);
/* Shared with the programs: written by atomic stores. Borrowed. */
struct ec_wake *ec_kernel_get_wake(ec_kernel *kernel);
/* Sums over all CPUs. */
bool ec_kernel_get_counters(const ec_kernel *kernel, uint64_t ret_counters[static EC_COUNT_MAX]);
/* Packets lost because their ring was full, for each CPU that lost some: "0=12 3=1"; "" if none did. A long list ends
 * in " …". g_free. */
char *ec_kernel_format_ring_drops(const ec_kernel *kernel);
