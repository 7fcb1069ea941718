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

void fixture_setter_of_argument(struct near *near, uint64_t number);
void fixture_setter_of_argument(struct near *near, uint64_t number)
{
    near->number = number;
}

void fixture_setter_with_sum(struct near *near, uint64_t number);
void fixture_setter_with_sum(struct near *near, uint64_t number)
{
    near->text += number;
    near->number = number;
}

void fixture_setter_of_two(struct near *near, uint64_t number);
void fixture_setter_of_two(struct near *near, uint64_t number)
{
    near->number = number;
    near->text = NULL;
}

void fixture_setter_of_half(struct far *far, uint32_t number);
void fixture_setter_of_half(struct far *far, uint32_t number)
{
    far->number = number;
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

/* What ec_accessor_find() or, without an accessor, ec_setter_find() says of that function. */
static bool find_either(const char *name, struct ec_accessor *ret_accessor, uint32_t *ret_offset)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    g_autoptr(ec_code) code = ec_code_new(image);
    struct search search = {.name = name};
    bool found;

    assert_non_null(code);
    ec_elf_image_foreach_function(image, EC_ELF_SYMTAB, name, search_visit, &search);
    assert_int_not_equal(search.address, 0);
    found = ret_accessor ? ec_accessor_find(code, search.address, ret_accessor)
                         : ec_setter_find(code, search.address, ret_offset);
    close(fd);
    return found;
}

static bool find(const char *name, struct ec_accessor *ret_accessor)
{
    return find_either(name, ret_accessor, NULL);
}

static void find_each_kind_is_told(void **state)
{
    static const struct {
        const char *name;
        struct ec_accessor accessor;
    } cases[] = {
        {"fixture_address", {EC_ACCESSOR_ADDRESS, 0, offsetof(struct near, text), 0}},
        {"fixture_field", {EC_ACCESSOR_FIELD, 0, offsetof(struct near, number), 8}},
        {"fixture_far_address", {EC_ACCESSOR_FAR_ADDRESS, offsetof(struct near, far), offsetof(struct far, text), 8}},
        {"fixture_far_field", {EC_ACCESSOR_FAR_FIELD, offsetof(struct near, far), offsetof(struct far, number), 4}},
        {"fixture_far_or_null", {EC_ACCESSOR_FAR_FIELD, offsetof(struct near, far), offsetof(struct far, name), 8}},
    };
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct ec_accessor accessor;

        if (!find(cases[i].name, &accessor))
            fail_msg("%s is not believed", cases[i].name);
        assert_int_equal(accessor.kind, cases[i].accessor.kind);
        assert_int_equal(accessor.pointer, cases[i].accessor.pointer);
        assert_int_equal(accessor.offset, cases[i].accessor.offset);
        assert_int_equal(accessor.size, cases[i].accessor.size);
    }
}

static void find_what_does_more_is_refused(void **state)
{
    struct ec_accessor accessor;
    (void)state;

    assert_false(find("fixture_two_fields", &accessor));
    assert_false(find("fixture_setter", &accessor));
}

static void setter_find_tells_where_its_argument_goes(void **state)
{
    static const char *const names[] = {"fixture_setter_of_argument", "fixture_setter_with_sum"};
    uint32_t offset = 0;
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++, offset = 0) {
        assert_true(find_either(names[i], NULL, &offset));
        assert_int_equal(offset, offsetof(struct near, number));
    }
}

static void setter_find_what_does_other_things_is_refused(void **state)
{
    static const char *const names[] = {"fixture_setter", "fixture_setter_of_two", "fixture_setter_of_half",
                                        "fixture_field"};
    uint32_t offset;
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (find_either(names[i], NULL, &offset))
            fail_msg("%s is believed", names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_each_kind_is_told),
        cmocka_unit_test(find_what_does_more_is_refused),
        cmocka_unit_test(setter_find_tells_where_its_argument_goes),
        cmocka_unit_test(setter_find_what_does_other_things_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
