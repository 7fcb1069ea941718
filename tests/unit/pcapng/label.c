/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "label.h"
#include "encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct ec_owner curl = {.pid = 1234, .tid = 1235, .uid = 1000, .flags = EC_OWNER_KNOWN, .comm = "curl"};
static const struct ec_owner nginx = {.pid = 80, .tid = 81, .uid = 33, .flags = EC_OWNER_KNOWN, .comm = "nginx"};

static char *comment(wtap_block_t block, unsigned nth)
{
    char *text = NULL;

    return wtap_block_get_nth_string_option_value(block, OPT_COMMENT, nth, &text) == WTAP_OPTTYPE_SUCCESS ? text : NULL;
}

static void format_plain_name_follows_grammar(void **state)
{
    char text[EC_LABEL_TEXT_LEN];

    (void)state;
    ec_label_format(&curl, EC_LABEL_END_UNSAID, text);
    assert_string_equal(text, "pid=1234 tid=1235 comm=curl uid=1000");
    ec_label_format(&curl, EC_LABEL_END_SRC, text);
    assert_string_equal(text, "pid=1234 tid=1235 comm=curl uid=1000 end=src");
    ec_label_format(&curl, EC_LABEL_END_DST, text);
    assert_string_equal(text, "pid=1234 tid=1235 comm=curl uid=1000 end=dst");
}

static void format_hostile_name_is_escaped(void **state)
{
    const struct ec_owner owner = {.comm = "a b\\c\n\x7f\xc3\xa4~!"};
    char text[EC_LABEL_TEXT_LEN];

    (void)state;
    ec_label_format(&owner, EC_LABEL_END_UNSAID, text);
    assert_string_equal(text, "pid=0 tid=0 comm=a\\x20b\\x5cc\\x0a\\x7f\\xc3\\xa4~! uid=0");
}

static void format_longest_fits(void **state)
{
    struct ec_owner owner = {.pid = UINT32_MAX, .tid = UINT32_MAX, .uid = UINT32_MAX};
    char text[EC_LABEL_TEXT_LEN];

    (void)state;
    memset(owner.comm, 0xff, sizeof(owner.comm)); /* no NUL: not the kernel's, but a record may say so */
    ec_label_format(&owner, EC_LABEL_END_DST, text);
    assert_int_equal(strlen(text), EC_LABEL_TEXT_LEN - 1);
    assert_true(g_str_has_suffix(text, " uid=4294967295 end=dst"));
}

static void get_same_owner_returns_same_block(void **state)
{
    g_autoptr(ec_label_cache) cache = ec_label_cache_new(true, true);
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    struct ec_sink_packet packet = {.direction = EC_DIRECTION_OUT, .owner = &curl};
    struct ec_label *first = ec_label_cache_get(cache, &packet, 0, blocks);
    uint32_t flags = 0;
    guint len = blocks->len;

    (void)state;
    assert_true(len > 0);
    assert_ptr_equal(ec_label_cache_get(cache, &packet, 0, blocks), first);
    assert_int_equal(blocks->len, len);
    assert_string_equal(comment(first->block, 0), "pid=1234 tid=1235 comm=curl uid=1000");
    assert_null(comment(first->block, 1));
    assert_int_equal(wtap_block_get_uint32_option_value(first->block, OPT_PKT_FLAGS, &flags), WTAP_OPTTYPE_SUCCESS);
    assert_int_equal(flags, EC_DIRECTION_OUT);
    /* The other direction: other flags, the same process. */
    packet.direction = EC_DIRECTION_IN;
    assert_ptr_not_equal(ec_label_cache_get(cache, &packet, 0, blocks), first);
    assert_int_equal(blocks->len, len);
}

