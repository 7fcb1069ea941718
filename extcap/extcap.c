/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The extcap protocol. Three of its traps decide how this file is written: a query that exits
 * non-zero is thrown away without a word, so a filter's error is an answer and not a failure;
 * Wireshark 4.0 waits for ever for an extcap that ends before it has opened the FIFO, so the FIFO is
 * opened before anything can fail; and whatever stands on stderr is shown as an error, so a capture
 * that went well is silent.
 */
#include "extcap.h"
#include "choices.h"
#include "log.h"
#include "module.h"
#include "option.h"
#include "printable.h"
#include "run.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* LINKTYPE_ETHERNET: what fits most packets; each interface block of the stream names its own. */
#define LINKTYPE 1
#define LINKTYPE_NAME "EN10MB"
#define LINKTYPE_DISPLAY "Ethernet (each network interface keeps its own link type)"

enum verb { VERB_NONE, VERB_INTERFACES, VERB_DLTS, VERB_CONFIG, VERB_CAPTURE, VERB_FILTER };

/* Everything borrowed from the arguments. */
struct request {
    enum verb verb;
    const char *interface;
    const char *filter;
    const char *fifo;
    const char *reload;
    GPtrArray *rest; /* of char *: the arguments that are options of ours */
};

/* The protocol's own arguments; of the verbs the greatest present is meant, for a capture may come
 * with a filter, and a configuration with either. */
static const struct argument {
    const char *name;
    enum verb verb;
    size_t value; /* where in struct request its value goes, 0: it has none */
} argument_table[] = {
    {"--extcap-interfaces", VERB_INTERFACES, 0},
    {"--extcap-dlts", VERB_DLTS, 0},
    {"--extcap-config", VERB_CONFIG, 0},
    {"--capture", VERB_CAPTURE, 0},
    {"--extcap-interface", VERB_NONE, G_STRUCT_OFFSET(struct request, interface)},
    {"--extcap-capture-filter", VERB_NONE, G_STRUCT_OFFSET(struct request, filter)},
    {"--fifo", VERB_NONE, G_STRUCT_OFFSET(struct request, fifo)},
    {"--extcap-reload-option", VERB_NONE, G_STRUCT_OFFSET(struct request, reload)},
    {"--extcap-control-in", VERB_NONE, G_STRUCT_OFFSET(struct request, rest)},
    {"--extcap-control-out", VERB_NONE, G_STRUCT_OFFSET(struct request, rest)},
};

static const struct argument *find_argument(const char *word)
{
    size_t len = strcspn(word, "=");

    for (size_t i = 0; i < G_N_ELEMENTS(argument_table); i++)
        if (strlen(argument_table[i].name) == len && !memcmp(argument_table[i].name, word, len))
            return &argument_table[i];
    return NULL;
}

bool ec_extcap_is_wanted(int n_args, char *const *args)
{
    if (n_args == 0 || args[0][0] != '-')
        return false;
    for (int i = 0; i < n_args; i++)
        if (g_str_has_prefix(args[i], "--extcap-") || !strcmp(args[i], "--capture"))
            return true;
    return false;
}

static void parse_request(struct request *request, int n_args, char *const *args)
{
    for (int i = 0; i < n_args; i++) {
        const struct argument *argument = find_argument(args[i]);
        const char *glued = strchr(args[i], '=');
        const char *value;

        if (!argument) {
            g_ptr_array_add(request->rest, args[i]);
            continue;
        }
        if (argument->verb > request->verb)
            request->verb = argument->verb;
        if (!argument->value)
            continue;
        value = glued ? glued + 1 : i + 1 < n_args ? args[++i] : NULL;
        if (argument->value != G_STRUCT_OFFSET(struct request, rest))
            G_STRUCT_MEMBER(const char *, request, argument->value) = value;
    }
    if (request->verb == VERB_NONE && request->filter)
        request->verb = VERB_FILTER;
}

