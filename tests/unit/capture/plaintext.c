/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plaintext.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PIECES_MAX 16

struct piece {
    struct ec_sink_plaintext plaintext;
    struct ec_sink_connection connection;
    struct ec_owner owner;
    char text[16];
};

struct fixture {
    struct ec_message_output output;
    void *kind;
    struct piece pieces[PIECES_MAX];
    unsigned n;
};

static void take(const struct ec_sink_plaintext *plaintext, void *data)
{
    struct fixture *fixture = data;
    struct piece *piece = &fixture->pieces[fixture->n++];

    assert_true(fixture->n <= PIECES_MAX);
    piece->plaintext = *plaintext;
    piece->connection = *plaintext->connection;
    piece->owner = *plaintext->owner;
    if (plaintext->len)
        memcpy(piece->text, plaintext->data, MIN(plaintext->len, sizeof(piece->text) - 1));
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->output.plaintext = take;
    fixture->output.data = fixture;
    fixture->kind = ec_plaintext_kind.open(&fixture->output);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ec_plaintext_kind.close(fixture->kind);
    g_free(fixture);
    return 0;
}

/* What `socket` is NULL of isn't known. */
static void feed(struct fixture *fixture, uint32_t pid, uint64_t object, uint64_t generation, uint64_t offset,
                 const char *text, uint8_t flags, const struct ec_plaintext_socket *socket)
{
    union {
        struct ec_plaintext_event event;
        uint8_t bytes[sizeof(struct ec_plaintext_event) + 64];
    } record = {.event = {.record = {.type = EC_RECORD_PLAINTEXT, .time = 5, .pid = pid, .tid = pid + 1},
                          .object = object,
                          .generation = generation,
                          .offset = offset,
                          .len = (uint32_t)strlen(text),
                          .uid = 1000,
                          .comm = "curl",
                          .direction = flags ? 0 : EC_DIRECTION_OUT,
                          .flags = flags}};

    if (socket)
        record.event.socket = *socket;
    memcpy(record.bytes + sizeof(struct ec_plaintext_event), text, strlen(text));
    record.event.record.size = (uint32_t)(sizeof(struct ec_plaintext_event) + strlen(text));
    ec_plaintext_kind.take(fixture->kind, &record.event.record);
}

static struct ec_plaintext_socket make_socket(uint16_t local, uint16_t remote)
{
    return (struct ec_plaintext_socket){.cookie = 9,
                                        .local = {[10] = 0xff, 0xff, 10, 0, 0, 1},
                                        .remote = {[10] = 0xff, 0xff, 10, 0, 0, 2},
                                        .local_port = local,
                                        .remote_port = remote,
                                        .protocol = IPPROTO_TCP};
}

static void take_data_names_process_and_place(void **state)
{
    struct fixture *fixture = *state;

    feed(fixture, 10, 0x1000, 1, 7, "abc", 0, NULL);
    assert_int_equal(fixture->n, 1);
    assert_string_equal(fixture->pieces[0].text, "abc");
    assert_int_equal(fixture->pieces[0].plaintext.offset, 7);
    assert_int_equal(fixture->pieces[0].plaintext.time, 5);
    assert_int_equal(fixture->pieces[0].owner.pid, 10);
    assert_int_equal(fixture->pieces[0].owner.tid, 11);
    assert_int_equal(fixture->pieces[0].owner.uid, 1000);
    assert_string_equal(fixture->pieces[0].owner.comm, "curl");
    assert_false(fixture->pieces[0].connection.addressed);
}

static void take_tells_connections_apart(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ids[4];

    feed(fixture, 10, 0x1000, 1, 0, "a", 0, NULL);
    feed(fixture, 11, 0x1000, 1, 0, "b", 0, NULL); /* another process */
    feed(fixture, 10, 0x2000, 1, 0, "c", 0, NULL); /* another object */
    feed(fixture, 10, 0x1000, 2, 0, "d", 0, NULL); /* the object was used again */
    feed(fixture, 10, 0x1000, 1, 1, "e", 0, NULL);
    for (int i = 0; i < 4; i++)
        ids[i] = fixture->pieces[i].connection.id;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_int_not_equal(ids[i], ids[j]);
    assert_int_equal(fixture->pieces[4].connection.id, ids[0]);
}

