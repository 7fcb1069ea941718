/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one parser that walks a command line with the option table's help. Our own rather than getopt_long: extcap
 * arguments must be tolerated that nobody knows yet, and every refusal says what to give instead.
 */
#include "option.h"
#include "session.h"

#include <string.h>

struct ec_options *ec_options_new(void)
{
    struct ec_options *options = g_new0(struct ec_options, 1);

    options->modules = (1u << EC_MODULE_MAX) - 1;
    options->pids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        options->paths[i] = g_ptr_array_new_with_free_func(g_free);
    options->interfaces = g_ptr_array_new_with_free_func(g_free);
    options->snaplen = EC_DEFAULT_SNAPLEN;
    options->ring_size = EC_DEFAULT_RING_SIZE;
    options->hold_ms = EC_DEFAULT_HOLD_MS;
    options->comments = true;
    options->log_level = EC_LOG_WARNING;
    return options;
}

void ec_options_free(struct ec_options *options)
{
    if (!options)
        return;
    g_array_unref(options->pids);
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        g_ptr_array_unref(options->paths[i]);
    g_free(options->btf_file);
    g_ptr_array_unref(options->interfaces);
    g_free(options->pcapfile);
    g_free(options->keylogfile);
    g_free(options->log_file);
    g_free(options->filter);
    g_strfreev(options->command);
    g_free(options);
}

static bool equal_without_dashes(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "-");
        b += strspn(b, "-");
        if (*a != *b)
            return false;
        if (!*a)
            return true;
    }
}

const struct ec_option *ec_option_get(const char *name, enum ec_option_front front)
{
    for (size_t i = 0; i < EC_OPTION_MAX; i++)
        if ((ec_option_table[i].fronts & front) && equal_without_dashes(ec_option_table[i].name, name))
            return &ec_option_table[i];
    return NULL;
}

/* The words still to be read. */
struct arguments {
    int left;
    char *const *next;
};

static const struct ec_option *find_long(const char *word, size_t len, enum ec_option_front front)
{
    for (size_t i = 0; i < EC_OPTION_MAX; i++) {
        const struct ec_option *option = &ec_option_table[i];

        if ((option->fronts & front) && strlen(option->name) == len && !memcmp(option->name, word, len))
            return option;
    }
    return NULL;
}

static const struct ec_option *find_letter(char letter, enum ec_option_front front)
{
    for (size_t i = 0; i < EC_OPTION_MAX; i++)
        if ((ec_option_table[i].fronts & front) && ec_option_table[i].letter == letter)
            return &ec_option_table[i];
    return NULL;
}

/* Splits a word into its option and the value glued to it (NULL if there is none). */
static const struct ec_option *find_option(const char *word, enum ec_option_front front, const char **ret_glued)
{
    if (word[1] == '-') {
        size_t len = strcspn(word + 2, "=");

        *ret_glued = word[2 + len] ? word + 2 + len + 1 : NULL;
        return find_long(word + 2, len, front);
    }
    *ret_glued = word[2] ? word + 2 : NULL;
    return find_letter(word[1], front);
}

static bool usage_error(GError **error, const char *cause, const char *word, const char *remedy)
{
    g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE, "%s %s: %s", cause, word, remedy);
    return false;
}

static bool missing_value(GError **error, const char *word, const struct ec_option *option)
{
    g_autofree char *remedy = g_strdup_printf("give %s", option->expect);

    return usage_error(error, "a value is missing after option", word, remedy);
}

static bool parse_option(struct ec_options *options, enum ec_option_front front, const char *word,
                         struct arguments *arguments, GError **error)
{
    const char *value = NULL;
    const struct ec_option *option = find_option(word, front, &value);

    if (!option)
        return usage_error(error, "unknown option", word, "ecapture --help lists them");
    options->given[option->id] = true;
    if (option->type == EC_OPTION_TYPE_FLAG)
        return value ? usage_error(error, "no value belongs to option", word, "leave it out")
                     : option->set(options, option, NULL, error);
    if (!value) {
        if (!arguments->left)
            return missing_value(error, word, option);
        value = *arguments->next++;
        arguments->left--;
    }
    if (!*value && front == EC_FRONT_EXTCAP)
        return true;
    return option->set(options, option, value, error);
}

/* Copies what stands behind "--". */
static bool take_command(struct ec_options *options, const struct arguments *arguments, GError **error)
{
    if (!arguments->left)
        return usage_error(error, "no command follows", "--", "give one, e.g. -- curl https://example.org");
    options->command = g_new0(char *, (size_t)arguments->left + 1);
    for (int i = 0; i < arguments->left; i++)
        options->command[i] = g_strdup(arguments->next[i]);
    return true;
}

bool ec_options_parse(struct ec_options *options, enum ec_option_front front, int n_args, char *const *args,
                      GError **error)
{
    struct arguments arguments = {n_args, args};
    g_autoptr(GString) filter = g_string_new(NULL);

    while (arguments.left) {
        const char *word = *arguments.next++;

        arguments.left--;
        if (front == EC_FRONT_CLI && !strcmp(word, "--")) {
            if (!take_command(options, &arguments, error))
                return false;
            break;
        }
        if (word[0] == '-' && word[1]) {
            if (front == EC_FRONT_EXTCAP && g_str_has_prefix(word, "--extcap-"))
                continue;
            if (!parse_option(options, front, word, &arguments, error))
                return false;
        } else if (front == EC_FRONT_CLI) {
            g_string_append_printf(filter, "%s%s", filter->len ? " " : "", word);
        }
    }
    if (filter->len) {
        g_free(options->filter);
        options->filter = g_string_free(g_steal_pointer(&filter), FALSE);
    }
    return true;
}