static int fail(const GError *error)
{
    g_autofree char *message = ec_printable_copy(error->message);

    fprintf(stderr, "ecapture: %s\n", message);
    return 1;
}

/* The modules an interface stands for; 0 if it is none of ours. */
static unsigned interface_modules(const char *interface)
{
    const struct ec_module *module;

    if (!g_strcmp0(interface, "ecapture"))
        return (1u << EC_MODULE_MAX) - 1;
    if (!interface || !g_str_has_prefix(interface, "ecapture-"))
        return 0;
    module = ec_module_get(interface + strlen("ecapture-"));
    return module ? 1u << module->id : 0;
}

static bool check_interface(const struct request *request, GError **error)
{
    if (interface_modules(request->interface))
        return true;
    g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE,
                "there is no extcap interface '%s': --extcap-interfaces lists them",
                request->interface ? request->interface : "");
    return false;
}

static int list_interfaces(void)
{
    printf("extcap {version=" ECAPTURE_VERSION "}{display=eCapture}\n");
    printf("interface {value=ecapture}{display=eCapture: all TLS libraries}\n");
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        printf("interface {value=ecapture-%s}{display=eCapture: %s}\n", ec_modules[i].name, ec_modules[i].display);
    return 0;
}

static int list_dlts(const struct request *request)
{
    g_autoptr(GError) error = NULL;

    if (!check_interface(request, &error))
        return fail(error);
    printf("dlt {number=%d}{name=%s}{display=%s}\n", LINKTYPE, LINKTYPE_NAME, LINKTYPE_DISPLAY);
    return 0;
}

static const char *const type_names[] = {
    [EC_OPTION_TYPE_FLAG] = "boolflag",     [EC_OPTION_TYPE_BOOLEAN] = "boolean",
    [EC_OPTION_TYPE_UNSIGNED] = "unsigned", [EC_OPTION_TYPE_STRING] = "string",
    [EC_OPTION_TYPE_SELECTOR] = "selector", [EC_OPTION_TYPE_MULTI] = "multicheck",
    [EC_OPTION_TYPE_FILE] = "fileselect",
};
_Static_assert(G_N_ELEMENTS(type_names) == EC_OPTION_TYPE_MAX, "a name per type");

static void print_choice(void *data, const char *value, const char *display, bool enabled)
{
    const struct ec_option *option = data;
    bool chosen = option->default_text && !strcmp(value, option->default_text);

    printf("value {arg=%d}{value=%s}{display=%s}{default=%s}%s\n", option->id, value, display,
           chosen ? "true" : "false", enabled ? "" : "{enabled=false}");
}

static void print_values(const struct request *request, const struct ec_option *option)
{
    ec_choices_foreach(option, interface_modules(request->interface), print_choice, (void *)option);
}

static void print_key(const char *key, const char *value)
{
    if (value)
        printf("{%s=%s}", key, value);
}

static void print_argument(const struct ec_option *option)
{
    printf("arg {number=%d}{call=--%s}{display=%s}{type=%s}", option->id, option->name, option->display,
           type_names[option->type]);
    /* A selector's default stands at its value. */
    if (option->type != EC_OPTION_TYPE_SELECTOR)
        print_key("default", option->default_text);
    if (option->type == EC_OPTION_TYPE_UNSIGNED)
        printf("{range=%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "}", option->min, option->max);
    if (option->type == EC_OPTION_TYPE_FILE)
        print_key("mustexist", option->id == EC_OPTION_LIBSSL ? "true" : "false");
    print_key("tooltip", option->tooltip);
    print_key("validation", option->validation);
    print_key("placeholder", option->placeholder);
    print_key("reload", option->reload ? "true" : NULL);
    printf("{group=%s}\n", ec_option_group_get_name(option->group));
}

