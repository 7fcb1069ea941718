/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encodings checked against llvm-mc 14. */
#include "insn.h"

#include <elf.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { AT = 0x400000 };

static struct ec_insn arm64(uint32_t word)
{
    struct ec_insn insn;
    ec_insn_decode_arm64(word, AT, &insn);
    assert_int_equal(insn.length, 4);
    assert_int_equal(insn.address, AT);
    return insn;
}

static struct ec_insn x86(const char *bytes, size_t len)
{
    struct ec_decoder *decoder = ec_decoder_new(ec_machine_get(EM_X86_64));
    struct ec_insn insn;
    assert_non_null(decoder);
    assert_true(ec_decoder_read(decoder, (const uint8_t *)bytes, len, AT, &insn));
    assert_int_equal(insn.length, len);
    ec_decoder_free(decoder);
    return insn;
}
#define X86(bytes) x86(bytes, sizeof(bytes) - 1)

static void machine_get_other_is_null(void **state)
{
    (void)state;
    assert_null(ec_machine_get(EM_386));
    assert_int_equal(ec_machine_get(EM_AARCH64)->args[3], 3);
    assert_int_equal(ec_machine_get(EM_X86_64)->args[0], 7);
}

static void decode_arm64_addresses(void **state)
{
    (void)state;
    struct ec_insn adrp = arm64(0xd0000441); /* adrp x1, #0x8a000 */
    assert_int_equal(adrp.op, EC_OP_CONST);
    assert_int_equal(adrp.dst, 1);
    assert_int_equal(adrp.value, AT + 0x8a000);
    struct ec_insn add = arm64(0x913fc021); /* add x1, x1, #0xff0 */
    assert_int_equal(add.op, EC_OP_ADD);
    assert_int_equal(add.src, 1);
    assert_int_equal(add.dst, 1);
    assert_int_equal(add.value, 0xff0);
    struct ec_insn sub = arm64(0xd101c3ff); /* sub sp, sp, #0x70 */
    assert_int_equal(sub.op, EC_OP_ADD);
    assert_int_equal(sub.dst, 31);
    assert_int_equal(sub.value, -0x70);
    struct ec_insn shifted = arm64(0x91400400); /* add x0, x0, #1, lsl #12 */
    assert_int_equal(shifted.value, 0x1000);
    struct ec_insn move = arm64(0x52800403); /* mov w3, #0x20 */
    assert_int_equal(move.op, EC_OP_CONST);
    assert_int_equal(move.dst, 3);
    assert_int_equal(move.value, 0x20);
    assert_int_equal(arm64(0xeb01001f).writes, 0); /* cmp x0, x1 */
}

static void decode_arm64_moves(void **state)
{
    (void)state;
    struct ec_insn copy = arm64(0xaa0103f3); /* mov x19, x1 */
    assert_int_equal(copy.op, EC_OP_COPY);
    assert_int_equal(copy.dst, 19);
    assert_int_equal(copy.src, 1);
    assert_int_equal(copy.width, 8);
    struct ec_insn select = arm64(0x9a821021); /* csel x1, x1, x2, ne */
    assert_int_equal(select.op, EC_OP_SELECT);
    assert_int_equal(select.dst, 1);
    assert_int_equal(select.src, 1);
    assert_int_equal(select.src2, 2);
}

static void decode_arm64_memory(void **state)
{
    (void)state;
    struct ec_insn load = arm64(0xf9405660); /* ldr x0, [x19, #0xa8] */
    assert_int_equal(load.op, EC_OP_LOAD);
    assert_int_equal(load.dst, 0);
    assert_int_equal(load.base, 19);
    assert_int_equal(load.displacement, 0xa8);
    struct ec_insn byte = arm64(0x38626861); /* ldrb w1, [x3, x2] */
    assert_int_equal(byte.op, EC_OP_OTHER);
    assert_true(byte.reads);
    assert_int_equal(byte.size, 1);
    assert_int_equal(byte.base, 3);
    assert_int_equal(byte.index, 2);
    assert_int_equal(byte.writes, 1 << 1);
    struct ec_insn push = arm64(0xa9be7bfd); /* stp x29, x30, [sp, #-0x20]! */
    assert_int_equal(push.op, EC_OP_STORE);
    assert_int_equal(push.src, 29);
    assert_int_equal(push.src2, 30);
    assert_int_equal(push.base_add, -0x20);
    assert_int_equal(push.displacement, -0x20);
    struct ec_insn pop = arm64(0xa8c27bfd); /* ldp x29, x30, [sp], #0x20 */
    assert_int_equal(pop.op, EC_OP_LOAD);
    assert_int_equal(pop.dst2, 30);
    assert_int_equal(pop.displacement, 0);
    assert_int_equal(pop.base_add, 0x20);
    struct ec_insn vector = arm64(0x3dc00020); /* ldr q0, [x1] */
    assert_int_equal(vector.op, EC_OP_OTHER);
    assert_int_equal(vector.writes, 0);
    assert_int_equal(vector.size, 16);
}

