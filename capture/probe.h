/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What is attached to a file: which eBPF program, where, with which attach cookie. */
#include "abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A row in programs.c each: which programs of bpf/ it is, which modules need them. */
enum ec_uprobe {
    EC_UPROBE_SECRET,       /* cookie: EC_SECRET_COOKIE() */
    EC_UPROBE_PRF,          /* cookie: EC_PRF_COOKIE() */
    EC_UPROBE_EXPAND,       /* cookie: EC_SECRET_COOKIE(), without registers */
    EC_UPROBE_LIBRESSL,     /* cookie: EC_LIBRESSL_COOKIE() */
    EC_UPROBE_GO,           /* cookie: EC_GO_COOKIE() */
    EC_UPROBE_NSS,          /* cookie: EC_NSS_COOKIE() */
    EC_UPROBE_MYSQLD_BEGIN, /* cookie: EC_MYSQLD_COMMAND_* */
    EC_UPROBE_MYSQLD_OK,
    EC_UPROBE_MYSQLD_END,           /* cookie: the layout's number, which attaching gives it */
    EC_UPROBE_POSTGRES_END_COMMAND, /* cookie: EC_VARIABLES_COOKIE(), as of BIND and ERROR */
    EC_UPROBE_POSTGRES_SERIES,
    EC_UPROBE_POSTGRES_SERIES_END,
    EC_UPROBE_POSTGRES_BIND,
    EC_UPROBE_POSTGRES_ERROR,
    EC_UPROBE_POSTGRES_LOGIN,
    EC_UPROBE_PLAINTEXT_ENTER,    /* cookie: EC_PLAINTEXT_COOKIE() */
    EC_UPROBE_PLAINTEXT_LEAVE,    /* at_return, of the same functions */
    EC_UPROBE_PLAINTEXT_GO_ENTER, /* likewise */
    EC_UPROBE_PLAINTEXT_GO_LEAVE, /* at RET instructions */
    /* Cookies: EC_VARIABLES_COOKIE() */
    EC_UPROBE_SHELL_DONE,
    EC_UPROBE_BASH_PROMPT,
    EC_UPROBE_BASH_LINE,
    EC_UPROBE_ZSH_ENTRY,
    EC_UPROBE_ZSH_LINE,
    EC_UPROBE_READLINE_LINE,
    EC_UPROBE_MAX
};

struct ec_probe {
    enum ec_uprobe uprobe;
    bool at_return;  /* when the function at `offset` returns (never in Go: it moves its stacks) */
    uint64_t offset; /* of the instruction in the file, bytes */
    uint64_t cookie;
};

/* All that a module attaches to one file. */
#define EC_PROBES_MAX 32
struct ec_probe_plan {
    const char *product; /* static; NULL: what the module is named by */
    char version[48];    /* of what is in the file ("5.2.15"), "" if it does not tell */
    size_t n_probes;
    struct ec_probe probes[EC_PROBES_MAX];
    bool has_layout; /* of EC_UPROBE_MYSQLD_END */
    struct ec_mysqld_layout layout;
};
