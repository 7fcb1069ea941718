/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One capture: loads and attaches the eBPF programs, reads their rings, gives packets their owner,
 * holds what waits for its secret, and hands all to the sinks, until it is stopped.
 */
#include "filter.h" /* ec_capture_filter_check() */
#include "module.h"
#include "sink.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct ec_session_config {
    unsigned modules;              /* bits of 1 << enum ec_module_id */
    const char *const *interfaces; /* names, NULL-terminated; NULL or "any": all that are up, later ones too */
    const char *filter;            /* pcap-filter(7), NULL: none */
    const uint32_t *pids;          /* n_pids of them; 0: every process */
    size_t n_pids;
    bool follow_forks; /* children of `pids` too */
    bool filter_uid;
    uid_t uid;
    const char *const *paths[EC_MODULE_MAX]; /* NULL-terminated: hook these files beside what is found; NULL: none */
    const char *program;  /* of a command that is about to be executed: hooked before it is, if it has a TLS library
                             inside; NULL: none */
    const char *btf_file; /* the types of a kernel that has no BTF; NULL: none */
    uint32_t snaplen;     /* bytes, 1 … EC_SNAPLEN_MAX */
    size_t ring_size;     /* bytes; rounded up to a power of two of at least a page */
    bool no_packets;      /* messages alone, whatever the modules */
    enum ec_plaintext_mode plaintext;
    bool filter_status; /* only shell commands that ended with `status` */
    int status;
    unsigned hold_ms;     /* longest wait of a packet for its secrets; 0: never hold */
    uint64_t max_packets; /* stop after so many, messages included; 0: no limit */
    uint64_t max_seconds; /* stop after so long; 0: no limit */
    bool verify;          /* try secrets out on the records that they are for */
};

/* Defaults of the fields above; they equal those that --extcap-config declares. */
#define EC_DEFAULT_SNAPLEN EC_SNAPLEN_MAX
#define EC_DEFAULT_RING_SIZE (64u << 20)
#define EC_DEFAULT_HOLD_MS 500u

enum ec_session_error {
    EC_SESSION_ERROR_PRIVILEGE, /* a capability is missing */
    EC_SESSION_ERROR_KERNEL,    /* a feature is missing, e.g. BTF */
    EC_SESSION_ERROR_INTERFACE, /* no such interface, or none is up */
    EC_SESSION_ERROR_FILTER,    /* the capture filter doesn't compile */
    EC_SESSION_ERROR_PROCESS,   /* no such process */
    EC_SESSION_ERROR_LIBRARY,   /* a file that the user names can't be hooked */
    EC_SESSION_ERROR_FAILED,
};
#define EC_SESSION_ERROR (ec_session_error_quark())
GQuark ec_session_error_quark(void);

typedef struct ec_session ec_session;
/* Loads and attaches everything, then drops the privileges no longer needed. Nothing is captured
 * before; on failure nothing stays attached. The config is copied. Error text: "cause: remedy". */
ec_session *ec_session_new(const struct ec_session_config *config, GError **error);
void ec_session_free(ec_session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_session, ec_session_free)

/* Takes ownership of the sink. Before ec_session_run(). */
void ec_session_add_sink(ec_session *session, struct ec_sink *sink);
/* Ends ec_session_run() when this child of ours has exited (CLI: -- COMMAND). */
void ec_session_set_child(ec_session *session, pid_t child);
/* Called about once a second from ec_session_run(), with the totals. */
void ec_session_set_progress(ec_session *session, void (*progress)(const struct ec_statistics *total, void *data),
                             void *data);

/* Captures until SIGINT or SIGTERM, a limit, the child's end, the reader's going away (all true),
 * or a failure (false). Then flushes and closes the sinks. Blocks these signals for its time. */
bool ec_session_run(ec_session *session, GError **error);
/* The signal that ended ec_session_run(), if a process sent it; 0 if none did, and for the terminal's Ctrl-C, which the
 * child has got as well. */
int ec_session_get_signal(const ec_session *session);
/* Why handshakes have no secrets (miss.h); "" if all have. g_free. */
char *ec_session_format_misses(const ec_session *session);
/* Packets lost because the ring was full, by CPU (ec_kernel_format_ring_drops); "" if none was. */
const char *ec_session_get_ring_drops(const ec_session *session);
/* Totals so far. */
void ec_session_get_statistics(const ec_session *session, struct ec_statistics *ret_total);
