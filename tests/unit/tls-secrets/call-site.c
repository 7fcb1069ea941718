/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of functions of this very program. */
#include "call-site.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static volatile int seen;

/* Each with a body of its own, or compilers make them one. */
#define FIXTURE(name)                                                                                                  \
    void fixture_##name(int number);                                                                                   \
    __attribute__((noinline)) void fixture_##name(int number)                                                          \
    {                                                                                                                  \
        __asm__ volatile("# " #name);                                                                                  \
        seen = number;                                                                                                 \
    }
FIXTURE(once)
FIXTURE(then)
FIXTURE(twice)
FIXTURE(never)
FIXTURE(stops)
FIXTURE(end)

void fixture_pair(void);
void fixture_pair(void)
{
    fixture_once(seen);
    if (seen)
        fixture_then(seen);
    fixture_end(seen);
}

/* `once` is called again before `then` would be. */
void fixture_others(void);
void fixture_others(void)
{
    fixture_once(seen);
    fixture_twice(seen);
    fixture_end(seen);
    fixture_twice(seen);
    fixture_end(seen);
    fixture_stops(seen);
    fixture_never(seen);
    fixture_end(seen);
}

static uint64_t get_address(const ec_elf_image *image, const char *name)
{
    struct ec_elf_symbol symbol;

    assert_true(ec_elf_image_find_symbol(image, EC_ELF_SYMTAB, name, &symbol));
    return symbol.address;
}

static bool find(const char *first, const char *second, const char *last, struct ec_call_pair *ret_pair)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    g_autoptr(ec_code) code = image ? ec_code_new(image) : NULL;
    bool found;

    assert_non_null(code);
    found = ec_call_pair_find(image, code, get_address(image, first), get_address(image, second),
                              last ? get_address(image, last) : 0, ret_pair);
    if (found) {
        struct ec_insn insn;

        assert_true(ec_code_read(code, ret_pair->first, &insn));
        assert_int_equal(insn.target, get_address(image, first));
        assert_true(ec_code_read(code, ret_pair->second, &insn));
        assert_int_equal(insn.target, get_address(image, second));
    }
    close(fd);
    return found;
}

static void find_only_pair_gives_both_calls(void **state)
{
    struct ec_call_pair pair;
    (void)state;

    assert_true(find("fixture_once", "fixture_then", NULL, &pair));
}

static void find_two_calls_before_gives_none(void **state)
{
    struct ec_call_pair pair;
    (void)state;

    assert_false(find("fixture_once", "fixture_end", NULL, &pair));
    assert_false(find("fixture_then", "fixture_never", NULL, &pair));
}

static void find_call_that_comes_first_again_is_not_followed(void **state)
{
    struct ec_call_pair pair;
    (void)state;

    assert_true(find("fixture_twice", "fixture_never", NULL, &pair));
}

static void find_behind_what_may_not_return_gives_none(void **state)
{
    struct ec_call_pair pair;
    (void)state;

    assert_false(find("fixture_twice", "fixture_never", "fixture_stops", &pair));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_only_pair_gives_both_calls),
        cmocka_unit_test(find_two_calls_before_gives_none),
        cmocka_unit_test(find_call_that_comes_first_again_is_not_followed),
        cmocka_unit_test(find_behind_what_may_not_return_gives_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