/* The module is asked for only where the interface leaves it open, and nothing that it has no use for. */
static bool is_offered(const struct request *request, const struct ec_option *option)
{
    return (option->fronts & EC_FRONT_EXTCAP) && ec_option_is_for(option, interface_modules(request->interface)) &&
           (option->id != EC_OPTION_MODULE || !strcmp(request->interface, "ecapture"));
}

static int reload_option(const struct request *request)
{
    const struct ec_option *option = ec_option_get(request->reload, EC_FRONT_EXTCAP);

    if (!option || !option->reload || !is_offered(request, option)) {
        fprintf(stderr, "ecapture: option '%s' has no list to reload: reload pid\n", request->reload);
        return 1;
    }
    print_values(request, option);
    return 0;
}

static int show_config(const struct request *request)
{
    g_autoptr(GError) error = NULL;

    if (!check_interface(request, &error))
        return fail(error);
    if (request->reload)
        return reload_option(request);
    for (size_t i = 0; i < EC_OPTION_MAX; i++) {
        if (is_offered(request, &ec_option_table[i])) {
            print_argument(&ec_option_table[i]);
            print_values(request, &ec_option_table[i]);
        }
    }
    return 0;
}

/* An empty answer says that the filter is valid, and a failure would say so too. */
static int check_filter(const struct request *request)
{
    g_autofree char *message = *request->filter ? ec_capture_filter_check(request->filter) : NULL;

    if (message)
        printf("%s\n", message);
    return 0;
}

static bool configure(const struct request *request, struct ec_options *options, GError **error)
{
    if (!check_interface(request, error) || !ec_options_parse(options, EC_FRONT_EXTCAP, (int)request->rest->len,
                                                              (char *const *)request->rest->pdata, error))
        return false;
    if (strcmp(request->interface, "ecapture"))
        options->modules = interface_modules(request->interface);
    if (request->filter && *request->filter)
        options->filter = g_strdup(request->filter);
    /* What lands on stderr is shown as the capture's failure. */
    if (!options->log_file)
        options->log_level = EC_LOG_ERROR;
    return ec_log_open(options->log_level, options->log_file, error);
}

/* Wireshark looks at stderr as soon as the FIFO ends: `held`, a second descriptor of the FIFO, keeps it
 * from ending before the failure has been told. */
static int capture_to(const struct request *request, int fifo, int held)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ec_options) options = ec_options_new();
    int status = 0;

    if (!configure(request, options, &error)) {
        close(fifo);
        status = fail(error);
    } else if (!ec_run_fifo(options, fifo, &error)) {
        status = fail(error);
    }
    if (held >= 0)
        close(held);
    return status;
}

static int capture(const struct request *request)
{
    int fifo;

    if (!request->fifo) {
        fprintf(stderr, "ecapture: --capture has no --fifo: give the path that Wireshark reads from\n");
        return 2;
    }
    fifo = open(request->fifo, O_WRONLY | O_CLOEXEC);
    if (fifo < 0) {
        fprintf(stderr, "ecapture: can't open the FIFO %s: %s; start the capture again\n", request->fifo,
                g_strerror(errno));
        return 1;
    }
    return capture_to(request, fifo, fcntl(fifo, F_DUPFD_CLOEXEC, 0));
}

int ec_extcap_run(int n_args, char *const *args)
{
    g_autoptr(GPtrArray) rest = g_ptr_array_new();
    struct request request = {.rest = rest};

    parse_request(&request, n_args, args);
    switch (request.verb) {
    case VERB_INTERFACES:
        return list_interfaces();
    case VERB_DLTS:
        return list_dlts(&request);
    case VERB_CONFIG:
        return show_config(&request);
    case VERB_FILTER:
        return check_filter(&request);
    case VERB_CAPTURE:
        return capture(&request);
    case VERB_NONE:
        break;
    }
    fprintf(stderr, "ecapture: nothing to do for these extcap arguments: --extcap-interfaces lists what there is\n");
    return 2;
}
