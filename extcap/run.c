/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run.h"
#include "command.h"
#include "keylog-sink.h"
#include "output.h"
#include "pcap-sink.h"
#include "pcapng-sink.h"
#include "progress.h"
#include "shell-program.h"

#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static bool check_pids(const struct ec_options *options, GError **error)
{
    for (guint i = 0; i < options->pids->len; i++) {
        uint32_t pid = g_array_index(options->pids, uint32_t, i);
        g_autofree char *path = g_strdup_printf("/proc/%u", pid);

        if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
            g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_VALUE,
                        "there is no process %u: ecapture list shows those that can be captured", pid);
            return false;
        }
    }
    return true;
}

static bool check_interfaces(const struct ec_options *options, GError **error)
{
    for (guint i = 0; i < options->interfaces->len; i++) {
        const char *name = g_ptr_array_index(options->interfaces, i);

        if (strcmp(name, "any") && !if_nametoindex(name)) {
            g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_VALUE,
                        "there is no network interface '%s': ip link lists them, any means all", name);
            return false;
        }
    }
    return true;
}

/* Before the processes are gone through, which takes time and may have warnings of its own. */
static bool check_paths(const struct ec_options *options, GError **error)
{
    for (size_t module = 0; module < EC_MODULE_MAX; module++) {
        for (guint i = 0; i < options->paths[module]->len; i++) {
            const char *name = g_ptr_array_index(options->paths[module], i);
            g_autofree char *path = NULL;
            uint64_t address;

            if (module != EC_MODULE_BASH || !ec_shell_path_split(name, &path, &address))
                path = g_strdup(name);
            if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
                g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_VALUE,
                            "there is no file '%s': give the path of a library or program", path);
                return false;
            }
        }
    }
    return true;
}

static bool check_filter(const struct ec_options *options, GError **error)
{
    g_autofree char *message = options->filter ? ec_capture_filter_check(options->filter) : NULL;

    if (!message)
        return true;
    g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE, "bad capture filter '%s': %s; see pcap-filter(7)",
                options->filter, message);
    return false;
}

bool ec_options_check(const struct ec_options *options, GError **error)
{
    return check_pids(options, error) && check_interfaces(options, error) && check_paths(options, error) &&
           check_filter(options, error);
}

/* NULL-terminated. */
static const char *const *get_strings(GPtrArray *strings)
{
    g_ptr_array_add(strings, NULL);
    g_ptr_array_set_size(strings, (gint)strings->len - 1);
    return strings->len ? (const char *const *)strings->pdata : NULL;
}

void ec_options_get_config(const struct ec_options *options, struct ec_session_config *ret_config)
{
    bool any = g_ptr_array_find_with_equal_func(options->interfaces, "any", g_str_equal, NULL);

    *ret_config = (struct ec_session_config){
        .modules = options->modules,
        .interfaces = any ? NULL : get_strings(options->interfaces),
        .filter = options->filter,
        .pids = options->pids->len ? &g_array_index(options->pids, uint32_t, 0) : NULL,
        .n_pids = options->pids->len,
        .filter_uid = options->filter_uid,
        .uid = options->uid,
        .filter_status = options->filter_status,
        .status = options->status,
        .btf_file = options->btf_file,
        .snaplen = options->snaplen,
        .ring_size = options->ring_size,
        /* Text is made of it. */
        .plaintext = options->mode == EC_MODE_TEXT ? EC_PLAINTEXT_ALL : options->plaintext,
        .hold_ms = options->hold_ms,
        .no_packets = options->mode == EC_MODE_TEXT,
        .max_packets = options->max_packets,
        .max_seconds = options->max_seconds,
        .verify = options->verify,
    };
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        ret_config->paths[i] = get_strings(options->paths[i]);
}

/* The sink's head goes out at once: dumpcap waits for it before it says that the capture runs. */
static bool add_capture(ec_session *session, const struct ec_options *options, int fd, GError **error)
{
    struct utsname host = {0};
    g_autofree char *os = uname(&host) ? NULL : g_strdup_printf("%s %s", host.sysname, host.release);
    struct ec_pcapng_config config = {
        .comments = options->comments,
        .no_packets = !ec_modules_have(options->modules, true),
        .application = "ecapture " ECAPTURE_VERSION,
        .hardware = os ? host.machine : NULL,
        .os = os,
    };
    struct ec_sink *sink =
        options->mode == EC_MODE_PCAP ? ec_pcap_sink_new(fd, error) : ec_pcapng_sink_new(fd, &config, error);

    if (!sink)
        return false;
    ec_session_add_sink(session, sink);
    return sink->ops->flush(sink, error);
}

static bool is_reader_gone(const GError *error)
{
    return g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_READER_GONE);
}

static bool run_fifo(const struct ec_options *options, int fifo, GError **error)
{
    g_autoptr(ec_session) session = NULL;
    g_autoptr(GError) head_error = NULL;
    struct ec_session_config config;

    ec_options_get_config(options, &config);
    session = ec_session_new(&config, error);
    if (!session) {
        close(fifo);
        return false;
    }
    if (add_capture(session, options, fifo, &head_error))
        return ec_session_run(session, error);
    if (is_reader_gone(head_error))
        return true;
    g_propagate_error(error, g_steal_pointer(&head_error));
    return false;
}

