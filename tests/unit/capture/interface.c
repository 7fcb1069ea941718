/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In a network namespace of its own, with real devices; skipped without the privilege to make one. */
#include "interface.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void require_namespace(void)
{
    if (unshare(CLONE_NEWNET) != 0) {
        print_message("skipped: a network namespace needs root\n");
        skip();
    }
}

static void run(const char *command)
{
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static void record(enum ec_interface_event event, const struct ec_interface *interface, const char *old_name,
                   void *data)
{
    static const char *const names[] = {"up", "down", "gone", "renamed"};

    g_string_append_printf(data, "%s:%s%s%s ", names[event], interface->name, old_name ? "<" : "",
                           old_name ? old_name : "");
}

static void assert_events(ec_interface_list *list, const char *expected)
{
    g_autoptr(GString) events = g_string_new(NULL);

    assert_true(ec_interface_list_read(list, record, events, NULL));
    assert_string_equal(events->str, expected);
}

static void ec_interface_list_new_own_namespace_lists_loopback(void **state)
{
    g_autoptr(ec_interface_list) list = ec_interface_list_new(NULL);

    (void)state;
    assert_non_null(list);
    const struct ec_interface *lo = ec_interface_list_find(list, "lo");
    assert_non_null(lo);
    assert_true(lo->loopback);
    assert_int_equal(lo->linktype, EC_LINKTYPE_ETHERNET);
    assert_int_equal(lo->ifindex, (int)if_nametoindex("lo"));
    assert_null(ec_interface_list_find(list, "no-such"));
}

static void ec_interface_list_new_device_types_give_link_types(void **state)
{
    (void)state;
    require_namespace();
    run("ip link add ec-veth0 type veth peer name ec-veth1 && ip link set ec-veth0 up");
    run("ip tuntap add ec-tap0 mode tap");
    g_autoptr(ec_interface_list) list = ec_interface_list_new(NULL);
    const struct ec_interface *veth = ec_interface_list_find(list, "ec-veth0");
    assert_int_equal(veth->linktype, EC_LINKTYPE_ETHERNET);
    assert_true(veth->up);
    assert_false(veth->loopback);
    assert_null(veth->reason);
    assert_false(ec_interface_list_find(list, "ec-veth1")->up);
    assert_int_equal(ec_interface_list_find(list, "ec-tap0")->linktype, EC_LINKTYPE_ETHERNET);
}

static void ec_interface_list_new_tun_is_raw_ip(void **state)
{
    (void)state;
    require_namespace();
    run("ip tuntap add ec-tun0 mode tun");
    g_autoptr(ec_interface_list) list = ec_interface_list_new(NULL);
    assert_int_equal(ec_interface_list_find(list, "ec-tun0")->linktype, EC_LINKTYPE_RAW);
}

static void ec_interface_list_read_changes_are_told_in_order(void **state)
{
    (void)state;
    require_namespace();
    g_autoptr(ec_interface_list) list = ec_interface_list_new(NULL);
    assert_events(list, "");
    run("ip link add ec-a type veth peer name ec-b");
    assert_events(list, "");
    run("ip link set ec-a up");
    assert_events(list, "up:ec-a ");
    assert_true(ec_interface_list_find(list, "ec-a")->up);
    run("ip link set ec-a down && ip link set ec-a name ec-c");
    assert_events(list, "down:ec-a renamed:ec-c<ec-a ");
    run("ip link set ec-c up; ip link del ec-c");
    g_autoptr(GString) events = g_string_new(NULL);
    assert_true(ec_interface_list_read(list, record, events, NULL));
    assert_non_null(strstr(events->str, "up:ec-c "));
    assert_non_null(strstr(events->str, "gone:ec-c "));
    assert_non_null(strstr(events->str, "gone:ec-b "));
    assert_null(ec_interface_list_find(list, "ec-c"));
    assert_int_equal(ec_interface_list_get(list)->len, 1);
}

static void ec_interface_list_read_leaving_a_bridge_is_not_gone(void **state)
{
    (void)state;
    require_namespace();
    if (system("ip link add ec-br type bridge 2>/dev/null") != 0)
        skip();
    run("ip link add ec-a type veth peer name ec-b && ip link set ec-a master ec-br && ip link set ec-a up");
    g_autoptr(ec_interface_list) list = ec_interface_list_new(NULL);
    run("ip link set ec-a nomaster");
    assert_events(list, "");
    assert_true(ec_interface_list_find(list, "ec-a")->up);
}

/* More messages than the socket's buffer holds: what was missed is found by listing anew. */
static void ec_interface_list_read_overrun_lists_anew(void **state)
{
    const int size = 4096;

    (void)state;
    require_namespace();
    run("ip link add ec-old type veth peer name ec-old2 && ip link set ec-old up");
    g_autoptr(ec_interface_list) list = ec_interface_list_new(NULL);
    assert_int_equal(setsockopt(ec_interface_list_get_fd(list), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    run("for i in 1 2 3 4 5 6 7 8; do ip link add ec-n$i type veth peer name ec-m$i && ip link set ec-n$i up; done");
    run("ip link del ec-old");
    g_autoptr(GString) events = g_string_new(NULL);
    assert_true(ec_interface_list_read(list, record, events, NULL));
    assert_non_null(strstr(events->str, "gone:ec-old "));
    assert_non_null(strstr(events->str, "up:ec-n1 "));
    assert_non_null(strstr(events->str, "up:ec-n8 "));
    assert_int_equal(ec_interface_list_get(list)->len, 17);
    assert_events(list, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec_interface_list_new_own_namespace_lists_loopback),
        cmocka_unit_test(ec_interface_list_new_device_types_give_link_types),
        cmocka_unit_test(ec_interface_list_new_tun_is_raw_ip),
        cmocka_unit_test(ec_interface_list_read_changes_are_told_in_order),
        cmocka_unit_test(ec_interface_list_read_leaving_a_bridge_is_not_gone),
        cmocka_unit_test(ec_interface_list_read_overrun_lists_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
