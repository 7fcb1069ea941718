/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The only contract between the eBPF programs and user space.
 *
 * Four ring buffers (BPF_MAP_TYPE_RINGBUF, Linux 5.8) carry it: `near` and, when that is full, `packets` hold
 * ec_packet records alone, `messages` what is handed to the user beside packets, `events` what
 * user space must know about either, so that a flood of packets or messages never costs a secret. Every record starts
 * with an ec_record. User space checks a record's ring length against its type's minimum before it reads a field.
 *
 * Times are nanoseconds of CLOCK_BOOTTIME (bpf_ktime_get_boot_ns, Linux 5.8), taken
 * after the record was reserved: ring.h says what follows from that.
 * Process ids are those of the initial pid namespace; `pid` is the thread group.
 * All fields are host byte order unless a comment says otherwise.
 */
#ifdef __bpf__
/* clang's BPF target has no <stdint.h> of its own. */
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef int int32_t;
typedef long long int64_t;
#define UINT32_MAX 0xffffffffu
#else
#include <stdint.h>
#endif

/* TASK_COMM_LEN, include/linux/sched.h */
#define EC_COMM_LEN 16
/* The longest NSS key-log label in use, CLIENT_HANDSHAKE_TRAFFIC_SECRET, has 31 bytes. */
#define EC_LABEL_LEN 40
/* Hash.length of SHA-512 is the largest that RFC 8446 allows for; a TLS 1.2 master secret has 48. */
#define EC_SECRET_LEN 64
/* RFC 8446 4.1.2, RFC 5246 7.4.1.2: Random, 32 bytes */
#define EC_RANDOM_LEN 32

/* Bytes of one packet that a record can hold. dumpcap ends a capture at a block over 262,144
 * bytes (MAX_BLOCK_SIZE); the rest is room for the block's header and options. */
#define EC_SNAPLEN_MAX 258048

enum ec_record_type {
    EC_RECORD_PACKET = 1,    /* ec_packet, rings `near` and `packets` */
    EC_RECORD_SECRET = 2,    /* ec_secret_event */
    EC_RECORD_OWNER = 3,     /* ec_owner_event */
    EC_RECORD_PLAINTEXT = 4, /* ec_plaintext_event, ring `messages` */
    EC_RECORD_COMMAND = 6,   /* ec_command_event, ring `messages` */
    EC_RECORD_STATEMENT = 7, /* ec_statement_event, ring `messages` */
};

struct ec_record {
    uint16_t type;  /* enum ec_record_type */
    uint16_t flags; /* enum ec_secret_flag; 0 in others */
    uint32_t size;  /* bytes in use, this header included; the ring slot may be longer */
    uint64_t time;  /* ns, CLOCK_BOOTTIME */
    uint32_t pid;   /* of the task the program ran in; 0 in packet records (see owner) */
    uint32_t tid;
};
_Static_assert(sizeof(struct ec_record) == 24, "abi");

enum ec_owner_flag {
    EC_OWNER_KNOWN = 1 << 0, /* the other fields are set */
    EC_OWNER_MATCH = 1 << 1, /* the pid/uid filter accepts this process (always set without a filter) */
};

/* The process that used a socket last. */
struct ec_owner {
    uint32_t pid;
    uint32_t tid;
    uint32_t uid;           /* in the initial user namespace */
    uint32_t flags;         /* enum ec_owner_flag */
    char comm[EC_COMM_LEN]; /* of the thread group's leader; NUL-terminated */
};
_Static_assert(sizeof(struct ec_owner) == 32, "abi");

/* What socket-local storage holds: freed with its socket, inherited by accepted ones (BPF_F_CLONE). */
struct ec_socket {
    struct ec_owner owner;
    uint64_t cookie; /* of the socket that last got an owner; an accepted socket inherits its listener's */
    uint32_t role;   /* enum ec_plaintext_role: it connects, or listens or was accepted */
    uint32_t pad;
};
_Static_assert(sizeof(struct ec_socket) == 48, "abi");

