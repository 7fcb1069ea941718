/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This program has functions in it as compilers make them of a library's. */
#include "probe-place.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__x86_64__)
#define FUNCTION(name, code) __asm__(".text; .type " name ", @function; " name ": " code "; .size " name ", . - " name)

FUNCTION("test_inner", "push %rbx; mov %rdi, %rbx; pop %rbx; ret");
/* int SSL_read_ex(object, buffer, length, &moved), OpenSSL 3.0 */
FUNCTION("test_wrapper", "sub $8, %rsp; call test_inner; xor %edx, %edx; test %eax, %eax; cmovs %edx, %eax;"
                         "add $8, %rsp; ret");
/* int SSL_read(object, buffer, length) */
FUNCTION("test_caller", "sub $24, %rsp; xor %eax, %eax; test %edx, %edx; js 1f; mov %rsp, %rcx; movslq %edx, %rdx;"
                        "call test_inner; test %eax, %eax; jle 1f; mov (%rsp), %eax; 1: add $24, %rsp; ret");
/* gnutls_record_send() */
FUNCTION("test_shuffler", "xor %r8d, %r8d; xor %ecx, %ecx; jmp test_inner");
FUNCTION("test_other_object", "sub $8, %rsp; mov (%rdi), %rdi; call test_inner; add $8, %rsp; ret");
FUNCTION("test_other_result", "sub $8, %rsp; call test_inner; add $1, %eax; add $8, %rsp; ret");
FUNCTION("test_other_way", "sub $8, %rsp; test %rdi, %rdi; je 1f; call test_inner; 1: add $8, %rsp; ret");
/* The first emulated instruction stands behind the one that moves the stack. */
FUNCTION("test_early_stack", "sub $24, %rsp; test %rdi, %rdi; je 1f; 1: add $24, %rsp; ret");
#endif

struct fixture {
    int fd;
    ec_elf_image *image;
    ec_code *code;
};

static int setup(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    fixture->image = ec_elf_image_open(fixture->fd, NULL);
    fixture->code = ec_code_new(fixture->image);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    ec_code_free(fixture->code);
    ec_elf_image_free(fixture->image);
    close(fixture->fd);
    g_free(fixture);
    return 0;
}

/* Where a function is; the test is skipped on machines that don't have it. */
static uint64_t get_function(const struct fixture *fixture, const char *name)
{
    struct ec_elf_symbol symbol;

    if (ec_elf_image_get_machine(fixture->image) != EM_X86_64)
        skip();
    assert_true(ec_elf_image_find_symbol(fixture->image, EC_ELF_SYMTAB, name, &symbol));
    return symbol.address;
}

static void find_first_emulated_instruction_is_taken(void **state)
{
    const struct fixture *fixture = *state;
    const uint64_t function = get_function(fixture, "test_early_stack");
    struct ec_probe_place place;

    ec_probe_place_find(fixture->image, fixture->code, function, 3, EC_ARGUMENTS_STAY, &place);
    assert_true(place.emulated);
    assert_int_equal(place.address - function, 7); /* je */
}

static void find_with_the_stack_as_it_was_stops_where_it_moves(void **state)
{
    const struct fixture *fixture = *state;
    const uint64_t function = get_function(fixture, "test_early_stack");
    struct ec_probe_place place;

    ec_probe_place_find(fixture->image, fixture->code, function, 3, EC_ARGUMENTS_AND_STACK_STAY, &place);
    assert_false(place.emulated);
    assert_int_equal(place.address, function);
}

static void find_with_the_stack_as_it_was_takes_a_jump_elsewhere(void **state)
{
    const struct fixture *fixture = *state;
    const uint64_t function = get_function(fixture, "test_shuffler");
    struct ec_probe_place place;

    ec_probe_place_find(fixture->image, fixture->code, function, 3, EC_ARGUMENTS_AND_STACK_STAY, &place);
    assert_true(place.emulated);
    assert_int_equal(place.address - function, 5);
    ec_probe_place_find(fixture->image, fixture->code, function, 4, EC_ARGUMENTS_AND_STACK_STAY, &place);
    assert_false(place.emulated);
}

static void wrapped_of_a_wrapper_is_found(void **state)
{
    const struct fixture *fixture = *state;
    uint64_t wrapped = 0;

    assert_true(ec_wrapped_find(fixture->code, get_function(fixture, "test_wrapper"), 4, &wrapped));
    assert_int_equal(wrapped, get_function(fixture, "test_inner"));
}

static void wrapped_of_others_is_refused(void **state)
{
    static const char *const names[] = {"test_inner",        "test_caller",       "test_shuffler",
                                        "test_other_object", "test_other_result", "test_other_way"};
    const struct fixture *fixture = *state;
    uint64_t wrapped = 1;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        assert_false(ec_wrapped_find(fixture->code, get_function(fixture, names[i]), 4, &wrapped));
    assert_int_equal(wrapped, 1);
}

static void calls_of_the_same_function_with_its_arguments_are_told(void **state)
{
    const struct fixture *fixture = *state;
    const uint64_t inner = get_function(fixture, "test_inner");

    assert_true(ec_function_calls(fixture->code, get_function(fixture, "test_wrapper"), 2, inner));
    assert_true(ec_function_calls(fixture->code, get_function(fixture, "test_caller"), 2, inner));
    assert_false(ec_function_calls(fixture->code, get_function(fixture, "test_caller"), 2, inner + 1));
    assert_false(ec_function_calls(fixture->code, get_function(fixture, "test_caller"), 4, inner));
    assert_false(ec_function_calls(fixture->code, get_function(fixture, "test_other_object"), 2, inner));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_first_emulated_instruction_is_taken),
        cmocka_unit_test(find_with_the_stack_as_it_was_stops_where_it_moves),
        cmocka_unit_test(find_with_the_stack_as_it_was_takes_a_jump_elsewhere),
        cmocka_unit_test(wrapped_of_a_wrapper_is_found),
        cmocka_unit_test(wrapped_of_others_is_refused),
        cmocka_unit_test(calls_of_the_same_function_with_its_arguments_are_told),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
