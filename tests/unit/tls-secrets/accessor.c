/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of functions of this very program, as the compiler that is at hand makes them. */
#include "accessor.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct far {
    char pad[24];
    uint32_t number;
    char text[40];
    const char *name;
};

struct near {
    char pad[4000];
    uint64_t number;
    struct far *far;
    char *text;
};

const void *fixture_address(const struct near *near);
const void *fixture_address(const struct near *near)
{
    return &near->text;
}

uint64_t fixture_field(const struct near *near);
uint64_t fixture_field(const struct near *near)
{
    return near->number;
}

const void *fixture_far_address(const struct near *near);
const void *fixture_far_address(const struct near *near)
{
    return near->far->text;
}

uint32_t fixture_far_field(const struct near *near);
uint32_t fixture_far_field(const struct near *near)
{
    return near->far->number;
}

const char *fixture_far_or_null(const struct near *near);
const char *fixture_far_or_null(const struct near *near)
{
    return near->far ? near->far->name : NULL;
}

uint64_t fixture_two_fields(const struct near *near);
uint64_t fixture_two_fields(const struct near *near)
{
    return near->number + (uintptr_t)near->text;
}

void fixture_setter(struct near *near);
void fixture_setter(struct near *near)
{
    near->number = 1;
}

struct search {
    const char *name;
    uint64_t address;
};

static bool search_visit(const struct ec_elf_symbol *symbol, void *data)
{
    struct search *search = data;

    if (strcmp(symbol->name, search->name) == 0)
        search->address = symbol->address;
    return true;
}

static bool find(const char *name, struct ec_accessor *ret_accessor)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    g_autoptr(ec_code) code = ec_code_new(image);
    struct search search = {.name = name};
    bool found;

    assert_non_null(code);
    ec_elf_image_foreach_function(image, EC_ELF_SYMTAB, name, search_visit, &search);
    assert_int_not_equal(search.address, 0);
    found = ec_accessor_find(code, search.address, ret_accessor);
    close(fd);
    return found;
}

static void find_each_kind_is_told(void **state)
{
    static const struct {
        const char *name;
        struct ec_accessor accessor;
    } cases[] = {
        {"fixture_address", {EC_ACCESSOR_ADDRESS, 0, offsetof(struct near, text)}},
        {"fixture_field", {EC_ACCESSOR_FIELD, 0, offsetof(struct near, number)}},
        {"fixture_far_address", {EC_ACCESSOR_FAR_ADDRESS, offsetof(struct near, far), offsetof(struct far, text)}},
        {"fixture_far_field", {EC_ACCESSOR_FAR_FIELD, offsetof(struct near, far), offsetof(struct far, number)}},
        {"fixture_far_or_null", {EC_ACCESSOR_FAR_FIELD, offsetof(struct near, far), offsetof(struct far, name)}},
    };
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct ec_accessor accessor;

        if (!find(cases[i].name, &accessor))
            fail_msg("%s is not believed", cases[i].name);
        assert_int_equal(accessor.kind, cases[i].accessor.kind);
        assert_int_equal(accessor.pointer, cases[i].accessor.pointer);
        assert_int_equal(accessor.offset, cases[i].accessor.offset);
    }
}

static void find_what_does_more_is_refused(void **state)
{
    struct ec_accessor accessor;
    (void)state;

    assert_false(find("fixture_two_fields", &accessor));
    assert_false(find("fixture_setter", &accessor));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_each_kind_is_told),
        cmocka_unit_test(find_what_does_more_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
