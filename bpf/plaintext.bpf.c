/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What programs hand to their TLS library, and get from it.
 *
 * The probe at a call's entry keeps its arguments. When the call returns, its result tells how many bytes it moved, and
 * they are copied out of the caller's buffer: all of them, in pieces. A return probe serves C functions; in Go, which
 * moves its stacks, the RET instructions themselves are probed (user space finds them).
 *
 * A call is known by its process and its frame, the address of its return address: unlike the thread, that stays the
 * same where coroutines change threads, and tells nested calls apart (TLS within TLS). Go moves the frame with the
 * stack, but its distance from the stack's top stays.
 *
 * Calls within calls on the same object (BoringSSL's SSL_read() calls SSL_peek()) are passed over: the outer one tells
 * all. Bytes that a peek has handed out are not handed out again.
 *
 * The socket of a connection is the one that is used while a thread is inside one of its calls.
 */
#include "plaintext.bpf.h"

#include "cookie.bpf.h"
#include "message.bpf.h"
#include "secret.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

/* A call within another one is not farther down the stack than this, bytes. */
#define NESTED_MAX (16u << 10)
/* Nor is a system call within a call: farther away is another stack, of another coroutine. */
#define STACK_MAX (256u << 10)
/* Whole pieces of one call where the verifier has to follow a loop turn by turn: 16 MiB. */
#define PIECES_MAX 64

struct call_key {
    uint64_t goroutine; /* its g; 0 outside Go */
    uint64_t frame;     /* in Go, as the distance from the stack's top */
    uint64_t pid;
};

struct call {
    uint64_t object;
    uint64_t buffer;                    /* in Go, if on_stack, as the distance from the stack's top */
    uint64_t length;                    /* its address, or the length itself; unused where it is returned */
    uint64_t outer_object, outer_frame; /* what the thread was inside of before */
    uint32_t cookie;
    uint32_t on_stack;
};

/* Calls under way. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1);
    __type(key, struct call_key);
    __type(value, struct call);
} calls SEC(".maps");

/* What a thread is inside of. */
struct inside {
    uint64_t object;
    uint64_t goroutine; /* 0: none */
    uint64_t frame;     /* an address; 0 in Go */
    uint32_t operation;
    uint32_t pad;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1);
    __type(key, uint64_t); /* pid and tid */
    __type(value, struct inside);
} insides SEC(".maps");

/* Processes that have, or had, a connection. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, uint8_t);
} plaintext_processes SEC(".maps");

/* Where a probe is. */
struct place {
    struct call_key call;
    uint64_t frame; /* its address */
    uint64_t top;   /* Go: of the stack */
};

/* ---- records ---- */

/* All but what differs between the pieces of a call. */
static __always_inline void head_fill(struct ec_plaintext_event *head, const struct connection_key *key,
                                      const struct connection *connection)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();

    __builtin_memset(head, 0, sizeof(*head));
    head->object = key->object;
    head->generation = connection->generation;
    head->socket = connection->socket;
    head->role = connection->role;
    head->uid = (uint32_t)bpf_get_current_uid_gid();
    BPF_CORE_READ_STR_INTO(&head->comm, task, group_leader, comm);
}

static __always_inline void send_empty(const struct ec_plaintext_event *head, uint8_t flags)
{
    struct ec_plaintext_event *event = bpf_ringbuf_reserve(&messages, sizeof(*event), 0);

    if (!event) {
        counter_add(EC_DROP_MESSAGE_RING_FULL, 1);
        return;
    }
    __builtin_memcpy(event, head, sizeof(*event));
    event->flags = flags;
    message_begin(&event->record, EC_RECORD_PLAINTEXT, sizeof(*event));
    message_end(event);
}

