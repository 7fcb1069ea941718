/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x86-64 code assembled by hand, at address AT of a one-segment ELF file. */
#include "code-flow.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { AT = 0x1000, CODE_MAX = 8192, RAX = 0, RBX = 3, RSI = 6, RDI = 7 };

struct program {
    int fd;
    struct ec_elf_image *image;
    struct ec_code *code;
};

static struct program program_new(const void *code, size_t len)
{
    static struct {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
        uint8_t code[CODE_MAX];
    } file;
    file.header = (Elf64_Ehdr){.e_ident = "\177ELF\2\1\1",
                               .e_type = ET_DYN,
                               .e_machine = EM_X86_64,
                               .e_phoff = sizeof(Elf64_Ehdr),
                               .e_phentsize = sizeof(Elf64_Phdr),
                               .e_phnum = 1};
    file.segment = (Elf64_Phdr){.p_type = PT_LOAD,
                                .p_flags = PF_R | PF_X,
                                .p_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
                                .p_vaddr = AT,
                                .p_filesz = len};
    memcpy(file.code, code, len);
    struct program program = {.fd = memfd_create("code", MFD_CLOEXEC)};
    size_t size = sizeof(file) - sizeof(file.code) + len;
    assert_int_equal(write(program.fd, &file, size), size);
    program.image = ec_elf_image_open(program.fd, NULL);
    assert_non_null(program.image);
    program.code = ec_code_new(program.image);
    assert_non_null(program.code);
    return program;
}

static void program_free(struct program *program)
{
    ec_code_free(program->code);
    ec_elf_image_free(program->image);
    close(program->fd);
}

/* The state before the first `call`. */
struct seen {
    struct ec_state state;
    unsigned calls;
};

static void seen_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct seen *seen = data;
    if (insn->op == EC_OP_CALL && seen->calls++ == 0)
        seen->state = *state;
}

static struct seen run(const char *code, size_t len, bool tracked_in_rax, enum ec_flow_join join)
{
    struct program program = program_new(code, len);
    struct seen seen = {};
    struct ec_state state;
    if (tracked_in_rax) {
        ec_state_init(&state);
        state.registers[RAX].kind = EC_VALUE_TRACKED;
    } else {
        ec_state_init_entry(&state, ec_code_get_machine(program.code));
    }
    assert_true(ec_flow_run(program.code, AT, &state, join, seen_visit, &seen));
    program_free(&program);
    return seen;
}
#define RUN(code, tracked, join) run(code, sizeof(code) - 1, tracked, join)
#define CALL_RET "\xe8\0\0\0\0\xc3"

static void value_check(const struct seen *seen, int reg, enum ec_value_kind kind, int pointer, int offset)
{
    const struct ec_value *value = &seen->state.registers[reg];
    assert_true(seen->calls > 0);
    assert_int_equal(value->kind, kind);
    assert_int_equal(value->pointer, pointer);
    assert_int_equal(value->offset, offset);
}

static void run_tracked_through_stack_slot_arrives(void **state)
{
    (void)state;
    /* mov [rsp+0x30], rax; sub rsp, 8; push rbx; mov rsi, [rsp+0x40]; call */
    struct seen seen = RUN("\x48\x89\x44\x24\x30\x48\x83\xec\x08\x53\x48\x8b\x74\x24\x40" CALL_RET, true, EC_JOIN_MAY);
    value_check(&seen, RSI, EC_VALUE_TRACKED, 0, 0);
}

static void run_tracked_push_pop_arrives(void **state)
{
    (void)state;
    struct seen seen = RUN("\x50\x5e" CALL_RET, true, EC_JOIN_MAY); /* push rax; pop rsi */
    value_check(&seen, RSI, EC_VALUE_TRACKED, 0, 0);
}

