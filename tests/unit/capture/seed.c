/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seed.h"

#include "feature.h"

#include "ecapture.skel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool accept_us(uint32_t pid, uint32_t uid, void *data)
{
    (void)uid;
    return pid == *(uint32_t *)data;
}

/* The maps alone; NULL: not without a capture's privileges. */
static struct ecapture_bpf *load_maps(void)
{
    g_autoptr(ec_features) features = ec_features_new(NULL);
    struct ecapture_bpf *skeleton;
    struct bpf_program *program;

    if (!ec_features_has(features, EC_FEATURE_BPF) || !ec_features_has(features, EC_FEATURE_PIDFD_GETFD))
        return NULL;
    skeleton = ecapture_bpf__open();
    assert_non_null(skeleton);
    bpf_object__for_each_program(program, skeleton->obj)
    {
        bpf_program__set_autoload(program, false);
    }
    if (ecapture_bpf__load(skeleton) == 0)
        return skeleton;
    ecapture_bpf__destroy(skeleton);
    return NULL;
}

static void check_stored(int map, int fd, uint32_t pid)
{
    struct ec_socket stored = {0};
    uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);

    assert_int_equal(bpf_map_lookup_elem(map, &fd, &stored), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
    assert_int_equal(stored.owner.pid, pid);
    assert_int_equal(stored.owner.uid, getuid());
    assert_int_equal(stored.owner.flags, EC_OWNER_KNOWN | EC_OWNER_MATCH);
    assert_true(stored.cookie == cookie);
    assert_string_equal(stored.owner.comm, "capture-seed");
}

static void seed_sockets_writes_owner_of_internet_sockets(void **state)
{
    struct ecapture_bpf *skeleton = load_maps();
    int udp = socket(AF_INET, SOCK_DGRAM, 0), udp6 = socket(AF_INET6, SOCK_DGRAM, 0);
    int local = socket(AF_UNIX, SOCK_DGRAM, 0);
    uint32_t pid = (uint32_t)getpid();
    struct ec_socket stored;
    int map;

    (void)state;
    if (!skeleton)
        skip();
    map = bpf_map__fd(skeleton->maps.sockets);
    assert_in_range(ec_seed_sockets(map, accept_us, &pid), 1, UINT32_MAX);
    check_stored(map, udp, pid);
    if (udp6 >= 0)
        check_stored(map, udp6, pid);
    assert_int_not_equal(bpf_map_lookup_elem(map, &local, &stored), 0);
    ecapture_bpf__destroy(skeleton);
    close(udp);
    close(udp6);
    close(local);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(seed_sockets_writes_owner_of_internet_sockets)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
