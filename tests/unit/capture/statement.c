/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct ec_message_output output;
    void *state;
    GPtrArray *seen; /* of char *: what was handed out, in words */
    uint64_t time;
    uint64_t start; /* ec_statement_event.start */
    uint64_t last_started, last_time;
};

static void on_statement(const struct ec_sink_statement *statement, void *data)
{
    struct fixture *fixture = data;
    GString *words = g_string_new(NULL);

    g_string_append_printf(words, "%s@%s [%.*s] %u-%u", statement->user ? statement->user : "?",
                           statement->database ? statement->database : "?", (int)statement->len, statement->text,
                           (unsigned)statement->started, (unsigned)statement->time);
    if (statement->has_rows)
        g_string_append_printf(words, " rows %u", (unsigned)statement->rows);
    if (statement->has_error)
        g_string_append_printf(words, " error %s", statement->error_text);
    if (statement->full_len > statement->len)
        g_string_append(words, " cut");
    for (unsigned i = 0; i < statement->n_parameters; i++)
        g_string_append_printf(words, " $%u=%.*s", i + 1, (int)statement->parameters[i].len,
                               statement->parameters[i].data ? (const char *)statement->parameters[i].data : "");
    if (statement->n_parameters < statement->full_n_parameters)
        g_string_append_printf(words, " of %u", statement->full_n_parameters);
    fixture->last_started = statement->started;
    fixture->last_time = statement->time;
    g_ptr_array_add(fixture->seen, g_string_free(words, FALSE));
}

static int setup(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->seen = g_ptr_array_new_with_free_func(g_free);
    fixture->output = (struct ec_message_output){.statement = on_statement, .data = fixture};
    fixture->state = ec_statement_kind.open(&fixture->output);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    ec_statement_kind.close(fixture->state);
    g_ptr_array_unref(fixture->seen);
    g_free(fixture);
    return 0;
}

/* Each a nanosecond after the one before. */
static void put_flagged(struct fixture *fixture, uint32_t pid, enum ec_statement_part part, uint64_t value,
                        const char *data, size_t len, enum ec_statement_last last, unsigned flags)
{
    g_autofree struct ec_statement_event *event = g_malloc0(sizeof(*event) + len);

    event->record = (struct ec_record){.type = EC_RECORD_STATEMENT,
                                       .size = (uint32_t)(sizeof(*event) + len),
                                       .time = ++fixture->time,
                                       .pid = pid,
                                       .tid = pid};
    event->part = (uint8_t)part;
    event->last = (uint8_t)last;
    event->flags = (uint8_t)flags;
    event->start = fixture->start;
    event->value = value;
    event->len = event->total = (uint32_t)len;
    memcpy(event->data, data, len);
    ec_statement_kind.take(fixture->state, &event->record);
}

static void put(struct fixture *fixture, uint32_t pid, enum ec_statement_part part, uint64_t value, const char *data,
                size_t len, enum ec_statement_last last)
{
    put_flagged(fixture, pid, part, value, data, len, last, 0);
}

/* There is no such process. */
enum { PID = 4000000 };

static void put_text(struct fixture *fixture, const char *text)
{
    put(fixture, PID, EC_STATEMENT_TEXT, 0, text, strlen(text), EC_STATEMENT_WHOLE);
}

/* Of a simple query. */
static void put_rows(struct fixture *fixture, const char *text, uint64_t rows, unsigned flags)
{
    put_flagged(fixture, PID, EC_STATEMENT_ROWS, rows, text, strlen(text), EC_STATEMENT_WHOLE, flags);
}

static void put_executed(struct fixture *fixture, const char *text, uint64_t rows)
{
    put_rows(fixture, text, rows, EC_STATEMENT_EXECUTED);
}

static void put_error(struct fixture *fixture, const char *code, unsigned flags)
{
    g_autofree char *fields = g_strdup_printf("SERROR%cC%s%cMno", 0, code, 0);

    put_flagged(fixture, PID, EC_STATEMENT_ERROR, 0, fields, strlen("SERROR.C.Mno") + strlen(code), 0, flags);
}