static void run_tracked_slot_overwritten_is_lost(void **state)
{
    (void)state;
    /* mov [rsp+8], rax; xor eax, eax; mov dword [rsp+0xc], 0; mov rsi, [rsp+8]; call */
    struct seen seen =
        RUN("\x48\x89\x44\x24\x08\x31\xc0\xc7\x44\x24\x0c\0\0\0\0\x48\x8b\x74\x24\x08" CALL_RET, true, EC_JOIN_MAY);
    assert_int_equal(seen.calls, 0);
}

static void run_tracked_volatile_is_lost_over_call(void **state)
{
    (void)state;
    /* mov rbx, rax; call +0; mov rsi, rbx; call */
    struct seen seen = RUN("\x48\x89\xc3\xe8\0\0\0\0\x48\x89\xde" CALL_RET, true, EC_JOIN_MAY);
    assert_int_equal(seen.calls, 2);
    value_check(&seen, RAX, EC_VALUE_TRACKED, 0, 0);
    /* call +0; mov rsi, rax; call: the path ends where the value does */
    seen = RUN("\xe8\0\0\0\0\x48\x89\xc6" CALL_RET, true, EC_JOIN_MAY);
    assert_int_equal(seen.calls, 1);
}

/* test edi, edi; je +3; mov rsi, rax; call */
#define BRANCH_CODE "\x85\xff\x74\x03\x48\x89\xc6" CALL_RET

static void run_may_join_keeps_what_one_path_knows(void **state)
{
    (void)state;
    struct seen seen = RUN(BRANCH_CODE, true, EC_JOIN_MAY);
    value_check(&seen, RSI, EC_VALUE_TRACKED, 0, 0);
}

static void run_own_join_keeps_the_argument_itself(void **state)
{
    (void)state;
    /* test edi, edi; je; mov rdi, [rdi+0x78]; call */
    struct seen seen = RUN("\x85\xff\x74\x04\x48\x8b\x7f\x78" CALL_RET, false, EC_JOIN_OWN);
    value_check(&seen, RDI, EC_VALUE_ARG, 0, 0);
    seen = RUN("\x85\xff\x74\x04\x48\x8b\x7f\x78" CALL_RET, false, EC_JOIN_MAY);
    value_check(&seen, RDI, EC_VALUE_MIXED, 0, 0);
    /* with add rdi, 8 behind the load: no object of its own */
    seen = RUN("\x85\xff\x74\x08\x48\x8b\x7f\x78\x48\x83\xc7\x08" CALL_RET, false, EC_JOIN_OWN);
    value_check(&seen, RDI, EC_VALUE_MIXED, 0, 0);
    /* mov rsi, [rdi+0x78] instead: rsi was another argument */
    seen = RUN("\x85\xff\x74\x04\x48\x8b\x77\x78" CALL_RET, false, EC_JOIN_OWN);
    value_check(&seen, RSI, EC_VALUE_MIXED, 0, 0);
}

static void run_must_join_forgets_what_paths_disagree_on(void **state)
{
    (void)state;
    struct seen seen = RUN(BRANCH_CODE, false, EC_JOIN_MUST);
    value_check(&seen, RSI, EC_VALUE_NONE, 0, 0);
    value_check(&seen, RDI, EC_VALUE_ARG, 0, 0);
}

static void run_loop_forgets_the_moving_pointer(void **state)
{
    (void)state;
    /* lea rsi, [rdi+0x10]; lea rbx, [rdi+0x30]; L: add rsi, 1; cmp rsi, rbx; jne L; call */
    struct seen seen =
        RUN("\x48\x8d\x77\x10\x48\x8d\x5f\x30\x48\x83\xc6\x01\x48\x39\xde\x75\xf7" CALL_RET, false, EC_JOIN_MUST);
    value_check(&seen, RSI, EC_VALUE_NONE, 0, 0);
    value_check(&seen, RBX, EC_VALUE_ARG, 0, 0x30);
}