/* A piece of `len` bytes, at most `limit`, as a record of its own. What is lost is a gap between the offsets. */
#define SEND(limit)                                                                                                    \
    do {                                                                                                               \
        struct ec_plaintext_event *event = bpf_ringbuf_reserve(&messages, sizeof(*event) + (limit), 0);                \
                                                                                                                       \
        if (!event) {                                                                                                  \
            counter_add(EC_DROP_MESSAGE_RING_FULL, 1);                                                                 \
            return;                                                                                                    \
        }                                                                                                              \
        __builtin_memcpy(event, head, sizeof(*event));                                                                 \
        event->len = len;                                                                                              \
        message_begin(&event->record, EC_RECORD_PLAINTEXT, sizeof(*event) + len);                                      \
        if (read_user_bounded(event->data, (limit), len, from, sleepable)) {                                           \
            counter_add(EC_DROP_MESSAGE_FAULT, 1);                                                                     \
            bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);                                                              \
            return;                                                                                                    \
        }                                                                                                              \
        message_end(event);                                                                                            \
    } while (0)

/* Likewise one of EC_PLAINTEXT_PIECE_MAX bytes: in few branches, since the verifier may have to follow the loop around
 * it turn by turn. */
static __always_inline void send_whole_piece(const struct ec_plaintext_event *head, const void *from, bool sleepable)
{
    struct ec_plaintext_event *event = bpf_ringbuf_reserve(&messages, sizeof(*event) + EC_PLAINTEXT_PIECE_MAX, 0);

    if (!event) {
        counter_add(EC_DROP_MESSAGE_RING_FULL, 1);
        return;
    }
    __builtin_memcpy(event, head, sizeof(*event));
    event->len = EC_PLAINTEXT_PIECE_MAX;
    message_begin(&event->record, EC_RECORD_PLAINTEXT, sizeof(*event) + EC_PLAINTEXT_PIECE_MAX);
    if (read_user(event->data, EC_PLAINTEXT_PIECE_MAX, from, sleepable)) {
        counter_add(EC_DROP_MESSAGE_FAULT, 1);
        bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
        return;
    }
    bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
}

static __always_inline void send_last_piece(const struct ec_plaintext_event *head, const void *from, uint32_t len,
                                            bool sleepable)
{
    if (len <= 64)
        SEND(64);
    else if (len <= 256)
        SEND(256);
    else if (len <= 768)
        SEND(768);
    else if (len <= 1536)
        SEND(1536);
    else if (len <= 4096)
        SEND(4096);
    else if (len <= 8192)
        SEND(8192);
    else if (len <= 16384)
        SEND(16384);
    else if (len <= 32768)
        SEND(32768);
    else if (len <= 65536)
        SEND(65536);
    else if (len <= 131072)
        SEND(131072);
    else
        SEND(EC_PLAINTEXT_PIECE_MAX);
}

/* What of a call goes out in whole pieces. */
struct pieces {
    struct ec_plaintext_event *head;
    const uint8_t *from;
};

static __always_inline void send_next_piece(struct pieces *pieces, bool sleepable)
{
    send_whole_piece(pieces->head, pieces->from, sleepable);
    pieces->from += EC_PLAINTEXT_PIECE_MAX;
    pieces->head->offset += EC_PLAINTEXT_PIECE_MAX;
}

static long send_piece_sleeping(uint32_t i, struct pieces *pieces)
{
    send_next_piece(pieces, true);
    return 0;
}

/* Programs sleep from Linux 6.0 on; bpf_loop() is older than that (5.17). */
static __always_inline void send_all(struct ec_plaintext_event *head, const uint8_t *from, uint64_t len, bool sleepable)
{
    struct pieces pieces = {.head = head, .from = from};
    uint64_t n = (len - 1) / EC_PLAINTEXT_PIECE_MAX;

    if (sleepable) {
        bpf_loop(n, send_piece_sleeping, &pieces, 0);
    } else {
        for (uint32_t i = 0; i < PIECES_MAX && i < n; i++)
            send_next_piece(&pieces, false);
    }
    len -= n * EC_PLAINTEXT_PIECE_MAX;
    if (sleepable || n <= PIECES_MAX)
        send_last_piece(head, pieces.from, len, sleepable);
    else
        counter_add(EC_DROP_MESSAGE_RING_FULL, 1);
}