static void decode_arm64_control(void **state)
{
    (void)state;
    assert_int_equal(arm64(0x94000002).op, EC_OP_CALL); /* bl #8 */
    assert_int_equal(arm64(0x94000002).target, AT + 8);
    assert_int_equal(arm64(0x17ffffff).op, EC_OP_JUMP); /* b #-4 */
    assert_int_equal(arm64(0x17ffffff).target, AT - 4);
    assert_int_equal(arm64(0x54000041).op, EC_OP_BRANCH); /* b.ne #8 */
    assert_int_equal(arm64(0xb4000040).target, AT + 8);   /* cbz x0, #8 */
    assert_int_equal(arm64(0x37000040).op, EC_OP_BRANCH); /* tbnz w0, #0, #8 */
    assert_int_equal(arm64(0xd63f0040).op, EC_OP_CALL);   /* blr x2 */
    assert_int_equal(arm64(0xd63f0040).target, 0);
    assert_int_equal(arm64(0xd63f0040).src, 2);
    assert_int_equal(arm64(0xd61f0040).op, EC_OP_JUMP); /* br x2 */
    assert_int_equal(arm64(0xd65f03c0).op, EC_OP_STOP); /* ret */
    assert_int_equal(arm64(0xd4200020).op, EC_OP_STOP); /* brk #1 */
    assert_int_equal(arm64(0).op, EC_OP_STOP);          /* udf */
}

static void decode_x86_values(void **state)
{
    (void)state;
    struct ec_insn lea = X86("\x48\x8d\x35\x9f\x7c\x01\x00"); /* lea rsi, [rip + 0x17c9f] */
    assert_int_equal(lea.op, EC_OP_CONST);
    assert_int_equal(lea.dst, 6);
    assert_int_equal(lea.value, AT + 7 + 0x17c9f);
    struct ec_insn add = X86("\x48\x8d\x97\x60\x01\x00\x00"); /* lea rdx, [rdi + 0x160] */
    assert_int_equal(add.op, EC_OP_ADD);
    assert_int_equal(add.src, 7);
    assert_int_equal(add.value, 0x160);
    struct ec_insn immediate = X86("\xbe\x08\xb0\x89\x00"); /* mov esi, 0x89b008 */
    assert_int_equal(immediate.op, EC_OP_CONST);
    assert_int_equal(immediate.value, 0x89b008);
    struct ec_insn store = X86("\x48\xc7\x44\x24\x30\x08\xb0\x89\x00"); /* mov qword [rsp + 0x30], 0x89b008 */
    assert_int_equal(store.op, EC_OP_STORE_CONST);
    assert_int_equal(store.base, 4);
    assert_int_equal(store.displacement, 0x30);
    struct ec_insn load = X86("\x48\x8b\x74\x24\x30"); /* mov rsi, [rsp + 0x30] */
    assert_int_equal(load.op, EC_OP_LOAD);
    assert_int_equal(load.dst, 6);
    struct ec_insn select = X86("\x48\x0f\x44\xf0"); /* cmove rsi, rax */
    assert_int_equal(select.op, EC_OP_SELECT);
    assert_int_equal(select.src, 0);
    assert_int_equal(select.src2, 6);
    struct ec_insn byte = X86("\x0f\xb6\x94\x03\x88\x01\x00\x00"); /* movzx edx, byte [rbx + rax + 0x188] */
    assert_int_equal(byte.size, 1);
    assert_int_equal(byte.index, 0);
    assert_int_equal(byte.displacement, 0x188);
    assert_true(byte.reads && !byte.stores);
    assert_int_equal(X86("\x31\xc0").writes, 1); /* xor eax, eax */
    assert_int_equal(X86("\x31\xc0").op, EC_OP_CONST);
    assert_int_equal(X86("\x31\xc8").op, EC_OP_OTHER); /* xor eax, ecx */
    assert_int_equal(X86("\x41\x54").op, EC_OP_PUSH);
    assert_int_equal(X86("\x41\x54").src, 12);
    assert_int_equal(X86("\x5d").dst, 5);
}