#define ASSERT_SEEN(fixture, ...)                                                                                      \
    do {                                                                                                               \
        const char *const expected[] = {__VA_ARGS__};                                                                  \
                                                                                                                       \
        assert_int_equal((fixture)->seen->len, G_N_ELEMENTS(expected));                                                \
        for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)                                                            \
            assert_string_equal(g_ptr_array_index((fixture)->seen, i), expected[i]);                                   \
    } while (0)

static void take_simple_query_is_one_statement(void **state)
{
    struct fixture *fixture = *state;
    static const char login[] = "app\0shop";

    put(fixture, PID, EC_STATEMENT_LOGIN, 0, login, sizeof(login), 0);
    put_rows(fixture, "select 1", 1, 0);
    put_rows(fixture, "select 1", 2, 0);
    ASSERT_SEEN(fixture, "app@shop [select 1] 2-2 rows 1", "app@shop [select 1] 3-3 rows 2");
}

static void take_commands_of_one_text_are_one_statement(void **state)
{
    struct fixture *fixture = *state;

    fixture->start = 1;
    put_rows(fixture, "select 1; select 2", 1, EC_STATEMENT_SERIES);
    put_rows(fixture, "select 1; select 2", 1, 0);
    put_rows(fixture, "select 1; fail", 1, EC_STATEMENT_SERIES);
    put_text(fixture, "select 1; fail");
    put_error(fixture, "42P01", 0);
    ASSERT_SEEN(fixture, "?@? [select 1; select 2] 0-2 rows 2", "?@? [select 1; fail] 0-5 error 42P01 no");
}

/* A pipeline of PostgreSQL 18 may look so. */
static void take_series_that_never_ends_ends_with_the_next_text(void **state)
{
    struct fixture *fixture = *state;

    fixture->start = 1;
    put_rows(fixture, "select 1", 1, EC_STATEMENT_SERIES | EC_STATEMENT_EXECUTED);
    fixture->start = 2;
    put_rows(fixture, "select 1", 2, EC_STATEMENT_SERIES | EC_STATEMENT_EXECUTED);
    assert_int_equal(fixture->seen->len, 1);
    fixture->start = 3;
    put_rows(fixture, "select 1", 3, 0);
    ASSERT_SEEN(fixture, "?@? [select 1] 0-2 rows 1", "?@? [select 1] 0-3 rows 2", "?@? [select 1] 0-3 rows 3");
}

static void take_start_of_long_ago_is_the_statements(void **state)
{
    struct fixture *fixture = *state;
    struct timespec real, boot;

    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    if (boot.tv_sec < 8)
        skip();
    fixture->time = (uint64_t)boot.tv_sec * 1000000000;
    fixture->start = (uint64_t)(real.tv_sec - 946684800 - 5) * 1000000;
    put_rows(fixture, "select 1", 1, 0);
    assert_int_equal(fixture->seen->len, 1);
    assert_int_equal(fixture->last_time, fixture->time);
    assert_in_range(fixture->last_time - fixture->last_started, UINT64_C(3000000000), UINT64_C(7000000000));
}

static void take_bind_and_execute_are_one_statement(void **state)
{
    struct fixture *fixture = *state;

    put_text(fixture, "select $1"); /* Bind */
    put_executed(fixture, "select $1", 1);
    put_text(fixture, "select $1"); /* Bind, once more */
    put_executed(fixture, "select $1", 2);
    ASSERT_SEEN(fixture, "?@? [select $1] 1-2 rows 1", "?@? [select $1] 3-4 rows 2");
}

/* Of portal `name`, one letter, with one parameter, one letter. */
static void put_bind(struct fixture *fixture, char name, char value)
{
    const char bind[] = {name, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, value, 0, 0};

    put(fixture, PID, EC_STATEMENT_BIND, 0, bind, sizeof(bind), EC_STATEMENT_WHOLE);
}

