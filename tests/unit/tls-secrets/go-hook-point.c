/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "go-hook-point.h"

#include "go-image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* cmp rsp, [r14 + 16]; jbe; push rbp */
static const uint8_t registers_push[] = {0x49, 0x3b, 0x66, 0x10, 0x76, 0x33, 0x55};
/* lea r12, [rsp - 8]; cmp r12, [r14 + 16]; jbe; sub rsp, … */
static const uint8_t registers_jump[] = {0x4c, 0x8d, 0x64, 0x24, 0xf8, 0x4d, 0x3b, 0x66, 0x10,
                                         0x0f, 0x86, 0x0d, 2,    0,    0,    0x48, 0x81, 0xec};
/* mov rcx, fs:[-8] */
static const uint8_t stack[] = {0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff};
/* ldr x16, [x28, #16]; ldr x1, [x28, #16] */
static const uint8_t arm_registers[] = {0x90, 0x0b, 0x40, 0xf9};
static const uint8_t arm_stack[] = {0x81, 0x0b, 0x40, 0xf9};
static const uint8_t foreign[] = {0x55, 0x48, 0x89, 0xe5};

enum { GO_2 = 0xfffffffb, GO_16 = 0xfffffffa, GO_18 = 0xfffffff0, GO_20 = 0xfffffff1 };
#define IMAGE(table, go, code, ...)                                                                                    \
    {                                                                                                                  \
        .magic = (uint32_t)(table), .version = (go), .prologue = (code), .prologue_len = sizeof(code), __VA_ARGS__     \
    }

static int image_open(const uint8_t *bytes, size_t len)
{
    int fd = memfd_create("go", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    return fd;
}

static bool image_find(struct go_image *image, struct ec_hook_point *ret_point, GError **error)
{
    go_image_build(image);
    int fd = image_open(image->bytes, sizeof(image->bytes));
    bool found = ec_go_hook_point_find(fd, ret_point, error);
    close(fd);
    return found;
}

static struct ec_hook_point image_expect(struct go_image *image)
{
    struct ec_hook_point point = {0};
    g_autoptr(GError) error = NULL;

    if (!image_find(image, &point, &error))
        print_error("%s: %s\n", image->version, error->message);
    assert_null(error);
    assert_int_equal(point.kind, EC_LIBRARY_GO);
    assert_int_equal(point.method, EC_HOOK_GO_TABLE);
    assert_int_equal(point.function_offset, go_offset(GO_KEY_LOG));
    assert_int_equal(point.go_resume_offset - go_offset(GO_RESUME), point.probe_offset - point.function_offset);
    assert_string_equal(point.version, image->version ? image->version : "");
    return point;
}

static void image_refused(struct go_image *image, enum ec_hook_error code)
{
    struct ec_hook_point point = {.probe_offset = 77};
    g_autoptr(GError) error = NULL;

    assert_false(image_find(image, &point, &error));
    assert_int_equal(point.probe_offset, 77);
    assert_true(g_error_matches(error, EC_HOOK_ERROR, (gint)code));
    assert_null(strchr(error->message, '\n'));
}

static void find_every_table_format_gives_function(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        const bool relocated = variant & 1, sections = variant & 2;
        struct go_image images[] = {
            IMAGE(GO_2, "go1.15.15", stack, .pointer = true),
            IMAGE(GO_16, "go1.16.3", stack, .pointer = true),
            IMAGE(GO_16, "go1.17.2", registers_push, .pointer = true),
            IMAGE(GO_18, "go1.18", registers_push, .no_text = false),
            IMAGE(GO_20, "go1.20.5", registers_push, .no_text = false),
            IMAGE(GO_20, "go1.26.1", registers_push, .no_text = true),
        };
        for (size_t i = 0; i < G_N_ELEMENTS(images); i++) {
            images[i].relocated = relocated;
            images[i].sections = sections;
            struct ec_hook_point point = image_expect(&images[i]);
            assert_int_equal(point.go_abi, i < 2 ? EC_GO_ABI_STACK : EC_GO_ABI_REGISTER);
        }
    }
}

static void find_aarch64_tells_conventions_apart(void **state)
{
    struct go_image old =
        IMAGE(GO_16, "go1.17.2", arm_stack, .pointer = true, .machine = EM_AARCH64, .relocated = true);
    struct go_image new = IMAGE(GO_20, "go1.22.1", arm_registers, .machine = EM_AARCH64);

    (void)state;
    assert_int_equal(image_expect(&old).go_abi, EC_GO_ABI_STACK);
    struct ec_hook_point point = image_expect(&new);
    assert_int_equal(point.go_abi, EC_GO_ABI_REGISTER);
    assert_int_equal(point.probe_offset, point.function_offset);
}

static void find_cheap_instruction_behind_stack_check_is_probed(void **state)
{
    struct go_image push = IMAGE(GO_20, "go1.20.5", registers_push, .sections = false),
                    jump = IMAGE(GO_20, "go1.20.5", registers_jump, .sections = true);
    struct go_image old = IMAGE(GO_2, "go1.15", stack, .pointer = true);

    (void)state;
    assert_int_equal(image_expect(&push).probe_offset, go_offset(GO_KEY_LOG) + 6);
    assert_int_equal(image_expect(&jump).probe_offset, go_offset(GO_KEY_LOG) + 9);
    assert_int_equal(image_expect(&old).probe_offset, go_offset(GO_KEY_LOG));
}