/* ---- calls ---- */

static __always_inline int direction_of(uint32_t operation)
{
    return operation == EC_PLAINTEXT_WRITE || operation == EC_PLAINTEXT_FLUSH ? EC_DIRECTION_OUT : EC_DIRECTION_IN;
}

/* Whether it uses the connection as its own calls within it do, which are passed over then. */
static __always_inline bool moves_data(uint32_t operation)
{
    return operation <= EC_PLAINTEXT_PEEK || operation == EC_PLAINTEXT_FLUSH;
}

static __always_inline void connection_end(const struct connection_key *key, bool freed)
{
    struct connection *connection = bpf_map_lookup_elem(&connections, key);
    struct ec_plaintext_event head;

    if (!connection)
        return;
    if (!connection->offset[0] && !connection->offset[1]) {
        if (!freed)
            return;
    } else {
        head_fill(&head, key, connection);
        send_empty(&head, EC_PLAINTEXT_CLOSED);
    }
    bpf_map_delete_elem(&connections, key);
}

static __always_inline void thread_enter(struct call *call, const struct place *place)
{
    uint64_t thread = bpf_get_current_pid_tgid();
    struct inside *outer = bpf_map_lookup_elem(&insides, &thread);
    struct inside inside = {.object = call->object,
                            .goroutine = place->call.goroutine,
                            .frame = place->call.goroutine ? 0 : place->frame,
                            .operation = EC_PLAINTEXT_COOKIE_OPERATION(call->cookie)};

    /* In Go another goroutine may have left it behind. */
    if (outer && !place->call.goroutine) {
        call->outer_object = outer->object;
        call->outer_frame = outer->frame;
    }
    bpf_map_update_elem(&insides, &thread, &inside, BPF_ANY);
}

static __always_inline void thread_leave(const struct call *call)
{
    struct inside outer = {.object = call->outer_object, .frame = call->outer_frame};
    uint64_t thread = bpf_get_current_pid_tgid();

    if (outer.object)
        bpf_map_update_elem(&insides, &thread, &outer, BPF_ANY);
    else
        bpf_map_delete_elem(&insides, &thread);
}

static __always_inline void process_note(uint32_t pid)
{
    uint8_t one = 1;

    if (!bpf_map_lookup_elem(&plaintext_processes, &pid))
        bpf_map_update_elem(&plaintext_processes, &pid, &one, BPF_ANY);
}

/* Whether this call is part of one that is under way on the same object. */
static __always_inline bool is_nested(const struct connection *connection, uint32_t operation,
                                      const struct place *place)
{
    uint64_t outer = connection->frame[direction_of(operation) - 1];

    return outer > place->frame && outer - place->frame < NESTED_MAX;
}

static __always_inline int enter(struct call *call, const struct place *place)
{
    uint32_t operation = EC_PLAINTEXT_COOKIE_OPERATION(call->cookie), role = EC_PLAINTEXT_COOKIE_ROLE(call->cookie);
    struct connection_key key = {.object = call->object, .pid = place->call.pid};
    struct connection *connection;

    if (!secret_is_wanted())
        return 0;
    if (operation == EC_PLAINTEXT_FREE || operation == EC_PLAINTEXT_CLEAR) {
        connection_end(&key, operation == EC_PLAINTEXT_FREE);
        return 0;
    }
    connection = connection_get(&key);
    if (!connection)
        return 0;
    if (role)
        connection->role = role;
    if (operation == EC_PLAINTEXT_ROLE || connection->has_secret)
        return 0;
    if (moves_data(operation)) {
        if (!place->call.goroutine && is_nested(connection, operation, place))
            return 0;
        connection->frame[direction_of(operation) - 1] = place->frame;
    }
    process_note(key.pid);
    thread_enter(call, place);
    bpf_map_update_elem(&calls, &place->call, call, BPF_ANY);
    return 0;
}

