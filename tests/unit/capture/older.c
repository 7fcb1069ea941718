/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "older.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint8_t record[] = {23, 3, 3, 0, 20, 1, 2, 3};

static struct ec_segment make_segment(uint16_t port)
{
    return (struct ec_segment){
        .source = {{1}, port}, .destination = {{2}, 443}, .payload = record, .payload_len = sizeof(record)};
}

static void check_connection_without_hello_is_told_once(void **state)
{
    g_autoptr(ec_older) older = ec_older_new();
    struct ec_segment segment = make_segment(1), back = {.source = segment.destination, .destination = segment.source};
    (void)state;

    back.payload = record;
    back.payload_len = sizeof(record);
    assert_true(ec_older_check(older, &segment));
    assert_false(ec_older_check(older, &segment));
    assert_false(ec_older_check(older, &back));
    segment.source.port = 2;
    assert_true(ec_older_check(older, &segment));
}

static void check_connection_that_was_opened_is_none(void **state)
{
    g_autoptr(ec_older) older = ec_older_new();
    (void)state;

    for (uint32_t port = 1; port < 60000; port++) {
        struct ec_segment segment = make_segment((uint16_t)port);

        ec_older_add_young(older, &segment);
        assert_false(ec_older_check(older, &segment));
    }
}

static void check_what_is_no_record_is_none(void **state)
{
    static const uint8_t others[][8] = {{22, 3, 3, 0, 20, 1}, {23, 3, 1, 0, 20, 1}, {23, 3, 3, 0x80, 0, 1}, "GET / H"};
    g_autoptr(ec_older) older = ec_older_new();
    struct ec_segment segment = make_segment(1);
    (void)state;

    segment.payload_len = 5;
    assert_false(ec_older_check(older, &segment));
    segment.payload_len = 8;
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        segment.payload = others[i];
        assert_false(ec_older_check(older, &segment));
    }
    segment = make_segment(1);
    segment.transport = EC_TRANSPORT_UDP;
    assert_false(ec_older_check(older, &segment));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_connection_without_hello_is_told_once),
        cmocka_unit_test(check_connection_that_was_opened_is_none),
        cmocka_unit_test(check_what_is_no_record_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