enum ec_direction { EC_DIRECTION_IN = 1, EC_DIRECTION_OUT = 2 }; /* as in epb_flags */

enum ec_packet_flag {
    EC_PACKET_VLAN = 1 << 0,       /* vlan_tci and vlan_proto hold a tag that `data` lacks */
    EC_PACKET_UNFILTERED = 1 << 1, /* the capture filter still has to run, in user space */
    EC_PACKET_LOOPBACK = 1 << 3,   /* owner is the sender, peer the receiver */
    EC_PACKET_TRUNCATED = 1 << 2,  /* caplen is below the snap length and below len: slot limit */
};

/* One packet. On lo, `owner` is the sender and `peer` the receiver; elsewhere `owner` is the local
 * process and `peer` is unset. */
struct ec_packet {
    struct ec_record record;
    uint32_t ifindex;
    uint32_t len;    /* bytes on the wire, without the tag in vlan_tci */
    uint32_t caplen; /* bytes in data[] */
    uint16_t vlan_tci;
    uint16_t vlan_proto; /* EtherType, host order: 0x8100 or 0x88a8 */
    uint8_t direction;   /* enum ec_direction */
    uint8_t flags;       /* enum ec_packet_flag */
    uint16_t gso_size;   /* not 0: stands for several packets, each but the last with so many bytes of payload */
    uint8_t pad[4];
    uint64_t cookie;      /* of the owner's socket, 0 if none was found */
    uint64_t peer_cookie; /* likewise */
    struct ec_owner owner;
    struct ec_owner peer;
    uint8_t data[];
};
_Static_assert(sizeof(struct ec_packet) == 128, "abi");

enum ec_secret_flag {
    EC_SECRET_UNPROVEN =
        1 << 0, /* random and secret were taken for such by their lengths: good if a ClientHello has it */
    EC_SECRET_OF_SERVER = 1 << 1, /* client_random holds the server's, as the library has forgotten the client's */
};

/* A line of a key log, caught where the library derives it. */
struct ec_secret_event {
    struct ec_record record;
    uint32_t library;    /* which attached library fired: EC_SECRET_COOKIE_LIBRARY */
    uint16_t secret_len; /* 1 … EC_SECRET_LEN; longer ones are counted as EC_DROP_SECRET_INVALID */
    uint16_t label_len;  /* without the NUL */
    uint64_t object;     /* the SSL * or gnutls_session_t that it is of, 0: not told (Go) */
    uint8_t client_random[EC_RANDOM_LEN];
    char label[EC_LABEL_LEN];
    uint8_t secret[EC_SECRET_LEN];
};
_Static_assert(sizeof(struct ec_secret_event) == 24 + 16 + 32 + 40 + 64, "abi");

/* A socket has got its first, or another, owner. */
struct ec_owner_event {
    struct ec_record record;
    uint64_t cookie;
    struct ec_owner owner;
};
_Static_assert(sizeof(struct ec_owner_event) == 64, "abi");

/* What a probe in a database server has seen of a connection's statement; user space joins them. */
enum ec_statement_part {
    EC_STATEMENT_LOGIN, /* the connection begins; data: user NUL database NUL, either may be empty */
    EC_STATEMENT_TEXT,  /* data: a piece of the text; value: its offset */
    EC_STATEMENT_ROWS,  /* has succeeded; value: rows sent or affected; data: its text, if it has not come in pieces */
    EC_STATEMENT_ERROR, /* has failed; data: fields of PostgreSQL's ErrorResponse, up to its message */
    EC_STATEMENT_BIND,  /* data: a piece of PostgreSQL's Bind message, behind its length; value: its offset; total */
    EC_STATEMENT_DONE,  /* instead of ROWS and ERROR: data: an ec_statement_result, then user NUL database NUL
                           error NUL; value: when it began, ns, CLOCK_BOOTTIME */
};

