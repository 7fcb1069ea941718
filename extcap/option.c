/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option table, and the functions that set the options' values. */
#include "option.h"
#include "module.h"
#include "option-text.h"
#include "session.h"

#include <pwd.h>
#include <string.h>

G_DEFINE_QUARK(ec - option - error - quark, ec_option_error)

/* PID_MAX_LIMIT, include/linux/threads.h */
#define PID_LIMIT (4u << 20)
/* BPF_MAP_TYPE_RINGBUF's max_entries is a power of two in 32 bits, kernel/bpf/ringbuf.c */
#define RING_SIZE_MIN (64u << 10)
#define RING_SIZE_MAX (1u << 31)

static const char *const group_names[] = {
    [EC_GROUP_TARGET] = "Target",  [EC_GROUP_PACKETS] = "Packets", [EC_GROUP_OUTPUT] = "Output",
    [EC_GROUP_TEXT] = "Text mode", [EC_GROUP_LOG] = "Log",         [EC_GROUP_OTHER] = "Other",
};
_Static_assert(G_N_ELEMENTS(group_names) == EC_GROUP_MAX, "a name per group");

const char *ec_option_group_get_name(enum ec_option_group group)
{
    return group_names[group];
}

static bool refuse(const struct ec_option *option, const char *value, GError **error)
{
    g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE, "--%s can't be '%s': give %s", option->name, value,
                option->expect);
    return false;
}

static bool set_module(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    const struct ec_module *module = ec_module_get(value);

    if (!module && strcmp(value, "all"))
        return refuse(option, value, error);
    options->modules = module ? 1u << module->id : (1u << EC_MODULE_MAX) - 1;
    return true;
}

static bool set_pid(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    g_auto(GStrv) words = g_strsplit(value, ",", -1);
    g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    if (!*words)
        return refuse(option, value, error);
    for (char **word = words; *word; word++) {
        guint64 number = 0;
        uint32_t pid;

        if (!g_ascii_string_to_unsigned(*word, 10, 1, PID_LIMIT, &number, NULL))
            return refuse(option, value, error);
        pid = (uint32_t)number;
        g_array_append_val(pids, pid);
    }
    g_array_append_vals(options->pids, pids->data, pids->len);
    return true;
}

static bool set_uid(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    guint64 number = 0;

    if (!*value)
        return refuse(option, value, error);
    /* (uid_t)-1 stands for "no user" in every system call. */
    if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT32 - 1, &number, NULL)) {
        const struct passwd *entry = getpwnam(value);

        if (!entry) {
            g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_VALUE, "there is no user '%s': give %s", value,
                        option->expect);
            return false;
        }
        number = entry->pw_uid;
    }
    options->uid = (uid_t)number;
    options->filter_uid = true;
    return true;
}

static bool set_path(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    if (!*value)
        return refuse(option, value, error);
    g_ptr_array_add(options->paths[option->module], g_strdup(value));
    return true;
}

static bool set_interface(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    g_auto(GStrv) words = g_strsplit(value, ",", -1);

    if (!*words || g_strv_contains((const char *const *)words, ""))
        return refuse(option, value, error);
    for (char **word = words; *word; word++)
        g_ptr_array_add(options->interfaces, g_strdup(*word));
    return true;
}

static bool parse_number(const struct ec_option *option, const char *value, guint64 *ret_number, GError **error)
{
    guint64 number = 0;

    if (!g_ascii_string_to_unsigned(value, 10, option->min, option->max, &number, NULL))
        return refuse(option, value, error);
    *ret_number = number;
    return true;
}

static bool set_snaplen(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    guint64 number = 0;

    if (!parse_number(option, value, &number, error))
        return false;
    /* As in tcpdump, 0 is the greatest there is. */
    options->snaplen = number ? (uint32_t)number : EC_SNAPLEN_MAX;
    return true;
}