static void take_bind_gives_its_execution_parameters(void **state)
{
    struct fixture *fixture = *state;

    put_bind(fixture, 'p', 'x'); /* of nothing */
    put_text(fixture, "select $1");
    put_bind(fixture, 'p', 'a');
    put_executed(fixture, "select $1", 1);
    put_text(fixture, "select $1");
    put_bind(fixture, 'p', 'b'); /* never executed */
    put_text(fixture, "select $1");
    put_bind(fixture, 'p', 'c');
    put_executed(fixture, "select $1", 1);
    put_rows(fixture, "select 2", 1, 0);
    ASSERT_SEEN(fixture, "?@? [select $1] 2-4 rows 1 $1=a", "?@? [select $1] 7-9 rows 1 $1=c",
                "?@? [select 2] 10-10 rows 1");
}

static void take_bind_is_none_of_a_simple_query(void **state)
{
    struct fixture *fixture = *state;

    put_text(fixture, "select 1");
    put_bind(fixture, 'p', 'a'); /* never executed */
    put_rows(fixture, "select 1", 1, 0);
    ASSERT_SEEN(fixture, "?@? [select 1] 3-3 rows 1");
}

static void take_binds_of_two_open_portals_are_left_out(void **state)
{
    struct fixture *fixture = *state;

    put_text(fixture, "select $1");
    put_bind(fixture, 'p', 'a');
    put_text(fixture, "select $1");
    put_bind(fixture, 'q', 'b');
    put_executed(fixture, "select $1", 1);
    put_text(fixture, "select $1");
    put_bind(fixture, 'q', 'c');
    put_executed(fixture, "select $1", 1);
    ASSERT_SEEN(fixture, "?@? [select $1] 3-5 rows 1", "?@? [select $1] 6-8 rows 1 $1=c");
}

static void take_rows_of_nothing_is_no_statement(void **state)
{
    struct fixture *fixture = *state;

    put_executed(fixture, "", 1);
    put_text(fixture, "select $1");
    put_text(fixture, "select 1");
    assert_int_equal(fixture->seen->len, 0);
    put_executed(fixture, "", 2);
    ASSERT_SEEN(fixture, "?@? [select 1] 3-4 rows 2");
}

static void take_error_has_code_and_message(void **state)
{
    struct fixture *fixture = *state;
    static const char fields[] = "SERROR\0C42P01\0Mno such table";

    put_text(fixture, "select * from t");
    put(fixture, PID, EC_STATEMENT_ERROR, 0, fields, sizeof(fields), 0);
    ASSERT_SEEN(fixture, "?@? [select * from t] 1-2 error 42P01 no such table");
}

/* Once no statement runs. */
static void take_error_of_the_transactions_end_is_its_last_statements(void **state)
{
    struct fixture *fixture = *state;

    put_error(fixture, "23503", EC_STATEMENT_TEXTLESS);
    put_executed(fixture, "insert", 1);
    put_error(fixture, "23503", EC_STATEMENT_TEXTLESS);
    put_error(fixture, "26000", EC_STATEMENT_TEXTLESS);
    ASSERT_SEEN(fixture, "?@? [insert] 2-2 rows 1", "?@? [insert] 2-3 error 23503 no");
}

static void take_error_torn_at_any_byte_is_safe(void **state)
{
    struct fixture *fixture = *state;
    static const char fields[] = "SERROR\0C42P01\0Mno such table\0";

    for (size_t len = 0; len <= sizeof(fields); len++) {
        put_text(fixture, "x");
        put(fixture, PID, EC_STATEMENT_ERROR, 0, fields, len, 0);
    }
    assert_int_equal(fixture->seen->len, sizeof(fields) + 1);
}