enum ec_statement_flag {
    EC_STATEMENT_TEXTLESS = 1 << 0, /* of ERROR: no statement was running */
    EC_STATEMENT_SERIES = 1 << 1,   /* of ROWS: of one of several commands in one text, and not of the last */
    EC_STATEMENT_EXECUTED = 1 << 2, /* of ROWS: of an Execute message, not a simple query */
};

enum ec_statement_last {
    EC_STATEMENT_MORE,  /* pieces follow */
    EC_STATEMENT_WHOLE, /* the text ends here */
    EC_STATEMENT_CUT,   /* it goes on, but no more of it is read */
};

/* Bytes of a text or a Bind message that are read, and of an error's. */
#define EC_STATEMENT_PIECE_FIRST 512
#define EC_STATEMENT_PIECE 16384
#define EC_STATEMENT_PIECES 64 /* after the first */
#define EC_STATEMENT_ERROR_LEN 1024
#define EC_STATEMENT_NAME_LEN 128 /* MySQL: 96, PostgreSQL: NAMEDATALEN, 64 */

struct ec_statement_result {
    uint64_t connection; /* the server's number of it */
    uint64_t rows;       /* affected or sent, if has_rows */
    uint32_t has_rows;
    uint32_t error; /* its number, 0: none */
};
_Static_assert(sizeof(struct ec_statement_result) == 24, "abi");

/* Where MariaDB's or MySQL's server keeps what is read of a connection; bytes from its THD, which the probes are
 * handed, or from where the pointer there points to. */
struct ec_mysqld_layout {
    uint32_t query;                 /* char *text; size_t len */
    uint32_t database;              /* likewise */
    uint32_t connection;            /* a number */
    uint32_t connection_size;       /* of its bytes: 4 or 8 */
    uint32_t user_pointer, user;    /* char *text */
    uint32_t user_len;              /* size_t, at user_pointer's; unknown: the text ends with NUL */
    uint32_t status_pointer, error; /* u32 */
    uint32_t message;               /* char[], at status_pointer's */
    uint32_t state;                 /* u32, likewise: EC_MYSQLD_*; unknown: the error's number tells */
    uint32_t affected;              /* u64, likewise: rows, if the state is EC_MYSQLD_OK */
    uint32_t rows_sent;             /* u64 */
};
/* MySQL's Diagnostics_area::DA_OK, DA_ERROR */
#define EC_MYSQLD_OK 1
#define EC_MYSQLD_FAILED 3
/* Cookies of EC_UPROBE_MYSQLD_BEGIN: which of dispatch_command()'s arguments the command is. */
#define EC_MYSQLD_COMMAND_FIRST 0
#define EC_MYSQLD_COMMAND_THIRD 2
#define EC_LAYOUT_UNKNOWN UINT32_MAX /* of `query` never */
#define EC_LAYOUTS_MAX 64

struct ec_statement_event {
    struct ec_record record;
    uint32_t uid;
    uint8_t part;  /* enum ec_statement_part */
    uint8_t last;  /* of TEXT and BIND, and of ROWS with a text: enum ec_statement_last */
    uint8_t flags; /* enum ec_statement_flag */
    uint8_t pad;
    uint64_t connection; /* 0: the process is the connection */
    uint64_t value;
    uint64_t start; /* of PostgreSQL: when the client's message began, us since 2000, by the wall clock; else 0 */
    uint32_t len;   /* bytes in data[] */
    uint32_t total; /* of BIND: bytes of the whole message */
    char comm[EC_COMM_LEN];
    uint8_t data[];
};
_Static_assert(sizeof(struct ec_statement_event) == 80, "abi");

/* Which connections' plaintext is taken. */
enum ec_plaintext_mode {
    EC_PLAINTEXT_NONE,
    EC_PLAINTEXT_MISSING, /* of those whose secrets are not known */
    EC_PLAINTEXT_ALL,
};

