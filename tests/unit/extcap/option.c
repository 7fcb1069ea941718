/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "option.h"
#include "module.h"
#include "session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

struct fixture {
    ec_options *options;
    GError *error;
};

static int setup(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->options = ec_options_new();
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    ec_options_free(fixture->options);
    g_clear_error(&fixture->error);
    g_free(fixture);
    return 0;
}

static bool parse(struct fixture *fixture, enum ec_option_front front, const char *const *words)
{
    return ec_options_parse(fixture->options, front, (int)g_strv_length((char **)words), (char *const *)words,
                            &fixture->error);
}
#define PARSE(fixture, front, ...) parse(fixture, front, (const char *const[]){__VA_ARGS__, NULL})

static void assert_usage_error(const struct fixture *fixture, const char *part)
{
    assert_true(g_error_matches(fixture->error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE));
    assert_non_null(strstr(fixture->error->message, part));
    assert_non_null(strstr(fixture->error->message, ": "));
    assert_null(strchr(fixture->error->message, '\n'));
}

static void option_table_any_row_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < EC_OPTION_MAX; i++) {
        const struct ec_option *option = &ec_option_table[i];

        assert_int_equal(option->id, i);
        assert_non_null(option->display);
        assert_non_null(option->tooltip);
        assert_non_null(option->set);
        assert_true(option->fronts != 0);
        /* Wireshark's parser takes braces for the end of a text. */
        assert_null(strpbrk(option->tooltip, "{}\n"));
        assert_null(option->validation ? strpbrk(option->validation, "{}") : NULL);
        assert_true(option->type == EC_OPTION_TYPE_FLAG ||
                    (option->expect && option->value_name && g_utf8_validate(option->tooltip, -1, NULL)));
        assert_false(option->type == EC_OPTION_TYPE_FLAG && (option->fronts & EC_FRONT_EXTCAP));
    }
}

static void option_table_module_choices_name_the_modules(void **state)
{
    const char *const *choices = ec_option_table[EC_OPTION_MODULE].choices;

    (void)state;
    assert_string_equal(choices[0], "all");
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        assert_string_equal(choices[i + 1], ec_modules[i].name);
}

static void option_table_letters_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < EC_OPTION_MAX; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(ec_option_table[i].letter && ec_option_table[i].letter == ec_option_table[j].letter);
}

/* The dialog passes declared defaults on, tshark leaves some out: both must mean the same. */
static void options_parse_declared_defaults_change_nothing(void **state)
{
    struct fixture *fixture = *state;
    g_autoptr(ec_options) fresh = ec_options_new();

    for (size_t i = 0; i < EC_OPTION_MAX; i++) {
        const struct ec_option *option = &ec_option_table[i];
        g_autofree char *name = g_strdup_printf("--%s", option->name);

        if ((option->fronts & EC_FRONT_EXTCAP) && option->default_text)
            assert_true(PARSE(fixture, EC_FRONT_EXTCAP, name, option->default_text));
    }
    assert_int_equal(fixture->options->modules, fresh->modules);
    assert_int_equal(fixture->options->snaplen, fresh->snaplen);
    assert_int_equal(fixture->options->ring_size, fresh->ring_size);
    assert_int_equal(fixture->options->hold_ms, fresh->hold_ms);
    assert_int_equal(fixture->options->comments, fresh->comments);
    assert_int_equal(fixture->options->log_level, fresh->log_level);
    assert_int_equal(fresh->snaplen, EC_DEFAULT_SNAPLEN);
    assert_int_equal(fresh->ring_size, EC_DEFAULT_RING_SIZE);
    assert_int_equal(fresh->hold_ms, EC_DEFAULT_HOLD_MS);
}

