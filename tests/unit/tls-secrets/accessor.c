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

uint64_t fixture_value;
uint64_t fixture_variable(void);
uint64_t fixture_variable(void)
{
    return fixture_value;
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

struct pair {
    const char *text;
    uint64_t len;
};

struct holder {
    char pad[1000];
    struct pair pair;
    struct near *near;
    uint32_t number, state;
    char text[16];
};

struct pair fixture_pair(const struct holder *holder);
struct pair fixture_pair(const struct holder *holder)
{
    return holder->pair;
}

uint32_t fixture_half_field(const struct holder *holder);
uint32_t fixture_half_field(const struct holder *holder)
{
    return holder->number;
}

int fixture_stored(const struct holder *holder, struct near **ret_near);
int fixture_stored(const struct holder *holder, struct near **ret_near)
{
    if (!ret_near)
        return 1;
    *ret_near = holder->near;
    return 0;
}

int fixture_stored_behind(const struct holder *holder, struct near **ret_near);
int fixture_stored_behind(const struct holder *holder, struct near **ret_near)
{
    ret_near[1] = holder->near;
    return 0;
}

char *fixture_copy(const char *text, uint64_t len);
__attribute__((noinline)) char *fixture_copy(const char *text, uint64_t len)
{
    return g_strndup(text, len);
}

uint32_t fixture_write(char *to, const char *text);
__attribute__((noinline)) uint32_t fixture_write(char *to, const char *text)
{
    return (uint32_t)g_strlcpy(to, text, 16);
}

void fixture_pair_setter(struct holder *holder, const struct pair *pair);
void fixture_pair_setter(struct holder *holder, const struct pair *pair)
{
    holder->pair.text = NULL;
    if (pair->text)
        holder->pair.text = fixture_copy(pair->text, pair->len);
    holder->pair.len = pair->len;
}

void fixture_pair_setter_of_three(struct holder *holder, const struct pair *pair);
void fixture_pair_setter_of_three(struct holder *holder, const struct pair *pair)
{
    fixture_pair_setter(holder, pair);
    holder->near = NULL;
    holder->pair.text = fixture_copy(pair->text, pair->len);
    holder->pair.len = pair->len;
}

void fixture_fail(struct holder *holder, uint32_t number, const char *text);
void fixture_fail(struct holder *holder, uint32_t number, const char *text)
{
    if (holder->state == 4)
        return;
    fixture_write(holder->text, text);
    holder->number = number;
    holder->state = 3;
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

/* A file that is open, and its code. */
struct program {
    int fd;
    ec_elf_image *image;
    ec_code *code;
};

static uint64_t program_open(struct program *program, const char *name)
{
    struct search search = {.name = name};

    program->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    program->image = ec_elf_image_open(program->fd, NULL);
    program->code = ec_code_new(program->image);
    assert_non_null(program->code);
    ec_elf_image_foreach_function(program->image, EC_ELF_SYMTAB, name, search_visit, &search);
    assert_int_not_equal(search.address, 0);
    return search.address;
}

static void program_close(struct program *program)
{
    ec_code_free(program->code);
    ec_elf_image_free(program->image);
    close(program->fd);
}

typedef bool (*offset_find)(ec_code *code, uint64_t function, uint32_t *ret_offset);

static bool find_by(offset_find function, const char *name, uint32_t *ret_offset)
{
    struct program program;
    uint64_t address = program_open(&program, name);
    bool found = function(program.code, address, ret_offset);

    program_close(&program);
    return found;
}

static bool find(const char *name, struct ec_accessor *ret_accessor)
{
    struct program program;
    uint64_t address = program_open(&program, name);
    bool found = ec_accessor_find(program.code, address, ret_accessor);

    program_close(&program);
    return found;
}

static bool find_state_setter(const char *name, uint32_t state, uint32_t value, uint32_t *ret_offset)
{
    struct program program;
    uint64_t address = program_open(&program, name);
    bool found = ec_state_setter_find(program.code, address, state, value, ret_offset);

    program_close(&program);
    return found;
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
        {"fixture_pair", {EC_ACCESSOR_PAIR, 0, offsetof(struct holder, pair), 8}},
        {"fixture_half_field", {EC_ACCESSOR_FIELD, 0, offsetof(struct holder, number), 4}},
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

static void variable_find_tells_what_is_returned(void **state)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    g_autoptr(ec_code) code = image ? ec_code_new(image) : NULL;
    struct ec_elf_symbol function, variable, other;
    uint64_t address = 0;
    (void)state;

    assert_non_null(code);
    assert_int_equal(fixture_variable(), 0);
    assert_true(ec_elf_image_find_symbol(image, EC_ELF_SYMTAB, "fixture_variable", &function));
    assert_true(ec_elf_image_find_symbol(image, EC_ELF_SYMTAB, "fixture_value", &variable));
    assert_true(ec_elf_image_find_symbol(image, EC_ELF_SYMTAB, "fixture_field", &other));
    assert_true(ec_accessor_find_variable(code, function.address, &address));
    assert_int_equal(address, variable.address);
    assert_false(ec_accessor_find_variable(code, other.address, &address));
    close(fd);
}

static void setter_find_tells_where_its_argument_goes(void **state)
{
    static const char *const names[] = {"fixture_setter_of_argument", "fixture_setter_with_sum"};
    uint32_t offset = 0;
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++, offset = 0) {
        assert_true(find_by(ec_setter_find, names[i], &offset));
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
        if (find_by(ec_setter_find, names[i], &offset))
            fail_msg("%s is believed", names[i]);
}

static void accessor_find_stored_tells_the_member(void **state)
{
    uint32_t offset = 0;
    (void)state;

    assert_true(find_by(ec_accessor_find_stored, "fixture_stored", &offset));
    assert_int_equal(offset, offsetof(struct holder, near));
    assert_false(find_by(ec_accessor_find_stored, "fixture_stored_behind", &offset));
    assert_false(find_by(ec_accessor_find_stored, "fixture_half_field", &offset));
}

static void setter_find_pair_tells_the_first(void **state)
{
    uint32_t offset = 0;
    (void)state;

    assert_true(find_by(ec_setter_find_pair, "fixture_pair_setter", &offset));
    assert_int_equal(offset, offsetof(struct holder, pair));
    assert_false(find_by(ec_setter_find_pair, "fixture_pair_setter_of_three", &offset));
    assert_false(find_by(ec_setter_find_pair, "fixture_setter_of_argument", &offset));
}

static void state_setter_find_wants_the_state_set(void **state)
{
    uint32_t offset = 0, at = offsetof(struct holder, state);
    (void)state;

    assert_true(find_state_setter("fixture_fail", at, 3, &offset));
    assert_int_equal(offset, offsetof(struct holder, number));
    assert_false(find_state_setter("fixture_fail", at, 1, &offset));
    assert_false(find_state_setter("fixture_fail", at + 4, 3, &offset));
    assert_false(find_state_setter("fixture_setter_of_half", at, 3, &offset));
}

static void handed_on_find_tells_the_member(void **state)
{
    uint32_t offset = 0;
    (void)state;

    assert_true(find_by(ec_handed_on_find, "fixture_fail", &offset));
    assert_int_equal(offset, offsetof(struct holder, text));
    assert_false(find_by(ec_handed_on_find, "fixture_pair_setter", &offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_each_kind_is_told),
        cmocka_unit_test(find_what_does_more_is_refused),
        cmocka_unit_test(variable_find_tells_what_is_returned),
        cmocka_unit_test(setter_find_tells_where_its_argument_goes),
        cmocka_unit_test(setter_find_what_does_other_things_is_refused),
        cmocka_unit_test(accessor_find_stored_tells_the_member),
        cmocka_unit_test(setter_find_pair_tells_the_first),
        cmocka_unit_test(state_setter_find_wants_the_state_set),
        cmocka_unit_test(handed_on_find_tells_the_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