/* Which end of a connection the process is. */
enum ec_plaintext_role { EC_PLAINTEXT_ROLE_UNKNOWN, EC_PLAINTEXT_ROLE_CLIENT, EC_PLAINTEXT_ROLE_SERVER };

/* The socket that a connection runs over; all zero: not known. */
struct ec_plaintext_socket {
    uint64_t cookie;
    uint8_t local[16], remote[16]; /* IPv4 mapped (::ffff:a.b.c.d) */
    uint16_t local_port, remote_port;
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint8_t role;     /* enum ec_plaintext_role, by who connected to whom */
    uint8_t pad[2];
};
_Static_assert(sizeof(struct ec_plaintext_socket) == 48, "abi");

enum ec_plaintext_flag {
    EC_PLAINTEXT_CLOSED = 1 << 0, /* the connection's object has been freed or cleared; no data */
    EC_PLAINTEXT_EXITED = 1 << 1, /* the process has ended, and all its connections; object is 0, no data */
};

/* What one call moved, or a piece of it. */
struct ec_plaintext_event {
    struct ec_record record;
    uint64_t object;     /* SSL *, gnutls_session_t or *tls.Conn: tells connections of a process apart, */
    uint64_t generation; /* ns, CLOCK_BOOTTIME, when it was first met: and those that had the same object one by one */
    uint64_t offset;     /* of data[0] in its direction */
    struct ec_plaintext_socket socket;
    uint32_t len; /* bytes in data[] */
    uint32_t uid;
    char comm[EC_COMM_LEN]; /* of the thread group's leader */
    uint8_t direction;      /* enum ec_direction */
    uint8_t flags;          /* enum ec_plaintext_flag */
    uint8_t role;           /* enum ec_plaintext_role, by the library */
    uint8_t pad[5];
    uint8_t data[];
};
_Static_assert(sizeof(struct ec_plaintext_event) == 128, "abi");
/* Bytes of one call that a record can hold; a longer call makes several. */
#define EC_PLAINTEXT_PIECE_MAX (256u << 10)

/* Whose line editor it was. */
enum ec_shell { EC_SHELL_BASH, EC_SHELL_ZSH, EC_SHELL_READLINE /* any program's */, EC_SHELL_MAX };

/* What a shell does, in this order. After LINE nothing follows from EC_SHELL_READLINE. */
enum ec_command_kind {
    EC_COMMAND_LINE,   /* ec_command_line: a line was typed; a command can have several */
    EC_COMMAND_DONE,   /* a command that began in the last line has ended, with `status` */
    EC_COMMAND_PROMPT, /* after the last DONE: nothing more comes of what was typed */
    EC_COMMAND_EXIT,   /* instead of these: the shell has ended, with `status` */
    EC_COMMAND_EXEC,   /* likewise: it is another program now */
    EC_COMMAND_KIND_MAX,
};

struct ec_command_event {
    struct ec_record record;
    uint8_t kind;  /* enum ec_command_kind */
    uint8_t shell; /* enum ec_shell; of a LINE only */
    uint16_t pad;
    int32_t status; /* as $? shows it */
};
_Static_assert(sizeof(struct ec_command_event) == 32, "abi");

/* tty_struct.name, include/linux/tty.h */
#define EC_TTY_LEN 64
/* PATH_MAX, include/uapi/linux/limits.h */
#define EC_PATH_LEN 4096
/* The longest line that is sent whole, bytes. */
#define EC_COMMAND_LINE_LEN 65535

struct ec_command_line {
    struct ec_command_event event;
    uint32_t uid;
    uint32_t text_len; /* EC_COMMAND_LINE_LEN: it may have been longer */
    char comm[EC_COMM_LEN];
    char tty[EC_TTY_LEN];  /* "pts3", the controlling terminal; "" if there is none */
    char cwd[EC_PATH_LEN]; /* as the shell has it; "" if it is not known; zsh's is in its own encoding (metafied) */
    char text[];           /* likewise; no NUL */
};
_Static_assert(sizeof(struct ec_command_line) == 32 + 8 + 16 + 64 + 4096, "abi");

