/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a capture session hands out, and to whom. A sink gets interfaces before their packets,
 * packets in timestamp order, each secret once and before the packets that need it, and what isn't packets
 * (plaintext, shell commands, SQL statements) among them. Everything handed over is borrowed for the call. Calls come
 * from the session's one thread.
 */
#include "abi.h"
#include "keylog.h"
#include "linktype.h"
#include "module.h"
#include "output.h"
#include "segment.h" /* struct ec_endpoint */

#include <glib.h>
#include <stdbool.h>

struct ec_sink_interface {
    unsigned id;      /* index of the sink's calls: 0, 1, 2 … in order of appearance */
    const char *name; /* "eth0" */
    int linktype;     /* enum ec_linktype */
    uint32_t snaplen;
    const char *filter; /* pcap-filter(7) text, NULL without one */
};

struct ec_sink_packet {
    unsigned interface; /* ec_sink_interface.id */
    uint64_t time;      /* ns since the epoch */
    uint32_t len, caplen;
    const uint8_t *data;
    enum ec_direction direction;
    const struct ec_owner *owner; /* NULL: not known, or none */
    const struct ec_owner *peer;  /* on lo, the receiver, NULL: not known; else NULL */
    bool loopback;                /* both ends are of this machine: whichever is known, tell which one it is */
};

/* Running totals since the session began; every loss stands in exactly one of drop_*. */
struct ec_statistics {
    uint64_t packets, bytes; /* handed to sinks */
    uint64_t messages;       /* likewise: plaintext, commands, statements */
    uint64_t handshakes;     /* ClientHellos seen */
    uint64_t handshakes_with_secrets;
    uint64_t handshakes_verified; /* of those with secrets: they opened the records that they are for (--verify) */
    uint64_t handshakes_wrong;    /* likewise: did not */
    uint64_t handshakes_without_secrets; /* given up: deadline, or its owner has no hooked library */
    uint64_t handshakes_unmatched;       /* not captured, although their secrets were */
    uint64_t secrets;                    /* handed to sinks */
    uint64_t late_secrets;               /* came after a packet that needed them had gone out */
    uint64_t drop_ring;                  /* packets lost, ring full */
    uint64_t drop_queue;                 /* packets released early, the hold queue full (not lost) */
    uint64_t drop_read;                  /* packets lost, unreadable in the kernel */
    uint64_t drop_secret_ring, drop_secret_fault, drop_secret_invalid, drop_secret_unproven;
    uint64_t drop_owner_ring;
    uint64_t drop_message_ring, drop_message_fault, drop_message_invalid;
    uint64_t truncated;    /* packets cut against the user's wish */
    uint64_t unattributed; /* TCP or UDP packets of a local socket without an owner */
    uint64_t reordered;    /* packets whose time had to be raised to keep the order */
};

/* Per interface, for an ISB. */
struct ec_interface_statistics {
    unsigned interface;
    uint64_t start, now; /* ns since the epoch */
    uint64_t received;   /* accepted by the filters */
    uint64_t dropped;    /* lost; the ring's loss can't be told per interface: stands at interface 0 */
    /* Of the whole capture, at interface 0: */
    const char *remark;     /* why handshakes have no secrets (miss.h); NULL: all have */
    const char *ring_drops; /* ec_statistics.drop_ring by CPU: "0=12 3=1"; NULL: none were lost */
};

/* A TLS connection whose plaintext is handed out. */
struct ec_sink_connection {
    uint64_t id;    /* never used twice in a session */
    bool addressed; /* the four fields below are known */
    bool server;    /* our process accepted it */
    enum ec_transport transport;
    struct ec_endpoint local, remote; /* local: our process's end */
};

/* What one call of SSL_write, SSL_read or the like moved, or a piece of it. In order within a connection's direction.
 */
struct ec_sink_plaintext {
    uint64_t time; /* ns since the epoch */
    const struct ec_sink_connection *connection;
    const struct ec_owner *owner; /* the calling thread; never NULL */
    enum ec_direction direction;  /* OUT: written by the process */
    uint64_t offset; /* of data[0] in this direction, bytes; a gap to the last one's end: so much was lost */
    const uint8_t *data;
    uint32_t len;
    bool closed; /* the connection has ended, this is the last of it; len may be 0 */
};

