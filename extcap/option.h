/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The options of both front ends. One const table (option.c) feeds the command line, --help,
 * --extcap-config and the man page; a new option is a row there.
 */
#include "abi.h" /* enum ec_plaintext_mode */
#include "log.h"
#include "module.h"
#include "text-sink.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum ec_option_id {
    EC_OPTION_MODULE,
    EC_OPTION_PID,
    EC_OPTION_UID,
    EC_OPTION_LIBSSL,
    EC_OPTION_ELFPATH,
    EC_OPTION_GNUTLS,
    EC_OPTION_NSS,
    EC_OPTION_MYSQLD,
    EC_OPTION_POSTGRES,
    EC_OPTION_BASH,
    EC_OPTION_READLINESO,
    EC_OPTION_ZSH,
    EC_OPTION_ERRNUMBER,
    EC_OPTION_BTF,
    EC_OPTION_INTERFACE,
    EC_OPTION_SNAPLEN,
    EC_OPTION_MAPSIZE,
    EC_OPTION_HOLD,
    EC_OPTION_VERIFY,
    EC_OPTION_VERIFY_EXTCAP,
    EC_OPTION_COUNT,
    EC_OPTION_AUTOSTOP,
    EC_OPTION_PCAPFILE,
    EC_OPTION_KEYLOGFILE,
    EC_OPTION_MODEL,
    EC_OPTION_JSON,
    EC_OPTION_HEX,
    EC_OPTION_TSIZE,
    EC_OPTION_COLOR,
    EC_OPTION_ROTATE_SIZE,
    EC_OPTION_ROTATE_TIME,
    EC_OPTION_COMMENTS,
    EC_OPTION_NO_COMMENTS,
    EC_OPTION_PLAINTEXT,
    EC_OPTION_LOG_LEVEL,
    EC_OPTION_LOG_FILE,
    EC_OPTION_HELP,
    EC_OPTION_VERSION,
    EC_OPTION_MAX,
};

/* What the value is, and which widget of Wireshark's dialog asks for it. */
enum ec_option_type {
    EC_OPTION_TYPE_FLAG,     /* takes no value; command line only */
    EC_OPTION_TYPE_BOOLEAN,  /* true or false */
    EC_OPTION_TYPE_UNSIGNED, /* min … max */
    EC_OPTION_TYPE_STRING,
    EC_OPTION_TYPE_SELECTOR, /* one of `choices` */
    EC_OPTION_TYPE_MULTI,    /* several, comma-separated, from a list made when it is asked for */
    EC_OPTION_TYPE_FILE,
    EC_OPTION_TYPE_MAX,
};

/* Who takes the option; or-ed. */
enum ec_option_front { EC_FRONT_CLI = 1 << 0, EC_FRONT_EXTCAP = 1 << 1 };

enum ec_option_group {
    EC_GROUP_TARGET,
    EC_GROUP_CAPTURE,
    EC_GROUP_OUTPUT,
    EC_GROUP_TEXT, /* likewise of the command line */
    EC_GROUP_LOG,
    EC_GROUP_OTHER, /* of the command line: no tab shows it */
    EC_GROUP_MAX,
};
/* The dialog's tab and the heading in --help. */
const char *ec_option_group_get_name(enum ec_option_group group);

enum ec_output_mode { EC_MODE_PCAPNG, EC_MODE_PCAP, EC_MODE_KEYLOG, EC_MODE_TEXT };

/* What the options of one run say; every field has its default after ec_options_new(). Owns all it points to. */
struct ec_options {
    unsigned modules; /* bits of 1 << enum ec_module_id */
    GArray *pids;     /* of uint32_t */
    bool filter_uid;
    uid_t uid;
    bool filter_status;
    int status;                      /* of shell commands, the only one wanted */
    GPtrArray *paths[EC_MODULE_MAX]; /* of char *: files to hook beside what is found */
    char *btf_file;                  /* NULL: not given */
    GPtrArray *interfaces;           /* of char *, "any" among them means all */
    uint32_t snaplen;                /* bytes */
    size_t ring_size;                /* bytes */
    unsigned hold_ms;
    uint64_t max_packets; /* 0: no limit */
    uint64_t max_seconds; /* 0: no limit */
    bool verify;          /* try secrets out */
    enum ec_output_mode mode;
    bool mode_given;
    char *pcapfile;             /* NULL: not given; "-" is stdout */
    char *keylogfile;           /* likewise */
    struct ec_text_config text; /* its output's path is that of `pcapfile` */
    bool comments;
    enum ec_plaintext_mode plaintext;
    enum ec_log_level log_level;
    char *log_file; /* NULL: stderr */
    char *filter;   /* the words that are no options, joined; NULL: none */
    char **command; /* what follows "--", NULL-terminated; NULL: none */
    bool help, version;
    bool given[EC_OPTION_MAX]; /* which options there were */
};

struct ec_option {
    enum ec_option_id id;
    const char *name; /* "--" name */
    char letter;      /* "-" letter, 0: none */
    enum ec_option_type type;
    unsigned fronts; /* enum ec_option_front */
    enum ec_option_group group;
    const char *value_name;     /* in --help: "FILE"; NULL if it takes none */
    const char *default_text;   /* NULL: nothing */
    const char *display;        /* its label in the dialog */
    const char *tooltip;        /* one sentence for tooltip, --help and man page */
    const char *expect;         /* completes "--name can't be 'x': give …" */
    const char *validation;     /* the dialog's regular expression, without braces; NULL: none */
    const char *placeholder;    /* NULL: none */
    const char *const *choices; /* of a selector, NULL-terminated */
    uint64_t min, max;          /* of an unsigned */
    bool reload;                /* its list can be asked for again */
    bool repeats;               /* on the command line it may be given several times */
    unsigned modules;           /* bits of 1 << enum ec_module_id: of those it is for, 0: all */
    enum ec_module_id module;   /* of one that names a file to hook: which module hooks it */
    bool packets;               /* is for what text mode has none of */
    bool (*set)(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
};

extern const struct ec_option ec_option_table[EC_OPTION_MAX];
/* Whether any of these modules (likewise bits) has a use for the option. */
bool ec_option_is_for(const struct ec_option *option, unsigned modules);

enum ec_option_error {
    EC_OPTION_ERROR_USAGE, /* the words are wrong: exit status 2 */
    EC_OPTION_ERROR_VALUE, /* they name something that isn't there: exit status 1 */
};
#define EC_OPTION_ERROR (ec_option_error_quark())
GQuark ec_option_error_quark(void);

/* Never NULL; free with ec_options_free(). */
struct ec_options *ec_options_new(void);
void ec_options_free(struct ec_options *options);
typedef struct ec_options ec_options;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_options, ec_options_free)

/* By name, without its dashes and whatever dashes it has inside (Wireshark removes them); NULL if
 * there is none for this front end. */
const struct ec_option *ec_option_get(const char *name, enum ec_option_front front);

/*
 * Reads `n_args` arguments (program name and module left out) into `options`, which may be changed
 * in part on failure. Accepted: --name VALUE, --name=VALUE, -l VALUE, -lVALUE; what follows "--" is
 * the command. Words that are no options make the filter on the command line, and are ignored in
 * extcap (they belong to some --extcap- option that we don't know). In extcap an empty value means
 * the default: that is how the dialog says "nothing".
 */
bool ec_options_parse(struct ec_options *options, enum ec_option_front front, int n_args, char *const *args,
                      GError **error);