static void take_pieces_are_joined(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, PID, EC_STATEMENT_TEXT, 0, "select ", 7, EC_STATEMENT_MORE);
    put(fixture, PID, EC_STATEMENT_TEXT, 7, "1, ", 3, EC_STATEMENT_MORE);
    put(fixture, PID, EC_STATEMENT_TEXT, 10, "2", 1, EC_STATEMENT_CUT);
    put_rows(fixture, "", 1, 0);
    ASSERT_SEEN(fixture, "?@? [select 1, 2] 1-4 rows 1 cut");
}

static void take_lost_piece_loses_the_statement_alone(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, PID, EC_STATEMENT_TEXT, 0, "select ", 7, EC_STATEMENT_MORE);
    put(fixture, PID, EC_STATEMENT_TEXT, 10, "2", 1, EC_STATEMENT_WHOLE);
    put_rows(fixture, "", 1, 0);
    put_rows(fixture, "select 3", 1, 0);
    ASSERT_SEEN(fixture, "?@? [select 3] 4-4 rows 1");
}

static void take_done_has_all_of_a_statement(void **state)
{
    struct fixture *fixture = *state;
    const struct ec_statement_result result = {.connection = 7, .rows = 3, .has_rows = 1, .error = 0};
    char data[sizeof(result) + 10] = "";

    memcpy(data, &result, sizeof(result));
    memcpy(data + sizeof(result), "app\0shop\0", 10);
    put_text(fixture, "select 1");
    put(fixture, PID, EC_STATEMENT_DONE, 1, data, sizeof(data), 0);
    ASSERT_SEEN(fixture, "app@shop [select 1] 1-2 rows 3");
}

static void take_done_torn_at_any_byte_is_safe(void **state)
{
    struct fixture *fixture = *state;
    char data[sizeof(struct ec_statement_result) + 10] = "";

    memcpy(data + sizeof(struct ec_statement_result), "app\0shop\0", 10);
    for (size_t len = 0; len <= sizeof(data); len++) {
        put_text(fixture, "x");
        put(fixture, PID, EC_STATEMENT_DONE, 1, data, len, 0);
    }
    assert_int_equal(fixture->seen->len, 11);
}

static void take_connections_are_kept_apart(void **state)
{
    struct fixture *fixture = *state;

    put_text(fixture, "select 1");
    put(fixture, PID + 1, EC_STATEMENT_TEXT, 0, "select 2", 8, EC_STATEMENT_WHOLE);
    put(fixture, PID + 1, EC_STATEMENT_ROWS, 2, "", 0, 0);
    put_executed(fixture, "", 1);
    ASSERT_SEEN(fixture, "?@? [select 2] 2-3 rows 2", "?@? [select 1] 1-4 rows 1");
}

static void take_length_beyond_the_record_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct ec_statement_event event = {.record = {.type = EC_RECORD_STATEMENT, .size = sizeof(event), .pid = PID},
                                       .part = EC_STATEMENT_TEXT,
                                       .last = EC_STATEMENT_WHOLE,
                                       .len = 1};

    ec_statement_kind.take(fixture->state, &event.record);
    put_rows(fixture, "", 1, 0);
    assert_int_equal(fixture->seen->len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(take_simple_query_is_one_statement),
        TEST(take_commands_of_one_text_are_one_statement),
        TEST(take_series_that_never_ends_ends_with_the_next_text),
        TEST(take_start_of_long_ago_is_the_statements),
        TEST(take_bind_and_execute_are_one_statement),
        TEST(take_bind_is_none_of_a_simple_query),
        TEST(take_rows_of_nothing_is_no_statement),
        TEST(take_error_of_the_transactions_end_is_its_last_statements),
        TEST(take_error_has_code_and_message),
        TEST(take_error_torn_at_any_byte_is_safe),
        TEST(take_pieces_are_joined),
        TEST(take_lost_piece_loses_the_statement_alone),
        TEST(take_done_has_all_of_a_statement),
        TEST(take_done_torn_at_any_byte_is_safe),
        TEST(take_connections_are_kept_apart),
        TEST(take_length_beyond_the_record_is_refused),
        TEST(take_bind_gives_its_execution_parameters),
        TEST(take_binds_of_two_open_portals_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