/* A command line that a shell has run. */
struct ec_sink_command {
    uint64_t time;                /* ns since the epoch, when it ended */
    uint64_t started;             /* likewise, when it began */
    const struct ec_owner *owner; /* the shell; never NULL */
    enum ec_module_id module;
    const char *text; /* as typed, lines joined by newlines; any bytes, not NUL-terminated */
    size_t len;
    bool truncated;  /* text is not all of it */
    bool has_status; /* false: it has not ended (exec, the capture's end), or is not of a shell */
    int status;      /* exit status, 0 … 255 */
    const char *cwd; /* NULL: not known */
    const char *tty; /* "/dev/pts/3", NULL: none */
};

/* What was given for a statement's placeholder: $1, $2 … */
struct ec_sink_parameter {
    bool binary;         /* in the binary form of its type, which isn't known here; else text */
    const uint8_t *data; /* NULL: SQL's NULL */
    uint32_t len;
    uint32_t full_len; /* above len: data is cut */
};

enum ec_sql { EC_SQL_MYSQL, EC_SQL_POSTGRES };

/* A statement that a database server has run. */
struct ec_sink_statement {
    enum ec_sql sql;              /* whose dialect and protocol */
    uint64_t time;                /* ns since the epoch, when it ended */
    uint64_t started;             /* likewise, when it began */
    const struct ec_owner *owner; /* the server's thread or process; never NULL */
    enum ec_module_id module;
    uint64_t connection;  /* the server's own number of it; 0: not known */
    const char *user;     /* NULL: not known */
    const char *database; /* NULL: none, or not known */
    const char *text;     /* any bytes, not NUL-terminated */
    size_t len;
    uint64_t full_len; /* above len: text is cut */
    const struct ec_sink_parameter *parameters;
    unsigned n_parameters;
    unsigned full_n_parameters; /* above n_parameters: the last ones are missing */
    bool has_rows;
    uint64_t rows; /* sent or affected */
    bool has_error;
    uint32_t error;         /* the server's number; MySQL: 1064, PostgreSQL: 0, its SQLSTATE stands in error_text */
    const char *error_text; /* NULL: none, or not known */
};

struct ec_sink {
    const struct ec_sink_ops *ops;
};

/* A member that a sink has no use for is NULL. `false` means the sink can't go on: the session
 * stops, its other sinks are closed in good order, and the error is the session's. */
struct ec_sink_ops {
    const char *name;
    bool (*interface)(struct ec_sink *sink, const struct ec_sink_interface *interface, GError **error);
    bool (*secret)(struct ec_sink *sink, const struct ec_secret *secret, GError **error);
    bool (*packet)(struct ec_sink *sink, const struct ec_sink_packet *packet, GError **error);
    /* In timestamp order among themselves and with packets. */
    bool (*plaintext)(struct ec_sink *sink, const struct ec_sink_plaintext *plaintext, GError **error);
    bool (*command)(struct ec_sink *sink, const struct ec_sink_command *command, GError **error);
    bool (*statement)(struct ec_sink *sink, const struct ec_sink_statement *statement, GError **error);
    bool (*statistics)(struct ec_sink *sink, const struct ec_statistics *total,
                       const struct ec_interface_statistics *interfaces, unsigned n_interfaces, GError **error);
    /* After each batch: everything handed over must reach the reader now. */
    bool (*flush)(struct ec_sink *sink, GError **error);
    /* Writes what remains and closes; called once, also after a failure. */
    bool (*close)(struct ec_sink *sink, GError **error);
    void (*free)(struct ec_sink *sink);
    /* A descriptor whose POLLERR or POLLHUP means that the reader has gone, -1 if there is none. */
    int (*get_fd)(struct ec_sink *sink);
};

enum ec_sink_error {
    EC_SINK_ERROR_READER_GONE, /* EPIPE: a normal end, not a failure */
    EC_SINK_ERROR_WRITE,       /* disk full, file size limit, I/O error, a stalled reader at the end */
    EC_SINK_ERROR_OPEN,        /* the output can't be opened or made */
    EC_SINK_ERROR_FORMAT,      /* the output's format can't hold what is to be written */
};
#define EC_SINK_ERROR (ec_sink_error_quark())
GQuark ec_sink_error_quark(void);