/* How many bytes the call has moved, 0 if it failed. */
static __always_inline uint64_t get_length(const struct call *call, uint64_t result, bool sleepable)
{
    uint32_t kind = EC_PLAINTEXT_COOKIE_LENGTH(call->cookie);
    uint64_t len = 0;

    if (EC_PLAINTEXT_COOKIE_OPERATION(call->cookie) == EC_PLAINTEXT_FLUSH)
        return 0;
    if (kind == EC_PLAINTEXT_RETURNS_LONG)
        return (long long)result > 0 ? result : 0;
    if (kind == EC_PLAINTEXT_IS_ARGUMENT_3)
        return (int)result >= 0 ? call->length : 0;
    if ((int)result <= 0)
        return 0;
    if (kind == EC_PLAINTEXT_RETURNS_INT || kind == EC_PLAINTEXT_RETURNS_INT_OF_FLAGS)
        return (uint32_t)result;
    if (read_user(&len, sizeof(len), (const void *)call->length, sleepable))
        return 0;
    return len;
}

/* Moves the connection on by `len` bytes. Returns how many of them have been handed out before. */
static __always_inline uint64_t connection_move(struct connection *connection, uint32_t operation, uint64_t len,
                                                uint64_t *ret_offset)
{
    int index = direction_of(operation) - 1;
    uint64_t offset = connection->offset[index], known = 0;

    *ret_offset = offset;
    if (operation == EC_PLAINTEXT_WRITE) {
        connection->offset[index] = offset + len;
        return 0;
    }
    known = connection->peeked < len ? connection->peeked : len;
    if (operation == EC_PLAINTEXT_READ) {
        connection->offset[index] = offset + len;
        connection->peeked -= known;
    } else {
        connection->peeked += len - known;
    }
    return known;
}

static __always_inline int leave(const struct place *place, uint64_t result, bool sleepable)
{
    struct call *found = bpf_map_lookup_elem(&calls, &place->call), call;
    struct ec_plaintext_event head;
    struct connection *connection;
    struct connection_key key = {.pid = place->call.pid};
    uint64_t len, known, offset;
    uint32_t operation;

    if (!found)
        return 0;
    call = *found;
    bpf_map_delete_elem(&calls, &place->call);
    thread_leave(&call);
    operation = EC_PLAINTEXT_COOKIE_OPERATION(call.cookie);
    if (!moves_data(operation))
        return 0;
    len = get_length(&call, result, sleepable);
    key.object = call.object;
    connection = bpf_map_lookup_elem(&connections, &key);
    if (!connection)
        return 0;
    connection->frame[direction_of(operation) - 1] = 0;
    /* Its secrets may have come within this very call, which shook hands first. */
    if (!len || connection->has_secret)
        return 0;
    known = connection_move(connection, operation, len, &offset);
    if (known == len)
        return 0;
    head_fill(&head, &key, connection);
    head.direction = direction_of(operation);
    head.offset = offset + known;
    if (call.on_stack)
        call.buffer = place->top - call.buffer;
    send_all(&head, (const uint8_t *)call.buffer + known, len - known, sleepable);
    return 0;
}

/* ---- C ---- */

static __always_inline void place_get(struct pt_regs *ctx, bool at_return, struct place *place)
{
    uint64_t stack = PT_REGS_SP(ctx);

    __builtin_memset(place, 0, sizeof(*place));
#if defined(__TARGET_ARCH_x86)
    /* The return address has been popped. */
    if (at_return)
        stack -= sizeof(stack);
#endif
    place->frame = place->call.frame = stack;
    place->call.pid = bpf_get_current_pid_tgid() >> 32;
}

