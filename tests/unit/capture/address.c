/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void make_random(uint32_t number, uint8_t ret_random[static EC_RANDOM_LEN])
{
    memset(ret_random, 0, EC_RANDOM_LEN);
    memcpy(ret_random, &number, sizeof(number));
}

static void add(ec_addresses *addresses, uint32_t number)
{
    const struct ec_address address = {.client.port = (uint16_t)number, .server.port = 443};
    uint8_t client_random[EC_RANDOM_LEN];

    make_random(number, client_random);
    ec_addresses_add(addresses, client_random, &address);
}

static void name(ec_addresses *addresses, uint32_t pid, uint64_t object, uint32_t number)
{
    uint8_t client_random[EC_RANDOM_LEN];

    make_random(number, client_random);
    ec_addresses_name(addresses, pid, object, client_random, number);
}

static void find_named_handshake_gives_its_ends(void **state)
{
    g_autoptr(ec_addresses) addresses = ec_addresses_new();
    struct ec_address address = {0};
    (void)state;

    add(addresses, 1);
    name(addresses, 10, 0x1000, 1);
    assert_true(ec_addresses_find(addresses, 10, 0x1000, UINT64_MAX, &address));
    assert_int_equal(address.client.port, 1);
    assert_int_equal(address.server.port, 443);
}

/* The secret comes before its packet is looked at. */
static void find_order_of_the_two_does_not_matter(void **state)
{
    g_autoptr(ec_addresses) addresses = ec_addresses_new();
    struct ec_address address;
    (void)state;

    name(addresses, 10, 0x1000, 1);
    assert_false(ec_addresses_find(addresses, 10, 0x1000, UINT64_MAX, &address));
    add(addresses, 1);
    assert_true(ec_addresses_find(addresses, 10, 0x1000, UINT64_MAX, &address));
}

static void find_object_of_another_process_is_unknown(void **state)
{
    g_autoptr(ec_addresses) addresses = ec_addresses_new();
    struct ec_address address;
    (void)state;

    add(addresses, 1);
    name(addresses, 10, 0x1000, 1);
    assert_false(ec_addresses_find(addresses, 11, 0x1000, UINT64_MAX, &address));
    assert_false(ec_addresses_find(addresses, 10, 0x2000, UINT64_MAX, &address));
}

static void find_object_used_again_has_the_later_ends(void **state)
{
    g_autoptr(ec_addresses) addresses = ec_addresses_new();
    struct ec_address address = {0};
    (void)state;

    add(addresses, 1);
    add(addresses, 2);
    name(addresses, 10, 0x1000, 1);
    name(addresses, 10, 0x1000, 2);
    assert_true(ec_addresses_find(addresses, 10, 0x1000, UINT64_MAX, &address));
    assert_int_equal(address.client.port, 2);
}

static void add_very_many_forgets_the_oldest_only(void **state)
{
    g_autoptr(ec_addresses) addresses = ec_addresses_new();
    struct ec_address address;
    (void)state;

    for (uint32_t i = 0; i < 100000; i++) {
        add(addresses, i);
        name(addresses, 10, (uint64_t)i << 8, i);
    }
    assert_false(ec_addresses_find(addresses, 10, 0, UINT64_MAX, &address));
    assert_true(ec_addresses_find(addresses, 10, 70000ull << 8, UINT64_MAX, &address));
    assert_true(ec_addresses_find(addresses, 10, 99999ull << 8, UINT64_MAX, &address));
}

static void is_datagram_knows_both_directions_over_udp_only(void **state)
{
    g_autoptr(ec_addresses) addresses = ec_addresses_new();
    const struct ec_address udp = {.client.port = 1, .server.port = 443, .transport = EC_TRANSPORT_UDP};
    const struct ec_address tcp = {.client.port = 2, .server.port = 443, .transport = EC_TRANSPORT_TCP};
    uint8_t client_random[EC_RANDOM_LEN];
    (void)state;

    make_random(1, client_random);
    ec_addresses_add(addresses, client_random, &udp);
    ec_addresses_add(addresses, client_random, &tcp);
    assert_true(ec_addresses_is_datagram(addresses, &udp.client, &udp.server));
    assert_true(ec_addresses_is_datagram(addresses, &udp.server, &udp.client));
    assert_false(ec_addresses_is_datagram(addresses, &tcp.client, &tcp.server));
}

static void find_object_that_was_another_connection_by_then(void **state)
{
    g_autoptr(ec_addresses) addresses = ec_addresses_new();
    struct ec_address address = {0};
    (void)state;

    for (unsigned number = 1; number <= 3; number++) {
        add(addresses, number);
        name(addresses, 10, 0x1000, number);
    }
    assert_false(ec_addresses_find(addresses, 10, 0x1000, 0, &address));
    for (unsigned number = 1; number <= 3; number++) {
        assert_true(ec_addresses_find(addresses, 10, 0x1000, number, &address));
        assert_int_equal(address.client.port, number);
    }
}

static void own_ends_have_their_processes(void **state)
{
    g_autoptr(ec_addresses) addresses = ec_addresses_new();
    const struct ec_endpoint client = {.port = 1}, server = {.port = 443}, other = {.port = 2};
    struct ec_address address = {0};
    uint8_t client_random[EC_RANDOM_LEN];
    (void)state;

    add(addresses, 1);
    name(addresses, 10, 0x1000, 1);
    make_random(1, client_random);
    ec_addresses_own(addresses, client_random, &client, 10, 11);
    assert_true(ec_addresses_find(addresses, 10, 0x1000, UINT64_MAX, &address));
    assert_int_equal(address.client_pid, 10);
    assert_int_equal(address.server_pid, 11);
    ec_addresses_own(addresses, client_random, &server, 12, 0);
    ec_addresses_own(addresses, client_random, &other, 13, 13);
    assert_true(ec_addresses_find(addresses, 10, 0x1000, UINT64_MAX, &address));
    assert_int_equal(address.client_pid, 0);
    assert_int_equal(address.server_pid, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_named_handshake_gives_its_ends),
        cmocka_unit_test(find_order_of_the_two_does_not_matter),
        cmocka_unit_test(find_object_of_another_process_is_unknown),
        cmocka_unit_test(find_object_used_again_has_the_later_ends),
        cmocka_unit_test(add_very_many_forgets_the_oldest_only),
        cmocka_unit_test(is_datagram_knows_both_directions_over_udp_only),
        cmocka_unit_test(find_object_that_was_another_connection_by_then),
        cmocka_unit_test(own_ends_have_their_processes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