static void get_both_ends_names_both(void **state)
{
    g_autoptr(ec_label_cache) cache = ec_label_cache_new(true, false);
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    const struct ec_sink_packet packet = {.owner = &curl, .peer = &nginx, .loopback = true};
    wtap_block_t block = ec_label_cache_get(cache, &packet, 0, blocks)->block;

    (void)state;
    assert_string_equal(comment(block, 0), "pid=1234 tid=1235 comm=curl uid=1000 end=src");
    assert_string_equal(comment(block, 1), "pid=80 tid=81 comm=nginx uid=33 end=dst");
    assert_null(comment(block, 2));
    assert_int_equal(blocks->len, 0);
}

static void get_one_end_of_loopback_says_which(void **state)
{
    g_autoptr(ec_label_cache) cache = ec_label_cache_new(true, false);
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    const struct ec_sink_packet sent = {.owner = &curl, .loopback = true};
    const struct ec_sink_packet received = {.peer = &curl, .loopback = true};

    (void)state;
    assert_string_equal(comment(ec_label_cache_get(cache, &sent, 0, blocks)->block, 0),
                        "pid=1234 tid=1235 comm=curl uid=1000 end=src");
    assert_string_equal(comment(ec_label_cache_get(cache, &received, 0, blocks)->block, 0),
                        "pid=1234 tid=1235 comm=curl uid=1000 end=dst");
}

static void get_unknown_owner_says_nothing(void **state)
{
    g_autoptr(ec_label_cache) cache = ec_label_cache_new(true, true);
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    const struct ec_owner unset = {.pid = 9};
    const struct ec_sink_packet packet = {.owner = &unset};
    wtap_block_t block = ec_label_cache_get(cache, &packet, 0, blocks)->block;

    (void)state;
    assert_null(comment(block, 0));
    assert_int_equal(wtap_block_count_option(block, 5), 0);
    assert_int_equal(wtap_block_count_option(block, 6), 0);
    assert_int_equal(blocks->len, 0);
}

static void get_without_comments_has_none(void **state)
{
    g_autoptr(ec_label_cache) cache = ec_label_cache_new(false, false);
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    const struct ec_sink_packet packet = {.owner = &curl, .peer = &nginx, .loopback = true};
    wtap_block_t block = ec_label_cache_get(cache, &packet, 0, blocks)->block;

    (void)state;
    assert_null(comment(block, 0));
    assert_int_equal(wtap_block_count_option(block, 5), 1);
}

/* More owners than the cache and the process table hold: each gets its own name still. */
static void get_many_owners_are_told_apart(void **state)
{
    g_autoptr(ec_label_cache) cache = ec_label_cache_new(true, true);
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    struct ec_owner owner = curl;
    const struct ec_sink_packet packet = {.owner = &owner};

    (void)state;
    for (uint32_t i = 0; i < 140000; i++) {
        uint32_t index = 0;
        wtap_block_t block;

        owner.pid = i % 70000;
        block = ec_label_cache_get(cache, &packet, 0, blocks)->block;
        assert_int_equal(atoi(comment(block, 0) + strlen("pid=")), owner.pid);
        assert_int_equal(wtap_block_get_uint32_option_value(block, 6, &index), WTAP_OPTTYPE_SUCCESS);
        if (blocks->len) {
            uint32_t pid;

            memcpy(&pid, blocks->data + 8, sizeof(pid));
            assert_int_equal(pid, owner.pid);
        }
        if (i < 70000)
            assert_int_equal(index, i);
        g_byte_array_set_size(blocks, 0);
    }
}

static int start_wiretap(void **state)
{
    (void)state;
    ec_encoder_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_plain_name_follows_grammar),
        cmocka_unit_test(format_hostile_name_is_escaped),
        cmocka_unit_test(format_longest_fits),
        cmocka_unit_test(get_same_owner_returns_same_block),
        cmocka_unit_test(get_both_ends_names_both),
        cmocka_unit_test(get_one_end_of_loopback_says_which),
        cmocka_unit_test(get_unknown_owner_says_nothing),
        cmocka_unit_test(get_without_comments_has_none),
        cmocka_unit_test(get_many_owners_are_told_apart),
    };

    return cmocka_run_group_tests(tests, start_wiretap, NULL);
}