SEC("uprobe")
int ec_plaintext_enter(struct pt_regs *ctx)
{
    uint64_t third = PT_REGS_PARM3(ctx), fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
    struct call call = {.cookie = attach_cookie(ctx), .object = PT_REGS_PARM1(ctx), .buffer = PT_REGS_PARM2(ctx)};
    uint32_t length = EC_PLAINTEXT_COOKIE_LENGTH(call.cookie);
    struct place place;

    /* The verifier takes no variable offset into the context: all are read, then one is chosen. */
    asm volatile("" : "+r"(third), "+r"(fourth), "+r"(fifth));
    call.length = length == EC_PLAINTEXT_AT_ARGUMENT_5 ? fifth : length == EC_PLAINTEXT_IS_ARGUMENT_3 ? third : fourth;
    if (length == EC_PLAINTEXT_RETURNS_INT_OF_FLAGS && fourth & EC_PR_MSG_PEEK)
        call.cookie = EC_PLAINTEXT_COOKIE(EC_PLAINTEXT_PEEK, EC_PLAINTEXT_RETURNS_INT, 0);
    place_get(ctx, false, &place);
    return enter(&call, &place);
}

static __always_inline int leave_here(struct pt_regs *ctx, bool sleepable)
{
    struct place place;

    place_get(ctx, true, &place);
    return leave(&place, PT_REGS_RC(ctx), sleepable);
}

SLEEPABLE_PAIR(ec_plaintext_leave, leave_here)

/* ---- Go ---- */

/* Since Go 1.17 (aarch64: 1.18) arguments and results are in registers, and so is g, which begins with the bounds of
 * its stack (runtime2.go). */
#if defined(__TARGET_ARCH_x86)
#define GO_G(ctx) ((ctx)->r14)
#define GO_WORD_0(ctx) ((ctx)->rax)
#define GO_WORD_1(ctx) ((ctx)->rbx)
#else
#define GO_G(ctx) (((const struct user_pt_regs *)(ctx))->regs[28])
#define GO_WORD_0(ctx) (((const struct user_pt_regs *)(ctx))->regs[0])
#define GO_WORD_1(ctx) (((const struct user_pt_regs *)(ctx))->regs[1])
#endif

struct go_stack {
    uint64_t low, high;
};

/* Of a probe where the stack is as it was at the function's entry. */
static __always_inline bool go_place_get(struct pt_regs *ctx, struct place *place, struct go_stack *stack,
                                         bool sleepable)
{
    __builtin_memset(place, 0, sizeof(*place));
    if (read_user(stack, sizeof(*stack), (const void *)GO_G(ctx), sleepable))
        return false;
    place->frame = PT_REGS_SP(ctx);
    place->top = stack->high;
    place->call.goroutine = GO_G(ctx);
    place->call.frame = stack->high - place->frame;
    place->call.pid = bpf_get_current_pid_tgid() >> 32;
    return true;
}

static __always_inline void go_handshake_note(const struct place *place, uint64_t object)
{
    struct goroutine_key key = {.goroutine = place->call.goroutine, .pid = place->call.pid};

    bpf_map_update_elem(&go_handshakes, &key, &object, BPF_ANY);
}

static __always_inline int go_enter(struct pt_regs *ctx, bool sleepable)
{
    struct call call = {.cookie = attach_cookie(ctx), .object = GO_WORD_0(ctx), .buffer = GO_WORD_1(ctx)};
    struct go_stack stack;
    struct place place;

    if (!go_place_get(ctx, &place, &stack, sleepable))
        return 0;
    if (EC_PLAINTEXT_COOKIE_OPERATION(call.cookie) == EC_PLAINTEXT_HANDSHAKE)
        go_handshake_note(&place, call.object);
    call.on_stack = call.buffer >= stack.low && call.buffer < stack.high;
    if (call.on_stack)
        call.buffer = stack.high - call.buffer;
    return enter(&call, &place);
}

static __always_inline int go_leave(struct pt_regs *ctx, bool sleepable)
{
    struct go_stack stack;
    struct place place;

    if (!go_place_get(ctx, &place, &stack, sleepable))
        return 0;
    return leave(&place, GO_WORD_0(ctx), sleepable);
}