/*
 * Attach cookie of the probes on shells and PostgreSQL: where two of the program's variables lie, as signed distances
 * from the probed instruction.
 *   ec_bash_prompt, ec_bash_line: executing, the_current_working_directory; ec_shell_done: $?; ec_zsh_line: pwd
 *   ec_postgres_*: debug_query_string, stmtStartTimestamp
 */
#define EC_VARIABLES_COOKIE(first, second) ((uint64_t)(uint32_t)(second) << 32 | (uint32_t)(first))
#define EC_VARIABLES_COOKIE_FIRST(cookie) ((int32_t)(uint32_t)(cookie))
#define EC_VARIABLES_COOKIE_SECOND(cookie) ((int32_t)(uint32_t)((cookie) >> 32))

/* Per-CPU counters in the array map `counters`, indexed by enum ec_counter. */
enum ec_counter {
    EC_COUNT_TRUNCATED,        /* put in, but cut at EC_SNAPLEN_MAX against the user's wish */
    EC_DROP_PACKET_RING_FULL,  /* packets lost: no room in `packets` */
    EC_DROP_PACKET_READ,       /* packets lost: bpf_skb_load_bytes failed */
    EC_DROP_SECRET_RING_FULL,  /* secrets lost: no room in `events` */
    EC_DROP_SECRET_FAULT,      /* secrets lost: the library's memory could not be read */
    EC_DROP_SECRET_INVALID,    /* secrets lost: a length or label that cannot be one */
    EC_DROP_SECRET_UNPROVEN,   /* secrets lost: NSS's key was not seen to get its value */
    EC_DROP_OWNER_RING_FULL,   /* owner events lost */
    EC_DROP_MESSAGE_FAULT,     /* messages lost: the program's memory could not be read */
    EC_DROP_MESSAGE_RING_FULL, /* messages lost: no room in `messages` */
    EC_COUNT_MAX,
};

/* Whose types the programs know: enum ec_types in ec_bpf_config.types. */
enum ec_types {
    EC_TYPES_NONE,   /* no kernel structure may be read */
    EC_TYPES_FILE,   /* some file's, for this kernel; the kernel itself has none */
    EC_TYPES_KERNEL, /* the kernel's own BTF */
};

/* Where the capture filter runs. */
enum ec_filter_place { EC_FILTER_NONE, EC_FILTER_KERNEL, EC_FILTER_USER };

/* Written by user space before load (const volatile). */
struct ec_bpf_config {
    uint32_t snaplen;            /* 1 … EC_SNAPLEN_MAX */
    uint32_t near_wake_bytes;    /* fill of `near` that wakes a batching reader */
    uint32_t wake_bytes;         /* likewise of `packets` */
    uint32_t message_wake_bytes; /* likewise of `messages` */
    uint32_t uid;                /* filter_uid: the one uid to accept */
    uint8_t filter_pid;          /* only processes in the map `pids` */
    uint8_t filter_uid;
    uint8_t follow_forks;  /* children of processes in `pids` join it */
    uint8_t filter;        /* enum ec_filter_place */
    uint8_t filter_vlan;   /* the filter asks for VLAN tags: a packet whose tag is in metadata is left to user space */
    uint8_t plaintext;     /* enum ec_plaintext_mode */
    uint8_t types;         /* enum ec_types */
    uint8_t touched;       /* the map `touched` is kept */
    uint8_t attach_cookie; /* bpf_get_attach_cookie() is there */
    uint8_t heirs;         /* the map `heirs` is kept */
    uint8_t pad[2];
};
_Static_assert(sizeof(struct ec_bpf_config) == 32, "abi");

