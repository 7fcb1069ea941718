/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plaintext-point.h"

#include "boringssl-calls.h"
#include "code-flow.h"
#include "elf-image.h"
#include "go-hook-point.h"
#include "go-program.h"
#include "go-table.h"
#include "hook-point.h"
#include "nss-socket-ops.h"
#include "probe-place.h"

#include <elf.h>
#include <string.h>

/* Instructions of a Go function that are followed; crypto/tls.(*Conn).Write has about 500. */
#define INSTRUCTIONS_MAX 20000
#define RETURNS_MAX 64

/* ---- C ---- */

struct function {
    const char *name;
    uint64_t cookie;
    bool returns; /* its return matters too */
};
#define MOVES(name, operation, length)                                                                                 \
    {                                                                                                                  \
        name, EC_PLAINTEXT_COOKIE(EC_PLAINTEXT_##operation, EC_PLAINTEXT_##length, 0), true                            \
    }
#define SHAKES(name, role)                                                                                             \
    {                                                                                                                  \
        name, EC_PLAINTEXT_COOKIE(EC_PLAINTEXT_HANDSHAKE, 0, EC_PLAINTEXT_ROLE_##role), true                           \
    }
#define FLUSHES(name)                                                                                                  \
    {                                                                                                                  \
        name, EC_PLAINTEXT_COOKIE(EC_PLAINTEXT_FLUSH, 0, 0), true                                                      \
    }
#define TELLS(name, operation, role)                                                                                   \
    {                                                                                                                  \
        name, EC_PLAINTEXT_COOKIE(EC_PLAINTEXT_##operation, 0, EC_PLAINTEXT_ROLE_##role), false                        \
    }

/* The first of each kind must be there; the others, depending on the version. */
static const struct function openssl_functions[] = {
    MOVES("SSL_read", READ, RETURNS_INT),
    MOVES("SSL_write", WRITE, RETURNS_INT),
    MOVES("SSL_peek", PEEK, RETURNS_INT),
    MOVES("SSL_read_ex", READ, AT_ARGUMENT_4),
    MOVES("SSL_write_ex", WRITE, AT_ARGUMENT_4),
    MOVES("SSL_peek_ex", PEEK, AT_ARGUMENT_4),
    MOVES("SSL_write_ex2", WRITE, AT_ARGUMENT_5),
    MOVES("SSL_read_early_data", READ, AT_ARGUMENT_4),
    MOVES("SSL_write_early_data", WRITE, AT_ARGUMENT_4),
    SHAKES("SSL_do_handshake", UNKNOWN),
    SHAKES("SSL_accept", SERVER),
    SHAKES("SSL_connect", CLIENT),
    TELLS("SSL_set_accept_state", ROLE, SERVER),
    TELLS("SSL_set_connect_state", ROLE, CLIENT),
    TELLS("SSL_free", FREE, UNKNOWN),
    TELLS("SSL_clear", CLEAR, UNKNOWN),
};
static const struct function gnutls_functions[] = {
    MOVES("gnutls_record_recv", READ, RETURNS_LONG),
    MOVES("gnutls_record_send", WRITE, RETURNS_LONG),
    MOVES("gnutls_record_send2", WRITE, RETURNS_LONG),
    MOVES("gnutls_record_recv_seq", READ, RETURNS_LONG),
    MOVES("gnutls_record_recv_early_data", READ, RETURNS_LONG),
    MOVES("gnutls_record_send_early_data", WRITE, IS_ARGUMENT_3),
    FLUSHES("gnutls_record_uncork"),
    SHAKES("gnutls_handshake", UNKNOWN),
    TELLS("gnutls_deinit", FREE, UNKNOWN),
};

static const struct family {
    const struct function *functions;
    size_t count;
} families[] = {
    {openssl_functions, G_N_ELEMENTS(openssl_functions)},
    {gnutls_functions, G_N_ELEMENTS(gnutls_functions)},
};
enum { FUNCTIONS_MAX = 16, MIN_ARGUMENTS = 2 /* the object and the buffer */ };
_Static_assert(G_N_ELEMENTS(openssl_functions) <= FUNCTIONS_MAX, "looked for at once");
_Static_assert(G_N_ELEMENTS(gnutls_functions) <= FUNCTIONS_MAX, "looked for at once");

struct search {
    const char *name;
    uint64_t address; /* 0: not found */
    bool ambiguous;
};

static bool symbol_visit(const struct ec_elf_symbol *symbol, void *data)
{
    struct search *search = data;

    if (strcmp(symbol->name, search->name) != 0)
        return true;
    search->ambiguous |= search->address != 0 && search->address != symbol->address;
    search->address = symbol->address;
    return true;
}

/* The one function of that name. */
static bool function_find(const struct ec_elf_image *image, enum ec_elf_table table, const char *name,
                          uint64_t *ret_address)
{
    struct search search = {.name = name};

    ec_elf_image_foreach_function(image, table, name, symbol_visit, &search);
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(image, search.address);
    if (search.address == 0 || search.ambiguous || !segment || !segment->executable)
        return false;
    *ret_address = search.address;
    return true;
}

static void point_add(GArray *points, enum ec_plaintext_place place, uint64_t offset, uint64_t cookie)
{
    const struct ec_plaintext_point point = {place, offset, cookie};

    g_array_append_val(points, point);
}

/* A family's functions in one file. */
struct finder {
    const struct ec_elf_image *image;
    struct ec_code *code;
    const struct family *family;
    uint64_t addresses[FUNCTIONS_MAX]; /* 0: it isn't there */
    GArray *points;
};

static bool moves_data(const struct function *function)
{
    return EC_PLAINTEXT_COOKIE_OPERATION(function->cookie) <= EC_PLAINTEXT_PEEK;
}

/* How many of its arguments tell what it moves: the object, the buffer, and where the length is. */
static int arguments_count(const struct function *function)
{
    static const int counts[] = {
        [EC_PLAINTEXT_RETURNS_INT] = 2,   [EC_PLAINTEXT_RETURNS_LONG] = 2,  [EC_PLAINTEXT_AT_ARGUMENT_4] = 4,
        [EC_PLAINTEXT_AT_ARGUMENT_5] = 5, [EC_PLAINTEXT_IS_ARGUMENT_3] = 3, [EC_PLAINTEXT_RETURNS_INT_OF_FLAGS] = 4};

    return moves_data(function) ? counts[EC_PLAINTEXT_COOKIE_LENGTH(function->cookie)] : 1;
}

static bool place_find(const struct finder *finder, const struct function *function, uint64_t address,
                       struct ec_probe_place *ret_place)
{
    ec_probe_place_find(finder->image, finder->code, address, arguments_count(function),
                        function->returns ? EC_ARGUMENTS_AND_STACK_STAY : EC_ARGUMENTS_STAY, ret_place);
    return ret_place->emulated;
}

static void function_add(const struct finder *finder, const struct function *function, uint64_t address)
{
    struct ec_probe_place place;
    uint64_t offset;

    place_find(finder, function, address, &place);
    if (!ec_elf_image_get_offset(finder->image, place.address, &offset))
        return;
    point_add(finder->points, EC_PLACE_ENTRY, offset, function->cookie);
    if (function->returns)
        point_add(finder->points, EC_PLACE_RETURN, offset, 0);
}

/*
 * OpenSSL's SSL_read_ex() only calls a function of its own, which SSL_read() calls too (ssl_read_internal(), since
 * 1.1.1; likewise those that write and peek). Mostly that one can be probed for a tenth of what its callers cost.
 * Returns the row of the wrapper whose callee serves the operation so; NULL: there is none.
 */
static const struct function *wrapped_find(const struct finder *finder, uint32_t operation, uint64_t *ret_wrapped)
{
    for (size_t i = 0; i < finder->family->count; i++) {
        const struct function *function = &finder->family->functions[i];
        struct ec_probe_place place;
        uint64_t wrapped;

        if (finder->addresses[i] != 0 && EC_PLAINTEXT_COOKIE_OPERATION(function->cookie) == operation &&
            arguments_count(function) >= 4 && !place_find(finder, function, finder->addresses[i], &place) &&
            ec_wrapped_find(finder->code, finder->addresses[i], arguments_count(function), &wrapped) &&
            place_find(finder, function, wrapped, &place)) {
            *ret_wrapped = wrapped;
            return function;
        }
    }
    return NULL;
}

static void operation_add(const struct finder *finder, uint32_t operation)
{
    uint64_t wrapped = 0;
    const struct function *wrapper = wrapped_find(finder, operation, &wrapped);

    if (wrapper)
        function_add(finder, wrapper, wrapped);
    for (size_t i = 0; i < finder->family->count; i++) {
        const struct function *function = &finder->family->functions[i];

        if (finder->addresses[i] != 0 && EC_PLAINTEXT_COOKIE_OPERATION(function->cookie) == operation &&
            !(wrapper && moves_data(function) &&
              ec_function_calls(finder->code, finder->addresses[i], MIN_ARGUMENTS, wrapped)))
            function_add(finder, function, finder->addresses[i]);
    }
}

/* Both that read and that write, or none. `points` NULL: it is enough to know that. */
static bool family_find(const struct ec_elf_image *image, enum ec_elf_table table, const struct family *family,
                        GArray *points)
{
    struct finder finder = {image, NULL, family, {0}, points};

    for (size_t i = 0; i < (points ? family->count : 2); i++)
        if (!function_find(image, table, family->functions[i].name, &finder.addresses[i]) && i < 2)
            return false;
    if (!points)
        return true;
    g_autoptr(ec_code) code = ec_code_new(image);
    finder.code = code;
    for (uint32_t operation = 0; code && operation <= EC_PLAINTEXT_FLUSH; operation++)
        operation_add(&finder, operation);
    return code != NULL;
}

/* ---- NSS ---- */

static bool refuse(GError **error, const char *cause)
{
    g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "no plaintext: %s", cause);
    return false;
}

static bool nss_find(const struct ec_elf_image *image, GArray *points, GError **error)
{
    static const struct function functions[] = {
        MOVES("recv", READ, RETURNS_INT_OF_FLAGS), MOVES("send", WRITE, RETURNS_INT), MOVES("read", READ, RETURNS_INT),
        MOVES("write", WRITE, RETURNS_INT),        TELLS("close", FREE, UNKNOWN),     TELLS("close", FREE, UNKNOWN),
    };
    g_autoptr(ec_code) code = ec_code_new(image);
    const struct finder finder = {.image = image, .code = code, .points = points};
    struct ec_nss_socket_ops ops;
    const char *cause = code ? ec_nss_socket_ops_find(image, code, &ops) : "the disassembler does not start";

    if (cause)
        return refuse(error, cause);
    const uint64_t addresses[] = {ops.recv, ops.send, ops.read, ops.write, ops.close[0], ops.close[1]};
    _Static_assert(G_N_ELEMENTS(addresses) == G_N_ELEMENTS(functions), "an address per function");
    for (size_t i = 0; i < G_N_ELEMENTS(functions); i++)
        if (addresses[i] != 0)
            function_add(&finder, &functions[i], addresses[i]);
    return true;
}

/* ---- BoringSSL, stripped ---- */

static bool boringssl_find(const struct ec_elf_image *image, GArray *points, GError **error)
{
    static const struct function read = MOVES("SSL_read", READ, RETURNS_INT),
                                 peek = MOVES("SSL_peek", PEEK, RETURNS_INT),
                                 write = MOVES("SSL_write", WRITE, RETURNS_INT), end = TELLS("tls_free", FREE, UNKNOWN);
    g_autoptr(ec_code) code = ec_code_new(image);
    const struct finder finder = {.image = image, .code = code, .points = points};
    struct ec_boringssl_calls calls;
    const char *cause = code ? ec_boringssl_calls_find(image, code, &calls) : "the disassembler does not start";

    if (cause)
        return refuse(error, cause);
    function_add(&finder, &read, calls.read);
    function_add(&finder, &write, calls.write);
    function_add(&finder, &end, calls.free);
    if (calls.peek != 0)
        function_add(&finder, &peek, calls.peek);
    return true;
}

/* ---- Go ---- */

enum { GO_READ, GO_WRITE, GO_CLOSE, GO_HANDSHAKE, GO_MAX };
static const struct function go_functions[] = {
    [GO_READ] = MOVES("crypto/tls.(*Conn).Read", READ, RETURNS_LONG),
    [GO_WRITE] = MOVES("crypto/tls.(*Conn).Write", WRITE, RETURNS_LONG),
    [GO_CLOSE] = TELLS("crypto/tls.(*Conn).Close", FREE, UNKNOWN),
    [GO_HANDSHAKE] = SHAKES("crypto/tls.(*Conn).handshakeContext", UNKNOWN),
};
_Static_assert(G_N_ELEMENTS(go_functions) == GO_MAX, "a row per function");
_Static_assert(GO_MAX <= EC_GO_FUNCTIONS_MAX, "looked for at once");

/* The code that can be reached from the entry, without the calls in it. */
struct walk {
    struct ec_code *code;
    GHashTable *seen; /* of addresses */
    GArray *todo;     /* of uint64_t */
    GArray *returns;  /* of uint64_t: addresses of RET instructions */
};

static void walk_push(struct walk *walk, uint64_t address)
{
    if (g_hash_table_add(walk->seen, GSIZE_TO_POINTER(address)))
        g_array_append_val(walk->todo, address);
}

/* x86-64: ret; aarch64: ret x30 */
static bool is_return(const struct ec_elf_image *image, uint64_t address)
{
    uint8_t bytes[4] = {0};
    uint64_t offset = 0;

    if (!ec_elf_image_get_offset(image, address, &offset) || ec_elf_image_read(image, offset, bytes, 4) == 0)
        return false;
    return ec_elf_image_get_machine(image) == EM_X86_64 ? bytes[0] == 0xc3 : memcmp(bytes, "\xc0\x03\x5f\xd6", 4) == 0;
}

/* False if control goes on in a way that isn't seen. */
static bool walk_step(struct walk *walk, const struct ec_elf_image *image, const struct ec_insn *insn)
{
    const uint64_t next = insn->address + insn->length;

    switch (insn->op) {
    case EC_OP_STOP:
        if (is_return(image, insn->address))
            g_array_append_val(walk->returns, insn->address);
        return true;
    case EC_OP_JUMP:
        if (insn->target != 0)
            walk_push(walk, insn->target);
        return insn->target != 0;
    case EC_OP_BRANCH:
        walk_push(walk, insn->target);
        walk_push(walk, next);
        return insn->target != 0;
    default:
        walk_push(walk, next);
        return true;
    }
}

static bool walk_run(struct walk *walk, const struct ec_elf_image *image, uint64_t entry)
{
    walk_push(walk, entry);
    for (size_t steps = 0; walk->todo->len > 0; steps++) {
        const uint64_t address = g_array_index(walk->todo, uint64_t, walk->todo->len - 1);
        struct ec_insn insn;

        g_array_set_size(walk->todo, walk->todo->len - 1);
        if (steps == INSTRUCTIONS_MAX || !ec_code_read(walk->code, address, &insn) || !walk_step(walk, image, &insn))
            return false;
    }
    return walk->returns->len > 0 && walk->returns->len <= RETURNS_MAX;
}

static bool returns_add(struct ec_code *code, const struct ec_elf_image *image, uint64_t entry, GArray *points)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    g_autoptr(GArray) todo = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    g_autoptr(GArray) returns = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    struct walk walk = {code, seen, todo, returns};

    if (!walk_run(&walk, image, entry))
        return false;
    for (guint i = 0; i < returns->len; i++) {
        uint64_t offset = 0;

        if (!ec_elf_image_get_offset(image, g_array_index(returns, uint64_t, i), &offset))
            return false;
        point_add(points, EC_PLACE_GO_RETURN, offset, 0);
    }
    return true;
}

static bool go_function_add(struct ec_code *code, const struct ec_elf_image *image, const struct function *function,
                            uint64_t address, GArray *points, GError **error)
{
    enum ec_go_abi abi;
    uint64_t probe;

    if (!ec_go_place_find(image, address, &abi, &probe))
        return refuse(error, "a function of crypto/tls begins in no known way");
    if (abi != EC_GO_ABI_REGISTER)
        return refuse(error, "this Go passes arguments on the stack (before 1.17; aarch64: 1.18)");
    point_add(points, EC_PLACE_GO_ENTRY, probe, function->cookie);
    if (function->returns && !returns_add(code, image, address, points))
        return refuse(error, "where a function of crypto/tls returns isn't seen");
    return true;
}

static bool go_find(const ec_go_program *program, const struct ec_elf_image *image, GArray *points, GError **error)
{
    struct ec_go_function functions[GO_MAX];
    g_autoptr(ec_code) code = ec_code_new(image);

    for (size_t i = 0; i < GO_MAX; i++)
        functions[i] = (struct ec_go_function){go_functions[i].name, EC_GO_NO_NAME, 0};
    if (!code || !ec_go_table_find(program, functions, GO_MAX) || functions[GO_WRITE].found != EC_GO_FOUND)
        return refuse(error, "crypto/tls's Conn isn't in the table of functions");
    for (size_t i = 0; i < GO_MAX; i++)
        if (functions[i].found == EC_GO_FOUND &&
            !go_function_add(code, image, &go_functions[i], functions[i].address, points, error))
            return false;
    return true;
}

/* ---- both ---- */

/* `named`: for those that go by symbols; NULL if it is enough that they exist, which is cheaper. */
static bool c_find(const struct ec_elf_image *image, GArray *points, GArray *named, GError **error)
{
    for (enum ec_elf_table table = 0; table < EC_ELF_TABLE_MAX; table++)
        for (size_t i = 0; i < G_N_ELEMENTS(families); i++)
            if (family_find(image, table, &families[i], named))
                return true;
    if (ec_boringssl_is_inside(image))
        return boringssl_find(image, points, error);
    return refuse(error, "the symbols of its TLS functions are stripped");
}

/* `named`: for those that go by symbols; NULL if it is enough that they exist, which is cheaper. */
static bool find(int fd, GArray *points, GArray *named, GError **error)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);

    if (!image)
        return false;
    g_autoptr(ec_go_program) program = ec_go_program_new(image);
    if (program)
        return go_find(program, image, points, error);
    if (ec_nss_has_sockets(image))
        return nss_find(image, points, error);
    return c_find(image, points, named, error);
}

GArray *ec_plaintext_points_find(int fd, GError **error)
{
    g_autoptr(GArray) points = g_array_new(FALSE, FALSE, sizeof(struct ec_plaintext_point));

    return find(fd, points, points, error) ? g_steal_pointer(&points) : NULL;
}

bool ec_plaintext_points_exist(int fd, GError **error)
{
    g_autoptr(GArray) points = g_array_new(FALSE, FALSE, sizeof(struct ec_plaintext_point));

    return find(fd, points, NULL, error);
}
