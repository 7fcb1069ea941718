/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Finds the function of a TLS library that is handed every secret: ssl_log_secret(ssl, label,
 * secret, secret_len) in OpenSSL >= 1.1.1, BoringSSL and AWS-LC, _gnutls_nss_keylog_write(session, label,
 * secret, secret_len) in GnuTLS >= 3.6; and ssl3_RecordKeyLog(socket, label, key) in NSS's libssl3, where
 * nss-hook-point.h tells how the key's value is had. By symbol, else by debug data, else by cross-reference from the
 * label strings. What is not proven is refused with a reason.
 *
 * Pure: reads the ELF file it is handed and nothing else. The file is hostile input.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum ec_hook_method { EC_HOOK_SYMBOL, EC_HOOK_DEBUG, EC_HOOK_XREF, EC_HOOK_GO_TABLE, EC_HOOK_METHOD_MAX };
/* "symbol", "debug data", "cross-reference", "Go function table" */
const char *ec_hook_method_get_name(enum ec_hook_method method);

enum ec_library_kind {
    EC_LIBRARY_OPENSSL,
    EC_LIBRARY_BORINGSSL,
    EC_LIBRARY_GNUTLS,
    EC_LIBRARY_LIBRESSL,
    EC_LIBRARY_GO,        /* a program with Go's crypto/tls: go-hook-point.h */
    EC_LIBRARY_NSS,       /* libssl3 of NSS; this and the next two: nss-hook-point.h */
    EC_LIBRARY_NSS_KEYS,  /* libnss3 */
    EC_LIBRARY_NSS_TOKEN, /* libsoftokn3 */
    EC_LIBRARY_AWS_LC,    /* hooked as BoringSSL, of which it comes */
    EC_LIBRARY_KIND_MAX
};
const char *ec_library_kind_get_name(enum ec_library_kind kind);
/* Whether a process that maps a library of this kind speaks TLS by it: NSS's other two serve its libssl3. */
bool ec_library_kind_is_tls(enum ec_library_kind kind);

/* A library without a function that is handed every secret: the kind of its pseudo-random function (prf-hook.h), or,
 * EC_PRF_CONTROL, of what OpenSSL 1.1's, inlined, hands everything over to. */
enum ec_prf { EC_PRF_NONE, EC_PRF_OPENSSL, EC_PRF_LIBRESSL, EC_PRF_CONTROL, EC_PRF_MAX };

/* How Go passes arguments: on the stack, or, since 1.17 (x86-64) and 1.18 (aarch64), in registers. */
enum ec_go_abi { EC_GO_ABI_STACK, EC_GO_ABI_REGISTER };

/* Where LibreSSL's TLS 1.3 secrets are had (libressl-hook.h). File offsets, to be probed with the arguments as they are
 * at a function's entry. */
#define EC_LIBRESSL_ENTRIES 9
struct ec_libressl_point {
    uint64_t derive_offset;          /* of the function that derives a secret; 0: that isn't proven */
    uint16_t handshake, application; /* bytes from the secrets' object to the first secret of either kind */
    unsigned n_entries;
    uint64_t entries[EC_LIBRESSL_ENTRIES]; /* of functions whose first argument is the connection */
};