static void find_untold_version_leaves_convention_to_code(void **state)
{
    struct go_image devel = IMAGE(GO_20, "devel go1.99-3b0c1a2", registers_push, .sections = true);
    struct go_image none = IMAGE(GO_2, NULL, stack, .sections = true);

    (void)state;
    assert_int_equal(image_expect(&devel).go_abi, EC_GO_ABI_REGISTER);
    assert_int_equal(image_expect(&none).go_abi, EC_GO_ABI_STACK);
}

static void find_version_and_code_at_odds_is_refused(void **state)
{
    struct go_image older = IMAGE(GO_16, "go1.16.3", registers_push, .pointer = true);
    struct go_image newer = IMAGE(GO_20, "go1.20.5", stack, .sections = true);
    struct go_image experiment = IMAGE(GO_18, "go1.18 X:noregabi", stack, .sections = true);

    (void)state;
    image_refused(&older, EC_HOOK_ERROR_UNPROVEN);
    image_refused(&newer, EC_HOOK_ERROR_UNPROVEN);
    assert_int_equal(image_expect(&experiment).go_abi, EC_GO_ABI_STACK);
}

static void find_other_beginning_is_refused(void **state)
{
    struct go_image image = IMAGE(GO_20, "go1.20.5", foreign, .sections = true);

    (void)state;
    image_refused(&image, EC_HOOK_ERROR_UNPROVEN);
}

static void find_without_crypto_tls_is_no_tls(void **state)
{
    struct go_image without = IMAGE(GO_20, "go1.20.5", registers_push, .key_log = "crypto/tls.(*Config).writeKeyLogs");
    struct go_image no_go = IMAGE(0, NULL, registers_push, .sections = false);

    (void)state;
    image_refused(&without, EC_HOOK_ERROR_NOT_TLS);
    image_refused(&no_go, EC_HOOK_ERROR_NOT_TLS);
}

static void find_contradicting_table_is_refused(void **state)
{
    struct go_image image = IMAGE(GO_20, "go1.20.5", registers_push, .sections = true),
                    no_text = IMAGE(GO_20, "go1.26.1", registers_push, .no_text = true);
    struct ec_hook_point point;
    static const struct {
        size_t offset;
        uint64_t value;
    } faults[] = {
        {8, UINT64_MAX},            /* functions */
        {8, 1 << 20},               /* more than fit */
        {8 + 24, UINT64_MAX - 8},   /* names */
        {8 + 56, 0x7fffffffffffff}, /* functab */
        {0x150 + 12, 0},            /* the second function's record lies before the first's */
        {0x150 + 12, 0xfffffff0},   /* … behind the end */
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;
        go_image_build(&image);
        go_put(&image, GO_TABLE + faults[i].offset, faults[i].value, faults[i].offset < 0x100 ? 8 : 4);
        int fd = image_open(image.bytes, sizeof(image.bytes));
        assert_false(ec_go_hook_point_find(fd, &point, &error));
        assert_true(g_error_matches(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN));
        close(fd);
    }
    g_autoptr(GError) error = NULL;
    go_image_build(&no_text);
    go_put(&no_text, GO_MODULE + 160, go_text() + 8, 8);
    int fd = image_open(no_text.bytes, sizeof(no_text.bytes));
    assert_false(ec_go_hook_point_find(fd, &point, &error));
    assert_true(g_error_matches(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN));
    close(fd);
}

static void find_truncated_anywhere_fails_or_is_unchanged(void **state)
{
    struct go_image image = IMAGE(GO_20, "go1.26.1", registers_push, .relocated = true, .no_text = true);

    (void)state;
    go_image_build(&image);
    for (size_t len = 0; len < sizeof(image.bytes); len += 8) {
        g_autoptr(GError) error = NULL;
        struct ec_hook_point point;
        int fd = image_open(image.bytes, len);
        bool found = ec_go_hook_point_find(fd, &point, &error);
        assert_true(found == (error == NULL));
        assert_true(!found || point.function_offset == go_offset(GO_KEY_LOG));
        close(fd);
    }
}

static void ec_go_file_is_go_tells_programs_apart(void **state)
{
    struct go_image images[] = {IMAGE(GO_20, "go1.20.5", registers_push, .sections = false),
                                IMAGE(GO_20, "go1.20.5", registers_push, .sections = true),
                                IMAGE(0, NULL, registers_push, .sections = false)};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(images); i++) {
        go_image_build(&images[i]);
        int fd = image_open(images[i].bytes, sizeof(images[i].bytes));
        assert_int_equal(ec_go_file_is_go(fd), i < 2);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_every_table_format_gives_function),
        cmocka_unit_test(find_aarch64_tells_conventions_apart),
        cmocka_unit_test(find_cheap_instruction_behind_stack_check_is_probed),
        cmocka_unit_test(find_untold_version_leaves_convention_to_code),
        cmocka_unit_test(find_version_and_code_at_odds_is_refused),
        cmocka_unit_test(find_other_beginning_is_refused),
        cmocka_unit_test(find_without_crypto_tls_is_no_tls),
        cmocka_unit_test(find_contradicting_table_is_refused),
        cmocka_unit_test(find_truncated_anywhere_fails_or_is_unchanged),
        cmocka_unit_test(ec_go_file_is_go_tells_programs_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
