/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wanted: ssl_secure_ops, one of the two tables of lib/ssl/sslsock.c; the other is ssl_default_ops. Each has twelve
 * words: connect, accept, bind, listen, shutdown, close, recv, send, read, write, getpeername, getsockname. What is
 * proven, in this order:
 *
 *   1. Of all words in the file that the linker relocates there is one pair of such runs, eleven addresses of code and
 *      a NULL for accept, that have bind, listen, getpeername and getsockname in common and nothing else.
 *   2. All that the plain one has does what its name says by the public order of NSPR's PRIOMethods (prio.h): it calls
 *      the lower layer's function in that very place. Of the other one at least one of those that move data doesn't.
 *      So the words have their meaning, and it is known which table sends what it is given as it is.
 *   3. The other one's recv and send take part in the handshake: each calls a function of the library's own that the
 *      exported SSL_ForceHandshake() calls too, which the plain one's don't.
 *
 * Found in Debian's NSS 3.87, 3.110 and 3.131 and in Firefox ESR 153, which brings NSS 3.125 and uses DT_RELR; live
 * captures of 3.87 and of that Firefox showed them to be right; all on x86-64.
 */
#include "nss-socket-ops.h"

#include "elf-relocation.h"

enum {
    OP_CONNECT,
    OP_ACCEPT,
    OP_BIND,
    OP_LISTEN,
    OP_SHUTDOWN,
    OP_CLOSE,
    OP_RECV,
    OP_SEND,
    OP_READ,
    OP_WRITE,
    OP_GETPEERNAME,
    OP_GETSOCKNAME,
    OP_MAX
};

enum {
    WORD = 8,
    WORDS_MAX = 1 << 16, /* that hold addresses of code; libssl3 has about 700 */
    TABLES_MAX = 16,     /* runs of words of the right form */
    LOADS_MAX = 8,
    CALLEES_MAX = 64,
    STUB_LEN = 4,       /* instructions of an entry of the procedure linkage table */
    TAIL_LEN = 8,       /* instructions before a jump to another function */
    TAIL_ARGUMENTS = 3, /* socket, buffer, length */
};

/* Where NSPR's PRIOMethods has the function of this name, bytes. 0: neither table hands it on. */
static const uint16_t slots[OP_MAX] = {
    [OP_BIND] = 0x70, [OP_LISTEN] = 0x78, [OP_SHUTDOWN] = 0x80,    [OP_RECV] = 0x88,        [OP_SEND] = 0x90,
    [OP_READ] = 0x10, [OP_WRITE] = 0x18,  [OP_GETPEERNAME] = 0xc8, [OP_GETSOCKNAME] = 0xc0,
};

static bool is_common(unsigned op)
{
    return op == OP_BIND || op == OP_LISTEN || op == OP_GETPEERNAME || op == OP_GETSOCKNAME;
}

/* ---- the tables ---- */

struct table {
    uint64_t functions[OP_MAX]; /* accept: 0 */
};

struct search {
    const struct ec_elf_image *image;
    struct ec_code *code;
    GHashTable *words; /* address → that of the code which it points to */
    struct table tables[TABLES_MAX];
    size_t n_tables;
    bool exhausted;
};

static bool word_visit(const Elf64_Rela *relocation, void *data)
{
    struct search *search = data;
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(search->image, (uint64_t)relocation->r_addend);

    if (!segment || !segment->executable)
        return true;
    g_hash_table_insert(search->words, GSIZE_TO_POINTER(relocation->r_offset), GSIZE_TO_POINTER(relocation->r_addend));
    search->exhausted = g_hash_table_size(search->words) >= WORDS_MAX;
    return !search->exhausted;
}

static bool is_null(const struct search *search, uint64_t address)
{
    uint64_t offset = 0, word = 1;

    return ec_elf_image_get_offset(search->image, address, &offset) &&
           ec_elf_image_read(search->image, offset, &word, sizeof(word)) == sizeof(word) && word == 0;
}

static void table_try(struct search *search, uint64_t address)
{
    struct table table;

    for (unsigned op = 0; op < OP_MAX; op++) {
        table.functions[op] =
            GPOINTER_TO_SIZE(g_hash_table_lookup(search->words, GSIZE_TO_POINTER(address + op * WORD)));
        if ((table.functions[op] == 0) != (op == OP_ACCEPT))
            return;
    }
    if (!is_null(search, address + OP_ACCEPT * WORD))
        return;
    if (search->n_tables == TABLES_MAX)
        search->exhausted = true;
    else
        search->tables[search->n_tables++] = table;
}