static void options_parse_every_form_of_value_is_read(void **state)
{
    struct fixture *fixture = *state;

    assert_true(PARSE(fixture, EC_FRONT_CLI, "--pid", "1,22", "--pid=333", "-p", "4", "-p5", "-w", "-"));
    assert_int_equal(fixture->options->pids->len, 5);
    for (guint i = 0; i < 5; i++)
        assert_int_equal(g_array_index(fixture->options->pids, uint32_t, i), ((uint32_t[]){1, 22, 333, 4, 5})[i]);
    assert_string_equal(fixture->options->pcapfile, "-");
    assert_null(fixture->options->filter);
}

static void options_parse_other_words_make_the_filter(void **state)
{
    struct fixture *fixture = *state;

    assert_true(PARSE(fixture, EC_FRONT_CLI, "tcp", "port", "443", "-s", "0", "and", "host ::1"));
    assert_string_equal(fixture->options->filter, "tcp port 443 and host ::1");
    assert_int_equal(fixture->options->snaplen, EC_SNAPLEN_MAX);
}

static void options_parse_double_dash_makes_the_command(void **state)
{
    struct fixture *fixture = *state;

    assert_true(PARSE(fixture, EC_FRONT_CLI, "-w", "f", "--", "curl", "-w", "x", "--"));
    assert_int_equal(g_strv_length(fixture->options->command), 4);
    assert_string_equal(fixture->options->command[1], "-w");
    assert_string_equal(fixture->options->pcapfile, "f");
}

static void options_parse_double_dash_alone_is_refused(void **state)
{
    assert_false(PARSE(*state, EC_FRONT_CLI, "--"));
    assert_usage_error(*state, "no command");
}

static void options_parse_interfaces_add_up(void **state)
{
    struct fixture *fixture = *state;

    assert_true(PARSE(fixture, EC_FRONT_CLI, "-i", "lo", "-i", "eth0,eth1"));
    assert_int_equal(fixture->options->interfaces->len, 3);
    assert_string_equal(g_ptr_array_index(fixture->options->interfaces, 2), "eth1");
}

static void options_parse_shells_read_paths_and_status(void **state)
{
    struct fixture *fixture = *state;

    assert_false(fixture->options->filter_status);
    assert_true(PARSE(fixture, EC_FRONT_CLI, "--bash", "/a", "--readlineso", "/b", "--zsh", "/c", "-e", "0"));
    assert_int_equal(fixture->options->paths[EC_MODULE_BASH]->len, 2);
    assert_string_equal(g_ptr_array_index(fixture->options->paths[EC_MODULE_BASH], 1), "/b");
    assert_string_equal(g_ptr_array_index(fixture->options->paths[EC_MODULE_ZSH], 0), "/c");
    assert_true(fixture->options->filter_status);
    assert_int_equal(fixture->options->status, 0);
}

static void options_parse_mapsize_suffixes_scale(void **state)
{
    static const struct {
        const char *text;
        size_t bytes;
    } sizes[] = {{"5120", 5120u << 10}, {"64K", 64u << 10}, {"3m", 3u << 20}, {"2G", 2ul << 30}};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        struct fixture *fixture = *state;

        assert_true(PARSE(fixture, EC_FRONT_CLI, "--mapsize", sizes[i].text));
        assert_int_equal(fixture->options->ring_size, sizes[i].bytes);
    }
}