bool ec_run_fifo(const struct ec_options *options, int fifo, GError **error)
{
    if (ec_options_check(options, error))
        return run_fifo(options, fifo, error);
    close(fifo);
    return false;
}

static bool add_keylog(ec_session *session, const char *path, GError **error)
{
    int fd = ec_output_open(path, error);
    struct ec_sink *sink = fd < 0 ? NULL : ec_keylog_sink_new(fd, error);

    if (sink)
        ec_session_add_sink(session, sink);
    return sink != NULL;
}

static struct ec_sink *add_text(ec_session *session, const struct ec_options *options, GError **error)
{
    struct ec_sink *sink = ec_text_sink_new(&options->text, error);

    if (sink)
        ec_session_add_sink(session, sink);
    return sink;
}

/* `*ret_text`: the text sink, which is the session's; NULL if there is none. */
static bool add_outputs(ec_session *session, const struct ec_options *options, const struct ec_sink **ret_text,
                        GError **error)
{
    int fd;

    if (options->keylogfile && !add_keylog(session, options->keylogfile, error))
        return false;
    if (options->mode == EC_MODE_TEXT)
        return (*ret_text = add_text(session, options, error)) != NULL;
    if (!options->pcapfile)
        return true;
    fd = ec_output_open(options->pcapfile, error);
    return fd >= 0 && add_capture(session, options, fd, error);
}

static bool is_stdout(const char *path)
{
    return path && (!strcmp(path, "-") || !strcmp(path, "/dev/stdout"));
}

static void show_progress(const struct ec_statistics *total, void *data)
{
    const struct ec_options *options = data;
    g_autofree char *line = ec_progress_format(total, options->verify);

    /* Back to the first column, and clear what a longer line has left behind. */
    fprintf(stderr, "\r%s\033[K", line);
}

static char *format_text_summary(const struct ec_statistics *total, const struct ec_sink *text)
{
    struct ec_text_counts counts = ec_text_sink_get_counts(text);

    return ec_progress_format_text_summary(total, &counts);
}

/* `text`: NULL if there is no text sink. */
static void show_summary(const ec_session *session, const struct ec_options *options, const struct ec_sink *text,
                         bool progress)
{
    g_autofree char *misses = ec_session_format_misses(session);
    struct ec_statistics total = {0};
    g_autofree char *summary = NULL;

    ec_session_get_statistics(session, &total);
    if (text)
        summary = format_text_summary(&total, text);
    else if (!ec_modules_have(options->modules, true))
        summary = ec_progress_format_message_summary(&total);
    else
        summary = ec_progress_format_summary(&total, options->verify, misses, ec_session_get_ring_drops(session));
    fprintf(stderr, "%s%s", progress ? "\r\033[K" : "", summary);
}

/* The command's own output, or text mode's, would be torn by a progress line. */
static bool wants_progress(const struct ec_options *options)
{
    return !options->command && options->mode != EC_MODE_TEXT && isatty(STDERR_FILENO);
}

static bool run_session(ec_session *session, const struct ec_options *options, const struct ec_sink *text,
                        ec_command *command, GError **error)
{
    bool progress = wants_progress(options);
    bool done;

    if (progress)
        ec_session_set_progress(session, show_progress, (void *)options);
    if (command->pid) {
        ec_session_set_child(session, command->pid);
        ec_command_release(command);
    } else {
        fprintf(stderr, "ecapture: capturing; Ctrl-C ends it\n");
    }
    done = ec_session_run(session, error);
    show_summary(session, options, text, progress);
    return done;
}

bool ec_run_command_line(const struct ec_options *options, int *ret_status, GError **error)
{
    g_auto(ec_command) command = EC_COMMAND_INIT;
    g_autoptr(ec_session) session = NULL;
    g_autoptr(GError) run_error = NULL;
    g_autofree char *program = NULL;
    struct ec_session_config config;
    uint32_t child;
    const struct ec_sink *text = NULL;
    bool stdout_is_data = is_stdout(options->pcapfile) || is_stdout(options->keylogfile) ||
                          (options->mode == EC_MODE_TEXT && !options->pcapfile);

    ec_options_get_config(options, &config);
    if (options->command) {
        if (!ec_command_start(&command, options->command, stdout_is_data, error))
            return false;
        child = (uint32_t)command.pid;
        config.pids = &child;
        config.n_pids = 1;
        config.follow_forks = true;
        config.program = program = ec_command_find_program(options->command[0]);
    }
    session = ec_session_new(&config, error);
    if (!session || !add_outputs(session, options, &text, error))
        return false;
    if (!run_session(session, options, text, &command, &run_error)) {
        if (!command.pid) {
            g_propagate_error(error, g_steal_pointer(&run_error));
            return false;
        }
        /* Told now, for the command may still run for long. */
        ec_log_error("%s", run_error->message);
    }
    /* Whoever ends us means the command too. */
    if (command.pid && ec_session_get_signal(session))
        kill(command.pid, ec_session_get_signal(session));
    *ret_status = command.pid ? ec_command_wait(&command) : 0;
    if (run_error)
        *ret_status = 1;
    return true;
}
