/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal.h"

#include "block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct ec_owner owner = {.pid = 4711, .tid = 4711, .uid = 1000, .comm = "bash"};

static uint32_t get_u32(const GByteArray *bytes, guint at)
{
    uint32_t value;

    assert_true(at + 4 <= bytes->len);
    memcpy(&value, bytes->data + at, sizeof(value));
    return value;
}

/* The one block is a journal entry of this text, padded. */
static void assert_entry(const GByteArray *blocks, const char *entry, size_t len)
{
    assert_int_equal(get_u32(blocks, 0), EC_BLOCK_JOURNAL);
    assert_int_equal(get_u32(blocks, 4), blocks->len);
    assert_int_equal(get_u32(blocks, blocks->len - 4), blocks->len);
    assert_int_equal(blocks->len, 12 + ((len + 3) & ~(size_t)3));
    assert_memory_equal(blocks->data + 8, entry, len);
    for (size_t i = 8 + len; i < blocks->len - 4; i++)
        assert_int_equal(blocks->data[i], 0);
}

static void append_command_known_gives_all_fields(void **state)
{
    static const char entry[] = "__REALTIME_TIMESTAMP=1700000000000123\nPRIORITY=6\nSYSLOG_IDENTIFIER=bash\n_PID=4711\n"
                                "_UID=1000\n_COMM=bash\nECAPTURE_EXIT_STATUS=1\nECAPTURE_DURATION_USEC=23\n"
                                "ECAPTURE_TTY=/dev/pts/3\nECAPTURE_CWD=/home\nMESSAGE=false\n";
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    (void)state;

    ec_journal_append_command(blocks, &(struct ec_sink_command){.time = 1700000000000123456u,
                                                                .started = 1700000000000100000u,
                                                                .owner = &owner,
                                                                .module = EC_MODULE_BASH,
                                                                .text = "false!",
                                                                .len = 5,
                                                                .has_status = true,
                                                                .status = 1,
                                                                .cwd = "/home",
                                                                .tty = "/dev/pts/3"});
    assert_entry(blocks, entry, strlen(entry));
}

static void append_command_newlines_gives_length(void **state)
{
    static const char entry[] =
        "__REALTIME_TIMESTAMP=1\nPRIORITY=6\nSYSLOG_IDENTIFIER=zsh\n_PID=4711\n_UID=1000\n_COMM=bash\n"
        "ECAPTURE_DURATION_USEC=1\nECAPTURE_TRUNCATED=1\nECAPTURE_CWD\n\3\0\0\0\0\0\0\0/\n/\n"
        "MESSAGE\n\4\0\0\0\0\0\0\0a\nb\0\n";
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    (void)state;

    ec_journal_append_command(blocks, &(struct ec_sink_command){.time = 1999,
                                                                .owner = &owner,
                                                                .module = EC_MODULE_ZSH,
                                                                .text = "a\nb\0",
                                                                .len = 4,
                                                                .truncated = true,
                                                                .cwd = "/\n/"});
    assert_entry(blocks, entry, sizeof(entry) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_command_known_gives_all_fields),
        cmocka_unit_test(append_command_newlines_gives_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
