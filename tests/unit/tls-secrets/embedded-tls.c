/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of two segments, constants and code, of any size; the bytes between are holes. */
#include "embedded-tls.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static const char label[] = "SERVER_HANDSHAKE_TRAFFIC_SECRET";
static const char schedule[] = "s hs traffic";
static const char own[] = "ecapture looks for TLS libraries";

#define CODE_OFFSET 0x100000u
#define CODE_SIZE 0x200000u

struct program {
    uint32_t code_size;
    uint32_t first_flags; /* of the segment that begins the file */
    uint32_t label_at;    /* file offset; 0: nowhere */
    bool reads_key_logs;  /* has nothing of the key schedule */
    bool is_ecapture;
};

static bool holds_tls(struct program program)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segments[2];
    } file = {
        .header = {.e_ident = "\177ELF\2\1\1",
                   .e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2},
        .segments = {{.p_type = PT_LOAD, .p_filesz = CODE_OFFSET / 2, .p_flags = program.first_flags},
                     {.p_type = PT_LOAD,
                      .p_offset = CODE_OFFSET,
                      .p_vaddr = CODE_OFFSET,
                      .p_filesz = program.code_size,
                      .p_flags = PF_R | PF_X}},
    };
    int fd = memfd_create("program", MFD_CLOEXEC);
    assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
    assert_int_equal(ftruncate(fd, CODE_OFFSET + program.code_size), 0);
    if (program.label_at > 0)
        assert_int_equal(pwrite(fd, label, sizeof(label), program.label_at), sizeof(label));
    if (!program.reads_key_logs)
        assert_int_equal(pwrite(fd, schedule, sizeof(schedule), 0x800), sizeof(schedule));
    if (program.is_ecapture)
        assert_int_equal(pwrite(fd, own, sizeof(own), 0x900), sizeof(own));
    bool holds = ec_program_holds_tls(fd);
    close(fd);
    return holds;
}

static void holds_tls_large_with_label_is_true(void **state)
{
    (void)state;
    assert_true(holds_tls((struct program){CODE_SIZE, PF_R, .label_at = 0x1000}));
    assert_true(holds_tls((struct program){CODE_SIZE, PF_R, .label_at = CODE_OFFSET / 2 - sizeof(label)}));
}

static void holds_tls_without_label_is_false(void **state)
{
    (void)state;
    assert_false(holds_tls((struct program){CODE_SIZE, PF_R, .label_at = 0}));
    assert_false(holds_tls((struct program){CODE_SIZE, PF_R, .label_at = 0x1000, .reads_key_logs = true}));
    /* in the code, and between the segments */
    assert_false(holds_tls((struct program){CODE_SIZE, PF_R, .label_at = CODE_OFFSET + 0x100}));
    assert_false(holds_tls((struct program){CODE_SIZE, PF_R, .label_at = CODE_OFFSET / 2 + 0x100}));
}

static void holds_tls_of_ecapture_is_false(void **state)
{
    (void)state;
    assert_false(holds_tls((struct program){CODE_SIZE, PF_R, .label_at = 0x1000, .is_ecapture = true}));
}

static void holds_tls_constants_in_code_segment_is_true(void **state)
{
    (void)state;
    assert_true(holds_tls((struct program){CODE_SIZE, PF_R | PF_X, .label_at = CODE_OFFSET + 0x100}));
}

static void holds_tls_small_is_false(void **state)
{
    (void)state;
    assert_false(holds_tls((struct program){0x10000, PF_R, .label_at = 0x1000}));
}

static void holds_tls_no_program_is_false(void **state)
{
    (void)state;
    assert_false(ec_program_holds_tls(-1));
    int fd = memfd_create("empty", MFD_CLOEXEC);
    assert_false(ec_program_holds_tls(fd));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_tls_large_with_label_is_true),
        cmocka_unit_test(holds_tls_without_label_is_false),
        cmocka_unit_test(holds_tls_of_ecapture_is_false),
        cmocka_unit_test(holds_tls_constants_in_code_segment_is_true),
        cmocka_unit_test(holds_tls_small_is_false),
        cmocka_unit_test(holds_tls_no_program_is_false),
    };
    return cmocka_run_group_tests_name("embedded-tls", tests, NULL, NULL);
}