#define EC_HOOK_ARGUMENTS 4
/* A further place to probe, as probe_offset and registers of ec_hook_point. */
struct ec_hook_probe {
    uint64_t offset;
    uint8_t registers[EC_HOOK_ARGUMENTS];
};
#define EC_HOOK_MORE_MAX 3
struct ec_hook_point {
    enum ec_library_kind kind;
    enum ec_hook_method method;
    uint64_t function_offset; /* file offset of the function's first byte */
    uint64_t probe_offset;    /* file offset to probe: the function's entry, or a cheap instruction soon after it that
                                 every call passes once (KERNEL-FACTS: endbr64 13 us, push, nop and jumps 1 us) */
    uint8_t registers[EC_HOOK_ARGUMENTS]; /* which hold ssl, label, secret and its length at probe_offset. x86-64: in
                                             encoding order, rax rcx rdx rbx rsp rbp rsi rdi r8 … r15 = 0 … 15;
                                             aarch64: x0 … x15 */
    bool random_indirect;           /* false: the 32-byte client random is at ssl + random_offset (OpenSSL >= 3.0);
                                       true: at *(ssl + random_pointer_offset) + random_offset, as ssl->s3 is a pointer
                                       there (OpenSSL 1.1.1, BoringSSL). `ssl`: the function's first argument */
    uint16_t random_pointer_offset; /* bytes */
    uint16_t random_offset;         /* bytes */
    enum ec_prf prf; /* not EC_PRF_NONE: the function is that one, probe_offset its entry, and nothing more
                        is set than version and build_id, and the next two */
    struct ec_libressl_point libressl; /* EC_PRF_LIBRESSL; if it is proven, the random's place is set, too */
    uint64_t expand_offset;            /* of OpenSSL: file offset to be probed for TLS 1.3 (expand-hook.h), with the
                                          random's place; 0: it has none */
    enum ec_go_abi go_abi;             /* EC_LIBRARY_GO: where the arguments are, instead of the four fields above */
    uint64_t go_resume_offset;         /* EC_LIBRARY_GO: file offset of a second place to probe, 0 if there is none:
                                          go-hook-point.h */
    unsigned n_more;                   /* EC_LIBRARY_NSS_TOKEN: several functions are probed, all alike */
    struct ec_hook_probe more[EC_HOOK_MORE_MAX];
    char version[48];  /* of the library if its file tells ("3.0.22"), else "" */
    char build_id[41]; /* hex, "" if it has none */
};

enum ec_hook_error {
    EC_HOOK_ERROR_IO,       /* the file can't be read */
    EC_HOOK_ERROR_NOT_ELF,  /* no ELF, truncated, or inconsistent */
    EC_HOOK_ERROR_MACHINE,  /* an ELF of another machine than x86-64 or aarch64 */
    EC_HOOK_ERROR_NOT_TLS,  /* holds none of the label strings: not a TLS library of these kinds */
    EC_HOOK_ERROR_UNPROVEN, /* holds them, but the function or the random's place isn't proven */
};
#define EC_HOOK_ERROR (ec_hook_error_quark())
GQuark ec_hook_error_quark(void);

/* `fd`: an open ELF file, borrowed, read by pread only. `debug_fd`: its separate debug file
 * (.gnu_debuglink, build ID), -1 if there is none. On failure false, `error` says why in one line
 * and *ret_point is untouched. */
bool ec_hook_point_find(int fd, int debug_fd, struct ec_hook_point *ret_point, GError **error);

/* Likewise, where the function is known from before: `known` tells its offset, and kind, method, version and build ID
 * are taken over. The build ID must be the file's, the offset in its code, the kind one of those that keep the random
 * in an object (OpenSSL, BoringSSL, GnuTLS) and not belied by its symbols; the random's place is proven again. Takes
 * milliseconds, however large the file. */
bool ec_hook_point_prove(int fd, const struct ec_hook_point *known, struct ec_hook_point *ret_point, GError **error);

/* The version of the TLS library inside any ELF file ("3.0.22", "BoringSSL", "AWS-LC 1.30.0", "LibreSSL 3.8.2"),
 * by its version string. libssl itself often lacks it: ask the libcrypto beside it. False if there is none. */
bool ec_library_version_find(int fd, char ret_version[static 48]);
/* Whether that library is BoringSSL or AWS-LC: by its version string or, if it has none, a string "BoringSSL". */
bool ec_library_is_boringssl(int fd);
/* Takes the name off a version that begins with one, and tells whose it is. Else both stay as they are. */
bool ec_library_version_split(char version[static 48], enum ec_library_kind *ret_kind);
/* What a libssl's own file doesn't tell, its libcrypto does: sets the point's version, and its kind if it is BoringSSL
 * or AWS-LC. */
void ec_hook_point_ask_crypto(struct ec_hook_point *point, int crypto_fd);
/* The version of a libgnutls ("3.7.9"), by the text that it logs at its start. False if it has none. */
bool ec_gnutls_version_find(int fd, char ret_version[static 48]);
/* The version of one of NSS's libraries ("3.87.1"), by the text that each of them holds. False if it has none. */
bool ec_nss_version_find(int fd, char ret_version[static 48]);