static void decode_x86_control(void **state)
{
    (void)state;
    struct ec_insn call = X86("\xe8\x10\x00\x00\x00");
    assert_int_equal(call.op, EC_OP_CALL);
    assert_int_equal(call.target, AT + 5 + 0x10);
    assert_int_equal(X86("\xff\xd1").op, EC_OP_CALL); /* call rcx */
    assert_int_equal(X86("\xff\xd1").target, 0);
    assert_int_equal(X86("\xff\xd1").src, 1);
    assert_int_equal(X86("\xff\x50\x18").src, EC_REG_NONE); /* call [rax + 0x18] */
    assert_int_equal(X86("\xff\x50\x18").displacement, 0x18);
    assert_int_equal(X86("\xeb\x02").op, EC_OP_JUMP);
    assert_int_equal(X86("\x74\x02").op, EC_OP_BRANCH);
    assert_int_equal(X86("\x74\x02").target, AT + 4);
    assert_int_equal(X86("\xc3").op, EC_OP_STOP);
    assert_int_equal(X86("\x0f\x0b").op, EC_OP_STOP); /* ud2 */
    assert_int_equal(X86("\xf3\x0f\x1e\xfa").op, EC_OP_OTHER);
    assert_int_equal(X86("\xf3\x0f\x1e\xfa").writes, 0); /* endbr64 */
}

static void vector_check(struct ec_insn insn, int vector, bool stores, int base, int size, int64_t displacement)
{
    assert_int_equal(insn.vector, vector);
    assert_int_equal(insn.stores, stores);
    assert_int_equal(insn.reads, !stores);
    assert_int_equal(insn.base, base);
    assert_int_equal(insn.size, size);
    assert_int_equal(insn.displacement, displacement);
}

static void decode_vector_moves(void **state)
{
    (void)state;
    vector_check(X86("\x0f\x11\x08"), 1, true, 0, 16, 0); /* movups %xmm1,(%rax) */
    /* movdqu 0x620(%r12),%xmm10 */
    vector_check(X86("\xf3\x45\x0f\x6f\x94\x24\x20\x06\x00\x00"), 10, false, 12, 16, 0x620);
    vector_check(X86("\xc5\xfe\x7f\x48\x20"), 1, true, 0, 32, 0x20); /* vmovdqu %ymm1,0x20(%rax) */
    vector_check(arm64(0xad410420), 0, false, 1, 32, 32);            /* ldp q0, q1, [x1, #32] */
    vector_check(arm64(0xad000c02), 2, true, 0, 32, 0);              /* stp q2, q3, [x0] */
    assert_int_equal(arm64(0xad000c02).vector2, 3);
    vector_check(arm64(0x3dc18a60), 0, false, 19, 16, 1568); /* ldr q0, [x19, #1568] */
    assert_int_equal(arm64(0x3dc18a60).vector2, EC_REG_NONE);
    assert_int_equal(X86("\x48\x89\xd0").vector, EC_REG_NONE); /* mov %rdx,%rax */
}

static void decode_x86_cut_fails(void **state)
{
    (void)state;
    struct ec_decoder *decoder = ec_decoder_new(ec_machine_get(EM_X86_64));
    struct ec_insn insn;
    assert_false(ec_decoder_read(decoder, (const uint8_t *)"\x48\x8d\x35\x9f", 4, AT, &insn));
    assert_false(ec_decoder_read(decoder, (const uint8_t *)"", 0, AT, &insn));
    ec_decoder_free(decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine_get_other_is_null), cmocka_unit_test(decode_arm64_addresses),
        cmocka_unit_test(decode_arm64_moves),        cmocka_unit_test(decode_arm64_memory),
        cmocka_unit_test(decode_arm64_control),      cmocka_unit_test(decode_x86_values),
        cmocka_unit_test(decode_x86_control),        cmocka_unit_test(decode_vector_moves),
        cmocka_unit_test(decode_x86_cut_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