/* As in eCapture a bare number counts KiB. */
static bool set_mapsize(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    static const char suffixes[] = "KMG";
    size_t len = strlen(value);
    const char *suffix = len ? strchr(suffixes, g_ascii_toupper(value[len - 1])) : NULL;
    unsigned shift = suffix ? 10 * (unsigned)(suffix - suffixes + 1) : 10;
    g_autofree char *digits = g_strndup(value, suffix ? len - 1 : len);
    guint64 number = 0;

    if (!g_ascii_string_to_unsigned(digits, 10, 1, RING_SIZE_MAX, &number, NULL))
        return refuse(option, value, error);
    number <<= shift;
    if (number < RING_SIZE_MIN || number > RING_SIZE_MAX)
        return refuse(option, value, error);
    options->ring_size = (size_t)number;
    return true;
}

static bool set_hold(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    guint64 number = 0;

    if (!parse_number(option, value, &number, error))
        return false;
    options->hold_ms = (unsigned)number;
    return true;
}

static bool set_errnumber(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    guint64 number = 0;

    if (!parse_number(option, value, &number, error))
        return false;
    options->filter_status = true;
    options->status = (int)number;
    return true;
}

static bool set_count(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    return parse_number(option, value, &options->max_packets, error);
}

static bool set_autostop(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    static const char prefix[] = "duration:";

    if (!g_str_has_prefix(value, prefix) ||
        !g_ascii_string_to_unsigned(value + strlen(prefix), 10, 1, G_MAXUINT32, &options->max_seconds, NULL))
        return refuse(option, value, error);
    return true;
}

static bool replace(char **string, const struct ec_option *option, const char *value, GError **error)
{
    if (!*value)
        return refuse(option, value, error);
    g_free(*string);
    *string = g_strdup(value);
    return true;
}

static bool set_btf(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    return replace(&options->btf_file, option, value, error);
}

static bool set_pcapfile(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    return replace(&options->pcapfile, option, value, error);
}

static bool set_keylogfile(struct ec_options *options, const struct ec_option *option, const char *value,
                           GError **error)
{
    return replace(&options->keylogfile, option, value, error);
}

static bool set_model(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    static const struct {
        const char *name;
        enum ec_output_mode mode;
    } modes[] = {{"pcapng", EC_MODE_PCAPNG},
                 {"pcap", EC_MODE_PCAP},
                 {"keylog", EC_MODE_KEYLOG},
                 {"key", EC_MODE_KEYLOG},
                 {"text", EC_MODE_TEXT}};

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (!strcmp(modes[i].name, value)) {
            options->mode = modes[i].mode;
            options->mode_given = true;
            return true;
        }
    }
    return refuse(option, value, error);
}

static bool set_comments(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    if (strcmp(value, "true") && strcmp(value, "false"))
        return refuse(option, value, error);
    options->comments = value[0] == 't';
    return true;
}

static bool set_verify(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    (void)option, (void)value, (void)error;
    options->verify = true;
    return true;
}

static bool set_verify_extcap(struct ec_options *options, const struct ec_option *option, const char *value,
                              GError **error)
{
    if (strcmp(value, "true") && strcmp(value, "false"))
        return refuse(option, value, error);
    options->verify = value[0] == 't';
    return true;
}

static bool set_no_comments(struct ec_options *options, const struct ec_option *option, const char *value,
                            GError **error)
{
    (void)option, (void)value, (void)error;
    options->comments = false;
    return true;
}

static const char *const plaintext_choices[] = {
    [EC_PLAINTEXT_NONE] = "none", [EC_PLAINTEXT_MISSING] = "missing", [EC_PLAINTEXT_ALL] = "all", NULL};

static bool set_plaintext(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    for (int mode = 0; plaintext_choices[mode]; mode++) {
        if (!strcmp(value, plaintext_choices[mode])) {
            options->plaintext = (enum ec_plaintext_mode)mode;
            return true;
        }
    }
    return refuse(option, value, error);
}