static void tables_find(struct search *search)
{
    struct ec_elf_relocations relocations;
    GHashTableIter words;
    gpointer address;

    ec_elf_relocations_find(search->image, &relocations);
    ec_elf_relocations_foreach(search->image, &relocations, word_visit, search);
    g_hash_table_iter_init(&words, search->words);
    while (!search->exhausted && g_hash_table_iter_next(&words, &address, NULL))
        table_try(search, GPOINTER_TO_SIZE(address));
}

static bool is_pair(const struct table *a, const struct table *b)
{
    for (unsigned op = 0; op < OP_MAX; op++)
        if (op != OP_ACCEPT && (a->functions[op] == b->functions[op]) != is_common(op))
            return false;
    return true;
}

/* The only one. */
static bool pair_find(const struct search *search, const struct table *ret_pair[2])
{
    unsigned n = 0;

    for (size_t i = 0; i < search->n_tables; i++)
        for (size_t j = i + 1; j < search->n_tables; j++)
            if (is_pair(&search->tables[i], &search->tables[j])) {
                ret_pair[0] = &search->tables[i];
                ret_pair[1] = &search->tables[j];
                n++;
            }
    return n == 1;
}

/* ---- which is the plain one ---- */

struct handover {
    uint16_t slot;
    uint64_t loads[LOADS_MAX]; /* behind instructions that load what is in that place */
    int8_t registers[LOADS_MAX];
    size_t n_loads;
    bool found;
};

static bool is_computed(const struct ec_insn *insn)
{
    return (insn->op == EC_OP_CALL || insn->op == EC_OP_JUMP) && insn->target == 0;
}

static void handover_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct handover *handover = data;
    const bool reads = insn->size == WORD && insn->index == EC_REG_NONE && insn->base != EC_REG_NONE &&
                       insn->displacement == handover->slot;

    (void)state;
    if (!reads)
        return;
    handover->found |= is_computed(insn);
    if (insn->op == EC_OP_LOAD && insn->dst != EC_REG_NONE && handover->n_loads < LOADS_MAX) {
        handover->loads[handover->n_loads] = insn->address + insn->length;
        handover->registers[handover->n_loads++] = insn->dst;
    }
}

static void loaded_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    if (is_computed(insn) && insn->src != EC_REG_NONE && state->registers[insn->src].kind == EC_VALUE_TRACKED)
        *(bool *)data = true;
}

/* Whether the function calls, or jumps to, what a structure has in that place. */
static bool hands_over(struct ec_code *code, uint64_t function, uint16_t slot)
{
    struct handover handover = {.slot = slot};
    struct ec_state state;

    ec_state_init_entry(&state, ec_code_get_machine(code));
    ec_flow_run(code, function, &state, EC_JOIN_MAY, handover_visit, &handover);
    for (size_t i = 0; i < handover.n_loads && !handover.found; i++) {
        ec_state_init(&state);
        state.registers[handover.registers[i]] = (struct ec_value){.kind = EC_VALUE_TRACKED};
        ec_flow_run(code, handover.loads[i], &state, EC_JOIN_MAY, loaded_visit, &handover.found);
    }
    return handover.found;
}

static bool is_plain(struct ec_code *code, const struct table *table)
{
    for (unsigned op = 0; op < OP_MAX; op++)
        if (slots[op] != 0 && !hands_over(code, table->functions[op], slots[op]))
            return false;
    return true;
}

/* ---- whether the other one's is TLS ---- */

struct callees {
    uint64_t addresses[CALLEES_MAX];
    size_t n;
};

static bool callees_have(const struct callees *callees, uint64_t address)
{
    for (size_t i = 0; i < callees->n; i++)
        if (callees->addresses[i] == address)
            return true;
    return false;
}

static void callees_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct callees *callees = data;

    (void)state;
    if (insn->op == EC_OP_CALL && insn->target != 0 && callees->n < CALLEES_MAX && !callees_have(callees, insn->target))
        callees->addresses[callees->n++] = insn->target;
}

static void callees_find(struct ec_code *code, uint64_t function, struct callees *ret_callees)
{
    struct ec_state state;

    ret_callees->n = 0;
    ec_state_init_entry(&state, ec_code_get_machine(code));
    ec_flow_run(code, function, &state, EC_JOIN_MAY, callees_visit, ret_callees);
}