static void take_socket_gives_addresses(void **state)
{
    const struct ec_plaintext_socket socket = make_socket(40000, 443);
    struct fixture *fixture = *state;

    feed(fixture, 10, 0x1000, 1, 0, "a", 0, NULL);
    feed(fixture, 10, 0x1000, 1, 1, "b", 0, &socket);
    assert_false(fixture->pieces[0].connection.addressed);
    assert_true(fixture->pieces[1].connection.addressed);
    assert_int_equal(fixture->pieces[1].connection.local.port, 40000);
    assert_int_equal(fixture->pieces[1].connection.remote.port, 443);
    assert_int_equal(fixture->pieces[1].connection.transport, EC_TRANSPORT_TCP);
    assert_memory_equal(fixture->pieces[1].connection.remote.address, socket.remote, 16);
    /* The lower port is taken for the server's where nothing tells. */
    assert_false(fixture->pieces[1].connection.server);
}

static void take_role_is_the_sockets(void **state)
{
    struct ec_plaintext_socket socket = make_socket(40000, 443);
    struct fixture *fixture = *state;

    socket.role = EC_PLAINTEXT_ROLE_SERVER;
    feed(fixture, 10, 0x1000, 1, 0, "a", 0, &socket);
    assert_true(fixture->pieces[0].connection.server);
}

static void take_closed_comes_once_behind_the_last_byte(void **state)
{
    struct fixture *fixture = *state;

    feed(fixture, 10, 0x1000, 1, 3, "ab", 0, NULL);
    feed(fixture, 10, 0x1000, 1, 0, "", EC_PLAINTEXT_CLOSED, NULL);
    feed(fixture, 10, 0x1000, 1, 0, "", EC_PLAINTEXT_CLOSED, NULL);
    assert_int_equal(fixture->n, 2);
    assert_true(fixture->pieces[1].plaintext.closed);
    assert_int_equal(fixture->pieces[1].plaintext.offset, 5);
    assert_int_equal(fixture->pieces[1].plaintext.len, 0);
    assert_int_equal(fixture->pieces[1].connection.id, fixture->pieces[0].connection.id);
}

static void take_exit_closes_the_processes_connections(void **state)
{
    struct fixture *fixture = *state;

    feed(fixture, 10, 0x1000, 1, 0, "a", 0, NULL);
    feed(fixture, 11, 0x1000, 1, 0, "b", 0, NULL);
    feed(fixture, 10, 0x2000, 1, 0, "c", 0, NULL);
    feed(fixture, 10, 0, 0, 0, "", EC_PLAINTEXT_EXITED, NULL);
    assert_int_equal(fixture->n, 5);
    assert_true(fixture->pieces[3].plaintext.closed && fixture->pieces[4].plaintext.closed);
    assert_int_equal(fixture->pieces[3].owner.pid, 10);
    assert_int_equal(fixture->pieces[4].owner.pid, 10);
}

static void take_length_beyond_the_record_is_ignored(void **state)
{
    struct ec_plaintext_event event = {
        .record = {.type = EC_RECORD_PLAINTEXT, .size = sizeof(event)}, .len = 1, .direction = EC_DIRECTION_OUT};
    struct fixture *fixture = *state;

    ec_plaintext_kind.take(fixture->kind, &event.record);
    assert_int_equal(fixture->n, 0);
}

static void take_unknown_direction_is_ignored(void **state)
{
    union {
        struct ec_plaintext_event event;
        uint8_t bytes[sizeof(struct ec_plaintext_event) + 8];
    } record = {.event = {.record = {.type = EC_RECORD_PLAINTEXT, .size = sizeof(record)}, .len = 1, .direction = 3}};
    struct fixture *fixture = *state;

    ec_plaintext_kind.take(fixture->kind, &record.event.record);
    assert_int_equal(fixture->n, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(take_data_names_process_and_place),
        CASE(take_tells_connections_apart),
        CASE(take_socket_gives_addresses),
        CASE(take_role_is_the_sockets),
        CASE(take_closed_comes_once_behind_the_last_byte),
        CASE(take_exit_closes_the_processes_connections),
        CASE(take_length_beyond_the_record_is_ignored),
        CASE(take_unknown_direction_is_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