static bool set_log_level(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    enum ec_log_level level = ec_log_level_parse(value);

    if (level == EC_LOG_LEVEL_MAX)
        return refuse(option, value, error);
    options->log_level = level;
    return true;
}

static bool set_log_file(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    return replace(&options->log_file, option, value, error);
}

static bool set_help(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    (void)option, (void)value, (void)error;
    options->help = true;
    return true;
}

static bool set_version(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    (void)option, (void)value, (void)error;
    options->version = true;
    return true;
}

/* The texts below state the numbers of session.h; these keep them true. */
_Static_assert(EC_DEFAULT_SNAPLEN == 258048 && EC_SNAPLEN_MAX == 258048, "snaplen's texts");
_Static_assert(EC_DEFAULT_RING_SIZE == 64u << 20, "mapsize's texts");
_Static_assert(EC_DEFAULT_HOLD_MS == 500, "hold's texts");

static const char *const module_choices[] = {"all",  "tls", "gotls",  "gnutls",   "nss",
                                             "bash", "zsh", "mysqld", "postgres", NULL};
_Static_assert(G_N_ELEMENTS(module_choices) == EC_MODULE_MAX + 2, "a choice per module");
static const char *const log_choices[] = {"error", "warning", "info", "debug", NULL};
_Static_assert(G_N_ELEMENTS(log_choices) == EC_LOG_LEVEL_MAX + 1, "a choice per level");

#define BOTH (EC_FRONT_CLI | EC_FRONT_EXTCAP)