SLEEPABLE_PAIR(ec_plaintext_go_enter, go_enter)
SLEEPABLE_PAIR(ec_plaintext_go_leave, go_leave)

/* ---- sockets ---- */

/* The thread's stack is the call's, and in Go its goroutine too. */
static __always_inline bool is_inside(const struct inside *inside)
{
    struct pt_regs___ec *regs;

    if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
        return !inside->goroutine;
    regs = (struct pt_regs___ec *)bpf_task_pt_regs(bpf_get_current_task_btf());
    if (inside->goroutine)
        return BPF_CORE_READ(regs, EC_GOROUTINE_REGISTER) == inside->goroutine;
    return inside->frame - BPF_CORE_READ(regs, sp) < STACK_MAX;
}

static __always_inline void socket_fill(struct ec_plaintext_socket *socket, struct sock *sk)
{
    struct ec_socket *entry = bpf_sk_storage_get(&sockets, sk, 0, 0);

    __builtin_memset(socket, 0, sizeof(*socket));
    if (sk->__sk_common.skc_family == EC_AF_INET) {
        socket->local[10] = socket->local[11] = socket->remote[10] = socket->remote[11] = 0xff;
        BPF_CORE_READ_INTO((uint32_t *)&socket->local[12], sk, __sk_common.skc_rcv_saddr);
        BPF_CORE_READ_INTO((uint32_t *)&socket->remote[12], sk, __sk_common.skc_daddr);
    } else {
        BPF_CORE_READ_INTO(&socket->local, sk, __sk_common.skc_v6_rcv_saddr);
        BPF_CORE_READ_INTO(&socket->remote, sk, __sk_common.skc_v6_daddr);
    }
    socket->local_port = sk->__sk_common.skc_num;
    socket->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
    socket->protocol = sk->sk_protocol;
    socket->role = entry ? entry->role : EC_PLAINTEXT_ROLE_UNKNOWN;
    socket->cookie = bpf_get_socket_cookie(sk);
}

static __always_inline int socket_note(struct sock *sk)
{
    uint64_t thread = bpf_get_current_pid_tgid();
    struct inside *inside = bpf_map_lookup_elem(&insides, &thread);
    struct connection_key key = {.pid = thread >> 32};
    struct connection *connection;
    unsigned short family = sk->__sk_common.skc_family;

    if (!inside || (family != EC_AF_INET && family != EC_AF_INET6) || !is_inside(inside))
        return 0;
    key.object = inside->object;
    connection = bpf_map_lookup_elem(&connections, &key);
    if (!connection || connection->socket_firm)
        return 0;
    if (moves_data(inside->operation))
        connection->socket_firm = 1;
    else if (connection->socket.cookie)
        return 0;
    if (connection->socket.cookie != bpf_get_socket_cookie(sk))
        socket_fill(&connection->socket, sk);
    return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(ec_plaintext_send, struct sock *sk)
{
    return socket_note(sk);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(ec_plaintext_recv, struct sock *sk)
{
    return socket_note(sk);
}

/* In place of the two above before Linux 6.3. */
#define NOTE_AT(function)                                                                                              \
    SEC("fentry/" #function)                                                                                           \
    int BPF_PROG(ec_plaintext_##function, struct sock *sk)                                                             \
    {                                                                                                                  \
        return socket_note(sk);                                                                                        \
    }

NOTE_AT(tcp_sendmsg)
NOTE_AT(tcp_recvmsg)

/* ---- the end ---- */

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ec_plaintext_exit, struct task_struct *task)
{
    struct ec_plaintext_event head = {};
    uint32_t pid = task->tgid;

    if (!bpf_map_lookup_elem(&plaintext_processes, &pid) || BPF_CORE_READ(task, signal, live.counter) != 0)
        return 0;
    bpf_map_delete_elem(&plaintext_processes, &pid);
    send_empty(&head, EC_PLAINTEXT_EXITED);
    return 0;
}