/* Memory-mapped, shared: how user space asks to be woken (see ring.h). */
struct ec_wake {
    uint32_t on_any;  /* set by the reader before it sleeps idle: the next record wakes it */
    uint32_t on_fill; /* set by the reader before it sleeps batching: wake_bytes wakes it */
};

/* Stands in a uprobe program where its cookie is copied over it, on kernels that give none (cookie.bpf.h). */
#define EC_COOKIE_MAGIC 0x654370436f6f6b65

/*
 * Attach cookie of the ssl_log_secret probe: which library it is (1 … 32767); which registers hold its four
 * arguments where the probe sits, 4 bits each, numbered as ec_hook_point's; and where the client random lies:
 *   indirect 0: at ssl + offset; 1: at *(ssl + pointer) + offset (OpenSSL 1.1.1, BoringSSL: ssl->s3)
 */
#define EC_SECRET_REGISTERS(ssl, label, secret, len) ((ssl) | (label) << 4 | (secret) << 8 | (len) << 12)
#define EC_SECRET_COOKIE(library, registers, indirect, pointer, offset)                                                \
    ((uint64_t)(library) << 49 | (uint64_t)(uint16_t)(registers) << 33 | (uint64_t) !!(indirect) << 32 |               \
     (uint64_t)(uint16_t)(pointer) << 16 | (uint16_t)(offset))
#define EC_SECRET_COOKIE_LIBRARY(cookie) ((uint32_t)((cookie) >> 49))
#define EC_SECRET_COOKIE_REGISTER(cookie, argument) ((uint32_t)((cookie) >> (33 + 4 * (argument))) & 15)
#define EC_SECRET_COOKIE_INDIRECT(cookie) ((uint32_t)((cookie) >> 32) & 1)
#define EC_SECRET_COOKIE_POINTER(cookie) ((uint32_t)((cookie) >> 16) & 0xffff)
#define EC_SECRET_COOKIE_OFFSET(cookie) ((uint32_t)(cookie)&0xffff)

/* The slots for the capture filter (filter.bpf.h): instructions of one, the magic one included, the exit not. */
#define EC_FILTER_INSNS 4096
/* What the magic one loads: "eFE", "eFI". Below 2^31, since it sign-extends; not 0: an untouched slot accepts. */
#define EC_FILTER_MAGIC_ETHERNET 0x00654645
#define EC_FILTER_MAGIC_IP 0x00654649

/*
 * Attach cookie of the probes on Go's crypto/tls: which library (program) it is, in the same place; whether the
 * arguments are in registers; and whether the function is keysFromMasterSecret instead of writeKeyLog.
 */
#define EC_GO_COOKIE(library, registers, resume)                                                                       \
    ((uint64_t)(library) << 49 | (uint64_t) !!(resume) << 1 | (uint64_t) !!(registers))
#define EC_GO_COOKIE_REGISTERS(cookie) ((uint32_t)(cookie)&1)
#define EC_GO_COOKIE_RESUME(cookie) ((uint32_t)(cookie) >> 1 & 1)

/*
 * Attach cookie of the probes on NSS (nss-hook-point.h): EC_SECRET_COOKIE with the client random's offset in the
 * socket for EC_NSS_KEYLOG; `pointer` holds the role.
 */
enum ec_nss_role {
    EC_NSS_KEYLOG, /* ssl3_RecordKeyLog(socket, label, key) */
    EC_NSS_DERIVE, /* PK11_Derive(key, mechanism, parameters, …) */
    EC_NSS_VALUE,  /* f(object, attribute type, value, length) */
};
#define EC_NSS_COOKIE(library, registers, role, offset) EC_SECRET_COOKIE(library, registers, 0, role, offset)
#define EC_NSS_COOKIE_ROLE(cookie) EC_SECRET_COOKIE_POINTER(cookie)

/* Attach cookie of the probes on calls that move plaintext: what the call does, and what it says of how much it moved.
 */