static void run_pointer_load_is_dereference(void **state)
{
    (void)state;
    /* mov rax, [rdi+0xa8]; lea rbx, [rax+0xb8]; call */
    struct seen seen = RUN("\x48\x8b\x87\xa8\0\0\0\x48\x8d\x98\xb8\0\0\0" CALL_RET, false, EC_JOIN_MUST);
    value_check(&seen, RBX, EC_VALUE_DEREF, 0xa8, 0xb8);
}

static void run_narrow_copy_of_pointer_is_unknown(void **state)
{
    (void)state;
    /* mov eax, edi; mov ebx, 0x20; call */
    struct seen seen = RUN("\x89\xf8\xbb\x20\0\0\0" CALL_RET, false, EC_JOIN_MUST);
    value_check(&seen, RAX, EC_VALUE_NONE, 0, 0);
    value_check(&seen, RBX, EC_VALUE_CONST, 0, 0x20);
}

static void run_jump_to_known_function_is_not_followed(void **state)
{
    (void)state;
    /* call F; jmp F; F: mov rsi, rax; call F */
    static const char code[] = "\xe8\x02\0\0\0\xeb\x00\x48\x89\xc6\xe8\xf8\xff\xff\xff\xc3";
    struct program program = program_new(code, sizeof(code) - 1);
    struct ec_state state_;
    struct seen first = {}, second = {};
    (void)state;
    ec_state_init_entry(&state_, ec_code_get_machine(program.code));
    assert_true(ec_flow_run(program.code, AT, &state_, EC_JOIN_MUST, seen_visit, &first));
    assert_true(ec_code_is_function(program.code, AT + 7));
    assert_true(ec_flow_run(program.code, AT, &state_, EC_JOIN_MUST, seen_visit, &second));
    assert_int_equal(first.calls, 2);
    assert_int_equal(second.calls, 1);
    program_free(&program);
}

static void run_too_large_says_so(void **state)
{
    (void)state;
    char nops[CODE_MAX];
    memset(nops, 0x90, sizeof(nops));
    struct program program = program_new(nops, sizeof(nops));
    struct ec_state entry;
    struct seen seen = {};
    ec_state_init_entry(&entry, ec_code_get_machine(program.code));
    assert_false(ec_flow_run(program.code, AT, &entry, EC_JOIN_MUST, seen_visit, &seen));
    assert_false(ec_code_is_exhausted(program.code));
    for (int round = 0; round < 200; round++)
        ec_flow_run(program.code, AT, &entry, EC_JOIN_MUST, seen_visit, &seen);
    assert_true(ec_code_is_exhausted(program.code));
    program_free(&program);
}

static void read_outside_code_fails(void **state)
{
    (void)state;
    struct program program = program_new("\x90\xc3\x0f", 3);
    struct ec_insn insn;
    assert_true(ec_code_read(program.code, AT + 1, &insn));
    assert_int_equal(insn.op, EC_OP_STOP);
    assert_false(ec_code_read(program.code, AT + 2, &insn));
    assert_false(ec_code_read(program.code, AT + 3, &insn));
    assert_false(ec_code_read(program.code, AT - 1, &insn));
    assert_false(ec_code_read(program.code, UINT64_MAX, &insn));
    program_free(&program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_tracked_through_stack_slot_arrives),
        cmocka_unit_test(run_tracked_push_pop_arrives),
        cmocka_unit_test(run_tracked_slot_overwritten_is_lost),
        cmocka_unit_test(run_tracked_volatile_is_lost_over_call),
        cmocka_unit_test(run_may_join_keeps_what_one_path_knows),
        cmocka_unit_test(run_own_join_keeps_the_argument_itself),
        cmocka_unit_test(run_must_join_forgets_what_paths_disagree_on),
        cmocka_unit_test(run_loop_forgets_the_moving_pointer),
        cmocka_unit_test(run_pointer_load_is_dereference),
        cmocka_unit_test(run_narrow_copy_of_pointer_is_unknown),
        cmocka_unit_test(run_jump_to_known_function_is_not_followed),
        cmocka_unit_test(run_too_large_says_so),
        cmocka_unit_test(read_outside_code_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