const struct ec_option ec_option_table[] = {
    [EC_OPTION_MODULE] = {.id = EC_OPTION_MODULE,
                          .name = "module",
                          .type = EC_OPTION_TYPE_SELECTOR,
                          .fronts = EC_FRONT_EXTCAP,
                          .group = EC_GROUP_TARGET,
                          .value_name = "MODULE",
                          .default_text = "all",
                          .display = "Module",
                          .tooltip = "Which libraries to take secrets from",
                          .expect = "all or the name of a module: tls, gotls, gnutls, nss, bash, zsh, mysqld, postgres",
                          .choices = module_choices,
                          .set = set_module},
    [EC_OPTION_PID] = {.id = EC_OPTION_PID,
                       .name = "pid",
                       .letter = 'p',
                       .type = EC_OPTION_TYPE_MULTI,
                       .fronts = BOTH,
                       .group = EC_GROUP_TARGET,
                       .value_name = "PID[,PID...]",
                       .display = "Processes",
                       .tooltip =
                           "Capture only the packets and secrets of these processes; none chosen means every process",
                       .expect = "one or more process ids, separated by commas",
                       .reload = true,
                       .set = set_pid},
    [EC_OPTION_UID] = {.id = EC_OPTION_UID,
                       .name = "uid",
                       .letter = 'u',
                       .type = EC_OPTION_TYPE_STRING,
                       .fronts = BOTH,
                       .group = EC_GROUP_TARGET,
                       .value_name = "UID|NAME",
                       .display = "User",
                       .tooltip = "Capture only the packets and secrets of this user's processes",
                       .expect = "a user's name or number (getent passwd lists them)",
                       .validation = "^[A-Za-z0-9_.-]*[$]?$",
                       .placeholder = "every user",
                       .set = set_uid},
    [EC_OPTION_LIBSSL] = {.id = EC_OPTION_LIBSSL,
                          .name = "libssl",
                          .type = EC_OPTION_TYPE_FILE,
                          .fronts = BOTH,
                          .group = EC_GROUP_TARGET,
                          .value_name = "PATH",
                          .display = "Library file",
                          .tooltip = "Hook this TLS library (or program with one inside) too, beside those found in "
                                     "running processes; may be repeated on the command line",
                          .expect = "the path of a shared library or program",
                          .placeholder = "found by itself",
                          .module = EC_MODULE_TLS,
                          .set = set_path},
    [EC_OPTION_ELFPATH] = {.id = EC_OPTION_ELFPATH,
                           .name = "elfpath",
                           .type = EC_OPTION_TYPE_FILE,
                           .fronts = BOTH,
                           .group = EC_GROUP_TARGET,
                           .value_name = "PATH",
                           .display = "Go program",
                           .tooltip = "Hook this Go program too, beside those that run; may be repeated on the "
                                      "command line",
                           .expect = "the path of a program written in Go",
                           .placeholder = "found by itself",
                           .module = EC_MODULE_GOTLS,
                           .set = set_path},
    [EC_OPTION_GNUTLS] = {.id = EC_OPTION_GNUTLS,
                          .name = "gnutls",
                          .type = EC_OPTION_TYPE_FILE,
                          .fronts = BOTH,
                          .group = EC_GROUP_TARGET,
                          .value_name = "PATH",
                          .display = "GnuTLS library",
                          .tooltip = "Hook this GnuTLS library too, beside those found in running processes; may be "
                                     "repeated on the command line",
                          .expect = "the path of a libgnutls",
                          .placeholder = "found by itself",
                          .module = EC_MODULE_GNUTLS,
                          .set = set_path},
    [EC_OPTION_BASH] = {.id = EC_OPTION_BASH,
                        .name = "bash",
                        .type = EC_OPTION_TYPE_FILE,
                        .fronts = BOTH,
                        .group = EC_GROUP_TARGET,
                        .value_name = "PATH",
                        .display = "bash",
                        .tooltip = "Hook this bash too, beside those that run; may be repeated on the command line",
                        .expect = "the path of a bash",
                        .placeholder = "found by itself",
                        .module = EC_MODULE_BASH,
                        .set = set_path},
    [EC_OPTION_READLINESO] =
        {.id = EC_OPTION_READLINESO,
         .name = "readlineso",
         .type = EC_OPTION_TYPE_FILE,
         .fronts = BOTH,
         .group = EC_GROUP_TARGET,
         .value_name = "PATH",
         .display = "libreadline",
         .tooltip = "Show the lines of all programs that call readline() of this libreadline, without an exit status; "
                    "a program with readline() inside can be named as well; may be repeated on the command line",
         .expect = "the path of a libreadline",
         .placeholder = "none",
         .module = EC_MODULE_BASH,
         .set = set_path},
    [EC_OPTION_ZSH] = {.id = EC_OPTION_ZSH,
                       .name = "zsh",
                       .type = EC_OPTION_TYPE_FILE,
                       .fronts = BOTH,
                       .group = EC_GROUP_TARGET,
                       .value_name = "PATH",
                       .display = "zsh",
                       .tooltip = "Hook this zsh too, beside those that run; may be repeated on the command line",
                       .expect = "the path of a zsh",
                       .placeholder = "found by itself",
                       .module = EC_MODULE_ZSH,
                       .set = set_path},
    [EC_OPTION_ERRNUMBER] = {.id = EC_OPTION_ERRNUMBER,
                             .name = "errnumber",
                             .letter = 'e',
                             .type = EC_OPTION_TYPE_UNSIGNED,
                             .fronts = BOTH,
                             .group = EC_GROUP_TARGET,
                             .value_name = "STATUS",
                             .display = "Exit status",
                             .tooltip = "Show only those shell commands that ended with this exit status",
                             .expect = "an exit status from 0 to 255",
                             .placeholder = "any",
                             .min = 0,
                             .max = 255,
                             .set = set_errnumber},
    [EC_OPTION_NSS] = {.id = EC_OPTION_NSS,
                       .name = "nss",
                       .type = EC_OPTION_TYPE_FILE,
                       .fronts = BOTH,
                       .group = EC_GROUP_TARGET,
                       .value_name = "PATH",
                       .display = "NSS library",
                       .tooltip = "Hook this libssl3, libnss3 or libsoftokn3 of NSS, and the other two beside it, too, "
                                  "beside those found in running processes; may be repeated on the command line",
                       .expect = "the path of a libssl3 of NSS",
                       .placeholder = "found by itself",
                       .module = EC_MODULE_NSS,
                       .set = set_path},
    [EC_OPTION_MYSQLD] =
        {.id = EC_OPTION_MYSQLD,
         .name = "mysqld",
         .type = EC_OPTION_TYPE_FILE,
         .fronts = BOTH,
         .group = EC_GROUP_TARGET,
         .value_name = "PATH",
         .display = "MariaDB server",
         .tooltip = "Hook this MariaDB server too, beside those that run; may be repeated on the command line",
         .expect = "the path of a mysqld or mariadbd",
         .placeholder = "found by itself",
         .module = EC_MODULE_MYSQLD,
         .set = set_path},
    [EC_OPTION_POSTGRES] =
        {.id = EC_OPTION_POSTGRES,
         .name = "postgres",
         .type = EC_OPTION_TYPE_FILE,
         .fronts = BOTH,
         .group = EC_GROUP_TARGET,
         .value_name = "PATH",
         .display = "PostgreSQL server",
         .tooltip = "Hook this PostgreSQL server too, beside those that run; may be repeated on the command line",
         .expect = "the path of PostgreSQL's postgres",
         .placeholder = "found by itself",
         .module = EC_MODULE_POSTGRES,
         .set = set_path},
    [EC_OPTION_BTF] = {.id = EC_OPTION_BTF,
                       .name = "btf",
                       .type = EC_OPTION_TYPE_FILE,
                       .fronts = BOTH,
                       .group = EC_GROUP_TARGET,
                       .value_name = "FILE",
                       .display = "Kernel's types (BTF)",
                       .tooltip = "Where this kernel has no BTF: a file with its types, as BTFHub has them; without "
                                  "it processes go by their threads' names",
                       .expect = "the path of a BTF file for this kernel",
                       .placeholder = "the kernel's own",
                       .set = set_btf},
    [EC_OPTION_INTERFACE] = {.id = EC_OPTION_INTERFACE,
                             .name = "interface",
                             .letter = 'i',
                             .type = EC_OPTION_TYPE_MULTI,
                             .fronts = BOTH,
                             .group = EC_GROUP_PACKETS,
                             .value_name = "IFACE",
                             .display = "Network interfaces",
                             .tooltip = "Capture on these network interfaces; none chosen, or any, means all that are "
                                        "up, also those that come up later; may be repeated on the command line",
                             .expect = "the name of a network interface (ip link lists them) or any",
                             .set = set_interface},
    [EC_OPTION_SNAPLEN] = {.id = EC_OPTION_SNAPLEN,
                           .name = "snaplen",
                           .letter = 's',
                           .type = EC_OPTION_TYPE_UNSIGNED,
                           .fronts = BOTH,
                           .group = EC_GROUP_PACKETS,
                           .value_name = "SNAPLEN",
                           .default_text = "258048",
                           .display = "Snap length (bytes)",
                           .tooltip = "Keep at most this many bytes of each packet; 0 is the maximum, 258048",
                           .expect = "a number of bytes from 0 to 258048",
                           .min = 0,
                           .max = EC_SNAPLEN_MAX,
                           .set = set_snaplen},
    [EC_OPTION_MAPSIZE] = {.id = EC_OPTION_MAPSIZE,
                           .name = "mapsize",
                           .type = EC_OPTION_TYPE_STRING,
                           .fronts = BOTH,
                           .group = EC_GROUP_PACKETS,
                           .value_name = "SIZE",
                           .default_text = "64M",
                           .display = "Ring buffer size",
                           .tooltip = "Size of the kernel's ring buffer for packets: more of it survives longer "
                                      "bursts; with suffix K, M or G, in KiB without one",
                           .expect = "a size from 64K to 2G, e.g. 256M",
                           .validation = "^[0-9]+[KkMmGg]?$",
                           .placeholder = "64M",
                           .set = set_mapsize},
    [EC_OPTION_HOLD] = {.id = EC_OPTION_HOLD,
                        .name = "hold",
                        .type = EC_OPTION_TYPE_UNSIGNED,
                        .fronts = BOTH,
                        .group = EC_GROUP_PACKETS,
                        .value_name = "MS",
                        .default_text = "500",
                        .display = "Hold time (ms)",
                        .tooltip = "How long a packet may wait for the secret that decrypts it, in milliseconds; 0 "
                                   "never holds packets back",
                        .expect = "a number of milliseconds from 0 to 60000",
                        .min = 0,
                        .max = 60000,
                        .set = set_hold},
    [EC_OPTION_VERIFY] = {.id = EC_OPTION_VERIFY,
                          .name = "verify",
                          .type = EC_OPTION_TYPE_FLAG,
                          .fronts = EC_FRONT_CLI,
                          .group = EC_GROUP_PACKETS,
                          .display = "Verify secrets",
                          .tooltip = "Decrypt the first encrypted record of each direction with the secrets that were "
                                     "found, and count for how many handshakes that works",
                          .set = set_verify},
    [EC_OPTION_VERIFY_EXTCAP] =
        {.id = EC_OPTION_VERIFY_EXTCAP,
         .name = "verify",
         .type = EC_OPTION_TYPE_BOOLEAN,
         .fronts = EC_FRONT_EXTCAP,
         .group = EC_GROUP_PACKETS,
         .value_name = "true|false",
         .default_text = "false",
         .display = "Verify secrets",
         .tooltip = "Decrypt the first encrypted record of each direction with the secrets that were found, and count "
                    "for how many handshakes that works; the capture file's statistics show it",
         .expect = "true or false",
         .set = set_verify_extcap},
    [EC_OPTION_COUNT] = {.id = EC_OPTION_COUNT,
                         .name = "count",
                         .letter = 'c',
                         .type = EC_OPTION_TYPE_UNSIGNED,
                         .fronts = EC_FRONT_CLI,
                         .group = EC_GROUP_PACKETS,
                         .value_name = "PACKETS",
                         .display = "Packet limit",
                         .tooltip = "Stop after this many packets",
                         .expect = "a number of packets, at least 1",
                         .min = 1,
                         .max = G_MAXUINT64,
                         .set = set_count},
    [EC_OPTION_AUTOSTOP] = {.id = EC_OPTION_AUTOSTOP,
                            .name = "autostop",
                            .letter = 'a',
                            .type = EC_OPTION_TYPE_STRING,
                            .fronts = EC_FRONT_CLI,
                            .group = EC_GROUP_PACKETS,
                            .value_name = "duration:SECONDS",
                            .display = "Time limit",
                            .tooltip = "Stop after this many seconds",
                            .expect = "duration:SECONDS, e.g. duration:60",
                            .set = set_autostop},
    [EC_OPTION_PCAPFILE] = {.id = EC_OPTION_PCAPFILE,
                            .name = "pcapfile",
                            .letter = 'w',
                            .type = EC_OPTION_TYPE_FILE,
                            .fronts = EC_FRONT_CLI,
                            .group = EC_GROUP_OUTPUT,
                            .value_name = "FILE|-",
                            .display = "Capture file",
                            .tooltip = "Write packets and secrets to this pcapng file, readable by its owner only; - "
                                       "is standard output",
                            .expect = "a file name or -",
                            .set = set_pcapfile},
    [EC_OPTION_KEYLOGFILE] = {.id = EC_OPTION_KEYLOGFILE,
                              .name = "keylogfile",
                              .letter = 'k',
                              .type = EC_OPTION_TYPE_FILE,
                              .fronts = EC_FRONT_CLI,
                              .group = EC_GROUP_OUTPUT,
                              .value_name = "FILE|-",
                              .display = "Key log",
                              .tooltip = "Write the secrets to this file as an NSS key log, readable by its owner "
                                         "only; - is standard output",
                              .expect = "a file name or -",
                              .set = set_keylogfile},
    [EC_OPTION_MODEL] =
        {.id = EC_OPTION_MODEL,
         .name = "model",
         .letter = 'm',
         .type = EC_OPTION_TYPE_STRING,
         .fronts = EC_FRONT_CLI,
         .group = EC_GROUP_OUTPUT,
         .value_name = "pcapng|pcap|keylog|text",
         .display = "Output mode",
         .tooltip =
             "What to write: pcapng (the default with -w), pcap (packets alone, nothing else fits in), keylog, or "
             "text (the default without -w and -k: what programs say, to standard output or the file of -w)",
         .expect = "pcapng, pcap, keylog or text",
         .set = set_model},
    [EC_OPTION_JSON] = {.id = EC_OPTION_JSON,
                        .name = "json",
                        .type = EC_OPTION_TYPE_FLAG,
                        .fronts = EC_FRONT_CLI,
                        .group = EC_GROUP_TEXT,
                        .display = "JSON",
                        .tooltip = "One line of JSON for each message, instead of a block of text",
                        .set = ec_option_set_json},
    [EC_OPTION_HEX] = {.id = EC_OPTION_HEX,
                       .name = "hex",
                       .type = EC_OPTION_TYPE_FLAG,
                       .fronts = EC_FRONT_CLI,
                       .group = EC_GROUP_TEXT,
                       .display = "Hexdump",
                       .tooltip = "Show every body as a hexdump, not only those that are no text",
                       .set = ec_option_set_hex},
    [EC_OPTION_TSIZE] = {.id = EC_OPTION_TSIZE,
                         .name = "tsize",
                         .letter = 't',
                         .type = EC_OPTION_TYPE_UNSIGNED,
                         .fronts = EC_FRONT_CLI,
                         .group = EC_GROUP_TEXT,
                         .value_name = "BYTES",
                         .default_text = "4194304",
                         .display = "Text size",
                         .tooltip = "Show at most this many bytes of a body, and say so; 0 is the maximum, 4194304",
                         .expect = "a number of bytes from 0 to 4194304",
                         .min = 0,
                         .max = EC_TEXT_SHOWN_MAX,
                         .set = ec_option_set_tsize},
    [EC_OPTION_COLOR] = {.id = EC_OPTION_COLOR,
                         .name = "color",
                         .type = EC_OPTION_TYPE_SELECTOR,
                         .fronts = EC_FRONT_CLI,
                         .group = EC_GROUP_TEXT,
                         .value_name = "auto|always|never",
                         .default_text = "auto",
                         .display = "Colours",
                         .tooltip = "Colour what isn't part of a message; auto does so on a terminal, unless the "
                                    "environment has NO_COLOR",
                         .expect = "auto, always or never",
                         .choices = ec_option_color_choices,
                         .set = ec_option_set_color},
    [EC_OPTION_ROTATE_SIZE] = {.id = EC_OPTION_ROTATE_SIZE,
                               .name = "rotate-size",
                               .type = EC_OPTION_TYPE_STRING,
                               .fronts = EC_FRONT_CLI,
                               .group = EC_GROUP_TEXT,
                               .value_name = "SIZE",
                               .display = "File size",
                               .tooltip = "Begin another file once -w FILE has this size: FILE_00001_DATETIME, "
                                          "FILE_00002_DATETIME and so on; in bytes, or with suffix K, M or G",
                               .expect = "a size, e.g. 100M",
                               .min = 1,
                               .max = G_MAXUINT32,
                               .set = ec_option_set_rotate_size},
    [EC_OPTION_ROTATE_TIME] = {.id = EC_OPTION_ROTATE_TIME,
                               .name = "rotate-time",
                               .type = EC_OPTION_TYPE_UNSIGNED,
                               .fronts = EC_FRONT_CLI,
                               .group = EC_GROUP_TEXT,
                               .value_name = "SECONDS",
                               .display = "File time",
                               .tooltip = "Likewise, with the first message after this many seconds",
                               .expect = "a number of seconds, at least 1",
                               .min = 1,
                               .max = G_MAXUINT32,
                               .set = ec_option_set_rotate_time},
    [EC_OPTION_COMMENTS] =
        {.id = EC_OPTION_COMMENTS,
         .name = "comments",
         .type = EC_OPTION_TYPE_BOOLEAN,
         .fronts = EC_FRONT_EXTCAP,
         .group = EC_GROUP_OUTPUT,
         .value_name = "true|false",
         .default_text = "true",
         .display = "Packet comments",
         .tooltip = "Name the process behind each packet in a comment: pid=1234 tid=1235 comm=curl uid=1000",
         .expect = "true or false",
         .set = set_comments},
    [EC_OPTION_NO_COMMENTS] = {.id = EC_OPTION_NO_COMMENTS,
                               .name = "no-comments",
                               .type = EC_OPTION_TYPE_FLAG,
                               .fronts = EC_FRONT_CLI,
                               .group = EC_GROUP_OUTPUT,
                               .display = "No comments",
                               .tooltip = "Leave out the packet comments that name the process behind each packet",
                               .set = set_no_comments},
    [EC_OPTION_PLAINTEXT] = {.id = EC_OPTION_PLAINTEXT,
                             .name = "plaintext",
                             .type = EC_OPTION_TYPE_SELECTOR,
                             .fronts = BOTH,
                             .group = EC_GROUP_OUTPUT,
                             .value_name = "none|missing|all",
                             .default_text = "none",
                             .display = "Plaintext",
                             .tooltip = "Beside the packets, write what programs hand to and get from their TLS "
                                        "library, as TCP segments made up for it: missing, where the secrets are not "
                                        "known (connections older than the capture, libraries that can't be hooked); "
                                        "all, everywhere",
                             .expect = "none, missing or all",
                             .choices = plaintext_choices,
                             .set = set_plaintext},
    [EC_OPTION_LOG_LEVEL] = {.id = EC_OPTION_LOG_LEVEL,
                             .name = "log-level",
                             .type = EC_OPTION_TYPE_SELECTOR,
                             .fronts = BOTH,
                             .group = EC_GROUP_LOG,
                             .value_name = "LEVEL",
                             .default_text = "warning",
                             .display = "Log level",
                             .tooltip = "How much to log: error, warning, info or debug; Wireshark gets errors only, "
                                        "unless there is a log file",
                             .expect = "error, warning, info or debug",
                             .choices = log_choices,
                             .set = set_log_level},
    [EC_OPTION_LOG_FILE] = {.id = EC_OPTION_LOG_FILE,
                            .name = "log-file",
                            .type = EC_OPTION_TYPE_FILE,
                            .fronts = BOTH,
                            .group = EC_GROUP_LOG,
                            .value_name = "FILE",
                            .display = "Log file",
                            .tooltip = "Append messages to this file",
                            .expect = "a file name",
                            .placeholder = "no file",
                            .set = set_log_file},
    [EC_OPTION_HELP] = {.id = EC_OPTION_HELP,
                        .name = "help",
                        .letter = 'h',
                        .type = EC_OPTION_TYPE_FLAG,
                        .fronts = EC_FRONT_CLI,
                        .group = EC_GROUP_OTHER,
                        .display = "Help",
                        .tooltip = "Show this help",
                        .set = set_help},
    [EC_OPTION_VERSION] = {.id = EC_OPTION_VERSION,
                           .name = "version",
                           .type = EC_OPTION_TYPE_FLAG,
                           .fronts = EC_FRONT_CLI,
                           .group = EC_GROUP_OTHER,
                           .display = "Version",
                           .tooltip = "Show the version",
                           .set = set_version},
};
_Static_assert(G_N_ELEMENTS(ec_option_table) == EC_OPTION_MAX, "a row per option");