enum ec_plaintext_operation {
    EC_PLAINTEXT_READ,
    EC_PLAINTEXT_WRITE,
    EC_PLAINTEXT_PEEK,
    EC_PLAINTEXT_HANDSHAKE, /* moves none, but shows which socket is the connection's */
    EC_PLAINTEXT_ROLE,      /* tells whether it is a client or a server */
    EC_PLAINTEXT_FREE,      /* ends it */
    EC_PLAINTEXT_CLEAR,     /* likewise, if it has moved any: handshakes begin so too */
    EC_PLAINTEXT_FLUSH,     /* sends what was written before: calls that write within it tell nothing new */
};
enum ec_plaintext_length {
    EC_PLAINTEXT_RETURNS_INT,   /* it returns the length, or something below 1 */
    EC_PLAINTEXT_RETURNS_LONG,  /* likewise, 64 bits of it */
    EC_PLAINTEXT_AT_ARGUMENT_4, /* *(its fourth argument), if it returns 1 or more, 32 bits of it */
    EC_PLAINTEXT_AT_ARGUMENT_5,
    EC_PLAINTEXT_IS_ARGUMENT_3,        /* its third argument, if it returns 0 or more, 32 bits of it */
    EC_PLAINTEXT_RETURNS_INT_OF_FLAGS, /* as RETURNS_INT; with EC_PR_MSG_PEEK in its fourth argument it only peeks */
};
/* PR_MSG_PEEK, prio.h of NSPR */
#define EC_PR_MSG_PEEK 2u
#define EC_PLAINTEXT_COOKIE(operation, length, role)                                                                   \
    ((uint64_t)(role) << 8 | (uint64_t)(length) << 4 | (uint64_t)(operation))
#define EC_PLAINTEXT_COOKIE_OPERATION(cookie) ((uint32_t)(cookie)&15)
#define EC_PLAINTEXT_COOKIE_LENGTH(cookie) ((uint32_t)(cookie) >> 4 & 15)
#define EC_PLAINTEXT_COOKIE_ROLE(cookie) ((uint32_t)(cookie) >> 8 & 3)

/* Attach cookie of the probe on OpenSSL's or LibreSSL's pseudo-random function (prf.bpf.c): the library, likewise, and
 * which function it is. */
enum ec_prf_cookie { EC_PRF_COOKIE_OPENSSL, EC_PRF_COOKIE_LIBRESSL, EC_PRF_COOKIE_CONTROL };
#define EC_PRF_COOKIE(library, kind) ((uint64_t)(library) << 49 | (uint64_t)(kind))
#define EC_PRF_COOKIE_KIND(cookie) ((uint32_t)(cookie)&3)

/*
 * Attach cookie of the probes on LibreSSL's TLS 1.3 (libressl.bpf.c): EC_SECRET_COOKIE, the client random at *(ssl +
 * pointer) + offset; in place of the registers whether it is the function that derives secrets, else one that gets the
 * connection, and where the handshake's and the application's secrets begin in their object: multiples of 8 bytes,
 * below 1024.
 */
#define EC_LIBRESSL_COOKIE(library, derives, handshake, application, pointer, offset)                                  \
    EC_SECRET_COOKIE(library, !!(derives) << 14 | (handshake) / 8 << 7 | (application) / 8, 1, pointer, offset)
#define EC_LIBRESSL_COOKIE_DERIVES(cookie) ((uint32_t)((cookie) >> 47) & 1)
#define EC_LIBRESSL_COOKIE_HANDSHAKE(cookie) (((uint32_t)((cookie) >> 40) & 127) * 8)
#define EC_LIBRESSL_COOKIE_APPLICATION(cookie) (((uint32_t)((cookie) >> 33) & 127) * 8)
/* sizeof(struct tls13_secret): a pointer and a length */
#define EC_LIBRESSL_SECRET_LEN 16