static void options_parse_bad_values_are_refused(void **state)
{
    static const char *const bad[][2] = {
        {"--pid", "x"},
        {"--pid", ""},
        {"--pid", "1,"},
        {"--pid", "0"},
        {"--pid", "-1"},
        {"--pid", "4194305"},
        {"--pid", "1 2"},
        {"--snaplen", "-1"},
        {"--snaplen", "258049"},
        {"--snaplen", "1k"},
        {"--mapsize", "0"},
        {"--mapsize", "4G"},
        {"--mapsize", "K"},
        {"--mapsize", ""},
        {"--mapsize", "99999999999999999999G"},
        {"--mapsize", "1KK"},
        {"--hold", "60001"},
        {"--hold", "soon"},
        {"-c", "0"},
        {"-c", "-5"},
        {"-a", "5"},
        {"-a", "duration:0"},
        {"-a", "duration:"},
        {"-a", "filesize:5"},
        {"-m", "pcapngg"},
        {"-i", ""},
        {"-i", "lo,"},
        {"--plaintext", "x"},
        {"--log-level", "5"},
        {"--log-file", ""},
        {"-w", ""},
        {"-k", ""},
        {"--libssl", ""},
        {"--uid", ""},
        {"-t", "-1"},
        {"--tsize", "4194305"},
        {"--color", "blue"},
        {"--rotate-size", "0"},
        {"--rotate-size", "M"},
        {"--rotate-size", "5T"},
        {"--rotate-time", "0"},
        {"--rotate-time", ""},
        {"--bash", ""},
        {"--zsh", ""},
        {"--readlineso", ""},
        {"-e", "256"},
        {"-e", "-1"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct fixture *fixture = *state;

        assert_false(PARSE(fixture, EC_FRONT_CLI, bad[i][0], bad[i][1]));
        assert_usage_error(fixture, "give ");
        g_clear_error(&fixture->error);
    }
}

static void options_parse_unknown_user_is_no_usage_error(void **state)
{
    struct fixture *fixture = *state;

    assert_false(PARSE(fixture, EC_FRONT_CLI, "-u", "no-such-user-here"));
    assert_true(g_error_matches(fixture->error, EC_OPTION_ERROR, EC_OPTION_ERROR_VALUE));
    assert_false(fixture->options->filter_uid);
}

static void options_parse_user_name_and_number_agree(void **state)
{
    struct fixture *fixture = *state;

    assert_true(PARSE(fixture, EC_FRONT_CLI, "-u", "root"));
    assert_true(fixture->options->filter_uid);
    assert_int_equal(fixture->options->uid, 0);
    assert_true(PARSE(fixture, EC_FRONT_CLI, "-u", "1000"));
    assert_int_equal(fixture->options->uid, 1000);
}

static void options_parse_unknown_option_is_refused(void **state)
{
    assert_false(PARSE(*state, EC_FRONT_CLI, "--pidd", "1"));
    assert_usage_error(*state, "--pidd");
}

static void options_parse_missing_value_is_refused(void **state)
{
    assert_false(PARSE(*state, EC_FRONT_CLI, "-w"));
    assert_usage_error(*state, "-w");
}

static void options_parse_flag_with_value_is_refused(void **state)
{
    assert_false(PARSE(*state, EC_FRONT_CLI, "--no-comments=yes"));
    assert_usage_error(*state, "--no-comments");
}

static void options_parse_extcap_tolerates_what_it_does_not_know(void **state)
{
    struct fixture *fixture = *state;

    assert_true(PARSE(fixture, EC_FRONT_EXTCAP, "--extcap-new-thing", "value", "--extcap-other=1", "--pid", "7"));
    assert_int_equal(fixture->options->pids->len, 1);
    assert_null(fixture->options->filter);
}

static void options_parse_extcap_empty_value_is_the_default(void **state)
{
    struct fixture *fixture = *state;

    assert_true(PARSE(fixture, EC_FRONT_EXTCAP, "--pid", "", "--uid=", "--mapsize", "", "--log-file", ""));
    assert_int_equal(fixture->options->pids->len, 0);
    assert_false(fixture->options->filter_uid);
    assert_int_equal(fixture->options->ring_size, EC_DEFAULT_RING_SIZE);
    assert_null(fixture->options->log_file);
}

static void options_parse_extcap_refuses_command_line_options(void **state)
{
    assert_false(PARSE(*state, EC_FRONT_EXTCAP, "-w", "file"));
    assert_usage_error(*state, "-w");
}

static void options_parse_comments_knows_two_words(void **state)
{
    struct fixture *fixture = *state;

    assert_true(PARSE(fixture, EC_FRONT_EXTCAP, "--comments", "false"));
    assert_false(fixture->options->comments);
    assert_true(PARSE(fixture, EC_FRONT_EXTCAP, "--comments=true"));
    assert_true(fixture->options->comments);
    assert_false(PARSE(fixture, EC_FRONT_EXTCAP, "--comments", "0"));
}

static void options_parse_modes_map_to_outputs(void **state)
{
    struct fixture *fixture = *state;

    assert_true(PARSE(fixture, EC_FRONT_CLI, "-m", "pcap"));
    assert_int_equal(fixture->options->mode, EC_MODE_PCAP);
    assert_true(PARSE(fixture, EC_FRONT_CLI, "-m", "pcapng"));
    assert_int_equal(fixture->options->mode, EC_MODE_PCAPNG);
    assert_true(PARSE(fixture, EC_FRONT_CLI, "-m", "key"));
    assert_int_equal(fixture->options->mode, EC_MODE_KEYLOG);
    assert_true(PARSE(fixture, EC_FRONT_CLI, "-m", "text"));
    assert_int_equal(fixture->options->mode, EC_MODE_TEXT);
}

static void options_parse_text_options_are_kept(void **state)
{
    struct fixture *fixture = *state;
    const struct ec_text_config *text = &fixture->options->text;

    assert_false(fixture->options->given[EC_OPTION_ROTATE_TIME]);
    assert_true(PARSE(fixture, EC_FRONT_CLI, "-t", "10", "--hex", "--json", "--color", "never", "--rotate-size", "2M",
                      "--rotate-time=60"));
    assert_int_equal(text->shown_max, 10);
    assert_true(text->hex && text->json);
    assert_int_equal(text->color, EC_TEXT_COLOR_NEVER);
    assert_int_equal(text->output.rotate_size, 2 << 20);
    assert_int_equal(text->output.rotate_seconds, 60);
    assert_true(fixture->options->given[EC_OPTION_ROTATE_TIME]);
    assert_false(fixture->options->given[EC_OPTION_PCAPFILE]);
    assert_true(PARSE(fixture, EC_FRONT_CLI, "--rotate-size", "5000"));
    assert_int_equal(text->output.rotate_size, 5000);
}

static void option_get_dashes_do_not_matter(void **state)
{
    (void)state;
    assert_ptr_equal(ec_option_get("logfile", EC_FRONT_EXTCAP), &ec_option_table[EC_OPTION_LOG_FILE]);
    assert_ptr_equal(ec_option_get("--log-file", EC_FRONT_EXTCAP), &ec_option_table[EC_OPTION_LOG_FILE]);
    assert_null(ec_option_get("logfil", EC_FRONT_EXTCAP));
    assert_null(ec_option_get("pcapfile", EC_FRONT_EXTCAP));
    assert_null(ec_option_get("", EC_FRONT_EXTCAP));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(option_table_any_row_is_complete),
        TEST(option_table_module_choices_name_the_modules),
        TEST(option_table_letters_are_unique),
        TEST(options_parse_declared_defaults_change_nothing),
        TEST(options_parse_every_form_of_value_is_read),
        TEST(options_parse_other_words_make_the_filter),
        TEST(options_parse_double_dash_makes_the_command),
        TEST(options_parse_double_dash_alone_is_refused),
        TEST(options_parse_interfaces_add_up),
        TEST(options_parse_shells_read_paths_and_status),
        TEST(options_parse_mapsize_suffixes_scale),
        TEST(options_parse_bad_values_are_refused),
        TEST(options_parse_unknown_user_is_no_usage_error),
        TEST(options_parse_user_name_and_number_agree),
        TEST(options_parse_unknown_option_is_refused),
        TEST(options_parse_missing_value_is_refused),
        TEST(options_parse_flag_with_value_is_refused),
        TEST(options_parse_extcap_tolerates_what_it_does_not_know),
        TEST(options_parse_extcap_empty_value_is_the_default),
        TEST(options_parse_extcap_refuses_command_line_options),
        TEST(options_parse_comments_knows_two_words),
        TEST(options_parse_modes_map_to_outputs),
        TEST(options_parse_text_options_are_kept),
        TEST(option_get_dashes_do_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