/* It goes straight to where the linker has put another file's function. */
static bool is_stub(struct ec_code *code, uint64_t function)
{
    struct ec_insn insn;
    uint64_t at = function;

    for (unsigned i = 0; i < STUB_LEN && ec_code_read(code, at, &insn) && insn.op != EC_OP_STOP; i++) {
        if (insn.op >= EC_OP_CALL)
            return is_computed(&insn);
        at += insn.length;
    }
    return false;
}

static bool shares_callee(struct ec_code *code, uint64_t function, const struct callees *others)
{
    struct callees own;

    callees_find(code, function, &own);
    for (size_t i = 0; i < own.n; i++)
        if (callees_have(others, own.addresses[i]) && !is_stub(code, own.addresses[i]))
            return true;
    return false;
}

static bool shakes_hands(const struct search *search, const struct table *secure, const struct table *plain)
{
    struct ec_elf_symbol force;
    struct callees of_handshake;

    if (!ec_elf_image_find_symbol(search->image, EC_ELF_DYNSYM, "SSL_ForceHandshake", &force))
        return false;
    callees_find(search->code, force.address, &of_handshake);
    return shares_callee(search->code, secure->functions[OP_RECV], &of_handshake) &&
           shares_callee(search->code, secure->functions[OP_SEND], &of_handshake) &&
           !shares_callee(search->code, plain->functions[OP_RECV], &of_handshake) &&
           !shares_callee(search->code, plain->functions[OP_SEND], &of_handshake);
}

/* ---- both ---- */

/* Nothing but a jump to `target`, with the first arguments as they came. */
static bool jumps_to(struct ec_code *code, uint64_t function, uint64_t target)
{
    const struct ec_machine *machine = ec_code_get_machine(code);
    struct ec_insn insn;
    uint64_t at = function;
    uint32_t written = 0;

    for (unsigned i = 0; i < TAIL_LEN && ec_code_read(code, at, &insn) && insn.op < EC_OP_CALL; i++) {
        written |= insn.writes;
        at += insn.length;
    }
    if (!ec_code_read(code, at, &insn) || insn.op != EC_OP_JUMP || insn.target != target ||
        written & 1u << machine->stack)
        return false;
    for (unsigned i = 0; i < TAIL_ARGUMENTS; i++)
        if (written & 1u << machine->args[i])
            return false;
    return true;
}

static const char *ops_prove(struct search *search, struct ec_nss_socket_ops *ret_ops)
{
    const struct table *pair[2] = {NULL, NULL};

    tables_find(search);
    if (search->exhausted || !pair_find(search, pair))
        return "NSS's tables of functions for its sockets aren't seen";
    const bool is_first = is_plain(search->code, pair[0]);
    if (is_first == is_plain(search->code, pair[1]))
        return "which of NSS's tables of functions serves plain sockets isn't seen";
    const uint64_t *plain = pair[is_first ? 0 : 1]->functions, *secure = pair[is_first ? 1 : 0]->functions;
    if (!shakes_hands(search, pair[is_first ? 1 : 0], pair[is_first ? 0 : 1]) || ec_code_is_exhausted(search->code))
        return "that a table of NSS's functions serves TLS alone isn't seen";
    *ret_ops = (struct ec_nss_socket_ops){
        .recv = secure[OP_RECV],
        .send = secure[OP_SEND],
        .read = jumps_to(search->code, secure[OP_READ], secure[OP_RECV]) ? 0 : secure[OP_READ],
        .write = jumps_to(search->code, secure[OP_WRITE], secure[OP_SEND]) ? 0 : secure[OP_WRITE],
        .close = {secure[OP_CLOSE], plain[OP_CLOSE]}};
    return NULL;
}

bool ec_nss_has_sockets(const struct ec_elf_image *image)
{
    struct ec_elf_symbol symbol;

    return ec_elf_image_find_symbol(image, EC_ELF_DYNSYM, "SSL_ImportFD", &symbol);
}

const char *ec_nss_socket_ops_find(const struct ec_elf_image *image, struct ec_code *code,
                                   struct ec_nss_socket_ops *ret_ops)
{
    g_autoptr(GHashTable) words = g_hash_table_new(NULL, NULL);
    g_autofree struct search *search = g_new0(struct search, 1);

    search->image = image;
    search->code = code;
    search->words = words;
    return ops_prove(search, ret_ops);
}
